//! A file's column statistics as Delta writes them, read off the metadata that closing the file returns.

use arrow::datatypes::{DataType, Schema};
use chrono::{DateTime, Datelike, Days, NaiveDate};
use parquet::file::metadata::ParquetMetaData;
use parquet::file::statistics::Statistics;
use serde_json::{Map, Number, Value, json};

/// Delta keeps this many characters of a text.
const TEXT_CHARACTERS: usize = 32;

/// The `stats` of an `add` action; `nan` tells, column by column, whether a NaN was written.
pub(crate) fn delta_stats(metadata: &ParquetMetaData, schema: &Schema, nan: &[bool]) -> Value {
    let mut min_values = Map::new();
    let mut max_values = Map::new();
    let mut null_count = Map::new();
    let leaves = metadata.file_metadata().schema_descr();
    for leaf in 0..leaves.num_columns() {
        let root = leaves.get_column_root_idx(leaf);
        let Some(field) = schema.fields().get(root).filter(|field| !field.data_type().is_nested()) else {
            continue;
        };
        let chunks = metadata.row_groups().iter().filter_map(|group| group.columns().get(leaf));
        let Some(summary) = ColumnSummary::of(chunks.map(|chunk| chunk.statistics()), field.data_type()) else {
            continue;
        };
        null_count.insert(field.name().clone(), Value::from(summary.nulls));
        if nan.get(root) == Some(&true) {
            continue;
        }
        if let Some(value) = summary.min.and_then(|bound| bound.lower(field.data_type())) {
            min_values.insert(field.name().clone(), value);
        }
        if let Some(value) = summary.max.and_then(|bound| bound.upper(field.data_type())) {
            max_values.insert(field.name().clone(), value);
        }
    }
    json!({
        "numRecords": metadata.file_metadata().num_rows(),
        "minValues": min_values,
        "maxValues": max_values,
        "nullCount": null_count,
    })
}

/// A bound in a form that can be compared.
#[derive(Debug, Clone, PartialEq, PartialOrd)]
enum StatsBound {
    Integer(i128),
    Float(f64),
    Single(f32),
    Text(String),
}

#[derive(Default)]
struct ColumnSummary {
    nulls: u64,
    min: Option<StatsBound>,
    max: Option<StatsBound>,
}

impl ColumnSummary {
    /// The union over all row groups; a row group that tells too little makes the answer unknown.
    fn of<'a>(groups: impl Iterator<Item = Option<&'a Statistics>>, data_type: &DataType) -> Option<Self> {
        let mut summary = Self::default();
        let mut min_known = true;
        let mut max_known = true;
        for statistics in groups {
            let statistics = statistics?;
            summary.nulls += statistics.null_count_opt()?;
            if statistics.min_bytes_opt().is_none() && statistics.max_bytes_opt().is_none() {
                // Nothing but nulls.
                continue;
            }
            let (min, max) = bounds(statistics, data_type);
            min_known &= min.is_some();
            max_known &= max.is_some();
            summary.min = if summary.min.is_none() || min < summary.min { min } else { summary.min };
            summary.max = if max > summary.max { max } else { summary.max };
        }
        summary.min = summary.min.filter(|_| min_known);
        summary.max = summary.max.filter(|_| max_known);
        Some(summary)
    }
}

fn bounds(statistics: &Statistics, data_type: &DataType) -> (Option<StatsBound>, Option<StatsBound>) {
    match statistics {
        Statistics::Int32(values) => (integer(values.min_opt()), integer(values.max_opt())),
        Statistics::Int64(values) => (integer(values.min_opt()), integer(values.max_opt())),
        Statistics::Float(values) => {
            (values.min_opt().copied().map(StatsBound::Single), values.max_opt().copied().map(StatsBound::Single))
        }
        Statistics::Double(values) => {
            (values.min_opt().copied().map(StatsBound::Float), values.max_opt().copied().map(StatsBound::Float))
        }
        Statistics::ByteArray(_) if data_type == &DataType::Utf8 => {
            (text_bound(statistics.min_bytes_opt()), text_bound(statistics.max_bytes_opt()))
        }
        // Delta keeps no bounds of booleans and binary values, and long decimals do not fit JSON's numbers.
        _ => (None, None),
    }
}

fn integer<T: Copy + Into<i128>>(value: Option<&T>) -> Option<StatsBound> {
    value.map(|value| StatsBound::Integer((*value).into()))
}

fn text_bound(bytes: Option<&[u8]>) -> Option<StatsBound> {
    String::from_utf8(bytes?.to_vec()).ok().map(StatsBound::Text)
}

impl StatsBound {
    fn lower(self, data_type: &DataType) -> Option<Value> {
        match self {
            Self::Text(text) => Some(Value::from(text.chars().take(TEXT_CHARACTERS).collect::<String>())),
            other => other.exact(data_type),
        }
    }

    fn upper(self, data_type: &DataType) -> Option<Value> {
        match self {
            Self::Text(text) => truncated_upwards(&text).map(Value::from),
            other => other.exact(data_type),
        }
    }

    fn exact(self, data_type: &DataType) -> Option<Value> {
        match (self, data_type) {
            (Self::Integer(days), DataType::Date32) => date_text(i64::try_from(days).ok()?).map(Value::from),
            (Self::Integer(micros), DataType::Timestamp(_, _)) => {
                timestamp_text(i64::try_from(micros).ok()?).map(Value::from)
            }
            (Self::Integer(unscaled), DataType::Decimal128(_, scale)) => decimal(unscaled, *scale),
            (Self::Integer(value), _) => i64::try_from(value).ok().map(Value::from),
            (Self::Float(value), _) => Number::from_f64(value).map(Value::Number),
            (Self::Single(value), _) => Number::from_f64(f64::from(value)).map(Value::Number),
            (Self::Text(_), _) => None,
        }
    }
}

/// The smallest text of at most 32 characters that is not below `text`, if there is one.
fn truncated_upwards(text: &str) -> Option<String> {
    let mut kept: Vec<char> = text.chars().take(TEXT_CHARACTERS).collect();
    if text.chars().count() <= TEXT_CHARACTERS {
        return Some(text.to_string());
    }
    while let Some(last) = kept.pop() {
        // The code points of surrogates are no characters; the next one after them is.
        let next = if last == '\u{d7ff}' { Some('\u{e000}') } else { char::from_u32(last as u32 + 1) };
        if let Some(next) = next {
            kept.push(next);
            return Some(kept.into_iter().collect());
        }
    }
    None
}

/// `2023-05-03`, if the day lies in the years that this form can tell.
pub(crate) fn date_text(days: i64) -> Option<String> {
    let epoch = NaiveDate::from_ymd_opt(1970, 1, 1)?;
    let distance = Days::new(days.unsigned_abs());
    let date = if days < 0 { epoch.checked_sub_days(distance)? } else { epoch.checked_add_days(distance)? };
    (1..=9999).contains(&date.year()).then(|| date.format("%Y-%m-%d").to_string())
}

fn timestamp_text(micros: i64) -> Option<String> {
    let time = DateTime::from_timestamp_micros(micros)?;
    (1..=9999).contains(&time.year()).then(|| time.format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string())
}

/// A decimal of up to 15 digits, which a JSON number keeps to the last digit.
fn decimal(unscaled: i128, scale: i8) -> Option<Value> {
    if unscaled.unsigned_abs() >= 1_000_000_000_000_000 {
        return None;
    }
    let text = format!("{unscaled}e-{scale}");
    if scale == 0 {
        Some(Value::from(unscaled as i64))
    } else {
        Number::from_f64(text.parse().ok()?).map(Value::Number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_cut_outwards() {
        let text = "x".repeat(40);
        assert_eq!(StatsBound::Text(text.clone()).lower(&DataType::Utf8), Some(Value::from("x".repeat(32))));
        assert_eq!(truncated_upwards(&text), Some(format!("{}y", "x".repeat(31))));
        assert_eq!(truncated_upwards("short"), Some("short".to_string()));
        assert_eq!(truncated_upwards(&"\u{10ffff}".repeat(33)), None);
        assert_eq!(truncated_upwards(&format!("a{}", "\u{10ffff}".repeat(33))), Some("b".to_string()));
    }

    #[test]
    fn decimals_are_exact_or_absent() {
        assert_eq!(decimal(1234, 2).map(|value| value.to_string()), Some("12.34".to_string()));
        assert_eq!(decimal(-5, 0), Some(Value::from(-5)));
        assert_eq!(decimal(1_234_567_890_123_456_789, 2), None);
    }

    #[test]
    fn instants_outside_four_digit_years_are_left_out() {
        assert_eq!(timestamp_text(1_500_000).as_deref(), Some("1970-01-01T00:00:01.500000Z"));
        assert_eq!(timestamp_text(i64::MAX), None);
        assert_eq!(date_text(10_000_000), None);
    }
}
