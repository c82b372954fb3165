//! The database whose SQL a project is written for.

use super::node::{Node, YamlFields};
use crate::diag::{Code, Diagnostic, Sink};

/// How SQL is read where databases mean different things by the same words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SqlDialect {
    #[default]
    Postgres,
    DuckDb,
}

/// Databases whose rules karat does not know well enough: half of them would give wrong numbers.
const NOT_YET: [&str; 6] = ["snowflake", "bigquery", "spark", "databricks", "redshift", "trino"];

impl SqlDialect {
    pub const ALL: [SqlDialect; 2] = [SqlDialect::Postgres, SqlDialect::DuckDb];

    pub fn word(self) -> &'static str {
        match self {
            SqlDialect::Postgres => "postgres",
            SqlDialect::DuckDb => "duckdb",
        }
    }

    /// The key `dialect` of the project file.
    pub(super) fn read(fields: &YamlFields<'_>, sink: &mut Sink) -> SqlDialect {
        let Some(written) = fields.read("dialect", Node::expect_any_text, sink) else { return SqlDialect::default() };
        let word = written.value.to_lowercase();
        if let Some(known) = SqlDialect::ALL.into_iter().find(|dialect| dialect.word() == word) {
            return known;
        }
        let diagnostic = if NOT_YET.contains(&word.as_str()) {
            Diagnostic::error(Code::InvalidConfig, format!("the dialect `{}` is not supported yet", written.value))
                .at(written.span)
                .help("write `postgres` or `duckdb`, and the models in the words of that database: errors say how")
        } else {
            Diagnostic::error(Code::InvalidConfig, format!("`{}` is not a dialect", written.value))
                .at(written.span)
                .suggest(&word, SqlDialect::ALL.map(SqlDialect::word))
                .note("the dialects are `postgres` and `duckdb`")
        };
        sink.error(diagnostic);
        SqlDialect::default()
    }
}
