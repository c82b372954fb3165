//! One scan for all that metadata does not tell.

use std::collections::BTreeMap;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field};
use arrow::error::ArrowError;
use datafusion::common::ScalarValue;

use super::metadata::KnownColumn;
use super::{plain_type, value_at};
use crate::name::quoted;

/// What a scan is asked for.
pub(super) struct ScannedColumns<'a> {
    needs_rows: bool,
    columns: Vec<ScannedColumn<'a>>,
}

struct ScannedColumn<'a> {
    /// Its place among those that are profiled.
    place: usize,
    name: &'a str,
    needs_count: bool,
    /// The aggregates that give its bounds, where they are needed.
    bounds: Option<[&'static str; 2]>,
}

/// What a scan has found.
#[derive(Debug, Default)]
pub(super) struct ScanResult {
    pub rows: Option<u64>,
    /// By the places of the columns.
    pub columns: BTreeMap<usize, ScannedFigures>,
}

/// What a scan has found of a column.
#[derive(Debug, Default)]
pub(super) struct ScannedFigures {
    /// How many rows have a value.
    pub filled: Option<u64>,
    pub min: Option<ScalarValue>,
    pub max: Option<ScalarValue>,
}

impl<'a> ScannedColumns<'a> {
    /// What is not known of these columns.
    pub fn missing(fields: &[&'a Field], known: &[KnownColumn], needs_rows: bool) -> Self {
        let columns = fields.iter().zip(known).enumerate().map(|(place, (field, known))| ScannedColumn {
            place,
            name: field.name(),
            needs_count: known.nulls.is_none(),
            bounds: bounds_of(field.data_type()).filter(|_| known.min.is_none() || known.max.is_none()),
        });
        let columns = columns.filter(|column| column.needs_count || column.bounds.is_some());
        Self { needs_rows, columns: columns.collect() }
    }

    pub fn is_empty(&self) -> bool {
        !self.needs_rows && self.columns.is_empty()
    }

    /// One row, with a column for each figure. The number of rows is always among them: values are counted, and nulls are the
    /// rest.
    pub fn sql(&self, rows: &str) -> String {
        let mut figures = vec!["count(*) as n".to_owned()];
        for ScannedColumn { place, name, needs_count, bounds } in &self.columns {
            let column = quoted(name);
            if *needs_count {
                figures.push(format!("count({column}) as filled_{place}"));
            }
            for aggregate in bounds.iter().flatten() {
                figures.push(format!("{aggregate}({column}) as {aggregate}_{place}"));
            }
        }
        format!("select {}\nfrom {rows}", figures.join(",\n    "))
    }

    /// Reads the row.
    ///
    /// # Errors
    ///
    /// Returns an error if a value cannot be read.
    pub fn read(&self, batches: &[RecordBatch]) -> Result<ScanResult, ArrowError> {
        let Some(row) = batches.iter().find(|batch| batch.num_rows() > 0) else { return Ok(ScanResult::default()) };
        let mut next = 0;
        let mut value = || {
            next += 1;
            value_at(row, next - 1, 0)
        };
        let mut found = ScanResult { rows: count(&value()?), columns: BTreeMap::new() };
        for column in &self.columns {
            let mut of_column = ScannedFigures::default();
            if column.needs_count {
                of_column.filled = count(&value()?);
            }
            if column.bounds.is_some() {
                of_column.min = Some(value()?);
                of_column.max = Some(value()?);
            }
            found.columns.insert(column.place, of_column);
        }
        Ok(found)
    }
}

/// The aggregates for the smallest and the largest value. Returns `None` if values of the type have no order.
fn bounds_of(data_type: &DataType) -> Option<[&'static str; 2]> {
    match plain_type(data_type) {
        // False is smaller than true.
        DataType::Boolean => Some(["bool_and", "bool_or"]),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Date32 | DataType::Timestamp(..) => {
            Some(["min", "max"])
        }
        numeric if numeric.is_numeric() => Some(["min", "max"]),
        _ => None,
    }
}

/// A count, as the engine gives it.
pub(super) fn count(value: &ScalarValue) -> Option<u64> {
    match value {
        ScalarValue::Int64(Some(count)) => u64::try_from(*count).ok(),
        ScalarValue::UInt64(Some(count)) => Some(*count),
        _ => None,
    }
}
