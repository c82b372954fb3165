//! A large table is computed in parts, one after the other, so that grouping and sorting need memory for one part only.
//!
//! That is possible where a filter on the output's event time reaches every large input as a choice of partitions:
//! then each part reads its own files, and all parts together read every file once.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::NaiveDateTime;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, ScalarValue};
use datafusion::execution::SessionState;
use datafusion::logical_expr::{Expr, LogicalPlan, lit};

use super::engine::Engine;
use crate::analyze::{Input, InputTable, TypedModel};
use crate::catalog::Catalog;
use crate::day::{Grain, TimeRange, parse_stored};
use crate::engine::{DeclaredTable, declared_table};
use crate::incremental::{Bound, bind};
use crate::table::{SliceKey, SliceSet};

/// The bounds of the parts in which a whole table is built: one, `Whole`, unless it is large and can be cut.
pub(super) fn parts<'m>(
    engine: &Engine,
    catalog: &Catalog<'_>,
    model: &'m TypedModel,
    state: &SessionState,
) -> Result<Vec<Bound<'m>>> {
    let whole = vec![Bound::Whole];
    let Some(event_time) = model.event_time() else { return Ok(whole) };
    let by_time = model.partition_columns().iter().any(|column| column == event_time);
    if !by_time || model.config.begin.is_some() {
        return Ok(whole);
    }
    // Reading by parts pays where it bounds memory: small tables are built at once.
    let Some(rows) = rows_by_time(catalog, model) else { return Ok(whole) };
    if rows.values().sum::<u64>() <= engine.settings.part_rows || !can_be_cut(model, event_time, state)? {
        return Ok(whole);
    }
    let cuts = cuts(&rows, model.config.batch_size, engine.settings.part_rows);
    let starts = std::iter::once(NaiveDateTime::MIN).chain(cuts.iter().copied());
    let ends = cuts.iter().copied().chain([NaiveDateTime::MAX]);
    let ranges = starts.zip(ends).filter_map(|(start, end)| TimeRange::new(start, end));
    let timed = ranges.map(|range| SliceSet::new(vec![range], false));
    // Rows whose time is null belong to no range: they are a part of their own, so that all parts together are the table.
    let parts = timed.chain([SliceSet::new(Vec::new(), true)]);
    Ok(parts.map(|slices| Bound::Slices { event_time, slices }).collect())
}

/// The parts in which slices are built: one, unless they are many rows and can be cut.
pub(crate) fn parts_of(
    engine: &Engine,
    catalog: &Catalog<'_>,
    model: &TypedModel,
    slices: &SliceSet,
    state: &SessionState,
) -> Result<Vec<SliceSet>> {
    let whole = || vec![slices.clone()];
    let event_time = model.event_time().filter(|_| model.layout().has_files_of_slices());
    let Some(event_time) = event_time else {
        return Ok(whole());
    };
    let Some(mut rows) = rows_by_time(catalog, model) else { return Ok(whole()) };
    let grain = model.config.batch_size;
    rows.retain(|time, _| slices.contains(SliceKey::At(grain.floor(*time))));
    if rows.values().sum::<u64>() <= engine.settings.part_rows || !can_be_cut(model, event_time, state)? {
        return Ok(whole());
    }
    Ok(split(slices, &cuts(&rows, grain, engine.settings.part_rows)))
}

/// The same slices, cut at these instants.
fn split(slices: &SliceSet, cuts: &[NaiveDateTime]) -> Vec<SliceSet> {
    let starts = std::iter::once(NaiveDateTime::MIN).chain(cuts.iter().copied());
    let ends = cuts.iter().copied().chain([NaiveDateTime::MAX]);
    let part = |(start, end): (NaiveDateTime, NaiveDateTime)| {
        let within =
            slices.ranges().iter().filter_map(|range| TimeRange::new(range.start().max(start), range.end().min(end)));
        SliceSet::new(within.collect(), false)
    };
    let timed = starts.zip(ends).map(part);
    let timeless = SliceSet::new(Vec::new(), slices.timeless());
    timed.chain([timeless]).filter(|part| !part.is_empty()).collect()
}

/// The rows of all inputs by the instant of their partition; nothing if an input is no table of the lake.
fn rows_by_time(catalog: &Catalog<'_>, model: &TypedModel) -> Option<BTreeMap<NaiveDateTime, u64>> {
    let mut rows = BTreeMap::new();
    for input in model.inputs() {
        let Input::Model(name) = input else { return None };
        let parent = catalog.typed.get(name)?;
        let state = catalog.state_of(&parent.table)?;
        let Some(event_time) = parent.event_time() else { continue };
        for file in state.files.iter() {
            let value = file.partition.value(event_time).and_then(parse_stored);
            if let Some(time) = value {
                *rows.entry(time).or_default() += file.rows.unwrap_or(0);
            }
        }
    }
    Some(rows)
}

/// Where to cut so that each part reads about `part_rows` rows, at borders of slices.
fn cuts(rows: &BTreeMap<NaiveDateTime, u64>, grain: Grain, part_rows: u64) -> Vec<NaiveDateTime> {
    // Greedy: a part is closed at the first border of a slice after it has enough rows.
    let mut cuts = Vec::new();
    let mut read = 0;
    for (time, count) in rows {
        let border = grain.floor(*time);
        if read >= part_rows && cuts.last() != Some(&border) {
            cuts.push(border);
            read = 0;
        }
        read += count;
    }
    cuts
}

/// Whether a filter on the output's event time chooses the partitions of every input that has an event time.
fn can_be_cut(model: &TypedModel, event_time: &str, state: &SessionState) -> Result<bool> {
    let range = Grain::Day.floor(NaiveDateTime::default());
    let Some(range) = TimeRange::new(range, Grain::Day.next(range)) else { return Ok(false) };
    let bound = Bound::Slices { event_time, slices: SliceSet::new(vec![range], false) };
    let bound = bind(model.plan()?, bound, &mut |table| Ok(Arc::new(DeclaredTable(table.clone()))))?;
    // Asked of the optimizer instead of derived: what counts is whether the filter arrives at the scans, by whatever rule.
    let mut all = true;
    state.optimize(&bound)?.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node
            && let Some(table) = declared_table(scan)
        {
            all &= is_chosen(&table, &scan.filters);
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(all)
}

fn is_chosen(table: &InputTable, filters: &[Expr]) -> bool {
    let Some(event_time) = &table.event_time else { return true };
    let on_time = |filter: &&Expr| filter.column_refs().iter().any(|column| column.name == *event_time);
    // A literal alone would mean that the probe's day was proved empty, which says nothing about other days.
    let is_false = |filter: &&Expr| **filter == lit(ScalarValue::Boolean(Some(false)));
    table.windows.is_empty()
        && filters.iter().filter(on_time).any(|filter| table.is_exact(filter))
        && !filters.iter().any(|filter| is_false(&filter))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::day::parse_instant;

    #[test]
    fn parts_are_cut_at_borders_of_slices_and_have_about_as_many_rows() {
        let day = |day: &str| parse_instant(day).unwrap();
        let rows = ["2023-01-30", "2023-01-31", "2023-02-01", "2023-02-02", "2023-03-01"].map(|text| (day(text), 10));
        let rows = BTreeMap::from(rows);
        assert_eq!(cuts(&rows, Grain::Day, 20), [day("2023-02-01"), day("2023-03-01")]);
        assert_eq!(cuts(&rows, Grain::Month, 10), [day("2023-01-01"), day("2023-02-01"), day("2023-03-01")]);
        assert!(cuts(&rows, Grain::Day, 100).is_empty());
    }

    #[test]
    fn slices_are_split_without_losing_any() {
        let range = |from: &str, to: &str| TimeRange::new(parse_instant(from).unwrap(), parse_instant(to).unwrap());
        let ranges = [range("2023-01-01", "2023-01-05"), range("2023-02-01", "2023-02-03")];
        let slices = SliceSet::new(ranges.into_iter().flatten().collect(), true);
        let cuts = ["2023-01-03", "2023-02-01"].map(|day| parse_instant(day).unwrap());
        let told: Vec<String> = split(&slices, &cuts).iter().map(ToString::to_string).collect();
        let expected =
            ["2023-01-01 to 2023-01-02", "2023-01-03 to 2023-01-04", "2023-02-01 to 2023-02-02", "rows without a time"];
        assert_eq!(told, expected);
    }
}
