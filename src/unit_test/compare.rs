//! Rows compared as multisets: their order says nothing, and how often a row stands there counts.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Float32Type, Float64Type};
use arrow::error::ArrowError;
use arrow::row::{RowConverter, Rows, SortField};
use arrow::util::display::ArrayFormatter;

use crate::shown::{ComparedColumn, DifferingRow, ShownCell, ShownDifference, value_options};

/// So many pairs of rows are looked at to find out which row has changed into which.
const MOST_PAIRS: usize = 250_000;

/// How the rows differ; both have the same columns, in the same order. Returns `None` if they do not differ.
pub(super) fn difference(expected: &RecordBatch, actual: &RecordBatch) -> Result<Option<ShownDifference>, ArrowError> {
    let converter = RowConverter::new(
        expected.schema().fields().iter().map(|field| SortField::new(field.data_type().clone())).collect(),
    )?;
    let expected_rows = converter.convert_columns(&comparable(expected))?;
    let actual_rows = converter.convert_columns(&comparable(actual))?;
    let unmatched = Unmatched::of(&expected_rows, &actual_rows);
    if unmatched.expected.is_empty() && unmatched.actual.is_empty() {
        return Ok(None);
    }
    let fields = expected.schema();
    let columns = fields
        .fields()
        .iter()
        .map(|field| ComparedColumn { name: field.name().clone(), is_numeric: field.data_type().is_numeric() });
    let same = expected.num_rows() - unmatched.expected.len();
    let rows = paired(&shown(expected, &unmatched.expected)?, &shown(actual, &unmatched.actual)?);
    Ok(Some(ShownDifference { columns: columns.collect(), rows, same }))
}

/// Columns whose equal values have equal bytes: `-0.0` is `0.0`.
fn comparable(batch: &RecordBatch) -> Vec<ArrayRef> {
    let column = |column: &ArrayRef| -> ArrayRef {
        match column.data_type() {
            DataType::Float64 => Arc::new(column.as_primitive::<Float64Type>().unary::<_, Float64Type>(|x| x + 0.0)),
            DataType::Float32 => Arc::new(column.as_primitive::<Float32Type>().unary::<_, Float32Type>(|x| x + 0.0)),
            _ => Arc::clone(column),
        }
    };
    batch.columns().iter().map(column).collect()
}

/// The places of rows that the other side does not have, or has less often.
struct Unmatched {
    expected: Vec<usize>,
    actual: Vec<usize>,
}

impl Unmatched {
    fn of(expected: &Rows, actual: &Rows) -> Self {
        let mut waiting: BTreeMap<&[u8], VecDeque<usize>> = BTreeMap::new();
        let bytes = |rows: &Rows| (0..rows.num_rows()).map(|row| rows.row(row).as_ref().to_vec()).collect::<Vec<_>>();
        let expected = bytes(expected);
        let actual = bytes(actual);
        for (place, row) in expected.iter().enumerate() {
            waiting.entry(row).or_default().push_back(place);
        }
        let mut unmatched = Vec::new();
        for (place, row) in actual.iter().enumerate() {
            if waiting.get_mut(row.as_slice()).and_then(VecDeque::pop_front).is_none() {
                unmatched.push(place);
            }
        }
        let mut left: Vec<usize> = waiting.into_values().flatten().collect();
        left.sort_unstable();
        Self { expected: left, actual: unmatched }
    }
}

/// Some rows of a batch as texts.
fn shown(batch: &RecordBatch, rows: &[usize]) -> Result<Vec<Vec<ShownCell>>, ArrowError> {
    let options = value_options();
    let formatters = batch.columns().iter().map(|column| ArrayFormatter::try_new(column.as_ref(), &options));
    let formatters = formatters.collect::<Result<Vec<_>, _>>()?;
    let mut all = Vec::with_capacity(rows.len());
    for row in rows {
        let mut cells = Vec::with_capacity(formatters.len());
        for (formatter, column) in formatters.iter().zip(batch.columns()) {
            cells.push(match column.is_null(*row) {
                true => None,
                false => Some(formatter.value(*row).try_to_string()?),
            });
        }
        all.push(cells);
    }
    Ok(all)
}

/// Puts rows that differ beside each other: each expected row takes the row that has the most of its values, if it has any.
/// Which pairs are shown is a matter of reading: it decides nothing.
fn paired(expected: &[Vec<ShownCell>], actual: &[Vec<ShownCell>]) -> Vec<DifferingRow> {
    let looks = expected.len().saturating_mul(actual.len()) <= MOST_PAIRS;
    let mut free: Vec<bool> = vec![true; actual.len()];
    let mut rows = Vec::new();
    for row in expected {
        let mut best: Option<(usize, usize)> = None;
        let candidates = actual.iter().enumerate().filter(|(place, _)| looks && free.get(*place) == Some(&true));
        for (place, candidate) in candidates {
            let equal = row.iter().zip(candidate).filter(|(one, other)| one == other).count();
            if equal > best.map_or(0, |(_, most)| most) {
                best = Some((place, equal));
            }
        }
        match best.and_then(|(place, _)| Some((place, actual.get(place)?))) {
            Some((place, found)) => {
                if let Some(free) = free.get_mut(place) {
                    *free = false;
                }
                rows.push(DifferingRow::Changed { expected: row.clone(), actual: found.clone() });
            }
            None => rows.push(DifferingRow::Missing(row.clone())),
        }
    }
    let left = actual.iter().zip(&free).filter(|(_, free)| **free);
    rows.extend(left.map(|(row, _)| DifferingRow::Unexpected(row.clone())));
    rows
}

#[cfg(test)]
mod tests {
    use arrow::array::{Float64Array, Int64Array, StringArray};

    use super::*;

    fn batch(ids: &[Option<i64>], names: &[&str], prices: &[f64]) -> RecordBatch {
        let columns: [(&str, ArrayRef); 3] = [
            ("id", Arc::new(Int64Array::from(ids.to_vec()))),
            ("name", Arc::new(StringArray::from(names.to_vec()))),
            ("price", Arc::new(Float64Array::from(prices.to_vec()))),
        ];
        RecordBatch::try_from_iter(columns).unwrap()
    }

    #[test]
    fn order_says_nothing_and_number_counts() {
        let expected = batch(&[Some(1), Some(2), None], &["a", "b", "c"], &[0.0, 1.0, f64::NAN]);
        let shuffled = batch(&[None, Some(2), Some(1)], &["c", "b", "a"], &[f64::NAN, 1.0, -0.0]);
        assert_eq!(difference(&expected, &shuffled).unwrap(), None);
        let once = batch(&[Some(1)], &["a"], &[0.0]);
        let twice = batch(&[Some(1), Some(1)], &["a", "a"], &[0.0, 0.0]);
        let found = difference(&once, &twice).unwrap().unwrap();
        assert_eq!((found.same, found.summary().as_str()), (1, "1 row was not expected"));
        assert_eq!(difference(&twice, &once).unwrap().unwrap().summary(), "1 row is missing");
    }

    #[test]
    fn a_row_with_other_values_stands_beside_the_one_that_it_is_most_like() {
        let expected = batch(&[Some(1), Some(2)], &["a", "b"], &[1.0, 2.0]);
        let actual = batch(&[Some(2), Some(9), Some(1)], &["b", "z", "a"], &[2.5, 9.0, 1.0]);
        let found = difference(&expected, &actual).unwrap().unwrap();
        assert_eq!(found.summary(), "1 row differs, 1 row was not expected");
        assert_eq!(found.to_text().lines().nth(2), Some("~  2  b     2.0 → 2.5"));
    }
}
