//! The rules of CSV.

use super::*;
use crate::column_type::ColumnType;

fn two(text: &str) -> (Vec<String>, Vec<String>) {
    let outcome = read(&headed(&TWO), text);
    (outcome.rows, outcome.bad)
}

#[test]
fn lines_may_end_in_either_way_and_the_last_one_in_none() {
    assert_eq!(two("a,b\r\n1,2\n3,4\r\n5,6"), (owned(&["1|2|2|-", "3|4|3|-", "5|6|4|-"]), vec![]));
    assert_eq!(two("a,b\n1,2\r").0, owned(&["1|2|2|-"]));
}

#[test]
fn a_carriage_return_inside_a_line_is_text() {
    assert_eq!(two("a,b\n1\r,2\rx\n").0, owned(&["1\r|2\rx|2|-"]));
}

#[test]
fn an_empty_line_is_no_record_but_counts() {
    assert_eq!(two("\n\r\na,b\n\n1,2\n\r\n\n3,4\n\n").0, owned(&["1|2|5|-", "3|4|8|-"]));
    assert_eq!(read(&headless(&[("a", ColumnType::Text)]), "\n\"\"\n \n").rows, owned(&["-|2|-", " |3|-"]));
}

#[test]
fn a_byte_order_mark_is_dropped() {
    assert_eq!(two("\u{feff}a,b\n\u{feff}1,2\n").0, owned(&["\u{feff}1|2|2|-"]));
}

#[test]
fn files_without_records_have_none() {
    for text in ["", "\u{feff}", "\n\r\n", "a,b", "a,b\r\n"] {
        assert_eq!(two(text), (vec![], vec![]), "{text:?}");
    }
}

#[test]
fn quotes_hold_delimiters_line_ends_and_doubled_quotes() {
    let text = "a,b\n\"x,\"\"y\"\"\",\"1\n2\r\n3\"\n5,\"6\"\n";
    assert_eq!(two(text).0, owned(&["x,\"y\"|1\n2\r\n3|2|-", "5|6|5|-"]));
}

#[test]
fn a_record_of_the_wrong_width_is_quarantined() {
    let (rows, bad) = two("a,b\n1\n1,2\n1,2,3\n\"1\"\n\"1\",\"2\",\"\"\r\n");
    assert_eq!(rows, owned(&["1|2|3|-"]));
    assert_eq!(
        bad,
        owned(&[
            "2 too_few_columns 1",
            "4 too_many_columns 1,2,3",
            "5 too_few_columns \"1\"",
            "6 too_many_columns \"1\",\"2\",\"\"",
        ])
    );
}

#[test]
fn bad_quoting_ends_with_the_line_of_the_fault() {
    let (rows, bad) = two("a,b\n1,x\"y\"\n1,2\n\"x\ny\"z,\"\n3,4\n");
    assert_eq!(rows, owned(&["1|2|3|-", "3|4|6|-"]));
    assert_eq!(bad, owned(&["2 bad_quoting 1,x\"y\"", "4 bad_quoting \"x\ny\"z,\""]));
}

#[test]
fn bytes_that_are_not_text_cost_their_record_only() {
    let outcome = read(&headed(&TWO), b"a,b\n1,\xff\n\xc3\xa9,2\n\"\xc3\",3\n\xc3\n");
    assert_eq!(outcome.rows, owned(&["é|2|3|-"]));
    let bad = ["2 invalid_utf8 1,\u{fffd}", "4 invalid_utf8 \"\u{fffd}\",3", "5 invalid_utf8 \u{fffd}"];
    assert_eq!(outcome.bad, owned(&bad));
}

#[test]
fn a_quote_open_at_the_end_of_the_file_costs_one_line() {
    assert_eq!(two("a,b\n1,\"2\n3,4\n5,6"), (owned(&["3|4|3|-", "5|6|4|-"]), owned(&["2 unclosed_quote 1,\"2"])));
}

#[test]
fn a_quote_open_beyond_the_limit_costs_one_line() {
    let format = RawFormat { max_record_bytes: 10, ..headed(&TWO) };
    let outcome = read(&format, "a,b\n1,\"2\n3,4\n5,6\n7,\"8\"\n");
    assert_eq!(outcome.rows, owned(&["3|4|3|-", "5|6|4|-", "7|8|5|-"]));
    assert_eq!(outcome.bad, owned(&["2 unclosed_quote 1,\"2"]));
}

#[test]
fn a_line_over_the_limit_is_quarantined_and_cut() {
    let format = RawFormat { max_record_bytes: 2_000, ..headed(&TWO) };
    let long = "x".repeat(2_100);
    let outcome = read(&format, format!("a,b\n{long}\r\n1,2\n1,{}\n", "y".repeat(1_998)));
    assert_eq!(outcome.rows.len(), 2);
    let cut = "x".repeat(1_000);
    assert_eq!(outcome.bad, [format!("2 record_too_long {cut}… (cut: the record has 2100 bytes)")]);
}

#[test]
fn empty_fields_and_the_null_text_are_null() {
    let options = CsvOptions { null_text: Some("NULL".to_owned()), header: false, ..CsvOptions::default() };
    let format = format(&[("a", ColumnType::Text), ("n", ColumnType::Integer)], RawKind::Csv(options));
    let outcome = read(&format, ",\n\"\",\"\"\nNULL,NULL\n\"NULL\",\"NULL\"\nnull,7\n");
    assert_eq!(outcome.rows, owned(&["-|-|1|-", "-|-|2|-", "-|-|3|-", "-|-|4|-", "null|7|5|-"]));
}

#[test]
fn delimiter_and_quote_are_configurable() {
    let options = CsvOptions { delimiter: b';', quote: b'\'', ..CsvOptions::default() };
    let outcome = read(&format(&TWO, RawKind::Csv(options)), "b;a\n\"1,2\";'3;''4'\n");
    assert_eq!(outcome.rows, owned(&["3;'4|\"1,2\"|2|-"]));
}

#[test]
fn a_text_that_does_not_convert_is_rescued_and_the_field_is_null() {
    let columns = [
        ("t", ColumnType::Timestamp),
        ("d", ColumnType::Date),
        ("i", ColumnType::Integer),
        ("f", ColumnType::Float),
        ("b", ColumnType::Boolean),
        ("m", ColumnType::Decimal { precision: 4, scale: 2 }),
    ];
    let text = "m,t,d,i,f,b\n1.5,2023-01-02 03:04:05,2023-01-02,-7,1.5,true\n\
                1.555,2023-13-45,\"a\"\"\n\",7 ,nan,maybe\n,,,,,\n";
    assert_eq!(
        read(&headed(&columns), text).rows,
        owned(&[
            "2023-01-02T03:04:05|2023-01-02|-7|1.5|true|1.50|2|-",
            "-|-|-|-|-|-|3|{\"t\":\"2023-13-45\",\"d\":\"a\\\"\\n\",\"i\":\"7 \",\"f\":\"nan\",\"b\":\"maybe\",\"m\":\"1.555\"}",
            "-|-|-|-|-|-|5|-",
        ])
    );
}

#[test]
fn a_wrong_header_is_an_error_that_names_file_line_and_columns() {
    let error = |text: &str| {
        read_with(&headed(&TWO), vec![file("x/a.csv", text)], &Projection::all(&headed(&TWO))).unwrap_err()
    };
    assert_eq!(
        error("\na,c\n1,2\n"),
        "`x/a.csv` line 2: the header does not match the declared columns: missing `b`, unknown `c`; \
         expected `a`, `b`; found `a`, `c`"
    );
    assert_eq!(error("a,\"b\n1,2\n"), "`x/a.csv` line 1: the header is not a record: unclosed_quote");
}

#[test]
fn comments_are_no_records_wherever_they_stand() {
    let comments = CsvOptions { comment: Some(b'#'), ..CsvOptions::default() };
    let format = format(&TWO, RawKind::Csv(comments));
    let text = "# made, \"by\na,b\n#\n1,2\n# it is \"x\n#,\"open\n\"# no\n# comment\",3\n4,#5\n# end";
    let outcome = read(&format, text);
    assert_eq!(outcome.rows, owned(&["1|2|4|-", "# no\n# comment|3|7|-", "4|#5|9|-"]));
    assert_eq!((outcome.bad.len(), outcome.stats.lines), (0, 8));
}

#[test]
fn lines_before_the_header_are_skipped() {
    let skipping = CsvOptions { skip: 2, ..CsvOptions::default() };
    let format = format(&TWO, RawKind::Csv(skipping));
    let long = format!("report \"x\n{}\na,b\n1,2\n", "y".repeat(100_000));
    assert_eq!(read(&format, long).rows, owned(&["1|2|4|-"]));
    assert_eq!(read(&format, "one\n").rows, owned(&[]));
}

#[test]
fn without_quotes_they_are_letters() {
    let bare = CsvOptions { quote: NO_QUOTE, ..CsvOptions::default() };
    let outcome = read(&format(&TWO, RawKind::Csv(bare)), "a,b\n\"1,2\"x\n\"\",\"\n");
    assert_eq!(outcome.rows, owned(&["\"1|2\"x|2|-", "\"\"|\"|3|-"]));
}

#[test]
fn a_header_that_is_not_utf_8_says_so() {
    let wrong = read_with(&headed(&TWO), vec![file("a.csv", b"a,\xe4\n1,2\n")], &Projection::all(&headed(&TWO)));
    assert_eq!(wrong.unwrap_err(), "`a.csv` line 1: the header is not UTF-8: save the file as UTF-8");
}
