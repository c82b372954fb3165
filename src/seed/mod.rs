//! Seeds: the text of a CSV file becomes typed rows, or everything that is wrong with it.
//!
//! The file is read by [`raw`](crate::raw) as a source would be, several times, because it is small: once for its header, once
//! as texts, and then with the types that were chosen.

mod fault;
mod file;
mod header;
mod infer;

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};

pub(crate) use fault::SeedFault;

use crate::diag::{any_of, nearest};
use crate::project::{ColumnType, Seed, SeedType};
use crate::raw::RawColumn;
use file::SeedFile;
use header::Header;

/// The rows of a seed, with the types of its columns.
#[derive(Debug)]
pub(crate) struct SeedRows {
    pub schema: SchemaRef,
    pub batches: Vec<RecordBatch>,
    /// What the config says of columns that the seed does not have: dbt passes it over.
    pub passed_over: Vec<SeedFault>,
}

/// Reads a seed. Every row of the file is in the result, or else the file is refused as a whole.
pub(crate) fn read(path: &str, seed: &Seed) -> Result<SeedRows, Vec<SeedFault>> {
    let file = SeedFile::new(path, seed);
    let header = Header::read(&file, &seed.config)?;
    // Faults are reported layer by layer: with a wrong header every row would be wrong, and with wrong rows every type.
    let DeclaredTypes { types: written, passed_over } = declared_types(&header, seed)?;
    let texts =
        file.parse(header.columns(|_| ColumnType::Text)).map_err(|error| vec![SeedFault::unreadable(&error)])?;
    if !texts.bad.is_empty() {
        return Err(fault::of_records(&texts.bad, header.written.len()));
    }
    let declared = infer::decimals(&header, &texts, &written)?;
    let inferred = infer::types(&header, &texts, &declared);
    let columns =
        header.columns(|index| declared.get(&index).or(inferred.get(&index)).copied().unwrap_or(ColumnType::Text));
    let typed = file.parse(columns.clone()).map_err(|error| vec![SeedFault::unreadable(&error)])?;
    let misfits = misfits(&typed.tallies, &header, &columns);
    if !misfits.is_empty() {
        return Err(misfits);
    }
    let rows = renamed(&typed.batches, &header, &columns);
    Ok(SeedRows { passed_over, ..rows })
}

/// The types that the config gives, by the place of the column.
struct DeclaredTypes {
    types: BTreeMap<usize, SeedType>,
    passed_over: Vec<SeedFault>,
}

/// Reads them. A name that is nearly one of the header's is taken for a misspelling.
fn declared_types(header: &Header, seed: &Seed) -> Result<DeclaredTypes, Vec<SeedFault>> {
    let mut types = BTreeMap::new();
    let mut faults = Vec::new();
    let mut passed_over = Vec::new();
    for (column, data_type) in &seed.config.column_types {
        match header.position(&column.value) {
            Some(index) => {
                // `column_types` stands before `data_type` in the list, so the first one counts.
                types.entry(index).or_insert(*data_type);
            }
            None if nearest(&column.value, header.names.iter().map(String::as_str)).is_some() => {
                faults.push(SeedFault::no_column(column, &header.names));
            }
            None => passed_over.push(SeedFault::no_column(column, &header.names)),
        }
    }
    if faults.is_empty() { Ok(DeclaredTypes { types, passed_over }) } else { Err(faults) }
}

/// For each column with values that are not of its type, the first of them.
fn misfits(tallies: &[crate::raw::ColumnTally], header: &Header, columns: &[RawColumn]) -> Vec<SeedFault> {
    let mut faults = Vec::new();
    for ((tally, name), column) in tallies.iter().zip(&header.names).zip(columns) {
        if let Some(first) = &tally.first {
            faults.push(SeedFault::misfit(name, column.data_type, first, tally.rescued));
        }
    }
    faults
}

/// The batches with the names under which the columns are stored.
fn renamed(batches: &[RecordBatch], header: &Header, columns: &[RawColumn]) -> SeedRows {
    let mut fields = Vec::new();
    for (name, column) in header.names.iter().zip(columns) {
        fields.push(arrow::datatypes::Field::new(name, column.data_type.arrow(), true));
    }
    let schema = Arc::new(Schema::new(fields));
    let mut renamed = Vec::new();
    for batch in batches {
        let batch = RecordBatch::try_new(Arc::clone(&schema), batch.columns().to_vec());
        renamed.push(batch.expect("columns keep their types under other names"));
    }
    SeedRows { schema, batches: renamed, passed_over: Vec::new() }
}

/// The words for the types that a config can name, as the end of a sentence.
fn types_in_words() -> String {
    any_of(ColumnType::WORDS)
}

#[cfg(test)]
mod tests;
