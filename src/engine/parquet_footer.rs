//! Holds the footers of a source's Parquet files against the columns that are declared, before a row is read.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, SchemaRef};
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};

use crate::diag::nearest;
use crate::raw::RawError;
use crate::store::LocalBackend;
use crate::table::SourceEntry;

/// The word at both ends of a Parquet file.
const MAGIC: &[u8; 4] = b"PAR1";

/// The files of a source: those that are read, and all that match its location.
pub(super) struct ParquetFiles<'a> {
    pub backend: &'a LocalBackend,
    pub read: &'a [SourceEntry],
    pub all: &'a [SourceEntry],
}

/// Checks every file that is read.
///
/// # Errors
///
/// A file is damaged, has two columns of one name, or has a column of a type whose values would be changed; or no file of the
/// source has a column that is declared.
pub(super) fn check(files: &ParquetFiles<'_>, declared: &[&Field]) -> Result<(), RawError> {
    let mut missing: BTreeSet<&str> = declared.iter().map(|field| field.name().as_str()).collect();
    for entry in files.read {
        let schema = schema_of(files.backend, entry)?;
        repeated(entry, &schema)?;
        for field in declared {
            if let Ok(found) = schema.field_with_name(field.name()) {
                missing.remove(field.name().as_str());
                convertible(entry, found, field)?;
            }
        }
    }
    // Files that are older than a column may lack it, as long as another file has it.
    let is_read: BTreeSet<&str> = files.read.iter().map(|entry| entry.path.as_str()).collect();
    for entry in files.all.iter().rev().filter(|entry| !is_read.contains(entry.path.as_str())) {
        if missing.is_empty() {
            break;
        }
        let schema = schema_of(files.backend, entry)?;
        missing.retain(|name| schema.field_with_name(name).is_err());
    }
    let (Some(name), Some(first)) = (missing.first(), files.read.first()) else { return Ok(()) };
    Err(nowhere(first, &schema_of(files.backend, first)?, name))
}

fn wrong(entry: &SourceEntry, message: String) -> RawError {
    RawError::Columns { file: entry.path.as_str().into(), message }
}

fn repeated(entry: &SourceEntry, schema: &SchemaRef) -> Result<(), RawError> {
    let mut names = BTreeSet::new();
    match schema.fields().iter().find(|field| !names.insert(field.name())) {
        Some(field) => Err(wrong(entry, format!("the column `{}` is there twice", field.name()))),
        None => Ok(()),
    }
}

/// No file of the source has the column.
fn nowhere(entry: &SourceEntry, schema: &SchemaRef, name: &str) -> RawError {
    let names = schema.fields().iter().map(|field| field.name().as_str());
    let folder = format!("{name}=");
    let hint = if entry.path.split('/').any(|part| part.starts_with(&folder)) {
        format!("`{name}` stands in the folder's name, which `_source_file` has")
    } else {
        match nearest(name, names.clone()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("it has {}", names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")),
        }
    };
    wrong(entry, format!("neither this nor any other file of the source has the declared column `{name}`; {hint}"))
}

fn convertible(entry: &SourceEntry, found: &Field, declared: &Field) -> Result<(), RawError> {
    if keeps_values(found.data_type(), declared.data_type()) {
        return Ok(());
    }
    let name = found.name();
    let message = format!(
        "the column `{name}` has the type {}, whose values would not all be kept as {}",
        found.data_type(),
        declared.data_type()
    );
    Err(wrong(entry, message))
}

/// Whether every value of the file's type is one of the declared type, or stops the build.
fn keeps_values(found: &DataType, declared: &DataType) -> bool {
    use DataType as Type;
    match (found, declared) {
        (Type::Dictionary(_, found), declared) => keeps_values(found, declared),
        (Type::Null, _) => true,
        (Type::Utf8 | Type::LargeUtf8 | Type::Utf8View, Type::Utf8) => true,
        (Type::Binary | Type::LargeBinary | Type::BinaryView, Type::Utf8) => true,
        (Type::Float16 | Type::Float32 | Type::Float64, Type::Float64) => true,
        // A double has 53 bits for digits.
        (found, Type::Float64) => found.is_integer() && digits(found).is_some_and(|digits| digits <= 10),
        (found, Type::Int64) if found.is_integer() => true,
        (Type::Decimal128(precision, 0), Type::Int64) => *precision <= 18,
        (Type::Decimal128(precision, scale), Type::Decimal128(wide, wide_scale)) => {
            let whole = i16::from(*precision) - i16::from(*scale);
            scale <= wide_scale && whole <= i16::from(*wide) - i16::from(*wide_scale)
        }
        (found, Type::Decimal128(precision, scale)) => {
            digits(found).is_some_and(|digits| i16::from(digits) <= i16::from(*precision) - i16::from(*scale))
        }
        (Type::Boolean, Type::Boolean) | (Type::Date32, Type::Date32) => true,
        (Type::Timestamp(..) | Type::Date32, Type::Timestamp(..)) => true,
        _ => false,
    }
}

/// The digits of the largest value of an integer type; `None` for any other type.
fn digits(data_type: &DataType) -> Option<u8> {
    match data_type {
        DataType::Int8 | DataType::UInt8 => Some(3),
        DataType::Int16 | DataType::UInt16 => Some(5),
        DataType::Int32 | DataType::UInt32 => Some(10),
        DataType::Int64 => Some(19),
        DataType::UInt64 => Some(20),
        _ => None,
    }
}

/// The columns of a file.
fn schema_of(backend: &LocalBackend, entry: &SourceEntry) -> Result<SchemaRef, RawError> {
    let unreadable = |error: io::Error| RawError::Unreadable { file: entry.path.as_str().into(), error };
    let mut file = backend.file(&entry.path).map_err(unreadable)?;
    check_ends(&mut file, entry.size).map_err(unreadable)?;
    // The length of the footer is right, but what it says may still lead the reader astray.
    let loaded = catch_unwind(AssertUnwindSafe(|| ArrowReaderMetadata::load(&file, ArrowReaderOptions::new())));
    match loaded {
        Ok(Ok(metadata)) => Ok(Arc::clone(metadata.schema())),
        Ok(Err(error)) => Err(unreadable(damaged(format!("its footer is damaged: {error}")))),
        Err(_) => Err(unreadable(damaged("its footer is damaged".to_owned()))),
    }
}

fn damaged(message: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message)
}

/// The magic words, and a footer that fits between them.
fn check_ends(file: &mut File, listed: u64) -> io::Result<()> {
    let size = file.metadata()?.len();
    if size != listed {
        return Err(damaged(format!("it has {size} bytes and was listed with {listed}: it changed, so list it again")));
    }
    if size < 12 {
        return Err(damaged(format!("a Parquet file has at least 12 bytes, and it has {size}")));
    }
    let mut head = [0; 4];
    file.read_exact(&mut head)?;
    let mut tail = [0; 8];
    file.seek(SeekFrom::Start(size - 8))?;
    file.read_exact(&mut tail)?;
    let [a, b, c, d, magic @ ..] = tail;
    if head != *MAGIC || magic != *MAGIC {
        return Err(damaged("it is not a Parquet file, or it was cut off: `PAR1` is missing at an end".to_owned()));
    }
    if u64::from(u32::from_le_bytes([a, b, c, d])) > size - 12 {
        return Err(damaged("the length of its footer is larger than the file".to_owned()));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
