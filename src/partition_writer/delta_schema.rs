//! The table's schema as Delta writes it down: JSON in the words of Spark.

use arrow::datatypes::{DataType, Field, Fields, Schema};
use arrow::error::ArrowError;
use serde_json::{Value, json};

use super::stored_types::stored_type;

/// The `schemaString` of a table that is fed with `schema`; a column that Delta cannot hold is an error.
pub(crate) fn delta_schema(schema: &Schema) -> Result<String, ArrowError> {
    let fields = schema.fields().iter().map(|field| delta_field(field, field.name()));
    let fields = fields.collect::<Result<Vec<_>, _>>()?;
    Ok(json!({ "type": "struct", "fields": fields }).to_string())
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::datatypes::{IntervalUnit, TimeUnit};

    use super::*;

    fn of(data_type: DataType) -> Result<Value, ArrowError> {
        let text = delta_schema(&Schema::new(vec![Field::new("c", data_type, false)]))?;
        let schema: Value = serde_json::from_str(&text).unwrap();
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
}
