//! The values of one declared column while a batch is built.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, BooleanBufferBuilder, Date32Array, Decimal128Array, Float64Array,
    Int64Array, StringArray, TimestampMicrosecondArray,
};
use arrow::buffer::{NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::compute::{max, min};
use arrow::datatypes::{DataType, Date32Type, TimeUnit, TimestampMicrosecondType};

use super::field::Field;
use super::text;
use crate::column_type::ColumnType;
use crate::forms::Forms;

/// What a block says about a date or timestamp column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct ColumnRange {
    /// The smallest and the largest value, in the units of the column's Arrow type, unless every value is null.
    pub(crate) bounds: Option<(i64, i64)>,
    pub(crate) nulls: u64,
}

impl ColumnRange {
    pub(crate) fn merge(&mut self, other: Self) {
        self.nulls += other.nulls;
        self.bounds = match (self.bounds, other.bounds) {
            (Some((low, high)), Some((lower, higher))) => Some((low.min(lower), high.max(higher))),
            (bounds, None) | (None, bounds) => bounds,
        };
    }

    /// The range of a column of dates or timestamps; `None` for any other.
    pub(super) fn of(array: &dyn Array) -> Option<Self> {
        let bounds = match array.data_type() {
            DataType::Date32 => {
                let days = array.as_primitive::<Date32Type>();
                min(days).zip(max(days)).map(|(low, high)| (low.into(), high.into()))
            }
            DataType::Timestamp(TimeUnit::Microsecond, _) => {
                let instants = array.as_primitive::<TimestampMicrosecondType>();
                min(instants).zip(max(instants))
            }
            _ => return None,
        };
        Some(Self { bounds, nulls: array.null_count() as u64 })
    }
}

/// The fields of one column in some rows, in the order of the rows.
pub(super) trait ColumnFields {
    /// An empty field is null.
    fn each(&self, visit: impl FnMut(Field<'_>));
}

/// A single field.
impl ColumnFields for Field<'_> {
    fn each(&self, mut visit: impl FnMut(Field<'_>)) {
        visit(*self);
    }
}

/// So many fields without a value.
pub(super) struct Nulls(pub(super) usize);

impl ColumnFields for Nulls {
    fn each(&self, mut visit: impl FnMut(Field<'_>)) {
        (0..self.0).for_each(|_| visit(Field::new(b"")));
    }
}

pub(super) struct ColumnBuffer {
    values: Values,
    /// How values are written, `None` for the usual forms.
    forms: Option<Arc<Forms>>,
    /// The rows without a value.
    nulls: Vec<usize>,
}

enum Values {
    Text { bytes: Vec<u8>, offsets: Vec<i32> },
    Integer(Vec<i64>),
    Float(Vec<f64>),
    Boolean(Vec<bool>),
    Date(Vec<i32>),
    Timestamp(Vec<i64>),
    Decimal { values: Vec<i128>, precision: u8, scale: i8 },
}

impl ColumnBuffer {
    pub(super) fn new(data_type: ColumnType, forms: &Arc<Forms>) -> Self {
        let values = match data_type {
            ColumnType::Text => Values::Text { bytes: Vec::new(), offsets: vec![0] },
            ColumnType::Integer => Values::Integer(Vec::new()),
            ColumnType::Float => Values::Float(Vec::new()),
            ColumnType::Boolean => Values::Boolean(Vec::new()),
            ColumnType::Date => Values::Date(Vec::new()),
            ColumnType::Timestamp => Values::Timestamp(Vec::new()),
            ColumnType::Decimal { precision, scale } => Values::Decimal { values: Vec::new(), precision, scale },
        };
        let forms = (**forms != Forms::default()).then(|| Arc::clone(forms));
        Self { values, forms, nulls: Vec::new() }
    }

    /// Converts fields and appends them. One that does not convert is null, and `misfit` is told its row and text.
    pub(super) fn extend(&mut self, fields: &impl ColumnFields, misfit: impl FnMut(usize, &[u8])) {
        if let Some(forms) = self.forms.clone() {
            return self.extend_declared(fields, &forms, misfit);
        }
        let nulls = &mut self.nulls;
        match &mut self.values {
            Values::Text { bytes, offsets } => fields.each(|field| {
                if field.len() == 0 {
                    nulls.push(offsets.len() - 1);
                }
                push_text(bytes, offsets, field);
            }),
            Values::Integer(values) => fill(values, nulls, fields, text::integer, misfit),
            Values::Float(values) => fill(values, nulls, fields, text::float, misfit),
            Values::Boolean(values) => fill(values, nulls, fields, text::boolean, misfit),
            Values::Date(values) => fill(values, nulls, fields, text::date, misfit),
            Values::Timestamp(values) => fill(values, nulls, fields, text::timestamp, misfit),
            Values::Decimal { values, precision, scale } => {
                fill(values, nulls, fields, |field| text::decimal(field, *precision, *scale), misfit);
            }
        }
    }

    /// The same, with the forms that the source declares.
    fn extend_declared(&mut self, fields: &impl ColumnFields, forms: &Forms, misfit: impl FnMut(usize, &[u8])) {
        let nulls = &mut self.nulls;
        match &mut self.values {
            Values::Text { bytes, offsets } => fields.each(|field| {
                if field.len() == 0 {
                    nulls.push(offsets.len() - 1);
                }
                push_text(bytes, offsets, field);
            }),
            Values::Integer(values) if forms.lenient_numbers => {
                fill(values, nulls, fields, |field| text::lenient_integer(field, forms), misfit);
            }
            Values::Integer(values) => fill(values, nulls, fields, text::integer, misfit),
            Values::Float(values) if forms.decimal_comma => fill(values, nulls, fields, text::comma_float, misfit),
            Values::Float(values) => fill(values, nulls, fields, text::float, misfit),
            Values::Boolean(values) => match &forms.booleans {
                Some(words) => fill(values, nulls, fields, |field| text::declared_boolean(field, words), misfit),
                None => fill(values, nulls, fields, text::boolean, misfit),
            },
            Values::Date(values) => match &forms.date {
                Some(form) => fill(values, nulls, fields, |field| form.date(field.text()), misfit),
                None => fill(values, nulls, fields, text::date, misfit),
            },
            Values::Timestamp(values) => match &forms.timestamp {
                Some(form) if form.is_plain() => fill(values, nulls, fields, text::plain_timestamp, misfit),
                Some(form) => fill(values, nulls, fields, |field| form.timestamp(field.text()), misfit),
                None => fill(values, nulls, fields, text::timestamp, misfit),
            },
            Values::Decimal { values, precision, scale } if forms.decimal_comma || forms.lenient_numbers => {
                fill(values, nulls, fields, |field| text::declared_decimal(field, *precision, *scale, forms), misfit);
            }
            Values::Decimal { values, precision, scale } => {
                fill(values, nulls, fields, |field| text::decimal(field, *precision, *scale), misfit);
            }
        }
    }

    /// Appends a text that may be empty without being null; only for a text column.
    pub(super) fn push_any_text(&mut self, text: &str) {
        if let Values::Text { bytes, offsets } = &mut self.values {
            push_text(bytes, offsets, Field::new(text.as_bytes()));
        }
    }

    /// The column; the buffer is empty afterwards and as large as before.
    pub(super) fn finish(&mut self) -> ArrayRef {
        let rows = match &self.values {
            Values::Text { offsets, .. } => offsets.len() - 1,
            Values::Integer(values) | Values::Timestamp(values) => values.len(),
            Values::Float(values) => values.len(),
            Values::Boolean(values) => values.len(),
            Values::Date(values) => values.len(),
            Values::Decimal { values, .. } => values.len(),
        };
        let nulls = null_buffer(rows, &std::mem::take(&mut self.nulls));
        match &mut self.values {
            Values::Text { bytes, offsets } => {
                let offsets = std::mem::replace(offsets, next_offsets(rows));
                let capacity = bytes.len();
                let bytes = std::mem::replace(bytes, Vec::with_capacity(capacity));
                let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
                Arc::new(StringArray::new(offsets, bytes.into(), nulls))
            }
            Values::Integer(values) => Arc::new(Int64Array::new(take(values), nulls)),
            Values::Float(values) => Arc::new(Float64Array::new(take(values), nulls)),
            Values::Boolean(values) => Arc::new(BooleanArray::new(std::mem::take(values).into(), nulls)),
            Values::Date(values) => Arc::new(Date32Array::new(take(values), nulls)),
            Values::Timestamp(values) => Arc::new(TimestampMicrosecondArray::new(take(values), nulls)),
            Values::Decimal { values, precision, scale } => {
                let array = Decimal128Array::new(take(values), nulls).with_precision_and_scale(*precision, *scale);
                Arc::new(array.expect("the declared precision was checked"))
            }
        }
    }
}

/// Appends the value of every field; null if it is empty, and null and a misfit if it does not convert.
fn fill<T: Default>(
    values: &mut Vec<T>,
    nulls: &mut Vec<usize>,
    fields: &impl ColumnFields,
    convert: impl Fn(Field<'_>) -> Option<T>,
    mut misfit: impl FnMut(usize, &[u8]),
) {
    fields.each(|field| {
        let value = convert(field).unwrap_or_else(|| {
            nulls.push(values.len());
            if field.len() > 0 {
                misfit(values.len(), field.text());
            }
            T::default()
        });
        values.push(value);
    });
}

#[inline]
fn push_text(bytes: &mut Vec<u8>, offsets: &mut Vec<i32>, field: Field<'_>) {
    // A copy of a fixed length is one move; what is too much is cut off again.
    match field.chunk::<16>() {
        Some(chunk) if field.len() <= chunk.len() => {
            let end = bytes.len() + field.len();
            bytes.extend_from_slice(chunk);
            bytes.truncate(end);
        }
        _ => bytes.extend_from_slice(field.text()),
    }
    offsets.push(i32::try_from(bytes.len()).expect("a block has far less than 2 GiB of text"));
}

fn take<T>(values: &mut Vec<T>) -> ScalarBuffer<T>
where
    T: arrow::datatypes::ArrowNativeType,
{
    let capacity = values.len();
    ScalarBuffer::from(std::mem::replace(values, Vec::with_capacity(capacity)))
}

fn next_offsets(rows: usize) -> Vec<i32> {
    let mut offsets = Vec::with_capacity(rows + 1);
    offsets.push(0);
    offsets
}

fn null_buffer(rows: usize, nulls: &[usize]) -> Option<NullBuffer> {
    if nulls.is_empty() {
        return None;
    }
    let mut valid = BooleanBufferBuilder::new(rows);
    valid.append_n(rows, true);
    for row in nulls {
        valid.set_bit(*row, false);
    }
    Some(NullBuffer::new(valid.finish()))
}
