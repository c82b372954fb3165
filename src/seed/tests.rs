//! What a seed becomes: types, names, and what is refused at which line.

use arrow::util::pretty::pretty_format_batches;

use super::*;
use crate::diag::{Diagnostic, Style, render_all};
use crate::project::{SeedConfig, SeedType};
use crate::span::{SourceFiles, Span, Spanned};

fn read_as(text: &str, config: SeedConfig) -> Result<SeedRows, String> {
    let mut files = SourceFiles::default();
    let file = files.add("seeds/s.csv", text);
    let seed = Seed { text: text.into(), config };
    read("seeds/s.csv", &seed).map_err(|faults| {
        let faults: Vec<Diagnostic> = faults.into_iter().map(|fault| fault.located(file, text)).collect();
        render_all(&faults, &files, Style::Plain)
    })
}

fn said(text: &str) -> String {
    read_as(text, SeedConfig::default()).unwrap_err()
}

/// The columns as `name type`.
fn types(text: &str) -> String {
    let rows = read_as(text, SeedConfig::default()).unwrap();
    let columns = rows.schema.fields().iter().map(|field| format!("{} {}", field.name(), field.data_type()));
    columns.collect::<Vec<_>>().join(", ")
}

fn table(text: &str) -> String {
    pretty_format_batches(&read_as(text, SeedConfig::default()).unwrap().batches).unwrap().to_string()
}

/// A column of these values.
fn type_of(values: &[&str]) -> String {
    types(&format!("c,x\n{}", values.iter().map(|value| format!("{value},\n")).collect::<String>()))
        .trim_start_matches("c ")
        .trim_end_matches(", x Utf8")
        .to_owned()
}

fn config(types: &[(&str, ColumnType)]) -> SeedConfig {
    let place = Span::new(SourceFiles::default().add("project.yml", ""), 0..0);
    let column_types =
        types.iter().map(|(name, data_type)| (Spanned::new((*name).to_owned(), place), SeedType::Is(*data_type)));
    SeedConfig { column_types: column_types.collect(), ..SeedConfig::default() }
}

#[test]
fn a_decimal_without_precision_holds_every_value_exactly() {
    let place = Span::new(SourceFiles::default().add("project.yml", ""), 0..0);
    let typed = |values: &[&str]| {
        let column_types = vec![(Spanned::new("c".to_owned(), place), SeedType::AnyDecimal)];
        let text = format!("c,x\n{}", values.iter().map(|value| format!("{value},\n")).collect::<String>());
        read_as(&text, SeedConfig { column_types, ..SeedConfig::default() })
    };
    for (values, expected) in [
        (&["1.50", "-20", ""][..], "Decimal128(4, 2)"),
        (&["7"], "Decimal128(1, 0)"),
        (&["0.001", "123"], "Decimal128(6, 3)"),
        (&["", ""], "Decimal128(38, 9)"),
        (&["12345678901234567890123456789012345.678"], "Decimal128(38, 3)"),
    ] {
        let rows = typed(values).unwrap();
        assert_eq!(rows.schema.field(0).data_type().to_string(), expected, "{values:?}");
    }
    assert!(typed(&["1", "x"]).unwrap_err().contains("`x` in the column `c` is not a decimal"));
    assert!(typed(&["1e50"]).unwrap_err().contains("is not a decimal"));
    let long = typed(&["0.1", "12345678901234567890123456789012345678"]).unwrap_err();
    assert!(long.contains("more digits than a decimal"), "{long}");
}

#[test]
fn a_type_is_one_that_all_values_have() {
    for (values, expected) in [
        (&["1", "-20", ""][..], "Int64"),
        (&["9223372036854775807"], "Int64"),
        (&["1", "2.5"], "Float64"),
        (&["10.00", "-20", "1e3", "5."], "Int64"),
        (&["10.00", "1e-3"], "Float64"),
        (&["true", "False"], "Boolean"),
        (&["2026-03-31", ""], "Date32"),
        (&["2026-03-31 18:00:00", "2026-03-31T18:00:00"], "Timestamp(µs)"),
        (&["2026-02-30"], "Utf8"),
        (&["1", "x"], "Utf8"),
        (&["", ""], "Utf8"),
        (&[], "Utf8"),
    ] {
        assert_eq!(type_of(values), expected, "{values:?}");
    }
}

#[test]
fn what_a_number_would_lose_stays_a_text() {
    for values in [&["007"][..], &["1", "08.5"], &["-01"], &["12345678901234567890123456789012345678901"]] {
        assert_eq!(type_of(values), "Utf8", "{values:?}");
    }
    assert_eq!(type_of(&["0", "0.5", "-0.25"]), "Float64");
}

#[test]
fn an_integer_that_is_too_big_keeps_all_of_its_digits() {
    assert_eq!(type_of(&["9223372036854775808"]), "Decimal128(38, 0)");
    assert_eq!(type_of(&["9223372036854775808", "0.25"]), "Decimal128(38, 2)");
    assert_eq!(type_of(&["9223372036854775808", "1e3"]), "Utf8");
    assert!(table("n\n9223372036854775808\n").contains("9223372036854775808"));
}

#[test]
fn words_that_only_a_declared_boolean_takes_stay_texts() {
    for value in ["yes", "t", "on"] {
        assert_eq!(type_of(&[value]), "Utf8", "{value}");
    }
    assert!(read_as("a\nyes\n", config(&[("a", ColumnType::Boolean)])).is_ok());
}

#[test]
fn marks_line_ends_quotes_and_empty_lines_are_no_values() {
    let text = "\u{feff}id,Name\r\n1,\"a \"\"b\"\", c\"\r\n\r\n2,\r\n";
    insta::assert_snapshot!(table(text), @r#"
    +----+----------+
    | id | name     |
    +----+----------+
    | 1  | a "b", c |
    | 2  |          |
    +----+----------+
    "#);
    assert_eq!(types("id\n1"), "id Int64");
    assert_eq!(types("id,name\n"), "id Utf8, name Utf8");
}

#[test]
fn declared_types_count_and_the_delimiter_may_be_another() {
    let mut declared = config(&[("ID", ColumnType::Text), ("price", ColumnType::Decimal { precision: 8, scale: 2 })]);
    declared.delimiter = b';';
    let rows = read_as("id;price\n1;2,5\n", declared.clone());
    assert!(rows.unwrap_err().contains("line 2: `2,5` in the column `price` is not a decimal(8, 2)"));
    let rows = read_as("id;price\n1;2.5\n", declared).unwrap();
    assert_eq!(rows.schema.field(0).data_type().to_string(), "Utf8");
    assert_eq!(rows.schema.field(1).data_type().to_string(), "Decimal128(8, 2)");
}

#[test]
fn quoted_names_are_kept_as_they_are_written() {
    let quoted = SeedConfig { quote_columns: true, ..config(&[("Name", ColumnType::Text)]) };
    let rows = read_as("Id,Name,The day\n1,2,3\n", quoted.clone()).unwrap();
    assert_eq!(rows.schema.field(2).name(), "The day");
    assert_eq!(rows.schema.field(1).data_type().to_string(), "Utf8");
    assert!(read_as("id,name\n1,2\n", quoted).unwrap_err().contains("the seed has no column `Name`"));
    let elsewhere = config(&[("born", ColumnType::Date), ("id", ColumnType::Text)]);
    let rows = read_as("id,name\n1,2\n", elsewhere).unwrap();
    assert_eq!((rows.passed_over.len(), rows.schema.field(0).data_type().to_string()), (1, "Utf8".to_owned()));
}

#[test]
fn a_row_has_as_many_fields_as_the_header() {
    insta::assert_snapshot!(said("id,name\n1,a\n2\n3,b,c\n"), @r#"
    error[invalid-seed]: line 3: the row has fewer fields than the header, which has 2
     --> seeds/s.csv:3:1
      |
    3 | 2
      | ^
      |
      = help: an empty field between two delimiters is null

    error[invalid-seed]: line 4: the row has more fields than the header, which has 2
     --> seeds/s.csv:4:1
      |
    4 | 3,b,c
      | ^^^^^
      |
      = help: put a value that holds the delimiter in double quotes
    "#);
}

#[test]
fn broken_quotes_are_told_at_their_line() {
    insta::assert_snapshot!(said("id,name\n1,a \"b\" c\n2,\"x\"y\n3,\"open\n4,b\n"), @r#"
    error[invalid-seed]: line 2: a quote stands inside of a field, or something follows a closing quote
     --> seeds/s.csv:2:1
      |
    2 | 1,a "b" c
      | ^^^^^^^^^
      |
      = help: put the whole value in double quotes, and double those in it: `"5"" disk"`

    error[invalid-seed]: line 3: a quote stands inside of a field, or something follows a closing quote
     --> seeds/s.csv:3:1
      |
    3 | 2,"x"y
      | ^^^^^^
      |
      = help: put the whole value in double quotes, and double those in it: `"5"" disk"`

    error[invalid-seed]: line 4: a quote is never closed
     --> seeds/s.csv:4:1
      |
    4 | 3,"open
      | ^^^^^^^
      |
      = help: close it, or double it if it belongs to the value
    "#);
}

#[test]
fn names_are_identifiers_and_stand_there_once() {
    insta::assert_snapshot!(said("id,,first name,2nd,Id\n1,2,3,4,5\n"), @r#"
    error[invalid-seed]: the column 2 of 5 has no name in the header
     --> seeds/s.csv:1:1
      |
    1 | id,,first name,2nd,Id
      | ^^^^^^^^^^^^^^^^^^^^^
      |
      = help: give it a name, or take away the delimiter that is too much

    error[invalid-seed]: `first name` is not a name for a column: a name has only letters, digits and `_`
     --> seeds/s.csv:1:1
      |
    1 | id,,first name,2nd,Id
      | ^^^^^^^^^^^^^^^^^^^^^
      |
      = help: rename it in the header, or set `quote_columns: true` to keep names as they are written

    error[invalid-seed]: `2nd` is not a name for a column: a name does not begin with a digit
     --> seeds/s.csv:1:1
      |
    1 | id,,first name,2nd,Id
      | ^^^^^^^^^^^^^^^^^^^^^
      |
      = help: rename it in the header, or set `quote_columns: true` to keep names as they are written

    error[invalid-seed]: the columns 1 and 5 are both called `id`
     --> seeds/s.csv:1:1
      |
    1 | id,,first name,2nd,Id
      | ^^^^^^^^^^^^^^^^^^^^^
      |
      = help: rename one of them in the header
    "#);
    insta::assert_snapshot!(said(""), @r#"
    error[invalid-seed]: the seed is empty
     --> seeds/s.csv:1:1
      |
    1 |
      | ^
      |
      = help: write the names of its columns into the first line: `id,name`
    "#);
    insta::assert_snapshot!(said("id;name\n1;a\n"), @r#"
    error[invalid-seed]: `id;name` is not a name for a column: a name has only letters, digits and `_`
     --> seeds/s.csv:1:1
      |
    1 | id;name
      | ^^^^^^^
      |
      = help: set `delimiter: ";"` in the config of the seed, if `;` divides the names
    "#);
}

#[test]
fn a_value_that_does_not_convert_is_told_with_line_column_and_remedy() {
    let types = config(&[("id", ColumnType::Integer), ("day", ColumnType::Date)]);
    insta::assert_snapshot!(read_as("id,day\n1,2026-01-01\nx,31.1.2026\ny,\n", types).unwrap_err(), @r#"
    error[invalid-seed-value]: line 3: `x` in the column `id` is not an integer of 64 bits
     --> seeds/s.csv:3:1
      |
    3 | x,31.1.2026
      | ^^^^^^^^^^^
      |
      = note: 2 values of the column are not an integer of 64 bits; this is the first
      = help: correct the value, or give `id` another type in `column_types`: `text`, `integer`, `float`, `boolean`, `date`, `timestamp` or `decimal(18, 2)`

    error[invalid-seed-value]: line 3: `31.1.2026` in the column `day` is not a date like `2026-03-31`
     --> seeds/s.csv:3:1
      |
    3 | x,31.1.2026
      | ^^^^^^^^^^^
      |
      = help: correct the value, or give `day` another type in `column_types`: `text`, `integer`, `float`, `boolean`, `date`, `timestamp` or `decimal(18, 2)`
    "#);
}

#[test]
fn what_is_no_csv_is_told_as_what_it_is() {
    insta::assert_snapshot!(said("PK\u{3}\u{4}rest"), @r#"
    error[invalid-seed]: the seed cannot be read: it is a zip archive, as workbooks of Excel are
     --> seeds/s.csv:1:1
      |
    1 | PK␃␄rest
      | ^^^^^^^^
      |
      = help: unpack it, or save the sheet as CSV in UTF-8
    "#);
}
