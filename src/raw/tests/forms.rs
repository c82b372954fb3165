//! The table of types in the reference says what converts: each of its examples is read as it says.

use super::*;
use crate::column_type::ColumnType;
use crate::forms::{Forms, TimeForm};

/// The texts in backticks of a cell.
fn texts(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

fn raw_type(word: &str) -> ColumnType {
    match word {
        "integer" => ColumnType::Integer,
        "float" => ColumnType::Float,
        "decimal(5, 2)" => ColumnType::Decimal { precision: 5, scale: 2 },
        "boolean" => ColumnType::Boolean,
        "date" => ColumnType::Date,
        "timestamp" => ColumnType::Timestamp,
        other => panic!("{other}"),
    }
}

fn declared(option: Option<&str>) -> Forms {
    let default = Forms::default();
    let Some((key, value)) = option.and_then(|option| option.split_once(": ")) else { return default };
    let value = value.trim_matches('"');
    match key {
        "numbers" => Forms { lenient_numbers: value == "lenient", ..default },
        "decimal" => Forms { decimal_comma: value == ",", ..default },
        "booleans" => Forms { booleans: Some(["ja".to_owned(), "nein".to_owned()]), ..default },
        "date_format" => Forms { date: TimeForm::parse(value).ok(), ..default },
        "timestamp_format" => Forms { timestamp: TimeForm::parse(value).ok(), ..default },
        other => panic!("{other}"),
    }
}

#[test]
fn the_reference_tells_what_converts() {
    let reference = include_str!("../../../docs/reference.md");
    let (_, table) = reference.split_once("| type | converts | is rescued |\n").unwrap();
    let lines: Vec<&str> = table.lines().skip(1).take_while(|line| line.starts_with('|')).collect();
    assert!(lines.len() >= 13, "{lines:?}");
    for line in lines {
        let cells: Vec<&str> = line.trim_matches('|').split('|').collect();
        let [what, converts, rescued] = cells.as_slice() else { panic!("{line}") };
        let what = texts(what);
        let mut format = headless(&[("v", raw_type(what[0]))]);
        format.forms = Arc::new(declared(what.get(1).copied()));
        assert_eq!(what.len() > 1, *format.forms != Forms::default(), "{line}");
        for (examples, fits) in [(texts(converts), true), (texts(rescued), false)] {
            for example in examples {
                let outcome = read(&format, format!("\"{example}\"\n"));
                let row = outcome.rows.first().map(String::as_str).unwrap_or_default();
                assert_eq!(row.starts_with("-|"), !fits, "{example} as {what:?}: {row}");
                assert_eq!(row.ends_with("|-"), fits, "{example} as {what:?}: {row}");
                let tally = outcome.stats.columns[0].as_ref().unwrap();
                assert_eq!((tally.converted, tally.rescued), (u64::from(fits), u64::from(!fits)), "{example}");
            }
        }
    }
}

#[test]
fn trimmed_values_and_names_have_no_blanks_around_them() {
    let mut format = headed(&[("a", ColumnType::Text), ("n", ColumnType::Integer)]);
    format.forms = Arc::new(Forms { trim: true, ..Forms::default() });
    let outcome = read(&format, " n,a \n 7 , x y \n  ,  \n");
    assert_eq!(outcome.rows, owned(&["x y|7|2|-", "-|-|3|-"]));
}
