//! Which partition a row belongs to: the distinct keys of a chunk, and one number per row.

use std::collections::HashMap;
use std::fmt;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array};
use arrow::compute::{cast, max, min};
use arrow::datatypes::{DataType, Int64Type};
use arrow::error::ArrowError;
use chrono::{DateTime, Datelike, Timelike};

use crate::delta::date_text;

/// The value of one partition column; the order is the one in which files are reported.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum KeyValue {
    Null,
    /// Integers, booleans, days since 1970 and microseconds since 1970.
    Number(i64),
    Text(String),
}

/// The values of all partition columns.
pub(crate) type Key = Vec<KeyValue>;

/// The partitions that occur in a chunk.
pub(crate) struct ChunkKeys {
    /// The distinct keys in the order of their first row.
    pub(crate) keys: Vec<Key>,
    /// For every row the position of its key in `keys`.
    pub(crate) codes: Vec<u32>,
}

/// Whether a table can be partitioned by a column of this stored type.
pub(crate) fn is_partition_type(stored: &DataType) -> bool {
    match stored {
        DataType::Boolean | DataType::Date32 | DataType::Utf8 | DataType::Timestamp(_, _) => true,
        other => other.is_signed_integer(),
    }
}

/// A partition column of a chunk: its arrays in stored types, batch by batch.
pub(crate) struct KeyColumn<'a> {
    pub(crate) name: &'a str,
    pub(crate) arrays: Vec<ArrayRef>,
}

/// A row whose partition would hold an empty text, which every reader of a Delta table takes for a null (the Delta
/// protocol, "Partition Value Serialization").
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EmptyPartitionText {
    pub(crate) column: String,
}

impl fmt::Display for EmptyPartitionText {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "the column `{}` holds empty texts, which a partition cannot: they would become null",
            self.column
        )
    }
}

impl std::error::Error for EmptyPartitionText {}

/// Numbers the rows of a chunk.
///
/// # Errors
///
/// An [`EmptyPartitionText`] as an external error, or what the conversion of a column runs into.
pub(crate) fn chunk_keys(columns: &[KeyColumn<'_>], rows: usize) -> Result<ChunkKeys, ArrowError> {
    let mut all = ChunkKeys { keys: vec![Vec::new()], codes: Vec::new() };
    for KeyColumn { name, arrays } in columns {
        let column = if arrays.iter().all(|array| array.data_type() == &DataType::Utf8) {
            text_codes(name, arrays, rows)?
        } else {
            number_codes(arrays, rows)?
        };
        all = if all.codes.is_empty() { column } else { combined(&all, &column) };
    }
    if columns.is_empty() {
        all.codes = vec![0; rows];
    }
    Ok(all)
}

fn text_codes(column: &str, arrays: &[ArrayRef], rows: usize) -> Result<ChunkKeys, ArrowError> {
    let mut codes = Vec::with_capacity(rows);
    let mut keys = Vec::new();
    let mut known: HashMap<Option<&str>, u32> = HashMap::new();
    let mut previous: Option<(Option<&str>, u32)> = None;
    for array in arrays {
        for value in array.as_string::<i32>() {
            if value == Some("") {
                let empty = EmptyPartitionText { column: column.to_owned() };
                return Err(ArrowError::ExternalError(Box::new(empty)));
            }
            let code = match previous {
                Some((same, code)) if same == value => code,
                _ => *known.entry(value).or_insert_with(|| {
                    keys.push(vec![value.map_or(KeyValue::Null, |text| KeyValue::Text(text.to_string()))]);
                    keys.len() as u32 - 1
                }),
            };
            previous = Some((value, code));
            codes.push(code);
        }
    }
    Ok(ChunkKeys { keys, codes })
}

fn number_codes(arrays: &[ArrayRef], rows: usize) -> Result<ChunkKeys, ArrowError> {
    let mut numbers: Vec<Int64Array> = Vec::with_capacity(arrays.len());
    for array in arrays {
        numbers.push(cast(array, &DataType::Int64)?.as_primitive::<Int64Type>().clone());
    }
    let lowest = numbers.iter().filter_map(min).min().unwrap_or(0);
    let highest = numbers.iter().filter_map(max).max().unwrap_or(0);
    let mut coder = NumberCoder::new(lowest, highest);
    let mut codes = Vec::with_capacity(rows);
    for array in &numbers {
        if array.null_count() == 0 {
            codes.extend(array.values().iter().map(|value| coder.code(*value)));
        } else {
            codes.extend(array.iter().map(|value| match value {
                Some(value) => coder.code(value),
                None => coder.null(),
            }));
        }
    }
    Ok(ChunkKeys {
        keys: coder.values.into_iter().map(|value| vec![value.map_or(KeyValue::Null, KeyValue::Number)]).collect(),
        codes,
    })
}

/// The pairs of two columns' keys that occur, numbered by first occurrence.
fn combined(left: &ChunkKeys, right: &ChunkKeys) -> ChunkKeys {
    // A pair of codes is one number in mixed radix. Each code is below the rows of a chunk, so the number fits.
    let width = right.keys.len() as i64;
    let mut coder = NumberCoder::new(0, left.keys.len() as i64 * width - 1);
    let pairs = left.codes.iter().zip(&right.codes);
    let codes = pairs.map(|(left, right)| coder.code(i64::from(*left) * width + i64::from(*right))).collect();
    ChunkKeys {
        keys: coder
            .values
            .iter()
            .map(|pair| {
                let pair = pair.unwrap_or(0);
                let left = left.keys.get((pair / width) as usize);
                let right = right.keys.get((pair % width) as usize);
                left.into_iter().chain(right).flatten().cloned().collect()
            })
            .collect(),
        codes,
    }
}

/// Numbers integers by first occurrence: through a table when they lie close together, else through a map.
struct NumberCoder {
    values: Vec<Option<i64>>,
    null: Option<u32>,
    lowest: i64,
    table: Vec<u32>,
    map: HashMap<i64, u32>,
    previous: Option<(i64, u32)>,
}

const UNSEEN: u32 = u32::MAX;
const TABLE_LIMIT: i128 = 1 << 18;

impl NumberCoder {
    fn new(lowest: i64, highest: i64) -> Self {
        // The days of a chunk lie close together: a table of a megabyte at most saves the hashing.
        let range = i128::from(highest) - i128::from(lowest) + 1;
        let table = if range <= TABLE_LIMIT { vec![UNSEEN; range.max(0) as usize] } else { Vec::new() };
        Self { values: Vec::new(), null: None, lowest, table, map: HashMap::new(), previous: None }
    }

    fn code(&mut self, value: i64) -> u32 {
        // Neighbouring rows mostly belong to the same partition.
        if let Some((same, code)) = self.previous
            && same == value
        {
            return code;
        }
        let next = self.values.len() as u32;
        let code = match self.table.get_mut(value.wrapping_sub(self.lowest) as usize) {
            Some(slot) => {
                if *slot == UNSEEN {
                    *slot = next;
                }
                *slot
            }
            None => *self.map.entry(value).or_insert(next),
        };
        if code == next {
            self.values.push(Some(value));
        }
        self.previous = Some((value, code));
        code
    }

    fn null(&mut self) -> u32 {
        *self.null.get_or_insert_with(|| {
            self.values.push(None);
            self.values.len() as u32 - 1
        })
    }
}

/// The value as Delta writes it into `partitionValues`.
pub(crate) fn delta_text(value: &KeyValue, stored: &DataType) -> Result<Option<String>, ArrowError> {
    let text = match (value, stored) {
        (KeyValue::Null, _) => return Ok(None),
        (KeyValue::Text(text), _) => text.clone(),
        (KeyValue::Number(flag), DataType::Boolean) => (*flag != 0).to_string(),
        (KeyValue::Number(days), DataType::Date32) => date_text(*days).ok_or_else(|| no_date(*days, "day"))?,
        (KeyValue::Number(micros), DataType::Timestamp(_, _)) => {
            timestamp_text(*micros).ok_or_else(|| no_date(*micros, "microsecond"))?
        }
        (KeyValue::Number(number), _) => number.to_string(),
    };
    Ok(Some(text))
}

fn timestamp_text(micros: i64) -> Option<String> {
    let time = DateTime::from_timestamp_micros(micros)?;
    let form = if time.nanosecond() == 0 { "%Y-%m-%d %H:%M:%S" } else { "%Y-%m-%d %H:%M:%S%.6f" };
    (1..=9999).contains(&time.year()).then(|| time.format(form).to_string())
}

fn no_date(number: i64, unit: &str) -> ArrowError {
    let reason = format!("{unit} {number} after 1970 lies outside the years 1 to 9999, so no partition can be named");
    ArrowError::InvalidArgumentError(reason)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Date32Array, StringArray};
    use arrow::datatypes::TimeUnit;

    use super::*;

    fn column(name: &str, array: ArrayRef) -> KeyColumn<'_> {
        KeyColumn { name, arrays: vec![array] }
    }

    #[test]
    fn an_empty_text_is_refused_because_it_would_be_read_as_a_null() {
        let text: ArrayRef = Arc::new(StringArray::from(vec![Some("b"), Some(""), None]));
        let error = chunk_keys(&[column("region", text)], 3).err().unwrap();
        let ArrowError::ExternalError(error) = error else { panic!("{error}") };
        assert_eq!(error.downcast_ref::<EmptyPartitionText>().unwrap().column, "region");
    }

    #[test]
    fn keys_are_numbered_by_first_occurrence_over_all_columns() {
        let days: ArrayRef = Arc::new(Date32Array::from(vec![Some(7), Some(5), Some(7), None, Some(5)]));
        let text: ArrayRef = Arc::new(StringArray::from(vec![Some("b"), Some("a"), Some("b"), None, None]));
        let keys = chunk_keys(&[column("day", days), column("region", text)], 5).unwrap();
        assert_eq!(keys.codes, [0, 1, 0, 2, 3]);
        let text = |text: &str| KeyValue::Text(text.to_string());
        assert_eq!(keys.keys[0], [KeyValue::Number(7), text("b")]);
        assert_eq!(keys.keys[2], [KeyValue::Null, KeyValue::Null]);
        assert_eq!(keys.keys[3], [KeyValue::Number(5), KeyValue::Null]);
    }

    #[test]
    fn numbers_far_apart_need_no_table() {
        let numbers: ArrayRef = Arc::new(Int64Array::from(vec![i64::MIN, i64::MAX, 0, i64::MIN]));
        let keys = chunk_keys(&[column("number", numbers)], 4).unwrap();
        assert_eq!(keys.codes, [0, 1, 2, 0]);
    }

    #[test]
    fn values_have_deltas_text_form() {
        let of = |number, stored| delta_text(&KeyValue::Number(number), &stored).unwrap().unwrap();
        let timestamp = || DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
        assert_eq!(of(19_480, DataType::Date32), "2023-05-03");
        assert_eq!(of(-1, DataType::Date32), "1969-12-31");
        assert_eq!(of(1_683_072_000_000_000, timestamp()), "2023-05-03 00:00:00");
        assert_eq!(of(1_683_072_000_000_500, timestamp()), "2023-05-03 00:00:00.000500");
        assert_eq!(of(1, DataType::Boolean), "true");
        assert!(delta_text(&KeyValue::Number(9_999_999), &DataType::Date32).is_err());
    }
}
