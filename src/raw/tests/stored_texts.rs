//! Texts of Parquet files whose bytes are not UTF-8: each such value is rescued, and nothing else.

use crate::column_type::ColumnType;
use ::parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
use ::parquet::file::properties::WriterProperties;
use ::parquet::file::writer::SerializedFileWriter;

use super::stored_columns::{declared, read_all, stored};
use super::*;
use crate::forms::Forms;

/// A file with a column `s` of texts, null where there are none, and the number of each row in `n`.
fn texts(values: &[Option<&[u8]>], has_dictionary: bool) -> Vec<u8> {
    let schema = "message m { optional binary s (UTF8); required int64 n; }";
    let schema = ::parquet::schema::parser::parse_message_type(schema).unwrap();
    let properties = WriterProperties::builder().set_dictionary_enabled(has_dictionary).build();
    let mut bytes = Vec::new();
    let mut writer = SerializedFileWriter::new(&mut bytes, Arc::new(schema), Arc::new(properties)).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    let levels: Vec<i16> = values.iter().map(|value| i16::from(value.is_some())).collect();
    let there: Vec<ByteArray> = values.iter().flatten().map(|value| ByteArray::from(value.to_vec())).collect();
    column.typed::<ByteArrayType>().write_batch(&there, Some(&levels), None).unwrap();
    column.close().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    let numbers: Vec<i64> = (0..values.len() as i64).collect();
    column.typed::<Int64Type>().write_batch(&numbers, None, None).unwrap();
    column.close().unwrap();
    group.close().unwrap();
    writer.close().unwrap();
    bytes
}

const INVALID: &[u8] = b"x\xff";

#[test]
fn a_text_that_is_not_utf_8_is_rescued_as_other_bytes_are() {
    let values = [Some(&b"ok"[..]), Some(INVALID), None, Some("é".as_bytes())];
    for has_dictionary in [false, true] {
        let format = declared(&[("s", ColumnType::Text), ("n", ColumnType::Integer)]);
        let found = read_all(&format, vec![stored("a.parquet", texts(&values, has_dictionary))]).unwrap();
        assert_eq!(found.rows, owned(&["ok|0|1|-", "-|1|2|{\"s\":\"78ff\"}", "-|2|3|-", "é|3|4|-"]));
        assert_eq!(found.stats.rescued_rows, 1);
    }
}

#[test]
fn its_digits_are_no_value_of_another_type() {
    // In hexadecimal digits it is `31ff`, and the one of digits alone `80`.
    let values = [Some(&b"7"[..]), Some(b"1\xff"), Some(b"\x80"), Some(b"2023-05-01")];
    let forms = Forms { coerce: true, ..Forms::default() };
    let read = |data_type| {
        let format =
            RawFormat { forms: Arc::new(forms.clone()), ..declared(&[("s", data_type), ("n", ColumnType::Integer)]) };
        read_all(&format, vec![stored("a.parquet", texts(&values, true))]).unwrap().rows
    };
    let rescued = ["-|1|2|{\"s\":\"31ff\"}", "-|2|3|{\"s\":\"80\"}"];
    assert_eq!(read(ColumnType::Integer), owned(&["7|0|1|-", rescued[0], rescued[1], "-|3|4|{\"s\":\"2023-05-01\"}"]));
    assert_eq!(read(ColumnType::Date), owned(&["-|0|1|{\"s\":\"7\"}", rescued[0], rescued[1], "2023-05-01|3|4|-"]));
    let columns = [("n", ColumnType::Integer)];
    let undeclared = RawFormat { unknown_columns: UnknownColumns::Rescue, ..declared(&columns) };
    let found = read_all(&undeclared, vec![stored("a.parquet", texts(&values, false))]).unwrap();
    let first = ["0|1|{\"s\":\"7\"}", "1|2|{\"s\":\"31ff\"}", "2|3|{\"s\":\"80\"}"];
    assert_eq!(found.rows[..3], owned(&first));
}

#[test]
fn rows_before_and_behind_it_are_read_once() {
    let names: Vec<String> = (0..30_000).map(|number| format!("name {number}")).collect();
    let mut values: Vec<Option<&[u8]>> = names.iter().map(|name| Some(name.as_bytes())).collect();
    values[17_000] = Some(INVALID);
    for has_dictionary in [false, true] {
        let format = declared(&[("s", ColumnType::Text), ("n", ColumnType::Integer)]);
        let found = read_all(&format, vec![stored("a.parquet", texts(&values, has_dictionary))]).unwrap();
        assert_eq!(found.rows.len(), 30_000);
        for (number, row) in found.rows.iter().enumerate() {
            let expected = match number {
                17_000 => format!("-|{number}|{}|{{\"s\":\"78ff\"}}", number + 1),
                _ => format!("name {number}|{number}|{}|-", number + 1),
            };
            assert_eq!(*row, expected);
        }
    }
}
