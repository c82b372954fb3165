//! What files, paths, values and statistics look like.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Date32Array, Decimal128Array, DictionaryArray, Float64Array, Int32Array,
    Int64Array, LargeListArray, RecordBatch, StringArray, StringViewArray, StructArray, TimestampMicrosecondArray,
    TimestampNanosecondArray,
};
use arrow::compute::{cast, concat_batches};
use arrow::datatypes::{DataType, Field, Int32Type, Int64Type};
use parquet::basic::Encoding;
use parquet::file::reader::{FileReader, SerializedFileReader};
use serde_json::json;

use super::super::WriterOptions;
use super::{lines, memory, numbered, options, read, strings, write};
use crate::delta::stored_type;

#[test]
fn no_rows_make_no_files() {
    for partitions in [vec![], vec!["day"]] {
        let memory = memory(None);
        let batch = numbered(std::iter::empty());
        assert_eq!(write(&[batch], options(&partitions), &memory).unwrap(), []);
    }
}

#[test]
fn values_with_special_characters_are_escaped_in_the_path_and_whole_in_the_log() {
    let memory = memory(None);
    let values = [Some("a/b"), None, Some("__HIVE_DEFAULT_PARTITION__"), Some("50 %"), Some("é`")];
    let batch = strings(&[("p", values.to_vec()), ("v", vec![Some("1"); 5])]);
    let files = write(&[batch], options(&["p"]), &memory).unwrap();
    let seen: Vec<_> = files.iter().map(|file| (file.path.as_str(), file.partition_values[0].1.as_deref())).collect();
    assert_eq!(
        seen,
        [
            ("p=%5F_HIVE_DEFAULT_PARTITION__/part-x.parquet", values[2]),
            ("p=%C3%A9%60/part-x.parquet", values[4]),
            ("p=50%20%25/part-x.parquet", values[3]),
            ("p=__HIVE_DEFAULT_PARTITION__/part-x.parquet", None),
            ("p=a%2Fb/part-x.parquet", values[0]),
        ]
    );
}

#[test]
fn directories_that_differ_in_case_alone_hold_files_of_different_names() {
    let memory = memory(None);
    let batch = strings(&[("p", vec![Some("a"), Some("A")]), ("v", vec![Some("1"); 2])]);
    let files = write(&[batch], options(&["p"]), &memory).unwrap();
    let paths: Vec<_> = files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(paths, ["p=A/part-x.parquet", "p=a/part-x-v1.parquet"]);
}

#[test]
fn every_kind_of_partition_column_has_its_text() {
    let memory = memory(None);
    let dictionary: DictionaryArray<Int32Type> = vec![Some("k"), None].into_iter().collect();
    let batch = RecordBatch::try_from_iter([
        ("hour", Arc::new(TimestampNanosecondArray::from(vec![1_683_075_600_000_000_000; 2])) as ArrayRef),
        ("flag", Arc::new(BooleanArray::from(vec![true, true]))),
        ("number", Arc::new(Int32Array::from(vec![-3, -3]))),
        ("kind", Arc::new(dictionary)),
        ("view", Arc::new(StringViewArray::from(vec!["v", "v"]))),
        ("value", Arc::new(Int64Array::from(vec![1, 2]))),
    ])
    .unwrap();
    let files = write(&[batch], options(&["hour", "flag", "number", "kind", "view"]), &memory).unwrap();
    let values: Vec<_> = files[1].partition_values.iter().map(|(_, value)| value.as_deref().unwrap_or("∅")).collect();
    assert_eq!(values, ["2023-05-03 01:00:00", "true", "-3", "k", "v"]);
    assert_eq!(
        files[0].path,
        "hour=2023-05-03%2001%3A00%3A00/flag=true/number=-3/kind=__HIVE_DEFAULT_PARTITION__/view=v/part-x.parquet"
    );
}

#[test]
fn statistics_have_deltas_form() {
    let memory = memory(None);
    let batch = RecordBatch::try_from_iter([
        ("day", Arc::new(Date32Array::from(vec![Some(19_480), None])) as ArrayRef),
        ("at", Arc::new(TimestampMicrosecondArray::from(vec![0, 1_683_072_000_000_001]))),
        ("price", Arc::new(Decimal128Array::from(vec![1250, -5]).with_precision_and_scale(20, 2).unwrap())),
        ("small", Arc::new(Decimal128Array::from(vec![1250, -5]).with_precision_and_scale(9, 2).unwrap())),
        ("text", Arc::new(StringArray::from(vec!["é".repeat(50), "z".to_string()]))),
        ("yes", Arc::new(BooleanArray::from(vec![true, false]))),
        ("nan", Arc::new(Float64Array::from(vec![1.0, f64::NAN]))),
    ])
    .unwrap();
    let files = write(&[batch], options(&[]), &memory).unwrap();
    assert_eq!(
        files[0].stats,
        json!({
            "numRecords": 2,
            "minValues": {
                "day": "2023-05-03", "at": "1970-01-01T00:00:00.000000Z", "small": -0.05, "text": "z",
            },
            "maxValues": {
                "day": "2023-05-03", "at": "2023-05-03T00:00:00.000001Z", "small": 12.5,
                "text": format!("{}ê", "é".repeat(31)),
            },
            "nullCount": { "day": 1, "at": 0, "price": 0, "small": 0, "text": 0, "yes": 0, "nan": 0 },
        })
    );
}

#[test]
fn rows_keep_their_order_and_stored_types() {
    let memory = memory(None);
    let batch = numbered((0..9).map(|n| 19_000 + n % 2));
    let files = write(&[batch.clone(), batch], options(&["day"]), &memory).unwrap();
    let rows = read(&memory, &files[0].path);
    assert_eq!(rows.column(0).as_primitive::<Int64Type>().values(), &[0, 2, 4, 6, 8, 0, 2, 4, 6, 8]);
    assert_eq!(rows.schema().fields().len(), 2);
}

#[test]
fn a_naive_timestamp_is_stored_as_utc() {
    let memory = memory(None);
    let at: ArrayRef = Arc::new(TimestampNanosecondArray::from(vec![-1]));
    let files = write(&[RecordBatch::try_from_iter([("at", at)]).unwrap()], options(&[]), &memory).unwrap();
    let rows = read(&memory, &files[0].path);
    assert_eq!(rows.schema().field(0).data_type(), &stored_type(rows.column(0).data_type()));
    assert_eq!(cast(rows.column(0), &DataType::Int64).unwrap().as_primitive::<Int64Type>().value(0), -1);
}

#[test]
fn nested_columns_come_back() {
    let list =
        LargeListArray::from_iter_primitive::<Int64Type, _, _>(vec![Some(vec![Some(1), None]), None, Some(vec![])]);
    let days: ArrayRef = Arc::new(Date32Array::from(vec![2, 1, 2]));
    let fields = vec![(Arc::new(Field::new("a", DataType::Date32, true)), Arc::clone(&days))];
    let batch = RecordBatch::try_from_iter([
        ("day", days),
        ("list", Arc::new(list) as ArrayRef),
        ("pair", Arc::new(StructArray::from(fields)) as ArrayRef),
    ])
    .unwrap();
    for threads in [1, 3] {
        let memory = memory(None);
        let options = WriterOptions { threads, memory_budget: 1, ..options(&["day"]) };
        let files = write(std::slice::from_ref(&batch), options, &memory).unwrap();
        assert_eq!(lines(&read(&memory, &files[0].path)), ["∅|{a: 1970-01-02}"]);
        assert_eq!(lines(&read(&memory, &files[1].path)), ["[1, ]|{a: 1970-01-03}", "[]|{a: 1970-01-03}"]);
        assert_eq!(files[1].stats["nullCount"], json!({}));
    }
}

#[test]
fn a_table_without_partitions_is_cut_by_size_alone() {
    let (memory, large) = (memory(None), memory(None));
    let batches: Vec<_> = (0..20).map(|_| numbered(0..2_000)).collect();
    let small = WriterOptions { max_file_bytes: 20_000, row_group_rows: 3_000, memory_budget: 1 << 20, ..options(&[]) };
    let files = write(&batches, small, &memory).unwrap();
    assert!(files.len() > 1 && files.len() < 20, "{}", files.len());
    assert_eq!(files.iter().map(|file| file.rows).sum::<u64>(), 40_000);
    let files = write(&batches, options(&[]), &large).unwrap();
    assert_eq!(files.iter().map(|file| file.path.as_str()).collect::<Vec<_>>(), ["part-x.parquet"]);
    let expected = lines(&concat_batches(&batches[0].schema(), &batches).unwrap());
    assert_eq!(lines(&read(&large, "part-x.parquet")), expected);
}

#[test]
fn columns_are_encoded_by_what_they_hold() {
    let memory = memory(None);
    let kinds: ArrayRef = Arc::new(StringArray::from_iter_values((0..3_000).map(|n| ["a", "b"][n % 2])));
    let names: ArrayRef = Arc::new(StringArray::from_iter_values((0..3_000).map(|n| format!("{n}"))));
    let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..3_000));
    let batch = RecordBatch::try_from_iter([("kind", kinds), ("name", names), ("n", numbers)]).unwrap();
    let files = write(&[batch], options(&[]), &memory).unwrap();
    let bytes = memory.files.lock().unwrap()[&files[0].path].clone();
    let reader = SerializedFileReader::new(bytes::Bytes::from(bytes)).unwrap();
    let group = reader.metadata().row_group(0);
    let has = |column: usize, encoding| group.column(column).encodings().any(|found| found == encoding);
    assert!(has(0, Encoding::RLE_DICTIONARY) && !has(0, Encoding::DELTA_LENGTH_BYTE_ARRAY));
    assert!(has(1, Encoding::DELTA_LENGTH_BYTE_ARRAY) && !has(1, Encoding::RLE_DICTIONARY));
    assert!(has(2, Encoding::DELTA_BINARY_PACKED) && !has(2, Encoding::RLE_DICTIONARY));
}
