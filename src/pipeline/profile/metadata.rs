//! What the metadata of a table's files tells of its columns, where it tells it exactly.
//!
//! Writers cut long texts in the statistics of a file, and a bound that was cut looks like any other; some leave NaN out of
//! the bounds of floating-point numbers. So bounds are taken of whole numbers, short decimals, dates and timestamps alone.

use arrow::datatypes::{DataType, Field};
use chrono::NaiveDateTime;
use datafusion::common::ScalarValue;
use serde_json::Value;

use super::plain_type;
use crate::day::{TimeRange, parse_stored};
use crate::table::{DataFile, TableState};

/// A decimal of so many digits is a JSON number that keeps each of them.
const EXACT_DIGITS: u8 = 15;

/// The files whose rows are profiled.
#[derive(Debug)]
pub(super) struct ProfiledFiles {
    files: Vec<ProfiledFile>,
    /// Whether these files hold the rows that are profiled and no others.
    is_exact: bool,
}

/// A file with its statistics.
#[derive(Debug)]
struct ProfiledFile {
    file: DataFile,
    stats: Option<Value>,
}

/// What is known of a column. A bound that is a null says that there is no value.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct KnownColumn {
    pub nulls: Option<u64>,
    pub min: Option<ScalarValue>,
    pub max: Option<ScalarValue>,
}

/// How the rows of a file lie to a range of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RangePlace {
    Inside,
    Outside,
    /// Some of its rows may be outside.
    Unknown,
}

/// Which bound of a file is meant.
#[derive(Debug, Clone, Copy)]
enum WhichBound {
    Min,
    Max,
}

impl ProfiledFiles {
    /// The files of a table, or those of a range of its event time.
    pub fn of(state: &TableState, within: Option<(TimeRange, &str)>) -> Self {
        let mut files = Vec::new();
        let mut is_exact = true;
        for file in state.files.iter() {
            let known = ProfiledFile::of(file);
            match within.map(|(range, event_time)| known.place(range, event_time)) {
                None | Some(RangePlace::Inside) => files.push(known),
                Some(RangePlace::Outside) => {}
                Some(RangePlace::Unknown) => is_exact = false,
            }
        }
        Self { files, is_exact }
    }

    pub fn rows(&self) -> Option<u64> {
        self.files.iter().map(|known| known.file.rows).sum::<Option<u64>>().filter(|_| self.is_exact)
    }

    pub fn bytes(&self) -> Option<u64> {
        self.is_exact.then(|| self.files.iter().map(|known| known.file.bytes).sum())
    }

    pub fn count(&self) -> Option<usize> {
        self.is_exact.then_some(self.files.len())
    }

    /// What is known of a column in all of the files.
    pub fn column(&self, field: &Field) -> KnownColumn {
        if !self.is_exact {
            return KnownColumn::default();
        }
        let null = ScalarValue::try_from(field.data_type()).unwrap_or(ScalarValue::Null);
        let mut column = KnownColumn { nulls: Some(0), min: Some(null.clone()), max: Some(null) };
        if plain_type(field.data_type()).is_nested() {
            column = KnownColumn { nulls: Some(0), ..KnownColumn::default() };
        }
        for known in &self.files {
            let of_file = known.column(field);
            column.nulls = column.nulls.zip(of_file.nulls).map(|(sum, nulls)| sum + nulls);
            column.min = column.min.zip(of_file.min).and_then(|(one, other)| smaller(one, other, WhichBound::Min));
            column.max = column.max.zip(of_file.max).and_then(|(one, other)| smaller(one, other, WhichBound::Max));
        }
        column
    }
}

/// The smaller or larger of two bounds, of which a null is none. Returns `None` if they have no order.
fn smaller(one: ScalarValue, other: ScalarValue, which: WhichBound) -> Option<ScalarValue> {
    match (one.is_null(), other.is_null()) {
        (true, _) => Some(other),
        (false, true) => Some(one),
        (false, false) => {
            let is_less = one.partial_cmp(&other)?.is_lt();
            Some(if is_less == matches!(which, WhichBound::Min) { one } else { other })
        }
    }
}

impl ProfiledFile {
    fn of(file: &DataFile) -> Self {
        let stats = file.stats.as_deref().and_then(|stats| serde_json::from_str(stats).ok());
        Self { file: file.clone(), stats }
    }

    fn place(&self, range: TimeRange, event_time: &str) -> RangePlace {
        let Some(rows) = self.file.rows else { return RangePlace::Unknown };
        let first_and_last: Option<[NaiveDateTime; 2]> = match self.file.partition.get(event_time) {
            // Rows without a time are in no range.
            Some(None) => return RangePlace::Outside,
            Some(Some(text)) => parse_stored(text).map(|time| [time, time]),
            None if self.nulls(event_time) == Some(rows) => return RangePlace::Outside,
            None => self.file.times(event_time).map(|(first, last)| [first, last]),
        };
        let has_nulls = self.file.partition.get(event_time).is_none() && self.nulls(event_time) != Some(0);
        match first_and_last {
            Some([first, last]) if last < range.start() || first >= range.end() => RangePlace::Outside,
            Some([first, last]) if range.contains(first) && range.contains(last) && !has_nulls => RangePlace::Inside,
            Some(_) | None => RangePlace::Unknown,
        }
    }

    fn nulls(&self, column: &str) -> Option<u64> {
        self.stats.as_ref()?.get("nullCount")?.get(column)?.as_u64()
    }

    fn column(&self, field: &Field) -> KnownColumn {
        let Some(rows) = self.file.rows else { return KnownColumn::default() };
        let data_type = field.data_type();
        let nothing = ScalarValue::try_from(data_type).ok();
        match self.file.partition.get(field.name()) {
            Some(None) => return KnownColumn { nulls: Some(rows), min: nothing.clone(), max: nothing },
            Some(Some(text)) => {
                let value = ScalarValue::try_from_string(text.to_owned(), data_type).ok();
                return KnownColumn { nulls: Some(0), min: value.clone(), max: value };
            }
            None => {}
        }
        let nulls = self.nulls(field.name());
        if nulls == Some(rows) {
            return KnownColumn { nulls, min: nothing.clone(), max: nothing };
        }
        let bound = |which: &str| {
            let value = self.stats.as_ref()?.get(which)?.get(field.name())?;
            exact(value, plain_type(data_type), data_type)
        };
        KnownColumn { nulls, min: bound("minValues"), max: bound("maxValues") }
    }
}

/// A bound as a value, if it certainly is one of the column's values.
fn exact(bound: &Value, plain: &DataType, data_type: &DataType) -> Option<ScalarValue> {
    let text = match (plain, bound) {
        (plain, Value::Number(number)) if plain.is_integer() => {
            (number.is_i64() || number.is_u64()).then(|| number.to_string())?
        }
        (DataType::Decimal128(precision, scale), Value::Number(number)) if *precision <= EXACT_DIGITS => {
            let digits = usize::try_from(*scale).ok()?;
            format!("{:.digits$}", number.as_f64()?)
        }
        (DataType::Date32, Value::String(text)) if text.len() == "2023-05-01".len() => text.clone(),
        // Finer than milliseconds: others are cut by some writers.
        (DataType::Timestamp(..), Value::String(text)) if text.len() == "2023-05-01T10:00:00.000000Z".len() => {
            text.clone()
        }
        _ => return None,
    };
    ScalarValue::try_from_string(text, data_type).ok()
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::TimeUnit;

    use super::*;
    use crate::delta::{PartitionValues, SharedText};

    fn field(name: &str, data_type: DataType) -> Field {
        Field::new(name, data_type, true)
    }

    fn file(partition: &[(&str, Option<&str>)], stats: &str) -> ProfiledFile {
        ProfiledFile::of(&DataFile {
            path: SharedText::from("a.parquet"),
            partition: partition.iter().map(|(name, value)| (*name, *value)).collect::<PartitionValues>(),
            bytes: 100,
            rows: DataFile::rows_of(stats),
            stats: Some(SharedText::from(stats)),
        })
    }

    fn all(files: Vec<ProfiledFile>) -> ProfiledFiles {
        ProfiledFiles { files, is_exact: true }
    }

    fn text(value: Option<ScalarValue>) -> Option<String> {
        value.map(|value| value.to_string())
    }

    #[test]
    fn bounds_of_all_files_are_joined_and_files_of_nulls_have_none() {
        let files = all(vec![
            file(&[], r#"{"numRecords":3,"minValues":{"n":4},"maxValues":{"n":9},"nullCount":{"n":1}}"#),
            file(&[], r#"{"numRecords":2,"minValues":{},"maxValues":{},"nullCount":{"n":2}}"#),
            file(&[], r#"{"numRecords":1,"minValues":{"n":-5},"maxValues":{"n":-5},"nullCount":{"n":0}}"#),
        ]);
        let column = files.column(&field("n", DataType::Int64));
        assert_eq!((files.rows(), column.nulls), (Some(6), Some(3)));
        assert_eq!((text(column.min), text(column.max)), (Some("-5".to_owned()), Some("9".to_owned())));
    }

    #[test]
    fn a_bound_that_may_have_been_cut_is_not_known() {
        let stats = r#"{"numRecords":1,"minValues":{"t":"abc","f":1.5,"at":"2023-05-01T10:00:00.123Z"},
            "maxValues":{"t":"abd","f":1.5,"at":"2023-05-01T10:00:00.124Z"},"nullCount":{"t":0,"f":0,"at":0}}"#;
        let files = all(vec![file(&[], stats)]);
        let at = DataType::Timestamp(TimeUnit::Microsecond, None);
        for (name, data_type) in [("t", DataType::Utf8), ("f", DataType::Float64), ("at", at)] {
            let column = files.column(&field(name, data_type));
            assert_eq!(column, KnownColumn { nulls: Some(0), min: None, max: None }, "{name}");
        }
    }

    #[test]
    fn decimals_dates_and_timestamps_are_known_to_the_last_digit() {
        let stats = r#"{"numRecords":1,"minValues":{"d":0.1,"day":"2023-05-01","at":"2023-05-01T10:00:00.000001Z"},
            "maxValues":{"d":12.34,"day":"2023-05-02","at":"2023-05-01T10:00:00.000002Z"},"nullCount":{"d":0,"day":0,"at":0}}"#;
        let files = all(vec![file(&[], stats)]);
        let d = files.column(&field("d", DataType::Decimal128(10, 2)));
        assert_eq!(d.min, Some(ScalarValue::Decimal128(Some(10), 10, 2)));
        assert_eq!(d.max, Some(ScalarValue::Decimal128(Some(1234), 10, 2)));
        assert_eq!(files.column(&field("d", DataType::Decimal128(30, 2))).min, None, "a double has 15 digits");
        let day = files.column(&field("day", DataType::Date32));
        assert_eq!((text(day.min), text(day.max)), (Some("2023-05-01".to_owned()), Some("2023-05-02".to_owned())));
        let at = files.column(&field("at", DataType::Timestamp(TimeUnit::Microsecond, None)));
        assert_eq!(at.min, Some(ScalarValue::TimestampMicrosecond(Some(1_682_935_200_000_001), None)));
    }

    #[test]
    fn a_column_that_a_file_has_no_statistics_of_is_not_known() {
        let files = all(vec![
            file(&[], r#"{"numRecords":1,"minValues":{"n":4},"maxValues":{"n":9},"nullCount":{"n":0}}"#),
            file(&[], r#"{"numRecords":1,"minValues":{},"maxValues":{},"nullCount":{}}"#),
        ]);
        assert_eq!(files.column(&field("n", DataType::Int64)), KnownColumn::default());
    }

    #[test]
    fn the_values_of_partitions_are_known_texts_too() {
        let files = all(vec![
            file(&[("p", Some("b"))], r#"{"numRecords":2}"#),
            file(&[("p", None)], r#"{"numRecords":3}"#),
            file(&[("p", Some("a"))], r#"{"numRecords":4}"#),
        ]);
        let column = files.column(&field("p", DataType::Utf8));
        assert_eq!(
            (column.nulls, text(column.min), text(column.max)),
            (Some(3), Some("a".to_owned()), Some("b".to_owned()))
        );
    }

    #[test]
    fn files_lie_inside_or_outside_of_a_range_or_nobody_knows() {
        let day = |day: &str| parse_stored(day).unwrap();
        let range = TimeRange::new(day("2023-05-01"), day("2023-05-03")).unwrap();
        let of = |first: &str, last: &str, nulls: u64| {
            let stats = format!(
                r#"{{"numRecords":3,"minValues":{{"at":"{first}"}},"maxValues":{{"at":"{last}"}},"nullCount":{{"at":{nulls}}}}}"#
            );
            file(&[], &stats).place(range, "at")
        };
        assert_eq!(of("2023-05-01", "2023-05-02", 0), RangePlace::Inside);
        assert_eq!(of("2023-05-01", "2023-05-02", 1), RangePlace::Unknown);
        assert_eq!(of("2023-05-01", "2023-05-03", 0), RangePlace::Unknown);
        assert_eq!(of("2023-05-03", "2023-05-04", 1), RangePlace::Outside);
        assert_eq!(file(&[("at", Some("2023-05-02"))], r#"{"numRecords":3}"#).place(range, "at"), RangePlace::Inside);
        assert_eq!(file(&[("at", None)], r#"{"numRecords":3}"#).place(range, "at"), RangePlace::Outside);
    }
}
