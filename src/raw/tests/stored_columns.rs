//! Parquet files: what keeps its value is read, what does not is rescued, and a damaged file is named.

use crate::column_type::ColumnType;
use std::io;

use ::parquet::arrow::ArrowWriter;
use ::parquet::data_type::{Int96, Int96Type};
use ::parquet::file::properties::WriterProperties;
use ::parquet::file::writer::SerializedFileWriter;
use arrow::array::{
    Array, ArrayRef, BinaryArray, BooleanArray, Date32Array, Date64Array, Decimal128Array, DictionaryArray,
    FixedSizeBinaryArray, Float32Array, Float64Array, Int8Array, Int32Array, Int64Array, LargeStringArray, ListArray,
    NullArray, StringArray, StringViewArray, StructArray, Time64MicrosecondArray, TimestampMicrosecondArray,
    TimestampMillisecondArray, TimestampNanosecondArray, TimestampSecondArray, UInt64Array,
};
use arrow::datatypes::{Field, Int32Type, Schema};

use super::*;
use crate::forms::Forms;

struct Memory(Vec<u8>);

impl ReadAt for Memory {
    fn size(&self) -> io::Result<u64> {
        Ok(self.0.len() as u64)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let from = offset as usize;
        let bytes = self.0.get(from..from + buffer.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        buffer.copy_from_slice(bytes);
        Ok(())
    }
}

pub(super) fn stored(name: &str, bytes: Vec<u8>) -> RawFile {
    RawFile::at_any_place(name, bytes.len() as u64, Box::new(move || Ok(Box::new(Memory(bytes.clone())))))
}

fn batch(columns: &[(&str, ArrayRef)]) -> RecordBatch {
    let fields = columns.iter().map(|(name, array)| Field::new(*name, array.data_type().clone(), true));
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    RecordBatch::try_new(schema, columns.iter().map(|(_, array)| Arc::clone(array)).collect()).unwrap()
}

/// The bytes of a file with row groups of two rows.
fn bytes(columns: &[(&str, ArrayRef)]) -> Vec<u8> {
    written(columns, WriterProperties::builder().set_max_row_group_row_count(Some(2)).build())
}

/// The bytes of a file.
pub(super) fn written(columns: &[(&str, ArrayRef)], properties: WriterProperties) -> Vec<u8> {
    let batch = batch(columns);
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    bytes
}

pub(super) fn declared(columns: &[(&str, ColumnType)]) -> RawFormat {
    RawFormat {
        missing_columns: MissingColumns::Null,
        unknown_columns: UnknownColumns::Error,
        ..format(columns, RawKind::Parquet)
    }
}

pub(super) fn read_all(format: &RawFormat, files: Vec<RawFile>) -> Result<Outcome, String> {
    let mut projection = Projection::all(format);
    projection.columns.retain(|column| *column != ProjectedColumn::SourceFile);
    read_with(format, files, &projection)
}

/// The rows of one column: the value, and what was rescued.
fn column(array: ArrayRef, data_type: ColumnType) -> Vec<String> {
    column_in(array, data_type, Forms::default())
}

fn column_in(array: ArrayRef, data_type: ColumnType, forms: Forms) -> Vec<String> {
    let format = RawFormat { forms: Arc::new(forms), ..declared(&[("c", data_type)]) };
    let count = array.len();
    let outcome = read_all(&format, vec![stored("a.parquet", bytes(&[("c", array)]))]).unwrap();
    assert_eq!(outcome.rows.len(), count);
    let tally = outcome.stats.columns[0].clone().unwrap();
    let rescued = outcome.rows.iter().filter(|row| !row.ends_with("|-")).count() as u64;
    assert_eq!((tally.rescued, outcome.stats.rescued_rows), (rescued, rescued));
    outcome
        .rows
        .iter()
        .enumerate()
        .map(|(index, row)| {
            let (value, rest) = row.split_once(&format!("|{}|", index + 1)).unwrap();
            rest.strip_prefix("{\"c\":")
                .map_or(value.to_owned(), |rest| format!("{value} {}", rest.trim_end_matches('}')))
        })
        .collect()
}

const MONEY: ColumnType = ColumnType::Decimal { precision: 18, scale: 2 };

fn array(array: impl Array + 'static) -> ArrayRef {
    Arc::new(array)
}

#[test]
fn integers_are_kept_or_rescued() {
    use crate::column_type::ColumnType::{Boolean, Float, Integer, Text, Timestamp};
    assert_eq!(column(array(Int8Array::from(vec![Some(-1), None, Some(7)])), Integer), ["-1", "-", "7"]);
    let unsigned = || array(UInt64Array::from(vec![1, u64::MAX, 9_223_372_036_854_775_807]));
    assert_eq!(column(unsigned(), Integer), ["1", "- 18446744073709551615", "9223372036854775807"]);
    let floats = array(Float64Array::from(vec![1.7, -1.7, 5.0, 1e300, f64::NAN, -9_223_372_036_854_775_808.0]));
    let expected = ["- 1.7", "- -1.7", "5", "- 1e300", "- \"NaN\"", "-9223372036854775808"];
    assert_eq!(column(floats, Integer), expected);
    let decimals = Decimal128Array::from(vec![100, 150, i128::from(i64::MAX) * 1_000]).with_precision_and_scale(38, 2);
    assert_eq!(column(array(decimals.unwrap()), Integer), ["1", "- 1.50", "- 92233720368547758070.00"]);
    let big = || array(Int64Array::from(vec![9_007_199_254_740_992, 9_007_199_254_740_993, i64::MAX]));
    assert_eq!(column(big(), Float), ["9007199254740992.0", "- 9007199254740993", "- 9223372036854775807"]);
    assert_eq!(column(array(Int64Array::from(vec![0, 2])), Boolean), ["- 0", "- 2"]);
    assert_eq!(column(array(Int64Array::from(vec![1_683_118_800])), Timestamp), ["- 1683118800"]);
    assert_eq!(column(array(Int32Array::from(vec![7])), Text), ["- 7"]);
    let coerced = Forms { coerce: true, ..Forms::default() };
    assert_eq!(column_in(array(Int32Array::from(vec![7])), Text, coerced), ["7"]);
    assert_eq!(column(array(Int64Array::from(vec![7, i64::MAX])), MONEY), ["7.00", "- 9223372036854775807"]);
}

#[test]
fn decimals_and_floats_are_never_rounded() {
    let three = |values: Vec<i128>| array(Decimal128Array::from(values).with_precision_and_scale(20, 3).unwrap());
    assert_eq!(
        column(three(vec![1_239, 1_230, 99_999_999_999_999_999_990]), MONEY),
        ["- 1.239", "1.23", "- 99999999999999999.990"]
    );
    assert_eq!(column(array(Float64Array::from(vec![1.25, 0.1, 1.239])), MONEY), ["1.25", "0.10", "- 1.239"]);
    assert_eq!(column(array(Float32Array::from(vec![0.1, 1.005])), MONEY), ["0.10", "- 1.005"]);
    assert_eq!(column(three(vec![100, 123_456_789_012_345_678]), ColumnType::Float), ["0.1", "- 123456789012345.678"]);
    assert_eq!(column(array(Float32Array::from(vec![0.5])), ColumnType::Float), ["0.5"]);
    assert_eq!(column(array(Float64Array::from(vec![f64::NAN, 1.5])), ColumnType::Float), ["NaN", "1.5"]);
}

#[test]
fn times_are_kept_to_the_microsecond_or_rescued() {
    use crate::column_type::ColumnType::{Date, Timestamp};
    let instant = "1970-01-01T00:00:01";
    assert_eq!(column(array(TimestampSecondArray::from(vec![1])), Timestamp), [instant]);
    assert_eq!(column(array(TimestampMillisecondArray::from(vec![1_000])), Timestamp), [instant]);
    let zoned = TimestampMicrosecondArray::from(vec![1_000_000]).with_timezone("Europe/Berlin");
    assert_eq!(column(array(zoned), Timestamp), [instant]);
    let nanos = array(TimestampNanosecondArray::from(vec![1_000_000_000, 1_000_000_001, -1_000]));
    let expected = ["1970-01-01T00:00:01", "- \"1970-01-01T00:00:01.000000001\"", "1969-12-31T23:59:59.999999"];
    assert_eq!(column(nanos, Timestamp), expected);
    let far = TimestampMicrosecondArray::from(vec![253_402_300_800_000_000, 253_402_300_799_999_999]);
    let found = column(array(far), Timestamp);
    assert!(found[0].starts_with("- \"") && found[1].starts_with("9999-12-31"), "{found:?}");
    assert_eq!(column(array(Date32Array::from(vec![0, 1])), Date), ["1970-01-01", "1970-01-02"]);
    assert!(column(array(Date32Array::from(vec![i32::MAX])), Date)[0].starts_with("- "));
    assert_eq!(column(array(Date32Array::from(vec![1])), Timestamp), ["1970-01-02T00:00:00"]);
    assert_eq!(column(array(Date64Array::from(vec![86_400_000])), Date), ["1970-01-02"]);
    assert_eq!(column(array(TimestampSecondArray::from(vec![0])), Date), ["- \"1970-01-01T00:00:00\""]);
    assert_eq!(column(array(Time64MicrosecondArray::from(vec![1])), Timestamp), ["- \"00:00:00.000001\""]);
}

#[test]
fn texts_are_taken_as_json_takes_them() {
    use crate::column_type::ColumnType::{Boolean, Date, Integer, Text};
    let words = || vec![Some("x"), Some(""), None];
    let dictionary: DictionaryArray<Int32Type> = words().into_iter().collect();
    for same in [
        array(StringArray::from(words())),
        array(LargeStringArray::from(words())),
        array(StringViewArray::from(words())),
        array(dictionary),
        array(BinaryArray::from(vec![Some(&b"x"[..]), Some(&b""[..]), None])),
    ] {
        assert_eq!(column(same, Text), ["x", "", "-"]);
    }
    assert_eq!(column(array(BinaryArray::from(vec![&b"x"[..], &b"\xff"[..]])), Text), ["x", "- \"ff\""]);
    let uuid = FixedSizeBinaryArray::try_from_iter([[0x61_u8; 4]].iter()).unwrap();
    assert_eq!(column(array(uuid), Text), ["- \"61616161\""]);
    let numbers = || array(StringArray::from(vec!["7", " 7 ", "+8"]));
    assert_eq!(column(numbers(), Integer), ["- \"7\"", "- \" 7 \"", "- \"+8\""]);
    let coerced = || Forms { coerce: true, ..Forms::default() };
    assert_eq!(column_in(numbers(), Integer, coerced()), ["7", "- \" 7 \"", "- \"+8\""]);
    let lenient = Forms { coerce: true, trim: true, lenient_numbers: true, ..Forms::default() };
    assert_eq!(column_in(numbers(), Integer, lenient), ["7", "7", "8"]);
    assert_eq!(column(array(StringArray::from(vec!["yes"])), Boolean), ["- \"yes\""]);
    let days = array(StringArray::from(vec!["2023-05-03", "x", ""]));
    assert_eq!(column(days, Date), ["2023-05-03", "- \"x\"", "- \"\""]);
    assert_eq!(column(array(BooleanArray::from(vec![Some(true), None])), Boolean), ["true", "-"]);
    assert_eq!(column(array(NullArray::new(2)), Integer), ["-", "-"]);
}

#[test]
fn what_has_no_declared_type_is_rescued_as_json() {
    let lists = || array(ListArray::from_iter_primitive::<Int32Type, _, _>(vec![Some(vec![Some(1), None]), None]));
    assert_eq!(column(lists(), ColumnType::Text), ["- [1,null]", "-"]);
    let coerced = Forms { coerce: true, ..Forms::default() };
    assert_eq!(column_in(lists(), ColumnType::Text, coerced), ["[1,null]", "-"]);
    let field = Arc::new(Field::new("a", arrow::datatypes::DataType::Utf8, true));
    let structs = StructArray::from(vec![(field, array(StringArray::from(vec!["a, b"])))]);
    assert_eq!(column(array(structs), ColumnType::Integer), ["- {\"a\":\"a, b\""]);
}

#[test]
fn rows_are_numbered_through_row_groups_and_only_wanted_columns_are_decoded() {
    let file = || {
        stored(
            "a.parquet",
            bytes(&[
                ("a", array(Int64Array::from(vec![1, 2, 3, 4, 5]))),
                ("b", array(StringArray::from(vec!["v", "w", "x", "y", "z"]))),
            ]),
        )
    };
    let format = declared(&[("b", ColumnType::Text), ("a", ColumnType::Integer)]);
    let outcome = read_all(&format, vec![file()]).unwrap();
    assert_eq!(outcome.rows, ["v|1|1|-", "w|2|2|-", "x|3|3|-", "y|4|4|-", "z|5|5|-"]);
    assert_eq!((outcome.stats.records, outcome.stats.lines), (5, 5));
    let only = Projection { columns: vec![ProjectedColumn::SourceLine] };
    let queue = || BlockQueue::new(vec![file()], Arc::new(format.clone())).unwrap().reading(Arc::new(only.clone()));
    let lines = try_read(&queue(), &format, &only).unwrap();
    assert_eq!((lines.rows, lines.stats.bytes), (owned(&["1", "2", "3", "4", "5"]), 0));
    assert!(outcome.stats.bytes > 0);
}

#[test]
fn columns_are_held_against_the_declaration() {
    let format = declared(&[("a", ColumnType::Integer), ("b", ColumnType::Integer)]);
    let one = array(Int64Array::from(vec![1]));
    let with = |columns: &[(&str, ArrayRef)]| vec![stored("a.parquet", bytes(columns))];
    let old = read_all(&format, with(&[("a", Arc::clone(&one))])).unwrap();
    assert_eq!(old.rows, ["1|-|1|-"]);
    let columns = [("a", Arc::clone(&one)), ("B", Arc::clone(&one))];
    let error = read_all(&format, with(&columns)).unwrap_err();
    let expected = "`a.parquet`: its columns do not match the declared columns: missing `b`, unknown `B`; \
                    expected `a`, `b`; found `a`, `B`";
    assert_eq!(error, expected);
    let kept = RawFormat { unknown_columns: UnknownColumns::Rescue, ..format.clone() };
    assert_eq!(read_all(&kept, with(&columns)).unwrap().rows, ["1|-|1|{\"B\":1}"]);
    let ignored = RawFormat { unknown_columns: UnknownColumns::Ignore, ..format.clone() };
    assert_eq!(read_all(&ignored, with(&columns)).unwrap().rows, ["1|-|1|-"]);
    let twice = [("a", Arc::clone(&one)), ("a", Arc::clone(&one)), ("b", one)];
    assert!(read_all(&format, with(&twice)).unwrap_err().contains("repeated `a`"));
}

#[test]
fn a_column_of_no_file_is_a_mistake() {
    let one = array(Int64Array::from(vec![1]));
    let file = |name: &str, column: &str| stored(name, bytes(&[(column, Arc::clone(&one))]));
    let check = |name: &str, files: Vec<RawFile>| {
        let format = Arc::new(declared(&[(name, ColumnType::Integer)]));
        refuse_column_of_no_file(files.into_iter(), &format).map_err(|error| error.to_string())
    };
    assert_eq!(check("UserId", vec![file("2", "amount"), file("1", "UserId")]), Ok(()));
    let error = check("userid", vec![file("data/2", "UserId")]).unwrap_err();
    assert!(error.contains("`data/2`") && error.contains("did you mean `UserId`?"), "{error}");
    assert_eq!(check("day", vec![file("data/day=1/1", "amount")]), Ok(()));
    let error = check("Day", vec![file("data/day=1/1", "amount")]).unwrap_err();
    assert!(error.contains("any other file of the source has the declared column `Day`"), "{error}");
    assert_eq!(check("a", vec![]), Ok(()));
}

/// A file of one column of 96-bit instants: days since 1970-01-01, and nanoseconds of the day.
fn instants(values: &[(i64, u64)]) -> Vec<u8> {
    let schema = ::parquet::schema::parser::parse_message_type("message m { required int96 c; }").unwrap();
    let mut bytes = Vec::new();
    let mut writer = SerializedFileWriter::new(&mut bytes, Arc::new(schema), Arc::default()).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    let values: Vec<Int96> = values
        .iter()
        .map(|(day, nanos)| {
            let mut value = Int96::new();
            value.set_data(*nanos as u32, (nanos >> 32) as u32, (day + 2_440_588) as u32);
            value
        })
        .collect();
    column.typed::<Int96Type>().write_batch(&values, None, None).unwrap();
    column.close().unwrap();
    group.close().unwrap();
    writer.close().unwrap();
    bytes
}

#[test]
fn instants_of_96_bits_are_kept_to_the_microsecond() {
    let format = declared(&[("c", ColumnType::Timestamp)]);
    let read = |values: &[(i64, u64)]| read_all(&format, vec![stored("a.parquet", instants(values))]);
    let far = read(&[(0, 1_000), (2_932_896, 86_399_999_999_000), (-719_162, 0)]).unwrap();
    let expected = ["1970-01-01T00:00:00.000001|1|-", "9999-12-31T23:59:59.999999|2|-", "0001-01-01T00:00:00|3|-"];
    assert_eq!(far.rows, expected);
    let cut = read(&[(1, 1_000), (1, 1_001)]).unwrap();
    assert_eq!(cut.rows, ["1970-01-02T00:00:00.000001|1|-", "-|2|{\"c\":\"1970-01-02T00:00:00.000001001\"}"]);
    assert!(read(&[(1, 1_001), (2_932_896, 0)]).unwrap_err().contains("far year"));
}

#[test]
fn damage_is_told_with_the_file() {
    let whole = bytes(&[("a", array(Float64Array::from(vec![1.5; 100])))]);
    let format = declared(&[("a", ColumnType::Float)]);
    let error = |bytes: Vec<u8>| read_all(&format, vec![stored("data/a.parquet", bytes)]).unwrap_err();
    let mut long = whole.clone();
    let end = long.len() - 8;
    long.splice(end..end + 4, u32::MAX.to_le_bytes());
    assert_eq!(error(long), "`data/a.parquet` cannot be read: the length of its footer is larger than the file");
    assert!(error(whole[..whole.len() / 2].to_vec()).contains("`PAR1` is missing"));
    assert!(error(b"PAR1".to_vec()).contains("at least 12 bytes"));
    let mut page = whole.clone();
    page[4..40].fill(0xff);
    let error = error(page);
    assert!(error.starts_with("`data/a.parquet` cannot be read: row group 1 is damaged: "), "{error}");
}
