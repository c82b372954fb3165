//! Brings the values of a query into the types that a table stores. A value that does not fit is an error, never a null.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListArray, MapArray, PrimitiveArray, StructArray};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{
    ArrowTimestampType, DataType, Field, Fields, TimeUnit, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType, TimestampSecondType,
};
use arrow::error::ArrowError;

/// Brings an array into its stored type; costs nothing when it is in that type already.
pub(crate) fn to_stored(array: &ArrayRef, stored: &DataType) -> Result<ArrayRef, ArrowError> {
    if array.data_type() == stored {
        return Ok(Arc::clone(array));
    }
    match (array.data_type(), stored) {
        (DataType::Timestamp(unit, _), DataType::Timestamp(TimeUnit::Microsecond, _)) => timestamps(array, *unit),
        (DataType::Dictionary(_, value), _) => to_stored(&cast(array, value)?, stored),
        (DataType::RunEndEncoded(_, values), _) => to_stored(&cast(array, values.data_type())?, stored),
        (DataType::List(_), DataType::List(item)) => {
            let list = array.as_list::<i32>();
            let values = to_stored(list.values(), item.data_type())?;
            let list = ListArray::try_new(Arc::clone(item), list.offsets().clone(), values, list.nulls().cloned())?;
            Ok(Arc::new(list))
        }
        (
            DataType::LargeList(item)
            | DataType::FixedSizeList(item, _)
            | DataType::ListView(item)
            | DataType::LargeListView(item),
            DataType::List(_),
        ) => to_stored(&cast(array, &DataType::List(Arc::clone(item)))?, stored),
        (DataType::Struct(_), DataType::Struct(fields)) => Ok(Arc::new(struct_to_stored(array.as_struct(), fields)?)),
        (DataType::Map(_, _), DataType::Map(entries, _)) => {
            let map = array.as_map();
            let DataType::Struct(fields) = entries.data_type() else {
                return Err(ArrowError::SchemaError("the entries of a map are not a struct".to_string()));
            };
            let values = struct_to_stored(map.entries(), fields)?;
            let offsets = map.offsets().clone();
            let nulls = map.nulls().cloned();
            Ok(Arc::new(MapArray::try_new(Arc::clone(entries), offsets, values, nulls, false)?))
        }
        _ => cast(array, stored),
    }
}

/// `to_stored` for a whole column, whose name goes into the error.
pub(crate) fn column_to_stored(array: &ArrayRef, field: &Field) -> Result<ArrayRef, ArrowError> {
    to_stored(array, field.data_type()).map_err(|error| {
        let reason = match error {
            ArrowError::CastError(reason) | ArrowError::ComputeError(reason) => reason,
            other => other.to_string(),
        };
        ArrowError::CastError(format!("column `{}`: {reason}", field.name()))
    })
}

fn struct_to_stored(array: &StructArray, fields: &Fields) -> Result<StructArray, ArrowError> {
    let columns: Result<Vec<_>, _> =
        array.columns().iter().zip(fields).map(|(column, field)| to_stored(column, field.data_type())).collect();
    StructArray::try_new_with_length(fields.clone(), columns?, array.nulls().cloned(), array.len())
}

fn cast(array: &ArrayRef, to: &DataType) -> Result<ArrayRef, ArrowError> {
    // A value that does not fit is an error: the lenient cast would make it null.
    cast_with_options(array, to, &CastOptions { safe: false, ..CastOptions::default() })
}

/// Instants in microseconds; a finer part is cut off towards the past, so that order and day never change.
fn timestamps(array: &ArrayRef, unit: TimeUnit) -> Result<ArrayRef, ArrowError> {
    let micros: PrimitiveArray<TimestampMicrosecondType> = match unit {
        TimeUnit::Second => scaled::<TimestampSecondType>(array, 1_000_000)?,
        TimeUnit::Millisecond => scaled::<TimestampMillisecondType>(array, 1_000)?,
        TimeUnit::Microsecond => array.as_primitive::<TimestampMicrosecondType>().clone(),
        TimeUnit::Nanosecond => {
            array.as_primitive::<TimestampNanosecondType>().unary(|nanos: i64| nanos.div_euclid(1_000))
        }
    };
    Ok(Arc::new(micros.with_timezone("UTC")))
}

fn scaled<T: ArrowTimestampType>(
    array: &ArrayRef,
    factor: i64,
) -> Result<PrimitiveArray<TimestampMicrosecondType>, ArrowError> {
    array.as_primitive::<T>().try_unary(|value: i64| {
        value
            .checked_mul(factor)
            .ok_or_else(|| ArrowError::CastError(format!("the timestamp {value} does not fit 64 bits of microseconds")))
    })
}

#[cfg(test)]
mod tests {
    use arrow::array::{
        DictionaryArray, Int32Array, LargeListArray, ListArray, StringArray, StringViewArray, TimestampNanosecondArray,
        TimestampSecondArray, UInt64Array,
    };
    use arrow::datatypes::{Int32Type, Int64Type};

    use super::*;
    use crate::delta::stored_type;

    fn stored(array: impl Array + 'static) -> Result<ArrayRef, ArrowError> {
        let array: ArrayRef = Arc::new(array);
        to_stored(&array, &stored_type(array.data_type()))
    }

    #[test]
    fn nanoseconds_are_cut_towards_the_past() {
        let array = stored(TimestampNanosecondArray::from(vec![Some(1_999), Some(-1), None])).unwrap();
        let array = array.as_primitive::<TimestampMicrosecondType>();
        assert_eq!(array.iter().collect::<Vec<_>>(), [Some(1), Some(-1), None]);
        assert_eq!(array.timezone(), Some("UTC"));
    }

    #[test]
    fn a_second_beyond_the_range_is_an_error() {
        assert!(stored(TimestampSecondArray::from(vec![i64::MAX])).is_err());
    }

    #[test]
    fn unsigned_64_bit_values_must_fit() {
        let fine = stored(UInt64Array::from(vec![7])).unwrap();
        assert_eq!(fine.as_primitive::<Int64Type>().value(0), 7);
        assert!(stored(UInt64Array::from(vec![u64::MAX])).is_err());
    }

    #[test]
    fn views_and_dictionaries_become_plain_text() {
        let view = stored(StringViewArray::from(vec!["a string longer than twelve", "b"])).unwrap();
        assert_eq!(view.as_string::<i32>().value(0), "a string longer than twelve");
        let keys = Int32Array::from(vec![Some(1), None]);
        let dictionary = DictionaryArray::new(keys, Arc::new(StringArray::from(vec!["x", "y"])));
        let plain = stored(dictionary).unwrap();
        assert_eq!(plain.as_string::<i32>().iter().collect::<Vec<_>>(), [Some("y"), None]);
    }

    #[test]
    fn nested_values_are_converted_inside() {
        let values = vec![Some(vec![Some(1), None]), None];
        let large = LargeListArray::from_iter_primitive::<Int32Type, _, _>(values.clone());
        let list = stored(large).unwrap();
        assert_eq!(list.data_type(), &stored_type(&DataType::new_list(DataType::Int32, true)));
        assert_eq!(list.as_list::<i32>().value(0).len(), 2);
        let timestamps = ListArray::from_iter_primitive::<TimestampNanosecondType, _, _>([Some([Some(5_500)])]);
        let list = stored(timestamps).unwrap();
        assert_eq!(list.as_list::<i32>().value(0).as_primitive::<TimestampMicrosecondType>().value(0), 5);
    }
}
