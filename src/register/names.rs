//! Names and texts as the engines write them.

/// A name in standard SQL, which DuckDB, Trino and the queries of Athena are written in.
pub(super) use crate::name::quoted;

use crate::name::TableName;

/// A name in the SQL of Spark, Databricks and Hive.
pub(super) fn backquoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// A text in standard SQL.
pub(super) fn text(value: &str) -> String {
    format!("'{}'", value.replace('\'', "''"))
}

/// A text in the SQL of Spark, where a backslash begins an escape.
pub(super) fn escaped_text(value: &str) -> String {
    format!("'{}'", value.replace('\\', "\\\\").replace('\'', "\\'"))
}

/// A text in Python: a JSON text is one, with the same escapes.
pub(super) fn python_text(value: &str) -> String {
    serde_json::Value::from(value).to_string()
}

/// A table with its schema, each name quoted.
pub(super) fn qualified(quoted: fn(&str) -> String, table: &TableName) -> String {
    format!("{}.{}", quoted(table.schema.as_str()), quoted(&table.table))
}
