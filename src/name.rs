//! Names that are parsed once and valid ever after: models, sources, columns, tags; and the kinds of what they name.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Why a text is no name, as the end of a sentence that begins with the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidName(&'static str);

impl fmt::Display for InvalidName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.0)
    }
}

/// Letters, digits and underscores, not beginning with a digit: a table name in every engine, a folder on every disk.
fn check_identifier(text: &str) -> Result<(), InvalidName> {
    let Some(first) = text.chars().next() else {
        return Err(InvalidName("a name has at least one letter"));
    };
    // SQL reads a name that begins with a digit as a number.
    if first.is_ascii_digit() {
        return Err(InvalidName("a name does not begin with a digit"));
    }
    if !text.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_') {
        return Err(InvalidName("a name has only letters, digits and `_`"));
    }
    // Disks take 255 bytes for a part of a path, and suffixes come behind a name.
    if text.len() > 128 {
        return Err(InvalidName("a name has at most 128 letters"));
    }
    Ok(())
}

macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident, $check:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            pub fn parse(text: &str) -> Result<$name, InvalidName> {
                let check: fn(&str) -> Result<(), InvalidName> = $check;
                check(text).map(|()| $name(text.to_owned()))
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.pad(&self.0)
            }
        }
    };
}

name_type! {
    /// A package is a name space. A project is one, by its own name.
    PackageName, check_identifier
}
name_type! {
    /// A name that `ref()` takes, unique in its package: the name of a model's or a seed's file without its ending.
    ModelName, check_identifier
}
name_type! {
    /// The folder of tables in the lake: bronze, silver, gold, or a source's name.
    SchemaName, check_identifier
}
name_type! {
    /// A source table: the second argument of `source()`.
    SourceTableName, check_identifier
}
name_type! {
    /// A column that SQL can name without quotes.
    ColumnName, check_identifier
}
name_type! {
    /// A tag: anything without blanks, commas, `+` and `@`, which mean something in a selector.
    Tag, |text| {
        if text.is_empty() {
            Err(InvalidName("a tag has at least one letter"))
        } else if text.contains(|letter: char| letter.is_whitespace() || matches!(letter, ',' | '+' | '@')) {
            Err(InvalidName("a tag has no blanks, commas, `+` or `@`"))
        } else {
            Ok(())
        }
    }
}

impl ModelName {
    /// The name that stands for one that is none here, as dbt permits: `_` for dots, dashes and all else that is neither a letter nor a
    /// digit, and one before a digit at the beginning.
    pub fn standing_for(text: &str) -> Result<ModelName, InvalidName> {
        let mark = if text.starts_with(|letter: char| letter.is_ascii_digit()) { "_" } else { "" };
        let plain = text.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '_' });
        let plain: String = mark.chars().chain(plain).collect();
        // Of letters of other alphabets nothing would be left.
        match text.is_ascii() {
            true => ModelName::parse(&plain),
            false => ModelName::parse(text),
        }
    }
}

/// What a project consists of, in dbt's words. In the order in which a graph puts nodes that wait for nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NodeKind {
    Source,
    /// A CSV file whose rows are a table.
    Seed,
    /// A file with one SELECT.
    Model,
    /// A SELECT of whose rows all versions are kept.
    Snapshot,
    /// A SELECT of rows that must not exist, written down or made of a line of YAML.
    Test,
    /// Rows that are given to a model, and the rows that it makes of them.
    UnitTest,
    /// A SELECT that is rendered and never run.
    Analysis,
    SemanticModel,
    Metric,
    SavedQuery,
    /// What reads tables from outside: a dashboard, a notebook, a program.
    Exposure,
}

impl NodeKind {
    /// Those that make tables.
    pub const BUILT: [NodeKind; 3] = [NodeKind::Seed, NodeKind::Model, NodeKind::Snapshot];

    /// All of them, in that order.
    pub const ALL: [NodeKind; 11] = [
        NodeKind::Source,
        NodeKind::Seed,
        NodeKind::Model,
        NodeKind::Snapshot,
        NodeKind::Test,
        NodeKind::UnitTest,
        NodeKind::Analysis,
        NodeKind::SemanticModel,
        NodeKind::Metric,
        NodeKind::SavedQuery,
        NodeKind::Exposure,
    ];

    pub fn word(self) -> &'static str {
        match self {
            NodeKind::Source => "source",
            NodeKind::Seed => "seed",
            NodeKind::Model => "model",
            NodeKind::Snapshot => "snapshot",
            NodeKind::Test => "test",
            NodeKind::UnitTest => "unit_test",
            NodeKind::Analysis => "analysis",
            NodeKind::SemanticModel => "semantic_model",
            NodeKind::Metric => "metric",
            NodeKind::SavedQuery => "saved_query",
            NodeKind::Exposure => "exposure",
        }
    }
}

impl fmt::Display for NodeKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.word())
    }
}

/// A unit test by its model and its own name, which is unique among the unit tests of the model.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnitTestName {
    /// The model that is tested.
    pub model: ModelName,
    /// As YAML says.
    pub test: String,
}

impl fmt::Display for UnitTestName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.test)
    }
}

/// What the name of a model's table of bad records ends with, behind the model's own.
pub const QUARANTINE_SUFFIX: &str = "_quarantine";

/// Column of every source: the file that a row was read from.
pub(crate) const SOURCE_FILE: &str = "_source_file";
/// Column of every source: the line, from 1, at which the row's record begins.
pub(crate) const SOURCE_LINE: &str = "_source_line";
/// Column of every source: a JSON object of the texts that did not convert, null on clean rows.
pub(crate) const RESCUED: &str = "_rescued";

/// A table's two-part name: `silver.dim_users`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TableName {
    pub schema: SchemaName,
    pub table: String,
}

/// A table by its two-part name as one text: `silver.dim_users`. It is the key of whatever is stored about several tables.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TableKey(String);

impl TableName {
    pub fn key(&self) -> TableKey {
        TableKey(self.to_string())
    }
}

impl TableKey {
    /// The name that it was made of. Returns `None` if a stored text is no name.
    pub fn name(&self) -> Option<TableName> {
        let (schema, table) = self.0.split_once('.')?;
        Some(TableName { schema: SchemaName::parse(schema).ok()?, table: table.to_owned() })
    }
}

/// A name as an identifier of SQL, whatever letters it has.
pub fn quoted(name: &str) -> String {
    // An identifier doubles the quotes within it.
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[cfg(test)]
impl From<&str> for TableKey {
    fn from(text: &str) -> TableKey {
        TableKey(text.to_owned())
    }
}

#[cfg(test)]
impl std::borrow::Borrow<str> for TableKey {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TableKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0)
    }
}

impl fmt::Display for TableName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}", self.schema, self.table)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_an_identifier_that_every_engine_takes() {
        assert_eq!(ModelName::parse("fct_interactions").unwrap().as_str(), "fct_interactions");
        for wrong in ["", "1st", "a-b", "a.b", "ä", "a b"] {
            assert!(ModelName::parse(wrong).is_err(), "{wrong}");
        }
        assert!(Tag::parse("nightly-2").is_ok());
        assert!(Tag::parse("a,b").is_err());
    }

    #[test]
    fn the_key_of_a_table_is_stored_as_its_two_part_name() {
        let table = TableName { schema: SchemaName::parse("silver").unwrap(), table: "dim_users".to_owned() };
        let by_key = std::collections::BTreeMap::from([(table.key(), 1)]);
        assert_eq!(serde_json::to_string(&by_key).unwrap(), r#"{"silver.dim_users":1}"#);
        assert_eq!(table.key().name(), Some(table));
        assert_eq!(TableKey::from("users").name(), None);
    }
}
