//! Which types a table stores and which its readers see: every Arrow type a query may produce, narrowed to those that
//! Delta knows.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema, SchemaRef, TimeUnit};

/// What a data file holds in its columns, and in those that the path tells: all of them nullable.
pub(crate) fn table_schema(schema: &Schema) -> SchemaRef {
    // Whether a query proves a column non-null depends on the optimizer, so a table's schema does not promise it.
    let fields = schema.fields().iter().map(|field| Field::new(field.name(), stored_type(field.data_type()), true));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// What a data file holds: the table's columns without those that the path tells.
pub(crate) fn file_schema(schema: &Schema, partition_columns: &[String]) -> SchemaRef {
    let table = table_schema(schema);
    let fields = table.fields().iter().filter(|field| !partition_columns.contains(field.name()));
    Arc::new(Schema::new(fields.cloned().collect::<Vec<_>>()))
}

/// What a reader of the table sees: its columns in the types that [`read_type`] gives them, all of them nullable.
pub(crate) fn read_schema(schema: &Schema) -> SchemaRef {
    let fields = schema.fields().iter().map(|field| Field::new(field.name(), read_type(field.data_type()), true));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// Whether a column of this type can place rows in time, and so cut a table into slices.
pub(crate) fn is_event_time(data_type: &DataType) -> bool {
    matches!(stored_type(data_type), DataType::Date32 | DataType::Timestamp(_, _))
}

/// The type in which a value of `data_type` is stored; a type that cannot be stored is returned as it is.
pub(crate) fn stored_type(data_type: &DataType) -> DataType {
    match data_type {
        // A column of bare nulls is text until something else is known about it.
        DataType::Null | DataType::LargeUtf8 | DataType::Utf8View => DataType::Utf8,
        DataType::UInt8 => DataType::Int16,
        DataType::UInt16 => DataType::Int32,
        // An unsigned 64-bit integer is a row number far more often than a value above 2^63, which is refused.
        DataType::UInt32 | DataType::UInt64 => DataType::Int64,
        DataType::Float16 => DataType::Float32,
        DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => DataType::Binary,
        DataType::Date64 => DataType::Date32,
        DataType::Timestamp(_, _) => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        DataType::Decimal32(precision, scale) | DataType::Decimal64(precision, scale) => {
            DataType::Decimal128(*precision, *scale)
        }
        DataType::Decimal256(precision, scale) if *precision <= 38 => DataType::Decimal128(*precision, *scale),
        DataType::Dictionary(_, value) => stored_type(value),
        DataType::RunEndEncoded(_, values) => stored_type(values.data_type()),
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::FixedSizeList(item, _)
        | DataType::ListView(item)
        | DataType::LargeListView(item) => {
            DataType::List(Arc::new(Field::new("element", stored_type(item.data_type()), true)))
        }
        DataType::Struct(fields) => DataType::Struct(
            fields
                .iter()
                .map(|field| Field::new(field.name(), stored_type(field.data_type()), true))
                .collect::<Fields>(),
        ),
        DataType::Map(entries, _) => stored_map(entries).unwrap_or_else(|| data_type.clone()),
        other => other.clone(),
    }
}

fn stored_map(entries: &FieldRef) -> Option<DataType> {
    let DataType::Struct(fields) = entries.data_type() else {
        return None;
    };
    let key = fields.first()?;
    let value = fields.get(1)?;
    let entry = Fields::from(vec![
        Field::new("key", stored_type(key.data_type()), false),
        Field::new("value", stored_type(value.data_type()), true),
    ]);
    Some(DataType::Map(Arc::new(Field::new("key_value", DataType::Struct(entry), false)), false))
}

/// The type in which a reader of the table sees a column whose values are stored as [`stored_type`] says: one for texts, one
/// for binary values, and clock times in UTC.
pub(crate) fn read_type(data_type: &DataType) -> DataType {
    seen(stored_type(data_type))
}

/// How a stored type is seen, inside of lists, structs and maps too: what a reader is told must be what the engine makes of the
/// file, or the two drift apart.
fn seen(stored: DataType) -> DataType {
    match stored {
        DataType::Utf8 => DataType::Utf8View,
        DataType::Binary => DataType::BinaryView,
        DataType::Timestamp(unit, _) => DataType::Timestamp(unit, None),
        DataType::List(item) => DataType::List(seen_field(&item)),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(seen_field).collect()),
        DataType::Map(entries, is_sorted) => DataType::Map(seen_field(&entries), is_sorted),
        other => other,
    }
}

fn seen_field(field: &FieldRef) -> FieldRef {
    Arc::new(field.as_ref().clone().with_data_type(seen(field.data_type().clone())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_leaves_out_what_the_path_tells() {
        let schema =
            Schema::new(vec![Field::new("day", DataType::Date32, false), Field::new("n", DataType::UInt32, false)]);
        let file = file_schema(&schema, &["day".to_string()]);
        assert_eq!(file.fields().len(), 1);
        assert_eq!(file.field(0), &Field::new("n", DataType::Int64, true));
    }

    #[test]
    fn what_a_reader_is_told_follows_what_is_stored() {
        let item = Arc::new(Field::new("item", DataType::LargeUtf8, false));
        let stored = DataType::List(Arc::new(Field::new("element", DataType::Utf8, true)));
        assert_eq!(stored_type(&DataType::LargeList(Arc::clone(&item))), stored);
        let read = DataType::List(Arc::new(Field::new("element", DataType::Utf8View, true)));
        assert_eq!(read_type(&DataType::LargeList(item)), read);
        let instant = DataType::Timestamp(TimeUnit::Nanosecond, Some("Europe/Berlin".into()));
        let fields = Fields::from(vec![Field::new("at", instant.clone(), false)]);
        let clock = DataType::Timestamp(TimeUnit::Microsecond, None);
        assert_eq!(read_type(&instant), clock);
        let expected = DataType::Struct(Fields::from(vec![Field::new("at", clock, true)]));
        assert_eq!(read_type(&DataType::Struct(fields)), expected);
        assert_eq!(read_type(&DataType::Decimal64(10, 2)), DataType::Decimal128(10, 2));
        assert_eq!(read_type(&DataType::FixedSizeBinary(16)), DataType::BinaryView);
    }

    #[test]
    fn a_type_is_read_as_itself_once_it_was_read() {
        for data_type in [DataType::Utf8, DataType::Null, DataType::UInt64, DataType::Date64, DataType::Float16] {
            let read = read_type(&data_type);
            assert_eq!(read_type(&read), read, "{data_type}");
        }
    }
}
