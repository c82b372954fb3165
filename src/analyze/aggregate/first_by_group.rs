//! The first or last value of each group, in the order of what its rows are ordered by.
//!
//! Of each group one row is kept, the best so far: its value in a column, and what it is ordered by as bytes that compare like it
//! (arrow's row format). Each batch adds the rows that are better than those of their groups. Rows that are no group's best any
//! more are dropped once they are more than half of those kept, so that all dropping together copies no more rows than were added
//! (amortized analysis, as for a table that doubles).

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, UInt64Array, new_null_array};
use arrow::compute::{SortOptions, interleave, take};
use arrow::datatypes::DataType;
use arrow::row::{Row, RowConverter, Rows, SortField};
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{EmitTo, GroupsAccumulator};

use crate::analyze::filter::passes;

/// Which row of a group is wanted. Of several equal ones it is the one that came first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum PickedRow {
    First,
    Last,
}

/// What rows are ordered by.
#[derive(Debug, Clone)]
pub(super) struct OrderColumn {
    pub data_type: DataType,
    pub options: SortOptions,
}

/// So few rows are not worth putting together.
const FEW_ROWS: usize = 64 * 1024;

/// The place of the row of a group without one.
const NO_ROW: usize = usize::MAX;

/// The value of one row of each group.
#[derive(Debug)]
pub(super) struct FirstByGroup {
    picked: PickedRow,
    value_type: DataType,
    ignores_nulls: bool,
    converter: RowConverter,
    /// What a group without a row is ordered by: nulls.
    no_order: Rows,
    /// The place of each group's row among those that are kept.
    places: Vec<usize>,
    /// How many groups have a row.
    used: usize,
    kept: KeptRows,
    /// What the rows of the last batch are ordered by: only its memory is used again.
    batch: Rows,
    /// The groups to which the last batch gave another row: only its memory is used again.
    changed: Vec<usize>,
}

impl FirstByGroup {
    /// An accumulator for values of this type, in groups whose rows are ordered by these columns.
    ///
    /// # Errors
    ///
    /// Returns an error if there is no row format for one of the columns.
    pub fn new(
        picked: PickedRow,
        value_type: DataType,
        ignores_nulls: bool,
        order: &[OrderColumn],
    ) -> Result<FirstByGroup> {
        let field = |column: &OrderColumn| SortField::new_with_options(column.data_type.clone(), column.options);
        let converter = RowConverter::new(order.iter().map(field).collect())?;
        let nulls: Vec<ArrayRef> = order.iter().map(|column| new_null_array(&column.data_type, 1)).collect();
        Ok(FirstByGroup {
            picked,
            value_type,
            ignores_nulls,
            no_order: converter.convert_columns(&nulls)?,
            places: Vec::new(),
            used: 0,
            kept: KeptRows::new(&converter),
            batch: converter.empty_rows(0, 0),
            changed: Vec::new(),
            converter,
        })
    }

    /// Adds the rows of a batch that pass the filter.
    fn add(
        &mut self,
        values: &ArrayRef,
        order: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
    ) -> Result<()> {
        self.batch.clear();
        self.converter.append(&mut self.batch, order)?;
        self.changed.clear();
        // A place behind those of the rows that are kept is one in this batch.
        let before = self.kept.len();
        for (row, group) in groups.iter().enumerate() {
            if !passes(filter, row) || self.ignores_nulls && values.is_null(row) {
                continue;
            }
            let Some(place) = self.places.get_mut(*group) else {
                return exec_err!("there is no group {group}");
            };
            let best = match *place {
                NO_ROW => None,
                known if known < before => Some(self.kept.order.row(known)),
                known => Some(self.batch.row(known - before)),
            };
            if best.is_some_and(|best| !self.picked.is_better(self.batch.row(row), best)) {
                continue;
            }
            // A group is noted once, however often the batch has a better row for it.
            if *place == NO_ROW {
                self.used += 1;
                self.changed.push(*group);
            } else if *place < before {
                self.changed.push(*group);
            }
            *place = before + row;
        }
        self.keep_changed(values, before)?;
        self.drop_unused()
    }

    /// Keeps the rows of the last batch that groups have now.
    fn keep_changed(&mut self, values: &ArrayRef, before: usize) -> Result<()> {
        if self.changed.is_empty() {
            return Ok(());
        }
        let mut rows: Vec<u64> = Vec::with_capacity(self.changed.len());
        for (at, group) in self.changed.iter().enumerate() {
            let Some(place) = self.places.get_mut(*group) else {
                return exec_err!("there is no group {group}");
            };
            let row = *place - before;
            self.kept.order.push(self.batch.row(row));
            rows.push(row as u64);
            *place = before + at;
        }
        // Where each row is a group of its own, as in data without duplicates, nothing is copied.
        let is_whole = rows.len() == values.len() && rows.iter().enumerate().all(|(at, row)| at as u64 == *row);
        let values = if is_whole { Arc::clone(values) } else { take(values, &UInt64Array::from(rows), None)? };
        self.kept.push(before, values);
        Ok(())
    }

    /// Puts the rows that groups have together, once most of those that are kept are of no use any more.
    fn drop_unused(&mut self) -> Result<()> {
        if self.kept.len() <= 2 * self.used + FEW_ROWS {
            return Ok(());
        }
        let rows: Vec<usize> = self.places.iter().copied().filter(|place| *place != NO_ROW).collect();
        let mut together = KeptRows::new(&self.converter);
        rows.iter().for_each(|row| together.order.push(self.kept.order.row(*row)));
        together.push(0, self.kept.values_of(&rows, &self.value_type)?);
        let in_use = self.places.iter_mut().filter(|place| **place != NO_ROW);
        in_use.enumerate().for_each(|(at, place)| *place = at);
        self.kept = together;
        Ok(())
    }

    /// Takes the rows of the groups that are emitted.
    fn emitted(&mut self, emit_to: EmitTo) -> Vec<usize> {
        let rows = emit_to.take_needed(&mut self.places);
        self.used -= rows.iter().filter(|row| **row != NO_ROW).count();
        rows
    }

    /// Gives memory back when there are no groups any more.
    fn forget_if_empty(&mut self) {
        if self.places.is_empty() {
            self.kept = KeptRows::new(&self.converter);
        }
    }
}

impl PickedRow {
    fn is_better(self, row: Row<'_>, best: Row<'_>) -> bool {
        match self {
            PickedRow::First => row < best,
            PickedRow::Last => row > best,
        }
    }
}

impl GroupsAccumulator for FirstByGroup {
    fn update_batch(
        &mut self,
        columns: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        count: usize,
    ) -> Result<()> {
        let Some((values, order)) = columns.split_first() else { return exec_err!("there is no value") };
        self.places.resize(count, NO_ROW);
        self.add(values, order, groups, filter)
    }

    fn merge_batch(&mut self, states: &[ArrayRef], groups: &[usize], count: usize) -> Result<()> {
        let [values, order @ .., has_row] = states else { return exec_err!("there is no state") };
        self.places.resize(count, NO_ROW);
        self.add(values, order, groups, Some(has_row.as_boolean()))
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let rows = self.emitted(emit_to);
        let values = self.kept.values_of(&rows, &self.value_type)?;
        self.forget_if_empty();
        Ok(values)
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        let rows = self.emitted(emit_to);
        let order_of = |row: &usize| match *row {
            NO_ROW => self.no_order.row(0),
            row => self.kept.order.row(row),
        };
        let mut states = vec![self.kept.values_of(&rows, &self.value_type)?];
        states.extend(self.converter.convert_rows(rows.iter().map(order_of))?);
        states.push(Arc::new(rows.iter().map(|row| Some(*row != NO_ROW)).collect::<BooleanArray>()));
        self.forget_if_empty();
        Ok(states)
    }

    fn convert_to_state(&self, columns: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        let rows = columns.first().map_or(0, |column| column.len());
        let all = || BooleanArray::from(vec![true; rows]);
        let mut states = columns.to_vec();
        states.push(Arc::new(filter.cloned().unwrap_or_else(all)));
        Ok(states)
    }

    fn size(&self) -> usize {
        let groups = (self.places.capacity() + self.changed.capacity()) * size_of::<usize>();
        groups + self.kept.size() + self.batch.size()
    }
}

/// Rows by their places.
#[derive(Debug)]
struct KeptRows {
    /// Their values, in columns one behind the other.
    values: Vec<ArrayRef>,
    /// The place of the first row of each column.
    begins: Vec<usize>,
    /// The memory of the columns, in bytes.
    values_size: usize,
    /// What they are ordered by.
    order: Rows,
}

impl KeptRows {
    fn new(converter: &RowConverter) -> KeptRows {
        KeptRows { values: Vec::new(), begins: Vec::new(), values_size: 0, order: converter.empty_rows(0, 0) }
    }

    fn len(&self) -> usize {
        self.order.num_rows()
    }

    /// Adds the values of the rows from a place on.
    fn push(&mut self, begin: usize, values: ArrayRef) {
        let values = compact(values);
        self.values_size += values.get_array_memory_size();
        self.begins.push(begin);
        self.values.push(values);
    }

    /// The values of some rows, null where there is no row.
    fn values_of(&self, rows: &[usize], data_type: &DataType) -> Result<ArrayRef> {
        let null = new_null_array(data_type, 1);
        // The null comes first, so that columns keep their places behind it.
        let mut columns: Vec<&dyn Array> = vec![&null];
        columns.extend(self.values.iter().map(|column| column.as_ref() as &dyn Array));
        let place = |row: &usize| match *row {
            NO_ROW => (0, 0),
            row => {
                let column = self.begins.partition_point(|begin| *begin <= row);
                (column, row - self.begins.get(column.wrapping_sub(1)).copied().unwrap_or(0))
            }
        };
        let places: Vec<(usize, usize)> = rows.iter().map(place).collect();
        Ok(interleave(&columns, &places)?)
    }

    fn size(&self) -> usize {
        let columns = self.begins.capacity() * size_of::<usize>() + self.values.capacity() * size_of::<ArrayRef>();
        columns + self.values_size + self.order.size()
    }
}

/// A column whose texts hold on to no bytes but their own.
fn compact(values: ArrayRef) -> ArrayRef {
    match values.data_type() {
        DataType::Utf8View => Arc::new(values.as_string_view().gc()),
        DataType::BinaryView => Arc::new(values.as_binary_view().gc()),
        _ => values,
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{Int64Array, StringViewArray};

    use super::*;
    use crate::dice::Dice;

    const NULLS_LAST: SortOptions = SortOptions { descending: false, nulls_first: false };

    fn accumulator(picked: PickedRow, ignores_nulls: bool) -> FirstByGroup {
        let order = [
            OrderColumn { data_type: DataType::Int64, options: NULLS_LAST },
            OrderColumn { data_type: DataType::Utf8View, options: SortOptions { descending: true, nulls_first: true } },
        ];
        FirstByGroup::new(picked, DataType::Utf8View, ignores_nulls, &order).unwrap()
    }

    fn columns(rows: &[(Option<&str>, Option<i64>, Option<&str>)]) -> Vec<ArrayRef> {
        vec![
            Arc::new(rows.iter().map(|row| row.0).collect::<StringViewArray>()),
            Arc::new(rows.iter().map(|row| row.1).collect::<Int64Array>()),
            Arc::new(rows.iter().map(|row| row.2).collect::<StringViewArray>()),
        ]
    }

    fn texts(values: &ArrayRef) -> Vec<Option<&str>> {
        values.as_string_view().iter().collect()
    }

    #[test]
    fn the_first_and_the_last_row_of_each_group_in_several_batches() {
        let first = columns(&[(Some("a"), Some(2), None), (Some("b"), Some(1), None), (Some("c"), None, Some("x"))]);
        let second =
            columns(&[(Some("d"), Some(1), Some("k")), (None, Some(1), Some("l")), (Some("f"), Some(0), None)]);
        for (picked, expected) in [
            // 1/`l` comes before 1/`k`, because texts are descending; nothing comes behind null.
            (PickedRow::First, [None, Some("f"), Some("c")]),
            (PickedRow::Last, [Some("a"), Some("b"), Some("c")]),
        ] {
            let mut accumulator = accumulator(picked, false);
            accumulator.update_batch(&first, &[0, 1, 2], None, 3).unwrap();
            accumulator.update_batch(&second, &[0, 0, 1], None, 3).unwrap();
            assert_eq!(texts(&accumulator.evaluate(EmitTo::All).unwrap()), expected, "{picked:?}");
            assert_eq!(accumulator.kept.len(), 0);
        }
    }

    #[test]
    fn of_equal_rows_the_first_one_counts() {
        for picked in [PickedRow::First, PickedRow::Last] {
            let mut accumulator = accumulator(picked, false);
            let rows = columns(&[(Some("a"), Some(1), None), (Some("b"), Some(1), None)]);
            accumulator.update_batch(&rows, &[0, 0], None, 1).unwrap();
            accumulator.update_batch(&columns(&[(Some("c"), Some(1), None)]), &[0], None, 1).unwrap();
            assert_eq!(texts(&accumulator.evaluate(EmitTo::All).unwrap()), [Some("a")]);
        }
    }

    #[test]
    fn filtered_rows_and_ignored_nulls_do_not_count() {
        let rows = columns(&[(None, Some(1), None), (Some("b"), Some(2), None), (Some("c"), Some(3), None)]);
        let filter = BooleanArray::from(vec![Some(true), None, Some(true)]);
        let mut ignoring = accumulator(PickedRow::First, true);
        ignoring.update_batch(&rows, &[0, 0, 0], Some(&filter), 2).unwrap();
        assert_eq!(texts(&ignoring.evaluate(EmitTo::All).unwrap()), [Some("c"), None]);
        let mut keeping = accumulator(PickedRow::First, false);
        keeping.update_batch(&rows, &[0, 0, 0], Some(&filter), 1).unwrap();
        assert_eq!(texts(&keeping.evaluate(EmitTo::All).unwrap()), [None]);
    }

    #[test]
    fn groups_that_were_emitted_make_room_for_others() {
        let mut accumulator = accumulator(PickedRow::First, false);
        let rows = columns(&[(Some("a"), Some(1), None), (Some("b"), Some(1), None), (Some("c"), Some(1), None)]);
        accumulator.update_batch(&rows, &[0, 1, 2], None, 3).unwrap();
        assert_eq!(texts(&accumulator.evaluate(EmitTo::First(2)).unwrap()), [Some("a"), Some("b")]);
        accumulator.update_batch(&columns(&[(Some("d"), Some(0), None)]), &[0], None, 2).unwrap();
        assert_eq!(texts(&accumulator.evaluate(EmitTo::All).unwrap()), [Some("d"), None]);
    }

    #[test]
    fn rows_that_no_group_has_are_dropped() {
        let mut accumulator = accumulator(PickedRow::Last, false);
        let mut most = 0;
        for round in 0..60_i64 {
            let rows: Vec<_> = (0..5000).map(|_| (Some("a text that is not short"), Some(round), None)).collect();
            let groups: Vec<usize> = (0..5000).collect();
            accumulator.update_batch(&columns(&rows), &groups, None, 5000).unwrap();
            most = most.max(accumulator.kept.len());
        }
        assert!(most <= 2 * 5000 + FEW_ROWS + 5000, "{most} rows were kept");
        let last = columns(&[(Some("z"), Some(60), None)]);
        accumulator.update_batch(&last, &[7], None, 5000).unwrap();
        let values = accumulator.evaluate(EmitTo::All).unwrap();
        assert_eq!(values.len(), 5000);
        assert_eq!(texts(&values)[6..8], [Some("a text that is not short"), Some("z")]);
    }

    /// However the rows are divided among accumulators whose states are merged: as if each group was sorted.
    #[test]
    fn states_of_partial_accumulators_are_merged() {
        let mut dice = Dice { seed: 7 };
        let names = ["", "a", "b", "a longer text than twelve bytes", "c"];
        let rows: Vec<(Option<&str>, Option<i64>, Option<&str>)> = (0..3000)
            .map(|row| {
                let name = names.get(dice.next(5) as usize).copied();
                (
                    name.filter(|_| row % 7 != 0),
                    Some(dice.next(9) as i64).filter(|n| *n > 0),
                    name.filter(|_| row % 3 != 0),
                )
            })
            .collect();
        let groups: Vec<usize> = (0..3000).map(|_| dice.next(40) as usize).collect();
        let of_group = |wanted: usize, picked: PickedRow| {
            let mut best: Option<usize> = None;
            for row in (0..rows.len()).filter(|row| groups[*row] == wanted) {
                let key = |row: usize| {
                    let (_, number, text) = rows[row];
                    // Numbers ascend and nulls come last; texts descend and nulls come first.
                    (number.is_none(), number, text.is_some(), std::cmp::Reverse(text))
                };
                let is_better = best.is_none_or(|best| match picked {
                    PickedRow::First => key(row) < key(best),
                    PickedRow::Last => key(row) > key(best),
                });
                if is_better {
                    best = Some(row);
                }
            }
            best.and_then(|row| rows[row].0)
        };
        for picked in [PickedRow::First, PickedRow::Last] {
            let mut whole = accumulator(picked, false);
            for (rows, groups) in rows.chunks(700).zip(groups.chunks(700)) {
                let mut part = accumulator(picked, false);
                part.update_batch(&columns(rows), groups, None, 40).unwrap();
                let states = part.state(EmitTo::All).unwrap();
                whole.merge_batch(&states, &(0..40).collect::<Vec<_>>(), 40).unwrap();
            }
            let expected: Vec<Option<&str>> = (0..40).map(|group| of_group(group, picked)).collect();
            assert_eq!(texts(&whole.evaluate(EmitTo::All).unwrap()), expected, "{picked:?}");
        }
    }
}
