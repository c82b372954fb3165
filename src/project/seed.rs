//! A seed: the text of a CSV file, and how its config says that it is read.

use std::sync::Arc;

use crate::column_type::ColumnType;
use crate::span::Spanned;

/// The rows of a seed as they were written, and how they are read.
#[derive(Debug, Clone)]
pub struct Seed {
    pub text: Arc<str>,
    pub config: SeedConfig,
}

/// What the config of a seed says of its file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeedConfig {
    /// Types by column, as they were written; the types of the other columns are inferred.
    pub column_types: Vec<(Spanned<String>, SeedType)>,
    /// Whether the names of the header are kept as they are written, or else folded to lower case.
    pub quote_columns: bool,
    pub delimiter: u8,
}

/// The type that YAML gives a column of a seed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SeedType {
    /// The type itself.
    Is(ColumnType),
    /// `numeric` without a precision, in PostgreSQL a number of any size: the smallest decimal that holds all values of the file.
    AnyDecimal,
}

impl Default for SeedConfig {
    fn default() -> SeedConfig {
        SeedConfig { column_types: Vec::new(), quote_columns: false, delimiter: b',' }
    }
}
