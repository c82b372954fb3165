//! Columns of texts whose bytes are not all UTF-8, which the library refuses as a whole: they are read as bytes, and then each
//! value is judged alone, as binary values are.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use arrow::error::ArrowError;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::basic::Type as PhysicalType;
use parquet::errors::Result as ParquetResult;
use parquet::schema::types::{SchemaDescriptor, Type};

use super::convert::{Converted, convert};
use super::footer::ParquetInput;
use super::json_text::plain_text;
use crate::column_type::ColumnType;
use crate::forms::Forms;

/// The positions among these roots of the schema at which columns of texts are.
pub(super) fn positions(metadata: &ArrowReaderMetadata, read: &[usize]) -> Vec<usize> {
    let root = metadata.metadata().file_metadata().schema_descr().root_schema();
    let is_text = |index: &usize| {
        let is_of_bytes = root
            .get_fields()
            .get(*index)
            .is_some_and(|field| field.is_primitive() && field.get_physical_type() == PhysicalType::BYTE_ARRAY);
        is_of_bytes && metadata.schema().fields().get(*index).is_some_and(|field| holds_texts(field.data_type()))
    };
    read.iter().enumerate().filter(|(_, index)| is_text(index)).map(|(position, _)| position).collect()
}

fn holds_texts(data_type: &DataType) -> bool {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => true,
        DataType::Dictionary(_, values) => holds_texts(values),
        _ => false,
    }
}

/// The metadata with which the columns at these roots are read as bytes: without the note that they are texts.
pub(super) fn as_bytes(
    input: &ParquetInput,
    metadata: &ArrowReaderMetadata,
    roots: &[usize],
) -> ParquetResult<ArrowReaderMetadata> {
    let root = metadata.metadata().file_metadata().schema_descr().root_schema();
    let fields = root.get_fields().iter().enumerate().map(|(index, field)| {
        if !roots.contains(&index) {
            return Ok(Arc::clone(field));
        }
        let info = field.get_basic_info();
        let bytes = Type::primitive_type_builder(field.name(), PhysicalType::BYTE_ARRAY)
            .with_repetition(info.repetition())
            .with_id(info.has_id().then(|| info.id()));
        Ok(Arc::new(bytes.build()?))
    });
    let root = Type::group_type_builder(root.name()).with_fields(fields.collect::<ParquetResult<Vec<_>>>()?).build()?;
    let fields = metadata.schema().fields().iter().enumerate().map(|(index, field)| match roots.contains(&index) {
        true => Arc::new(Field::new(field.name(), DataType::Binary, field.is_nullable())),
        false => Arc::clone(field),
    });
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    let description = Arc::new(SchemaDescriptor::new(Arc::new(root)));
    ArrowReaderMetadata::load(input, ArrowReaderOptions::new().with_parquet_schema(description).with_schema(schema))
}

/// Texts that were read as bytes.
struct TextsAsBytes {
    /// Null where the bytes are not UTF-8.
    valid: ArrayRef,
    /// The rows where they are not.
    invalid: Vec<usize>,
    /// As they are shown to people: the bytes in hexadecimal digits where they are no text.
    shown: ArrayRef,
}

fn texts(array: &ArrayRef) -> Result<TextsAsBytes, ArrowError> {
    let bytes = array.as_binary::<i32>();
    let text = |row: usize| std::str::from_utf8(bytes.value(row)).ok();
    let invalid: Vec<usize> = (0..bytes.len()).filter(|row| bytes.is_valid(*row) && text(*row).is_none()).collect();
    let valid: StringArray = (0..bytes.len()).map(|row| bytes.is_valid(row).then(|| text(row)).flatten()).collect();
    let shown = (0..bytes.len()).map(|row| match (bytes.is_valid(row), text(row)) {
        (false, _) => Ok(None),
        (true, Some(text)) => Ok(Some(text.to_owned())),
        (true, None) => plain_text(array, row).map(Some),
    });
    let shown: StringArray = shown.collect::<Result<_, ArrowError>>()?;
    Ok(TextsAsBytes { valid: Arc::new(valid), invalid, shown: Arc::new(shown) })
}

/// The texts as they are shown to people.
pub(super) fn shown(array: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    Ok(texts(array)?.shown)
}

/// Converts texts to the declared type. Bytes that are no text never convert.
pub(super) fn convert_texts(array: &ArrayRef, to: ColumnType, forms: &Arc<Forms>) -> Result<Converted, ArrowError> {
    let TextsAsBytes { valid, invalid, shown } = texts(array)?;
    let converted = convert(&valid, to, forms)?;
    let mut misfits = converted.misfits;
    misfits.extend(invalid);
    misfits.sort_unstable();
    Ok(Converted { array: converted.array, read: shown, misfits })
}
