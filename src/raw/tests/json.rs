//! The rules of JSON lines.

use super::*;
use crate::column_type::ColumnType;

#[test]
fn a_json_line_becomes_a_row() {
    let columns = [
        ("s", ColumnType::Text),
        ("i", ColumnType::Integer),
        ("f", ColumnType::Float),
        ("b", ColumnType::Boolean),
        ("d", ColumnType::Date),
        ("m", ColumnType::Decimal { precision: 20, scale: 2 }),
    ];
    let text = "\u{feff}{\"i\":1,\"s\":\"a\\n\\u00e9\",\"f\":2,\"b\":false,\"d\":\"2023-01-02\",\"m\":123456789012345678.25}\r\n\
                \n {\"s\":\"\" , \"i\" : null }\n\
                {\"s\":5,\"i\":\"1\",\"f\":true,\"b\":\"true\",\"d\":\"\",\"m\":\"1\"}\n\
                {\"s\":\"x\",\"i\":1.0,\"z\":{\"k\":[1, \"},\"]},\"b\":1,\"y\":12345678901234567890123}\n{}";
    assert_eq!(
        read(&format(&columns, RawKind::JsonLines), text).rows,
        owned(&[
            "a\né|1|2.0|false|2023-01-02|123456789012345678.25|1|-",
            "|-|-|-|-|-|3|-",
            "-|-|-|-|-|-|4|{\"s\":5,\"i\":\"1\",\"f\":true,\"b\":\"true\",\"d\":\"\",\"m\":\"1\"}",
            "x|-|-|-|-|-|5|{\"i\":1.0,\"b\":1,\"z\":{\"k\":[1, \"},\"]},\"y\":12345678901234567890123}",
            "-|-|-|-|-|-|6|-",
        ])
    );
}

#[test]
fn a_line_that_is_no_object_is_bad_json() {
    let format = RawFormat { max_record_bytes: 30, ..format(&[("s", ColumnType::Text)], RawKind::JsonLines) };
    let long = format!("{{\"s\":\"{}\"}}", "x".repeat(30));
    let outcome =
        read(&format, format!("[1]\n{{\"s\":1\n{{\"s\":1,\"s\":2}}\n \n{{}} {{}}\n{long}\n{{\"s\":\"ok\"}}\n"));
    assert_eq!(outcome.rows, owned(&["ok|7|-"]));
    let bad =
        ["1 bad_json [1]", "2 bad_json {\"s\":1", "3 bad_json {\"s\":1,\"s\":2}", "4 bad_json  ", "5 bad_json {} {}"];
    assert_eq!(outcome.bad[..5], owned(&bad));
    assert_eq!(outcome.bad[5], format!("6 record_too_long {long}"));
    assert_eq!(read(&format, b"{\"s\":\"\xff\"}").bad, owned(&["1 invalid_utf8 {\"s\":\"\u{fffd}\"}"]));
}
