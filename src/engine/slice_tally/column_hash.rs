//! The hashes of the values of one column, each by what a reader of the stored table sees.

use std::sync::Arc;

use arrow::array::{
    AnyDictionaryArray, Array, ArrayRef, ArrowPrimitiveType, AsArray, ListArray, MapArray, PrimitiveArray, StructArray,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Field, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    TimestampMicrosecondType,
};
use arrow::error::ArrowError;

use super::multiply_fold::{FoldLanes, START};
use crate::delta::{column_to_stored, stored_type};

/// How the values of a column, or of a part of nested values, are hashed.
#[derive(Debug, Clone)]
pub(super) struct ColumnHash {
    /// The name and the stored type of the column.
    field: Field,
    /// Where the hash of a value begins: it depends on the names that lead to the value, and on its kind.
    value: FoldLanes,
    /// The hash of a value that is missing.
    null: FoldLanes,
    /// Those of the items of a list, the fields of a struct, or the keys and values of a map.
    parts: Vec<ColumnHash>,
}

impl ColumnHash {
    pub fn new(field: &Field) -> Result<ColumnHash, ArrowError> {
        let stored = stored_type(field.data_type());
        ColumnHash::part(START, field.name(), &stored)
    }

    fn part(whole: FoldLanes, name: &str, stored: &DataType) -> Result<ColumnHash, ArrowError> {
        let Some(kind) = kind(stored) else {
            let reason = format!("column `{name}` has type {stored}, whose values have no digest");
            return Err(ArrowError::SchemaError(reason));
        };
        // The hash of a value begins with the path of names to it and its kind, so that equal values of two columns do
        // not stand for each other.
        let named = whole.bytes(name.as_bytes());
        let value = named.word(kind);
        let of = |name: &str, part: &Field| ColumnHash::part(value, name, part.data_type());
        let parts = match stored {
            DataType::List(item) => vec![of("element", item)?],
            DataType::Struct(fields) => fields.iter().map(|field| of(field.name(), field)).collect::<Result<_, _>>()?,
            DataType::Map(entries, _) => match entries.data_type() {
                DataType::Struct(fields) => {
                    let fields = ["key", "value"].into_iter().zip(fields);
                    fields.map(|(name, field)| of(name, field)).collect::<Result<_, _>>()?
                }
                _ => Vec::new(),
            },
            _ => Vec::new(),
        };
        let field = Field::new(name, stored.clone(), true);
        Ok(ColumnHash { field, value, null: named.word(MISSING), parts })
    }

    /// The column in a form whose values are what is stored. Texts and bytes are not copied for it.
    pub fn stored(&self, array: &ArrayRef) -> Result<ArrayRef, ArrowError> {
        let is_small = |dictionary: &ArrayRef| dictionary.as_any_dictionary().values().len() <= dictionary.len();
        match array.data_type() {
            DataType::LargeUtf8
            | DataType::Utf8View
            | DataType::LargeBinary
            | DataType::BinaryView
            | DataType::FixedSizeBinary(_) => Ok(Arc::clone(array)),
            // Each text of a dictionary is hashed once, which pays only if it has fewer texts than rows.
            DataType::Dictionary(_, value) if is_text(value) && is_small(array) => Ok(Arc::clone(array)),
            _ => column_to_stored(array, &self.field),
        }
    }

    /// Adds the hash of each value of a stored column to the hash of its row.
    pub fn add(&self, array: &dyn Array, rows: &mut [FoldLanes]) -> Result<(), ArrowError> {
        match array.data_type() {
            DataType::Boolean => self.each(array.as_boolean().iter(), rows, |value| self.value.word(u64::from(value))),
            DataType::Int8 => self.integers::<Int8Type>(array.as_primitive(), rows),
            DataType::Int16 => self.integers::<Int16Type>(array.as_primitive(), rows),
            DataType::Int32 => self.integers::<Int32Type>(array.as_primitive(), rows),
            DataType::Int64 => self.integers::<Int64Type>(array.as_primitive(), rows),
            DataType::Date32 => self.integers::<Date32Type>(array.as_primitive(), rows),
            DataType::Timestamp(_, _) => self.integers::<TimestampMicrosecondType>(array.as_primitive(), rows),
            DataType::Float32 => self.floats::<Float32Type>(array.as_primitive(), rows),
            DataType::Float64 => self.floats::<Float64Type>(array.as_primitive(), rows),
            DataType::Decimal128(_, _) => {
                self.primitives::<Decimal128Type>(array.as_primitive(), rows, |value| self.value.wide(value));
            }
            DataType::Utf8 => self.texts(array.as_string::<i32>().iter(), rows),
            DataType::LargeUtf8 => self.texts(array.as_string::<i64>().iter(), rows),
            DataType::Utf8View => self.texts(array.as_string_view().iter(), rows),
            DataType::Binary => self.texts(array.as_binary::<i32>().iter(), rows),
            DataType::LargeBinary => self.texts(array.as_binary::<i64>().iter(), rows),
            DataType::BinaryView => self.texts(array.as_binary_view().iter(), rows),
            DataType::FixedSizeBinary(_) => self.texts(array.as_fixed_size_binary().iter(), rows),
            DataType::Dictionary(_, _) => self.dictionary(array.as_any_dictionary(), rows)?,
            DataType::List(_) => self.lists(array.as_list(), rows)?,
            DataType::Struct(_) => self.structs(array.as_struct(), rows)?,
            DataType::Map(_, _) => self.maps(array.as_map(), rows)?,
            _ => return Err(self.unforeseen(array)),
        }
        Ok(())
    }

    fn unforeseen(&self, array: &dyn Array) -> ArrowError {
        let name = self.field.name();
        let found = array.data_type();
        ArrowError::SchemaError(format!("column `{name}` has type {found} instead of {}", self.field.data_type()))
    }

    fn integers<T>(&self, array: &PrimitiveArray<T>, rows: &mut [FoldLanes])
    where
        T: ArrowPrimitiveType<Native: Into<i64>>,
    {
        self.primitives(array, rows, |value| self.value.word(value.into().cast_unsigned()));
    }

    fn floats<T>(&self, array: &PrimitiveArray<T>, rows: &mut [FoldLanes])
    where
        T: ArrowPrimitiveType<Native: Into<f64>>,
    {
        self.primitives(array, rows, |value| self.value.word(float_bits(value.into())));
    }

    #[inline]
    fn primitives<T: ArrowPrimitiveType>(
        &self,
        array: &PrimitiveArray<T>,
        rows: &mut [FoldLanes],
        hash: impl Fn(T::Native) -> FoldLanes,
    ) {
        if array.null_count() > 0 {
            return self.each(array.iter(), rows, hash);
        }
        for (row, value) in rows.iter_mut().zip(array.values()) {
            *row += hash(*value);
        }
    }

    fn texts<V: AsRef<[u8]>>(&self, values: impl Iterator<Item = Option<V>>, rows: &mut [FoldLanes]) {
        self.each(values, rows, |value| self.value.bytes(value.as_ref()));
    }

    #[inline]
    fn each<V>(&self, values: impl Iterator<Item = Option<V>>, rows: &mut [FoldLanes], hash: impl Fn(V) -> FoldLanes) {
        for (row, value) in rows.iter_mut().zip(values) {
            *row += value.map_or(self.null, &hash);
        }
    }

    /// Each text is hashed once, however many rows have it.
    fn dictionary(&self, array: &dyn AnyDictionaryArray, rows: &mut [FoldLanes]) -> Result<(), ArrowError> {
        let texts = self.hashes(array.values())?;
        // Without texts there are no keys to ask for.
        let keys = if texts.is_empty() { vec![0; array.len()] } else { array.normalized_keys() };
        let nulls = array.keys().nulls();
        let is_valid = |row| nulls.is_none_or(|nulls| nulls.is_valid(row));
        let values = keys.into_iter().enumerate().map(|(row, key)| texts.get(key).filter(|_| is_valid(row)));
        self.each(values, rows, |hash| *hash);
        Ok(())
    }

    fn lists(&self, array: &ListArray, rows: &mut [FoldLanes]) -> Result<(), ArrowError> {
        let Some(item) = self.parts.first() else { return Err(self.unforeseen(array)) };
        let (start, length) = used(array.offsets());
        let items = item.hashes(&array.values().slice(start, length))?;
        let runs = ItemRuns { offsets: array.offsets(), nulls: array.nulls(), items: &items };
        self.runs(&runs, rows, |items| {
            items.iter().fold(self.value, |list, item| list.then(*item)).word(items.len() as u64)
        });
        Ok(())
    }

    /// The entries of a map have no order that means anything.
    fn maps(&self, array: &MapArray, rows: &mut [FoldLanes]) -> Result<(), ArrowError> {
        let (start, length) = used(array.offsets());
        let entries = self.records(&array.entries().slice(start, length))?;
        let runs = ItemRuns { offsets: array.offsets(), nulls: array.nulls(), items: &entries };
        self.runs(&runs, rows, |entries| {
            let mut sum = FoldLanes::NONE;
            entries.iter().for_each(|entry| sum += *entry);
            self.value.then(sum).word(entries.len() as u64)
        });
        Ok(())
    }

    fn structs(&self, array: &StructArray, rows: &mut [FoldLanes]) -> Result<(), ArrowError> {
        let records = self.records(array)?;
        let valid = |row| array.is_valid(row);
        let values = records.into_iter().enumerate().map(|(row, record)| valid(row).then_some(record));
        self.each(values, rows, |record| record);
        Ok(())
    }

    /// The hash of each record of a struct, as if none was missing.
    fn records(&self, array: &StructArray) -> Result<Vec<FoldLanes>, ArrowError> {
        if self.parts.len() != array.num_columns() {
            return Err(self.unforeseen(array));
        }
        let mut records = vec![FoldLanes::NONE; array.len()];
        for (column, part) in array.columns().iter().zip(&self.parts) {
            part.add(column, &mut records)?;
        }
        Ok(records.into_iter().map(|fields| self.value.then(fields)).collect())
    }

    fn hashes(&self, array: &dyn Array) -> Result<Vec<FoldLanes>, ArrowError> {
        let mut hashes = vec![FoldLanes::NONE; array.len()];
        self.add(array, &mut hashes)?;
        Ok(hashes)
    }

    /// Gives each row the hash of its own run of items.
    fn runs(&self, runs: &ItemRuns<'_>, rows: &mut [FoldLanes], hash: impl Fn(&[FoldLanes]) -> FoldLanes) {
        let mut rest = runs.items;
        let runs = runs.offsets.lengths().enumerate().map(|(row, length)| {
            let (own, after) = rest.split_at(length);
            rest = after;
            runs.nulls.is_none_or(|nulls| nulls.is_valid(row)).then_some(own)
        });
        self.each(runs, rows, hash);
    }
}

/// The hashes of the items of lists, one run of them a row. The first item belongs to the first row.
struct ItemRuns<'a> {
    offsets: &'a OffsetBuffer<i32>,
    nulls: Option<&'a NullBuffer>,
    items: &'a [FoldLanes],
}

/// The kind of what is missing.
const MISSING: u64 = 0;

/// Values of different kinds differ, even if their bits do not. Returns `None` for a type that no table holds.
fn kind(stored: &DataType) -> Option<u64> {
    Some(match stored {
        DataType::Utf8 => 1,
        DataType::Binary => 2,
        DataType::Boolean => 3,
        DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64 => 4,
        DataType::Float32 | DataType::Float64 => 5,
        DataType::Date32 => 6,
        DataType::Timestamp(_, _) => 7,
        DataType::List(_) => 8,
        DataType::Struct(_) => 9,
        DataType::Map(_, _) => 10,
        // The number that is stored means another value at another scale.
        DataType::Decimal128(_, scale) => 11 | (u64::from(scale.cast_unsigned()) << 8),
        _ => return None,
    })
}

fn is_text(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
}

/// Zero has one sign, and what is no number has one form.
fn float_bits(value: f64) -> u64 {
    const NOT_A_NUMBER: u64 = 0x7ff8_0000_0000_0000;
    if value.is_nan() {
        NOT_A_NUMBER
    } else if value == 0.0 {
        0
    } else {
        value.to_bits()
    }
}

/// Where the items of a list array begin, and how many there are: those of a slice are a part of its values.
fn used(offsets: &OffsetBuffer<i32>) -> (usize, usize) {
    let length = offsets.lengths().sum();
    let start = offsets.first().and_then(|start| usize::try_from(*start).ok()).unwrap_or(0);
    (start, length)
}
