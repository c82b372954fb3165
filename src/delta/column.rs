//! The columns of a table's schema: names and types, in words for people and as the engine reads them.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Fields, TimeUnit};
use serde_json::Value;

use super::types::read_type;

/// A column as a table's log describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StoredColumn {
    pub name: String,
    /// Delta's type, in Delta's words.
    pub delta_type: Value,
}

impl StoredColumn {
    /// The columns of a struct, as a whole schema is one. Returns `None` if it is none.
    pub(super) fn of_struct(delta_type: &Value) -> Option<Vec<StoredColumn>> {
        delta_type
            .get("fields")?
            .as_array()?
            .iter()
            .map(|field| {
                let name = field.get("name")?.as_str()?.to_owned();
                Some(StoredColumn { name, delta_type: field.get("type")?.clone() })
            })
            .collect()
    }

    /// The type in SQL's words.
    pub fn type_in_words(&self) -> String {
        words(&self.delta_type)
    }

    /// The column as a reader of the table sees it. Returns `None` if karat writes no such type.
    pub fn field(&self) -> Option<Field> {
        Some(Field::new(&self.name, read_type(&stored(&self.delta_type)?), true))
    }
}

fn words(delta_type: &Value) -> String {
    let part = |key: &str| delta_type.get(key).map(words).unwrap_or_default();
    if let Some(name) = delta_type.as_str() {
        return match name {
            "byte" => "tinyint",
            "short" => "smallint",
            "long" => "bigint",
            "float" => "real",
            "string" => "text",
            other => other,
        }
        .to_owned();
    }
    match delta_type.get("type").and_then(Value::as_str) {
        Some("array") => format!("array({})", part("elementType")),
        Some("map") => format!("map({}, {})", part("keyType"), part("valueType")),
        Some("struct") => {
            let fields = StoredColumn::of_struct(delta_type).unwrap_or_default();
            let fields = fields.iter().map(|field| format!("{} {}", field.name, field.type_in_words()));
            format!("struct({})", fields.collect::<Vec<_>>().join(", "))
        }
        _ => delta_type.to_string(),
    }
}

/// The type that a data file holds.
fn stored(delta_type: &Value) -> Option<DataType> {
    let part = |key: &str| stored(delta_type.get(key)?);
    if let Some(name) = delta_type.as_str() {
        return scalar(name);
    }
    match delta_type.get("type")?.as_str()? {
        "array" => Some(DataType::List(Arc::new(Field::new("element", part("elementType")?, true)))),
        "map" => {
            let key = Field::new("key", part("keyType")?, false);
            let value = Field::new("value", part("valueType")?, true);
            let entry = Fields::from(vec![key, value]);
            Some(DataType::Map(Arc::new(Field::new("key_value", DataType::Struct(entry), false)), false))
        }
        "struct" => {
            let fields = StoredColumn::of_struct(delta_type)?;
            Some(DataType::Struct(
                fields
                    .iter()
                    .map(|field| Some(Field::new(&field.name, stored(&field.delta_type)?, true)))
                    .collect::<Option<Fields>>()?,
            ))
        }
        _ => None,
    }
}

fn scalar(name: &str) -> Option<DataType> {
    Some(match name {
        "boolean" => DataType::Boolean,
        "byte" => DataType::Int8,
        "short" => DataType::Int16,
        "integer" => DataType::Int32,
        "long" => DataType::Int64,
        "float" => DataType::Float32,
        "double" => DataType::Float64,
        "string" => DataType::Utf8,
        "binary" => DataType::Binary,
        "date" => DataType::Date32,
        "timestamp" => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        decimal => {
            let (precision, scale) = decimal.strip_prefix("decimal(")?.strip_suffix(')')?.split_once(',')?;
            DataType::Decimal128(precision.trim().parse().ok()?, scale.trim().parse().ok()?)
        }
    })
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::Schema;

    use super::*;
    use crate::delta::TableSchema;

    #[test]
    fn a_column_is_read_back_as_it_was_written() {
        let item = Arc::new(Field::new("element", DataType::Int64, true));
        let fields = Fields::from(vec![Field::new("a", DataType::Utf8View, true)]);
        let types = [
            (DataType::Boolean, "boolean"),
            (DataType::Int8, "tinyint"),
            (DataType::Int16, "smallint"),
            (DataType::Int32, "integer"),
            (DataType::Int64, "bigint"),
            (DataType::Float32, "real"),
            (DataType::Float64, "double"),
            (DataType::Utf8View, "text"),
            (DataType::BinaryView, "binary"),
            (DataType::Date32, "date"),
            (DataType::Timestamp(TimeUnit::Microsecond, None), "timestamp"),
            (DataType::Decimal128(12, 2), "decimal(12,2)"),
            (DataType::List(item), "array(bigint)"),
            (DataType::Struct(fields), "struct(a text)"),
        ];
        for (data_type, word) in types {
            let field = Field::new("c", data_type, true);
            let columns = TableSchema::of(&Schema::new(vec![field.clone()])).unwrap().columns().unwrap();
            assert_eq!(columns[0].field(), Some(field), "{word}");
            assert_eq!(columns[0].type_in_words(), word);
        }
    }

    #[test]
    fn types_that_karat_does_not_write_have_words_and_no_field() {
        for name in ["timestamp_ntz", "void", "decimal(a,b)"] {
            let column = StoredColumn { name: "c".to_owned(), delta_type: Value::from(name) };
            assert_eq!(column.field(), None);
            assert_eq!(column.type_in_words(), name);
        }
        assert_eq!(TableSchema::from("no schema".to_owned()).columns(), None);
    }
}
