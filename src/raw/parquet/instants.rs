//! Instants of 96 bits: they are read in microseconds, which reach all years, and once more in nanoseconds, to see what was cut.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray};
use arrow::datatypes::{
    DataType, Field, Schema, SchemaRef, TimeUnit, TimestampMicrosecondType, TimestampNanosecondType,
};
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::basic::Type as PhysicalType;

/// The columns of instants of 96 bits, to be read a second time in nanoseconds, and their roots in the schema.
pub(super) struct Nanoseconds {
    pub(super) metadata: ArrowReaderMetadata,
    pub(super) roots: Vec<usize>,
}

/// The metadata with which instants of 96 bits are read in microseconds: in nanoseconds, their years would end in 2262.
pub(super) fn in_microseconds(
    metadata: ArrowReaderMetadata,
    read: &[usize],
) -> Result<(ArrowReaderMetadata, Option<Nanoseconds>), String> {
    let description = metadata.metadata().file_metadata().schema_descr_ptr();
    let roots: Vec<usize> = read
        .iter()
        .copied()
        .filter(|root| {
            let kind = description.root_schema().get_fields().get(*root);
            kind.is_some_and(|kind| kind.is_primitive() && kind.get_physical_type() == PhysicalType::INT96)
        })
        .collect();
    if roots.is_empty() {
        return Ok((metadata, None));
    }
    let fields = metadata.schema().fields().iter().enumerate().map(|(root, field)| {
        if roots.contains(&root) {
            Arc::new(Field::new(field.name(), MICROSECONDS, field.is_nullable()))
        } else {
            Arc::clone(field)
        }
    });
    let schema: SchemaRef = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    let options = ArrowReaderOptions::new().with_schema(schema);
    let micros = ArrowReaderMetadata::try_new(Arc::clone(metadata.metadata()), options);
    let micros = micros.map_err(|error| error.to_string())?;
    Ok((micros, Some(Nanoseconds { metadata, roots })))
}

const MICROSECONDS: DataType = DataType::Timestamp(TimeUnit::Microsecond, None);

/// What microseconds lose of instants of 96 bits.
pub(super) enum CutInstants {
    Nothing,
    Nanoseconds,
    /// Nanoseconds, of an instant that does not fit 64 bits with them.
    FarAway,
}

/// Compares a column in microseconds with itself in nanoseconds, which wrap around in far years.
pub(super) fn is_cut(micros: &ArrayRef, nanos: &ArrayRef) -> CutInstants {
    let (Some(micros), Some(nanos)) =
        (micros.as_primitive_opt::<TimestampMicrosecondType>(), nanos.as_primitive_opt::<TimestampNanosecondType>())
    else {
        return CutInstants::Nothing;
    };
    let pairs = || micros.iter().flatten().zip(nanos.iter().flatten());
    // Nanoseconds of far years wrap around modulo 2^64, and so does this product: equal still means that nothing was
    // cut.
    if pairs().all(|(micros, nanos)| micros.wrapping_mul(1_000) == nanos) {
        return CutInstants::Nothing;
    }
    // Equal after rounding down: something was cut of an instant that both units can hold.
    if pairs().all(|(micros, nanos)| nanos.div_euclid(1_000) == micros) {
        CutInstants::Nanoseconds
    } else {
        CutInstants::FarAway
    }
}
