//! The rules of JSON files that hold one array of objects.

use crate::column_type::ColumnType;
use proptest::prelude::*;

use super::*;

const ONE: [(&str, ColumnType); 1] = [("s", ColumnType::Text)];

fn json() -> RawFormat {
    format(&ONE, RawKind::JsonLines)
}

/// Reads with blocks of every small size, which must make no difference, and with the usual one.
fn read_array(format: &RawFormat, text: &[u8]) -> Result<Outcome, String> {
    let mut projection = Projection::all(format);
    projection.columns.retain(|column| *column != ProjectedColumn::SourceFile);
    let usual = read_with(format, vec![file("a.json", text)], &projection);
    for size in [1, 2, 3, 7, 16, 64] {
        let queue = BlockQueue::with_block_bytes(vec![file("a.json", text)], Arc::new(format.clone()), size).unwrap();
        let found = try_read(&queue, format, &projection).map_err(|error| error.to_string());
        let rows = |outcome: &Result<Outcome, String>| {
            outcome.as_ref().map(|outcome| (outcome.rows.clone(), outcome.bad.clone())).map_err(String::clone)
        };
        assert_eq!(rows(&found), rows(&usual), "blocks of {size} bytes");
    }
    usual
}

#[test]
fn an_element_becomes_a_row_with_the_line_on_which_it_begins() {
    let text = "\u{feff}\n [\n  {\"s\":\"a]}\"}, {\n    \"s\" : \"b\\\"\"\n  },\n\n  {\"s\":null,\"z\":[1, {\"k\": \"}\"}]}\n]\n\n";
    let outcome = read_array(&json(), text.as_bytes()).unwrap();
    assert_eq!(outcome.rows, owned(&["a]}|3|-", "b\"|3|-", "-|7|{\"z\":[1, {\"k\": \"}\"}]}"]));
    assert!(outcome.bad.is_empty());
    assert_eq!(outcome.stats.bytes, text.len() as u64);
    for empty in ["[]", " [ ] \n", "[\n\n]"] {
        let outcome = read_array(&json(), empty.as_bytes()).unwrap();
        assert_eq!((outcome.rows.len(), outcome.bad.len()), (0, 0), "{empty}");
    }
}

#[test]
fn an_element_that_is_no_object_is_a_bad_record_at_its_place() {
    let text = b"[{\"s\":1},\n 7, null, [1, 2],\n \"x\", {\"s\":\"\xff\"}, {\"s\" 1},\n {\"s\":\"ok\",\"s\":2}, {\"s\":\"ok\"}]";
    let outcome = read_array(&json(), text).unwrap();
    assert_eq!(outcome.rows, owned(&["-|1|{\"s\":1}", "ok|4|-"]));
    let bad = [
        "2 bad_json 7",
        "2 bad_json null",
        "2 bad_json [1, 2]",
        "3 bad_json \"x\"",
        "3 invalid_utf8 {\"s\":\"\u{fffd}\"}",
        "3 bad_json {\"s\" 1}",
        "4 bad_json {\"s\":\"ok\",\"s\":2}",
    ];
    assert_eq!(outcome.bad, owned(&bad));
}

#[test]
fn an_element_that_is_too_long_is_set_aside_and_those_behind_it_are_read() {
    let format = RawFormat { max_record_bytes: 20, ..json() };
    let long = format!("{{\"s\":\"{}\",\n\"t\":[1]}}", "x".repeat(40));
    let text = format!("[{{\"s\":\"a\"}},\n{long},\n{{\"s\":\"b\"}} , {long}\n]");
    let outcome = read_array(&format, text.as_bytes()).unwrap();
    assert_eq!(outcome.rows, owned(&["a|1|-", "b|4|-"]));
    assert_eq!(outcome.bad, [format!("2 record_too_long {long}"), format!("4 record_too_long {long}")]);
}

#[test]
fn a_broken_array_is_an_error_that_names_the_line() {
    for (text, expected) in [
        ("[{\"s\":1},\n", "line 2: the array has no end: the file is cut off"),
        ("[{\"s\":1}\n", "line 2: the array has no end: the file is cut off"),
        ("[{\"s\":1},\n{\"s\":\"a]", "line 2: the array has no end: the file is cut off"),
        ("[\n", "line 2: the array has no end: the file is cut off"),
        ("[{\"s\":1}\n{\"s\":2}]", "line 2: a comma between two elements of the array is missing"),
        ("[{\"s\":1},\n]", "line 2: an element of the array is missing"),
        ("[{\"s\":1},,{\"s\":2}]", "line 1: an element of the array is missing"),
        ("[{\"s\":1}]\n{\"s\":2}", "line 2: something follows the array: a file has only one"),
        ("[{\"s\":1}}]", "line 1: a comma between two elements of the array is missing"),
    ] {
        assert_eq!(read_array(&json(), text.as_bytes()).unwrap_err(), format!("`a.json` {expected}"), "{text}");
    }
}

#[test]
fn lines_that_begin_with_a_bracket_are_lines() {
    let outcome = read(&json(), "[1]\n{\"s\":\"a\"}\n");
    assert_eq!((outcome.rows, outcome.bad), (owned(&["a|2|-"]), owned(&["1 bad_json [1]"])));
    assert_eq!(read(&json(), "[]\n{\"s\":\"a\"}\n").bad, owned(&["1 bad_json []"]));
}

#[test]
fn blanks_between_elements_take_no_memory_and_no_time() {
    let text = format!("[{{\"s\":\"a\"}},{}{{\"s\":\"b\"}}{}]", "\n".repeat(300_000), " ".repeat(300_000));
    let format = RawFormat { max_record_bytes: 100, ..json() };
    let outcome = read(&format, text);
    assert_eq!(outcome.rows, owned(&["a|1|-", "b|300001|-"]));
}

proptest! {
    #[test]
    fn an_array_has_the_rows_of_its_lines(texts in prop::collection::vec("[a-z\"\\\\,\\[\\]{} \n]{0,12}", 1..20), blanks in "[ \n]{0,3}") {
        let objects: Vec<String> = texts.iter().map(|text| serde_json::json!({ "s": text }).to_string()).collect();
        let array = format!("{blanks}[{blanks}{}{blanks}]{blanks}", objects.join(&format!("{blanks},{blanks}")));
        let lines = objects.join("\n");
        let without_line = |outcome: Outcome| outcome.without_lines();
        prop_assert_eq!(without_line(read_array(&json(), array.as_bytes()).unwrap()), without_line(read(&json(), lines)));
    }
}

impl Outcome {
    /// The rows without the numbers of their lines.
    fn without_lines(self) -> Vec<String> {
        let without = |row: &String| {
            let parts: Vec<&str> = row.rsplitn(3, '|').collect();
            format!("{}|{}", parts[2], parts[0])
        };
        self.rows.iter().map(without).collect()
    }
}
