//! Which types are alike: those between which PostgreSQL compares without a cast.

use arrow::datatypes::DataType;

/// A kind of types whose values can be compared with each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    Text,
    Number,
    Boolean,
    /// Dates and timestamps.
    Time,
    TimeOfDay,
    Interval,
    Bytes,
}

impl Family {
    /// Returns `None` for nulls, and for nested types, which the engine compares part by part.
    pub fn of(data_type: &DataType) -> Option<Family> {
        match data_type {
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Some(Family::Text),
            DataType::Dictionary(_, value) => Family::of(value),
            DataType::Boolean => Some(Family::Boolean),
            DataType::Date32 | DataType::Date64 | DataType::Timestamp(_, _) => Some(Family::Time),
            DataType::Time32(_) | DataType::Time64(_) => Some(Family::TimeOfDay),
            DataType::Interval(_) | DataType::Duration(_) => Some(Family::Interval),
            DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => {
                Some(Family::Bytes)
            }
            other if other.is_numeric() => Some(Family::Number),
            _ => None,
        }
    }

    pub fn are_like(left: &DataType, right: &DataType) -> bool {
        match (item(left), item(right)) {
            (Some(left), Some(right)) => return Family::are_like(left, right),
            (Some(_), None) => return Family::of(right).is_none(),
            (None, Some(_)) => return Family::of(left).is_none(),
            (None, None) => {}
        }
        match (Family::of(left), Family::of(right)) {
            (Some(left), Some(right)) => left == right,
            _ => true,
        }
    }

    /// Whether a type says what may stand beside it.
    pub fn is_known(data_type: &DataType) -> bool {
        Family::of(data_type).is_some() || item(data_type).is_some()
    }

    /// The type that a literal takes beside values of these like types, of which there is at least one.
    pub fn widest<'t>(types: impl Iterator<Item = &'t DataType>) -> &'t DataType {
        types.max_by_key(|data_type| width(data_type)).unwrap_or(&DataType::Null)
    }
}

/// The order in which PostgreSQL prefers types of one family.
fn width(data_type: &DataType) -> u8 {
    match data_type {
        other if other.is_floating() => 3,
        other if other.is_decimal() => 2,
        DataType::Timestamp(_, _) => 2,
        _ => 1,
    }
}

/// What the elements of an array are; `None` for other types.
pub(super) fn item(data_type: &DataType) -> Option<&DataType> {
    match data_type {
        DataType::List(field) | DataType::LargeList(field) | DataType::FixedSizeList(field, _) => {
            Some(field.data_type())
        }
        _ => None,
    }
}
