//! Statements that make the tables of a lake visible in another engine: text, made of plain data.
//!
//! Most engines read the log of a table themselves, so that their statements are needed once. Where an engine shall see the
//! tables of a release, it is told their versions, and DuckDB the very files of these versions: then it needs no extension,
//! and a file that is gone is an error and never a smaller number.

mod catalogs;
mod duckdb;
mod engine;
mod names;
mod polars;
mod types;

use crate::delta::{DataFile, StoredColumn, Version};
use crate::name::TableName;
use crate::project::BucketLocation;
use crate::shown::visible;

pub(crate) use engine::QueryEngine;

/// What is made visible.
pub(crate) struct Registration<'r> {
    pub project: &'r str,
    pub target: &'r str,
    /// The lake's address: an absolute path, or `s3://bucket/folder`. No `/` at its end.
    pub lake: String,
    /// What the project says of the lake's bucket, if it is in one.
    pub bucket: Option<&'r BucketLocation>,
    /// The catalog of the engine. `None` for its usual one.
    pub catalog: Option<&'r str>,
    pub shown: ShownTables,
    pub tables: Vec<RegisteredTable>,
    /// The models that have no table, and why: `is a view`.
    pub without_table: Vec<WithoutTable>,
}

/// Which state of the tables an engine sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ShownTables {
    /// The newest version, whenever the engine reads.
    Newest,
    /// Fixed versions: `release 7 of 2023-05-01 10:00:00`.
    Pinned(String),
}

/// A table in its lake.
pub(crate) struct RegisteredTable {
    pub name: TableName,
    pub version: Version,
    pub columns: Vec<StoredColumn>,
    pub partition_columns: Vec<String>,
    /// The files of this version, by their paths in the table's folder.
    pub files: Vec<DataFile>,
}

/// A selected model that no engine can see.
pub(crate) struct WithoutTable {
    pub model: String,
    pub why: &'static str,
}

/// Why an engine cannot be shown the tables.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct CannotRegister {
    pub message: String,
    pub help: String,
}

/// How statements of an engine are written.
trait Statements {
    /// What a comment begins with.
    fn comment(&self) -> &'static str {
        "--"
    }

    /// Fails if the engine cannot be shown these tables.
    fn check(&self, _of: &Registration<'_>) -> Result<(), CannotRegister> {
        Ok(())
    }

    /// What the engine needs beside the statements, a comment a line.
    fn needs(&self, of: &Registration<'_>) -> Vec<String>;

    /// What comes before the tables: schemas, and what they all use.
    fn begin(&self, of: &Registration<'_>) -> String;

    /// Makes one table visible.
    fn table(&self, of: &Registration<'_>, table: &RegisteredTable) -> Result<String, CannotRegister>;

    /// What comes after the tables.
    fn end(&self, _of: &Registration<'_>) -> String {
        String::new()
    }

    /// How the engine reads values of a type differently, or that it does not read them. Returns `None` if it reads them as they are.
    fn type_note(&self, delta_type: &str) -> Option<&'static str>;

    /// What becomes of a column's name. Returns `None` if it stays.
    fn name_note(&self, _column: &str) -> Option<String> {
        None
    }
}

impl Registration<'_> {
    /// The statements for an engine. They can be run again.
    ///
    /// # Errors
    ///
    /// Returns an error if the engine cannot read the tables where they are, or in this state.
    pub fn statements(&self, engine: QueryEngine) -> Result<String, CannotRegister> {
        self.written(engine.statements().as_ref())
    }

    /// Views of DuckDB over the files of the tables' versions, which need no extension.
    ///
    /// # Errors
    ///
    /// Returns an error if a table has files that cannot be named, or partitions by values that SQL cannot write.
    pub fn views_of_files(&self) -> Result<String, CannotRegister> {
        self.written(&duckdb::ViewsOfFiles)
    }

    /// A line for each selected model that no engine can see.
    pub fn left_out(&self) -> Vec<String> {
        let line = |left: &WithoutTable| format!("`{}` {}: there is nothing to read.", left.model, left.why);
        self.without_table.iter().map(line).collect()
    }

    fn written(&self, engine: &dyn Statements) -> Result<String, CannotRegister> {
        engine.check(self)?;
        let mark = engine.comment();
        let mut text = String::new();
        let mut comment = |line: &str| {
            text.push_str(format!("{mark} {}", visible(line, true)).trim_end());
            text.push('\n');
        };
        comment(&format!(
            "Tables of the project `{}`, target `{}`: {}.",
            self.project,
            self.target,
            self.shown.in_words()
        ));
        engine.needs(self).iter().for_each(|line| comment(line));
        self.left_out().iter().for_each(|line| comment(line));
        text.push('\n');
        text.push_str(&engine.begin(self));
        for table in &self.tables {
            text.push('\n');
            for note in self.notes(engine, table) {
                text.push_str(&format!("{mark} {}\n", visible(&note, true)));
            }
            text.push_str(&engine.table(self, table)?);
        }
        text.push_str(&engine.end(self));
        Ok(text)
    }

    /// What reads differently in a table, column by column.
    fn notes(&self, engine: &dyn Statements, table: &RegisteredTable) -> Vec<String> {
        let mut notes = Vec::new();
        for column in &table.columns {
            let of_types = types::scalars(&column.delta_type).into_iter().filter_map(|name| engine.type_note(name));
            let of_name = engine.name_note(&column.name);
            let said: Vec<String> = of_types.map(str::to_owned).chain(of_name).collect();
            if !said.is_empty() {
                notes.push(format!(
                    "{}: column `{}`, {}: {}",
                    table.name,
                    column.name,
                    column.type_in_words(),
                    said.join("; ")
                ));
            }
        }
        notes
    }

    /// Where an engine finds a table: an absolute path, or `s3://…`.
    fn location(&self, table: &RegisteredTable) -> String {
        format!("{}/{}/{}", self.lake, table.name.schema, table.name.table)
    }

    /// The schemas of the tables, each once, in their order.
    fn schemas(&self) -> Vec<&str> {
        let mut schemas: Vec<&str> = self.tables.iter().map(|table| table.name.schema.as_str()).collect();
        schemas.sort_unstable();
        schemas.dedup();
        schemas
    }
}

impl ShownTables {
    fn in_words(&self) -> String {
        match self {
            ShownTables::Newest => "the newest version of each, whenever it is read".to_owned(),
            ShownTables::Pinned(what) => {
                format!(
                    "as of {what}; later runs do not change what is seen, so make these statements anew after a run"
                )
            }
        }
    }
}

#[cfg(test)]
mod tests;
