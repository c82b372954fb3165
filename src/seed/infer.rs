//! The types of columns that no config gives a type: what all values of the column are.

use std::collections::BTreeMap;

use arrow::array::StringArray;

use super::fault::SeedFault;
use super::file::{ParsedSeed, forms};
use super::header::Header;
use crate::column_type::ColumnType;
use crate::project::SeedType;
use crate::raw::ColumnGuess;

/// Returns the types of the columns that are not `declared`, by their places.
pub(super) fn types(
    header: &Header,
    texts: &ParsedSeed,
    declared: &BTreeMap<usize, ColumnType>,
) -> BTreeMap<usize, ColumnType> {
    let open = (0..header.written.len()).filter(|index| !declared.contains_key(index));
    open.map(|index| (index, guess(texts, index).data_type())).collect()
}

/// Gives the declared columns their types: a decimal without precision is the smallest that holds all values, so that none is changed.
pub(super) fn decimals(
    header: &Header,
    texts: &ParsedSeed,
    written: &BTreeMap<usize, SeedType>,
) -> Result<BTreeMap<usize, ColumnType>, Vec<SeedFault>> {
    let mut types = BTreeMap::new();
    let mut faults = Vec::new();
    for (index, data_type) in written {
        let name = header.names.get(*index).map(String::as_str).unwrap_or_default();
        match data_type {
            SeedType::Is(data_type) => {
                types.insert(*index, *data_type);
            }
            SeedType::AnyDecimal => match guess(texts, *index).smallest_decimal() {
                Some(data_type) => {
                    types.insert(*index, data_type);
                }
                None => faults.push(SeedFault::no_decimal(name)),
            },
        }
    }
    if faults.is_empty() { Ok(types) } else { Err(faults) }
}

/// What the texts of a column may be.
fn guess(texts: &ParsedSeed, column: usize) -> ColumnGuess {
    let mut guess = ColumnGuess::with_forms(forms());
    for batch in &texts.batches {
        let column = batch.column(column).as_any().downcast_ref::<StringArray>();
        guess.add(column.expect("a column that was read as text is text"));
    }
    guess
}
