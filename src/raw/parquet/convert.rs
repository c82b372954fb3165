//! Turns a column that has a type already into one of the declared type: a value is kept exactly, or it is a misfit.
//!
//! A column is converted as a whole. Where that fails because of some values, it is cut in half until those values stand
//! alone, so that there is one rule for columns and values, and clean columns cost next to nothing.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, PrimitiveArray, StringArray, StringBuilder, new_null_array,
};
use arrow::compute::{cast, concat};
use arrow::datatypes::{
    DataType, Date32Type, Date64Type, Decimal128Type, Decimal256Type, Float16Type, Float32Type, Float64Type, Int64Type,
    TimeUnit, TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
    UInt64Type, i256,
};
use arrow::error::ArrowError;

use super::super::column::{ColumnBuffer, ColumnFields};
use super::super::field::Field;
use super::super::text;
use super::json_text::plain_text;
use crate::column_type::ColumnType;
use crate::forms::Forms;

/// A column of the declared type.
pub(super) struct Converted {
    pub(super) array: ArrayRef,
    /// What was read, in the plainest type that holds it.
    pub(super) read: ArrayRef,
    /// The rows whose values did not convert, and are null.
    pub(super) misfits: Vec<usize>,
}

/// Converts the values of a file to the declared type.
pub(super) fn convert(array: &ArrayRef, to: ColumnType, forms: &Arc<Forms>) -> Result<Converted, ArrowError> {
    let read = plain(array)?;
    if *read.data_type() == DataType::Utf8 {
        return Ok(match to {
            ColumnType::Text if !forms.trim => Converted { array: Arc::clone(&read), read, misfits: Vec::new() },
            ColumnType::Text => trimmed(read),
            _ => texts(read, to, forms),
        });
    }
    if to == ColumnType::Text && forms.coerce && *read.data_type() != DataType::Binary {
        return as_texts(read);
    }
    let mut pieces = Pieces { to, arrays: Vec::new(), misfits: Vec::new() };
    pieces.add(&read, 0);
    let arrays: Vec<&dyn Array> = pieces.arrays.iter().map(AsRef::as_ref).collect();
    let array = match arrays.as_slice() {
        [] => new_null_array(&to.arrow(), 0),
        [_] => pieces.arrays.pop().unwrap_or_else(|| new_null_array(&to.arrow(), 0)),
        arrays => concat(arrays)?,
    };
    Ok(Converted { array, read, misfits: pieces.misfits })
}

/// The same values without dictionaries and views, and instants without their zones, which are in UTC.
fn plain(array: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    match array.data_type() {
        DataType::Dictionary(_, values) => plain(&cast(array, values)?),
        DataType::RunEndEncoded(_, values) => plain(&cast(array, values.data_type())?),
        DataType::LargeUtf8 | DataType::Utf8View => cast(array, &DataType::Utf8),
        DataType::LargeBinary | DataType::BinaryView => cast(array, &DataType::Binary),
        DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::UInt8 | DataType::UInt16 | DataType::UInt32 => {
            cast(array, &DataType::Int64)
        }
        DataType::Decimal32(precision, scale) | DataType::Decimal64(precision, scale) => {
            cast(array, &DataType::Decimal128(*precision, *scale))
        }
        DataType::Timestamp(TimeUnit::Second, _) => Ok(without_zone::<TimestampSecondType>(array)),
        DataType::Timestamp(TimeUnit::Millisecond, _) => Ok(without_zone::<TimestampMillisecondType>(array)),
        DataType::Timestamp(TimeUnit::Microsecond, _) => Ok(without_zone::<TimestampMicrosecondType>(array)),
        DataType::Timestamp(TimeUnit::Nanosecond, _) => Ok(without_zone::<TimestampNanosecondType>(array)),
        _ => Ok(Arc::clone(array)),
    }
}

fn without_zone<T: arrow::datatypes::ArrowTimestampType>(array: &ArrayRef) -> ArrayRef {
    Arc::new(array.as_primitive::<T>().clone().with_timezone_opt(None::<Arc<str>>))
}

/// Texts without blanks around them.
fn trimmed(read: ArrayRef) -> Converted {
    let texts = read.as_string::<i32>().iter().map(|text| text.map(|text| text.trim_ascii()));
    let array: StringArray = texts.collect();
    Converted { array: Arc::new(array), read, misfits: Vec::new() }
}

/// Texts of an array as fields, from one row on. Null is the empty field.
struct ColumnTexts<'a> {
    array: &'a StringArray,
    trim: bool,
}

impl ColumnTexts<'_> {
    fn field(&self, row: usize) -> Field<'_> {
        let text = if self.array.is_valid(row) { self.array.value(row) } else { "" };
        let field = Field::new(text.as_bytes());
        if self.trim { field.trimmed() } else { field }
    }
}

impl ColumnFields for ColumnTexts<'_> {
    fn each(&self, mut visit: impl FnMut(Field<'_>)) {
        (0..self.array.len()).for_each(|row| visit(self.field(row)));
    }
}

/// Texts as JSON has them: dates and timestamps are written as texts, and other types only where the source says so.
fn texts(read: ArrayRef, to: ColumnType, forms: &Arc<Forms>) -> Converted {
    let is_written = matches!(to, ColumnType::Date | ColumnType::Timestamp) || forms.coerce;
    let array = read.as_string::<i32>();
    if !is_written {
        let misfits = valid_rows(&read);
        return Converted { array: new_null_array(&to.arrow(), read.len()), read, misfits };
    }
    let texts = ColumnTexts { array, trim: forms.trim };
    let mut buffer = ColumnBuffer::new(to, forms);
    let mut misfits = Vec::new();
    buffer.extend(&texts, |row, _| misfits.push(row));
    // A text without a letter is no value of these types, and not null either.
    misfits.extend((0..array.len()).filter(|row| array.is_valid(*row) && texts.field(*row).len() == 0));
    misfits.sort_unstable();
    let converted = buffer.finish();
    Converted { array: converted, read, misfits }
}

/// Every value as it is written.
fn as_texts(read: ArrayRef) -> Result<Converted, ArrowError> {
    let mut builder = StringBuilder::new();
    for row in 0..read.len() {
        match read.is_valid(row) {
            true if read.data_type().is_nested() => builder.append_value(super::json_text::json_text(&read, row)?),
            true => builder.append_value(plain_text(&read, row)?),
            false => builder.append_null(),
        }
    }
    Ok(Converted { array: Arc::new(builder.finish()), read, misfits: Vec::new() })
}

fn valid_rows(array: &ArrayRef) -> Vec<usize> {
    (0..array.len()).filter(|row| array.is_valid(*row)).collect()
}

/// The parts of a column that were converted.
struct Pieces {
    to: ColumnType,
    arrays: Vec<ArrayRef>,
    misfits: Vec<usize>,
}

/// What one conversion of a whole array says.
enum Fit {
    All(ArrayRef),
    /// Some values do not convert.
    NotAll,
    /// No value of this type ever does.
    Never,
}

impl Pieces {
    /// Adds an array whose first row is `from`.
    fn add(&mut self, array: &ArrayRef, from: usize) {
        let length = array.len();
        match whole(array, self.to) {
            Fit::All(converted) => self.arrays.push(converted),
            Fit::NotAll if length > 1 => {
                let half = length / 2;
                self.add(&array.slice(0, half), from);
                self.add(&array.slice(half, length - half), from + half);
            }
            Fit::NotAll | Fit::Never => {
                self.arrays.push(new_null_array(&self.to.arrow(), length));
                self.misfits.extend(valid_rows(array).into_iter().map(|row| from + row));
            }
        }
    }
}

fn fit(converted: Option<ArrayRef>) -> Fit {
    converted.map_or(Fit::NotAll, Fit::All)
}

/// Converts all values, if every one of them is kept exactly.
fn whole(array: &ArrayRef, to: ColumnType) -> Fit {
    if array.null_count() == array.len() || *array.data_type() == DataType::Null {
        return Fit::All(new_null_array(&to.arrow(), array.len()));
    }
    match to {
        ColumnType::Boolean if *array.data_type() == DataType::Boolean => Fit::All(Arc::clone(array)),
        ColumnType::Boolean => Fit::Never,
        ColumnType::Text if *array.data_type() == DataType::Binary => fit(utf8(array)),
        ColumnType::Text => Fit::Never,
        ColumnType::Integer => integers(array).map_or(Fit::Never, fit),
        ColumnType::Float => floats(array).map_or(Fit::Never, fit),
        ColumnType::Date => dates(array).map_or(Fit::Never, fit),
        ColumnType::Timestamp => timestamps(array).map_or(Fit::Never, fit),
        ColumnType::Decimal { precision, scale } => decimals(array, precision, scale).map_or(Fit::Never, fit),
    }
}

/// Maps the values that are not null; `None` if one of them has no image.
fn mapped<A: ArrowPrimitiveType, B: ArrowPrimitiveType>(
    array: &ArrayRef,
    map: impl Fn(A::Native) -> Option<B::Native>,
) -> Option<ArrayRef> {
    let mapped: Result<PrimitiveArray<B>, ()> = array.as_primitive::<A>().try_unary(|value| map(value).ok_or(()));
    mapped.ok().map(|array| Arc::new(array) as ArrayRef)
}

fn utf8(array: &ArrayRef) -> Option<ArrayRef> {
    let texts = array.as_binary::<i32>().iter().map(|bytes| bytes.map(std::str::from_utf8).transpose());
    let texts: Result<StringArray, _> = texts.collect();
    texts.ok().map(|texts| Arc::new(texts) as ArrayRef)
}

fn integers(array: &ArrayRef) -> Option<Option<ArrayRef>> {
    Some(match array.data_type() {
        DataType::Int64 => Some(Arc::clone(array)),
        DataType::UInt64 => mapped::<UInt64Type, Int64Type>(array, |value| i64::try_from(value).ok()),
        DataType::Float16 => mapped::<Float16Type, Int64Type>(array, |value| whole_number(value.to_f64())),
        DataType::Float32 => mapped::<Float32Type, Int64Type>(array, |value| whole_number(value.into())),
        DataType::Float64 => mapped::<Float64Type, Int64Type>(array, whole_number),
        DataType::Decimal128(_, scale) => {
            let scale = *scale;
            mapped::<Decimal128Type, Int64Type>(array, |value| i64::try_from(rescaled(value, scale, 0)?).ok())
        }
        DataType::Decimal256(_, scale) => {
            let scale = *scale;
            mapped::<Decimal256Type, Int64Type>(array, |value| {
                i64::try_from(rescaled(value.to_i128()?, scale, 0)?).ok()
            })
        }
        _ => return None,
    })
}

/// The integer that a float is.
fn whole_number(value: f64) -> Option<i64> {
    // The smallest float above all integers of 64 bits.
    const END: f64 = 9_223_372_036_854_775_808.0;
    let is_inside = (-END..END).contains(&value);
    (is_inside && value.fract() == 0.0).then_some(value as i64)
}

/// The unscaled number at another scale; `None` if digits are lost.
fn rescaled(value: i128, from: i8, to: i8) -> Option<i128> {
    let factor = 10_i128.checked_pow(u32::from(from.abs_diff(to)))?;
    if to >= from {
        return value.checked_mul(factor);
    }
    (value % factor == 0).then(|| value / factor)
}

/// The float of an integer that has one.
fn exact(value: i128) -> Option<f64> {
    (value as f64 as i128 == value).then_some(value as f64)
}

fn floats(array: &ArrayRef) -> Option<Option<ArrayRef>> {
    Some(match array.data_type() {
        DataType::Float64 => Some(Arc::clone(array)),
        DataType::Float16 | DataType::Float32 => cast(array, &DataType::Float64).ok(),
        DataType::Int64 => mapped::<Int64Type, Float64Type>(array, |value| exact(value.into())),
        DataType::UInt64 => mapped::<UInt64Type, Float64Type>(array, |value| exact(value.into())),
        DataType::Decimal128(_, scale) => {
            let scale = *scale;
            mapped::<Decimal128Type, Float64Type>(array, |value| float_of(value, scale))
        }
        DataType::Decimal256(_, scale) => {
            let scale = *scale;
            mapped::<Decimal256Type, Float64Type>(array, |value| float_of(value.to_i128()?, scale))
        }
        _ => return None,
    })
}

/// The float that stands for a decimal. Fifteen digits are those that every float gives back.
fn float_of(value: i128, scale: i8) -> Option<f64> {
    let mut digits = value;
    let mut exponent = -i32::from(scale);
    while digits != 0 && digits % 10 == 0 {
        digits /= 10;
        exponent += 1;
    }
    (digits.unsigned_abs() < 10_u128.pow(15)).then(|| format!("{digits}e{exponent}").parse().ok())?
}

fn decimals(array: &ArrayRef, precision: u8, scale: i8) -> Option<Option<ArrayRef>> {
    let most = 10_i128.checked_pow(u32::from(precision))?;
    let fitting = |value: i128, from: i8| rescaled(value, from, scale).filter(|value| value.abs() < most);
    let written = |text: String| text::decimal(Field::new(text.as_bytes()), precision, scale);
    let converted = match array.data_type() {
        DataType::Int64 => mapped::<Int64Type, Decimal128Type>(array, |value| fitting(value.into(), 0)),
        DataType::UInt64 => mapped::<UInt64Type, Decimal128Type>(array, |value| fitting(value.into(), 0)),
        // The shortest text of a float is the decimal that it stands for.
        DataType::Float16 => mapped::<Float16Type, Decimal128Type>(array, |value| written(value.to_f32().to_string())),
        DataType::Float32 => mapped::<Float32Type, Decimal128Type>(array, |value| written(value.to_string())),
        DataType::Float64 => mapped::<Float64Type, Decimal128Type>(array, |value| written(value.to_string())),
        DataType::Decimal128(_, from) => {
            let from = *from;
            mapped::<Decimal128Type, Decimal128Type>(array, |value| fitting(value, from))
        }
        DataType::Decimal256(_, from) => {
            let from = *from;
            mapped::<Decimal256Type, Decimal128Type>(array, |value| fitting(narrow(value, from, scale)?, scale))
        }
        _ => return None,
    };
    Some(converted.and_then(|array| {
        let decimals =
            array.as_primitive::<Decimal128Type>().clone().with_precision_and_scale(precision, scale).ok()?;
        Some(Arc::new(decimals) as ArrayRef)
    }))
}

/// A number of 256 bits at another scale, if it then fits 128 bits.
fn narrow(value: i256, from: i8, to: i8) -> Option<i128> {
    let factor = i256::from_i128(10).checked_pow(u32::from(from.abs_diff(to)))?;
    if to >= from {
        return value.checked_mul(factor)?.to_i128();
    }
    (value.checked_rem(factor)? == i256::ZERO).then(|| value.checked_div(factor)?.to_i128())?
}

/// 0001-01-01 and 9999-12-31, in days since 1970-01-01: other years cannot be read by every engine.
const DAYS: std::ops::RangeInclusive<i32> = -719_162..=2_932_896;
const MICROS_OF_A_DAY: i64 = 86_400_000_000;

fn day(days: i64) -> Option<i32> {
    i32::try_from(days).ok().filter(|days| DAYS.contains(days))
}

fn instant(micros: i64) -> Option<i64> {
    day(micros.div_euclid(MICROS_OF_A_DAY)).map(|_| micros)
}

fn dates(array: &ArrayRef) -> Option<Option<ArrayRef>> {
    Some(match array.data_type() {
        DataType::Date32 => mapped::<Date32Type, Date32Type>(array, |days| day(days.into())),
        DataType::Date64 => mapped::<Date64Type, Date32Type>(array, |millis| {
            (millis % 86_400_000 == 0).then(|| day(millis / 86_400_000))?
        }),
        _ => return None,
    })
}

fn timestamps(array: &ArrayRef) -> Option<Option<ArrayRef>> {
    type Micros = TimestampMicrosecondType;
    let scaled = |value: i64, factor: i64| instant(value.checked_mul(factor)?);
    Some(match array.data_type() {
        DataType::Timestamp(TimeUnit::Second, _) => {
            mapped::<TimestampSecondType, Micros>(array, |value| scaled(value, 1_000_000))
        }
        DataType::Timestamp(TimeUnit::Millisecond, _) => {
            mapped::<TimestampMillisecondType, Micros>(array, |value| scaled(value, 1_000))
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => mapped::<Micros, Micros>(array, instant),
        DataType::Timestamp(TimeUnit::Nanosecond, _) => {
            mapped::<TimestampNanosecondType, Micros>(array, |nanos| (nanos % 1_000 == 0).then_some(nanos / 1_000))
        }
        DataType::Date32 => mapped::<Date32Type, Micros>(array, |days| scaled(days.into(), MICROS_OF_A_DAY)),
        DataType::Date64 => mapped::<Date64Type, Micros>(array, |millis| scaled(millis, 1_000)),
        _ => return None,
    })
}
