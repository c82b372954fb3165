//! The schema of a table as its log has it: Delta's `schemaString`, JSON in the words of Spark.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Fields, Schema};
use arrow::error::ArrowError;
use serde_json::{Value, json};

use super::column::StoredColumn;
use super::types::stored_type;

/// A schema that prints itself, byte for byte as it was found or made.
///
/// Two are equal if their texts are. Another writer may spell the same columns in another way; such a table is taken for
/// one with other columns, of which [`super::StoredColumn`]s tell whether there is a difference that counts.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct TableSchema {
    text: Arc<str>,
}

impl TableSchema {
    /// That of a table which is fed with rows of `schema`.
    ///
    /// # Errors
    ///
    /// A column of a type that Delta cannot hold.
    pub fn of(schema: &Schema) -> Result<TableSchema, ArrowError> {
        let fields = schema.fields().iter().map(|field| delta_field(field, field.name()));
        let fields = fields.collect::<Result<Vec<_>, _>>()?;
        Ok(TableSchema::from(json!({ "type": "struct", "fields": fields }).to_string()))
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The columns. Returns `None` if the text is no schema.
    pub fn columns(&self) -> Option<Vec<StoredColumn>> {
        StoredColumn::of_struct(&serde_json::from_str(&self.text).ok()?)
    }

    /// The columns that this schema has and the other has not, or has with another type.
    pub fn columns_beyond(&self, other: &TableSchema) -> Vec<StoredColumn> {
        let known = other.columns().unwrap_or_default();
        self.columns().unwrap_or_default().into_iter().filter(|column| !known.contains(column)).collect()
    }

    /// Rules that columns carry with them, in words. What is a comment to readers, and nothing more, is not among them.
    pub fn rules(&self) -> Vec<String> {
        let mut found = Vec::new();
        // Nearly every table has none, and schemas can be long.
        if !self.text.contains("delta.") && !self.text.contains("false") {
            return found;
        }
        if let Ok(schema) = serde_json::from_str::<Value>(&self.text) {
            rules_of(&schema, &mut found);
        }
        found
    }

    /// The schema that a commit writes over another: columns that stay what they are keep what others have noted on them.
    pub fn with_notes_of(&self, old: &TableSchema) -> TableSchema {
        let Ok(mut schema) = serde_json::from_str::<Value>(&self.text) else { return self.clone() };
        let Ok(noted) = serde_json::from_str::<Value>(&old.text) else { return self.clone() };
        let noted_fields: BTreeMap<&str, &Value> =
            fields(&noted).filter_map(|field| Some((name(field)?, field))).collect();
        for field in schema.get_mut("fields").and_then(Value::as_array_mut).into_iter().flatten() {
            // A column that changed is written as karat would write it: a note about the old one may be wrong of the
            // new one.
            let same = name(field).and_then(|name| noted_fields.get(name)).filter(|old| is_same(field, old));
            if let Some(same) = same {
                *field = (*same).clone();
            }
        }
        if schema == noted { old.clone() } else { TableSchema::from(schema.to_string()) }
    }
}

impl From<String> for TableSchema {
    /// As a log has it.
    fn from(text: String) -> TableSchema {
        TableSchema { text: text.into() }
    }
}

impl fmt::Display for TableSchema {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl fmt::Debug for TableSchema {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text, formatter)
    }
}

/// The schema of a table that is fed with rows of `schema`: [`TableSchema::of`].
pub(crate) fn delta_schema(schema: &Schema) -> Result<TableSchema, ArrowError> {
    TableSchema::of(schema)
}

fn delta_field(field: &Field, column: &str) -> Result<Value, ArrowError> {
    Ok(json!({
        "name": field.name(),
        "type": delta_type(&stored_type(field.data_type()), column)?,
        "nullable": true,
        "metadata": {},
    }))
}

fn delta_type(data_type: &DataType, column: &str) -> Result<Value, ArrowError> {
    let name = match data_type {
        DataType::Boolean => "boolean",
        DataType::Int8 => "byte",
        DataType::Int16 => "short",
        DataType::Int32 => "integer",
        DataType::Int64 => "long",
        DataType::Float32 => "float",
        DataType::Float64 => "double",
        DataType::Utf8 => "string",
        DataType::Binary => "binary",
        DataType::Date32 => "date",
        DataType::Timestamp(_, Some(_)) => "timestamp",
        DataType::Decimal128(precision, scale) if (0..=i16::from(*precision)).contains(&i16::from(*scale)) => {
            return Ok(Value::from(format!("decimal({precision},{scale})")));
        }
        DataType::List(item) => {
            let element = delta_type(item.data_type(), column)?;
            return Ok(json!({ "type": "array", "elementType": element, "containsNull": true }));
        }
        DataType::Struct(fields) => return delta_struct(fields, column),
        DataType::Map(entries, _) => return delta_map(entries, column),
        other => {
            let reason = format!("column `{column}` has type {other}, which a Delta table cannot hold; cast it");
            return Err(ArrowError::SchemaError(reason));
        }
    };
    Ok(Value::from(name))
}

fn delta_struct(fields: &Fields, column: &str) -> Result<Value, ArrowError> {
    let nested = fields.iter().map(|field| delta_field(field, &format!("{column}.{}", field.name())));
    Ok(json!({ "type": "struct", "fields": nested.collect::<Result<Vec<_>, _>>()? }))
}

fn delta_map(entries: &Field, column: &str) -> Result<Value, ArrowError> {
    let DataType::Struct(fields) = entries.data_type() else {
        return Err(ArrowError::SchemaError(format!("column `{column}` is a map without entries")));
    };
    let mut types = fields.iter().map(|field| delta_type(field.data_type(), column));
    let (Some(key), Some(value)) = (types.next(), types.next()) else {
        return Err(ArrowError::SchemaError(format!("column `{column}` is a map without keys and values")));
    };
    Ok(json!({ "type": "map", "keyType": key?, "valueType": value?, "valueContainsNull": true }))
}

/// The rules of the columns of a struct, and of those that are nested in them.
fn rules_of(data_type: &Value, found: &mut Vec<String>) {
    for field in data_type.get("fields").and_then(Value::as_array).into_iter().flatten() {
        let name = field.get("name").and_then(Value::as_str).unwrap_or_default();
        if field.get("nullable") == Some(&Value::Bool(false)) {
            found.push(format!("NOT NULL on column `{name}`"));
        }
        let rules = field.get("metadata").and_then(Value::as_object).into_iter().flat_map(|metadata| metadata.keys());
        found
            .extend(rules.filter(|rule| rule.starts_with("delta.")).map(|rule| format!("`{rule}` on column `{name}`")));
        if let Some(inner) = field.get("type") {
            rules_of(inner, found);
        }
    }
    for inner in ["elementType", "keyType", "valueType"].iter().filter_map(|name| data_type.get(*name)) {
        rules_of(inner, found);
    }
}

fn fields(schema: &Value) -> impl Iterator<Item = &Value> {
    schema.get("fields").and_then(Value::as_array).into_iter().flatten()
}

fn name(field: &Value) -> Option<&str> {
    field.get("name")?.as_str()
}

/// Whether two columns differ in notes alone.
fn is_same(new: &Value, old: &Value) -> bool {
    without_notes(new) == without_notes(old)
}

fn without_notes(value: &Value) -> Value {
    match value {
        Value::Object(entries) => {
            let kept = entries.iter().filter(|(name, _)| *name != "metadata");
            Value::Object(kept.map(|(name, value)| (name.clone(), without_notes(value))).collect())
        }
        Value::Array(values) => Value::Array(values.iter().map(without_notes).collect()),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::{IntervalUnit, TimeUnit};

    use super::*;

    fn of(data_type: DataType) -> Result<Value, ArrowError> {
        let schema = TableSchema::of(&Schema::new(vec![Field::new("c", data_type, false)]))?;
        let schema: Value = serde_json::from_str(schema.as_str()).unwrap();
        Ok(schema["fields"][0]["type"].clone())
    }

    #[test]
    fn scalars_have_the_names_spark_gives_them() {
        for (data_type, name) in [
            (DataType::Utf8View, "string"),
            (DataType::UInt16, "integer"),
            (DataType::UInt64, "long"),
            (DataType::Int8, "byte"),
            (DataType::Timestamp(TimeUnit::Nanosecond, None), "timestamp"),
            (DataType::Date64, "date"),
            (DataType::Decimal128(12, 2), "decimal(12,2)"),
            (DataType::Float16, "float"),
            (DataType::Null, "string"),
            (DataType::FixedSizeBinary(16), "binary"),
        ] {
            assert_eq!(of(data_type.clone()).unwrap(), name, "{data_type}");
        }
    }

    #[test]
    fn nested_types_are_spelled_out() {
        let list = of(DataType::LargeList(Arc::new(Field::new("item", DataType::Int32, false)))).unwrap();
        assert_eq!(list, json!({ "type": "array", "elementType": "integer", "containsNull": true }));
        let fields = Fields::from(vec![Field::new("a", DataType::Boolean, false)]);
        let nested = of(DataType::Struct(fields)).unwrap();
        assert_eq!(nested["fields"][0]["name"], "a");
        let entries = Fields::from(vec![
            Field::new("keys", DataType::Utf8, false),
            Field::new("values", DataType::Float64, true),
        ]);
        let map = DataType::Map(Arc::new(Field::new("entries", DataType::Struct(entries), false)), false);
        let expected = json!({ "type": "map", "keyType": "string", "valueType": "double", "valueContainsNull": true });
        assert_eq!(of(map).unwrap(), expected);
    }

    #[test]
    fn a_type_delta_lacks_is_an_error_that_names_the_column() {
        let fields = Fields::from(vec![Field::new("wait", DataType::Interval(IntervalUnit::DayTime), true)]);
        let error = of(DataType::Struct(fields)).unwrap_err().to_string();
        assert!(error.contains("`c.wait`"), "{error}");
        assert!(of(DataType::Decimal256(50, 2)).is_err());
        assert!(of(DataType::Decimal128(5, -2)).is_err());
    }

    #[test]
    fn columns_that_stay_keep_their_notes() {
        let field = |name: &str, kind: &str, metadata: Value| json!({"name": name, "type": kind, "nullable": true, "metadata": metadata});
        let schema = |fields: &[Value]| TableSchema::from(json!({"type": "struct", "fields": fields}).to_string());
        let noted = field("a", "long", json!({"comment": "from the catalogue"}));
        let old = schema(&[noted.clone(), field("b", "long", json!({"comment": "an integer"}))]);
        let same = schema(&[field("a", "long", json!({})), field("b", "long", json!({}))]);
        assert_eq!(same.with_notes_of(&old), old);
        let other = schema(&[field("a", "long", json!({})), field("b", "string", json!({}))]);
        assert_eq!(other.with_notes_of(&old), schema(&[noted, field("b", "string", json!({}))]));
    }
}
