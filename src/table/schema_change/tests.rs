//! Tables of settings and differences, and what becomes of the columns.

use std::collections::BTreeMap;

use arrow::datatypes::DataType;

use super::*;

/// `n bigint, device text`.
fn schema(text: &str) -> SchemaRef {
    let field = |column: &str| {
        let (name, word) = column.trim().split_once(' ').unwrap();
        let data_type = match word {
            "integer" => DataType::Int32,
            "bigint" => DataType::Int64,
            "text" => DataType::Utf8View,
            "list" => DataType::List(std::sync::Arc::new(Field::new("element", DataType::Int64, true))),
            other => panic!("{other}"),
        };
        Field::new(name, data_type, true)
    };
    Schema::new(text.split(',').map(field).collect::<Vec<_>>()).into()
}

fn file(columns: &[&str]) -> DataFile {
    let counted: BTreeMap<&str, u64> = columns.iter().map(|column| (*column, 0)).collect();
    let stats = serde_json::json!({ "numRecords": 1, "nullCount": counted });
    let (path, partition) = ("part.parquet".into(), crate::table::PartitionValues::none());
    DataFile { path, partition, bytes: 1, rows: Some(1), stats: Some(stats.to_string().into()) }
}

/// What becomes of the table's columns, in words.
fn settle(table: &str, model: &str, on_change: OnSchemaChange, stays: Option<&[&str]>) -> String {
    let files: Vec<DataFile> = stays.map(file).into_iter().collect();
    let stay: Vec<&DataFile> = files.iter().collect();
    let delta = |text: &str| TableSchema::of(&schema(text)).unwrap();
    let change = SchemaChange { table: &delta(table), model: &delta(model), on_change, stay: &stay };
    let (why, difference) = match change.settle(&schema(model)) {
        Ok(columns) => {
            let settled = TableSchema::of(&columns).unwrap().columns().unwrap();
            let columns = settled.iter().map(|column| format!("{} {}", column.name, column.type_in_words()));
            return columns.collect::<Vec<_>>().join(", ");
        }
        Err(RefusedColumns::NotAllowed(difference)) => ("not allowed".to_owned(), difference),
        Err(RefusedColumns::OtherType(difference)) => ("other type".to_owned(), difference),
        Err(RefusedColumns::HeldBefore(difference, name)) => (format!("held {name}"), difference),
        Err(RefusedColumns::StaysUnseen(difference, name)) => (format!("unseen {name}"), difference),
        Err(RefusedColumns::CannotWrite(difference, name)) => (format!("cannot write {name}"), difference),
        Err(RefusedColumns::Unreadable) => return "unreadable".to_owned(),
    };
    format!("{why}: {}", difference.lines().collect::<Vec<_>>().join("; "))
}

#[test]
fn columns_that_come_and_go_are_treated_as_the_author_says() {
    use OnSchemaChange::{AppendNewColumns, Fail, Ignore, SyncAllColumns};
    let (table, model) = ("n bigint, device text", "country text, n bigint");
    let stays: Option<&[&str]> = Some(&["n", "device"]);
    for (on_change, expected) in [
        (Fail, "not allowed: + country text; - device text"),
        (Ignore, "n bigint, device text"),
        (AppendNewColumns, "n bigint, device text, country text"),
        (SyncAllColumns, "country text, n bigint"),
    ] {
        assert_eq!(settle(table, model, on_change, stays), expected, "{on_change:?}");
        assert_eq!(settle(table, model, on_change, None), expected, "{on_change:?}, and all files are replaced");
        assert_eq!(settle(model, model, on_change, stays), model, "{on_change:?}");
        assert_eq!(settle("n bigint, country text", model, on_change, stays), model, "{on_change:?}, another order");
    }
}

#[test]
fn a_type_changes_only_if_no_file_has_the_old_one() {
    use OnSchemaChange::{AppendNewColumns, Fail, Ignore, SyncAllColumns};
    let (table, model) = ("n integer, device text", "n bigint");
    let line = "~ n: integer -> bigint; - device text";
    let stays: Option<&[&str]> = Some(&["n", "device"]);
    for (on_change, partly, whole) in [
        (Fail, "not allowed", None),
        (Ignore, "other type", None),
        (AppendNewColumns, "other type", Some("n bigint, device text")),
        (SyncAllColumns, "other type", Some("n bigint")),
    ] {
        let refused = format!("{partly}: {line}");
        assert_eq!(settle(table, model, on_change, stays), refused, "{on_change:?}");
        let whole = whole.map_or(refused, str::to_owned);
        assert_eq!(settle(table, model, on_change, None), whole, "{on_change:?}, and all files are replaced");
    }
}

#[test]
fn a_column_that_was_removed_does_not_come_back_with_its_old_values() {
    let (table, model) = ("n bigint", "n bigint, device text");
    for on_change in [OnSchemaChange::AppendNewColumns, OnSchemaChange::SyncAllColumns] {
        let refused = "held device: + device text";
        assert_eq!(settle(table, model, on_change, Some(&["n", "device"])), refused);
        assert_eq!(settle(table, model, on_change, Some(&["n", "Device"])), refused);
        assert_eq!(settle(table, model, on_change, Some(&["n"])), model);
        assert_eq!(settle(table, model, on_change, None), model);
        let renamed = settle("n bigint, Device text", model, on_change, Some(&["n"]));
        assert_eq!(renamed, "held device: + device text; - Device text", "two names that differ by case alone");
    }
}

#[test]
fn names_that_differ_by_case_alone_do_not_stand_side_by_side() {
    let append = OnSchemaChange::AppendNewColumns;
    let refused = "held device: + device text; - Device text";
    assert_eq!(settle("Device text", "device text", append, None), refused);
    assert_eq!(settle("Device text", "device text", OnSchemaChange::SyncAllColumns, None), "device text");
}

#[test]
fn a_nested_column_goes_only_with_all_files() {
    let (table, model, sync) = ("n bigint, days list", "n bigint", OnSchemaChange::SyncAllColumns);
    assert_eq!(settle(table, model, sync, Some(&["n"])), "unseen days: - days array(bigint)");
    assert_eq!(settle(table, model, sync, None), "n bigint");
    assert_eq!(settle(table, model, OnSchemaChange::AppendNewColumns, Some(&["n"])), "n bigint, days array(bigint)");
}

#[test]
fn what_cannot_be_written_or_read_is_refused() {
    let unknown = r#"{"type":"struct","fields":[{"name":"n","type":"long"},{"name":"at","type":"timestamp_ntz"}]}"#;
    let (model, columns) = (TableSchema::of(&schema("n bigint")).unwrap(), schema("n bigint"));
    let settle = |table: &str, on_change| {
        SchemaChange { table: &TableSchema::from(table.to_owned()), model: &model, on_change, stay: &[] }
            .settle(&columns)
    };
    let refused = settle(unknown, OnSchemaChange::Ignore);
    assert!(matches!(&refused, Err(RefusedColumns::CannotWrite(_, name)) if name == "at"), "{refused:?}");
    assert_eq!(settle(unknown, OnSchemaChange::SyncAllColumns).unwrap(), columns);
    assert_eq!(settle("{}", OnSchemaChange::SyncAllColumns), Err(RefusedColumns::Unreadable));
}
