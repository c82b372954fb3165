//! The database whose SQL a project is written for.

use super::node::{Node, YamlFields};
use crate::diag::{Code, Diagnostic, Sink};

/// How SQL is read where databases mean different things by the same words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SqlDialect {
    #[default]
    Postgres,
    DuckDb,
    Snowflake,
    BigQuery,
    Spark,
}

/// Databases whose rules karat does not know well enough: half of them would give wrong numbers. Their SQL is near another's.
const NOT_YET: [(&str, SqlDialect); 3] =
    [("databricks", SqlDialect::Spark), ("redshift", SqlDialect::Postgres), ("trino", SqlDialect::Postgres)];

impl SqlDialect {
    pub const ALL: [SqlDialect; 5] =
        [SqlDialect::Postgres, SqlDialect::DuckDb, SqlDialect::Snowflake, SqlDialect::BigQuery, SqlDialect::Spark];

    pub fn word(self) -> &'static str {
        match self {
            SqlDialect::Postgres => "postgres",
            SqlDialect::DuckDb => "duckdb",
            SqlDialect::Snowflake => "snowflake",
            SqlDialect::BigQuery => "bigquery",
            SqlDialect::Spark => "spark",
        }
    }

    /// Whether a name of a SELECT list stands for its expression in the same SELECT.
    pub fn has_lateral_aliases(self) -> bool {
        match self {
            SqlDialect::DuckDb | SqlDialect::Snowflake | SqlDialect::Spark => true,
            SqlDialect::Postgres | SqlDialect::BigQuery => false,
        }
    }

    /// Whether a backslash in a text begins an escape: `'it\'s'`.
    pub fn has_backslash_escapes(self) -> bool {
        match self {
            SqlDialect::Snowflake | SqlDialect::BigQuery | SqlDialect::Spark => true,
            SqlDialect::Postgres | SqlDialect::DuckDb => false,
        }
    }

    /// The key `dialect` of the project file.
    pub(super) fn read(fields: &YamlFields<'_>, sink: &mut Sink) -> SqlDialect {
        let Some(written) = fields.read("dialect", Node::expect_any_text, sink) else { return SqlDialect::default() };
        let word = written.value.to_lowercase();
        if let Some(known) = SqlDialect::ALL.into_iter().find(|dialect| dialect.word() == word) {
            return known;
        }
        let near = NOT_YET.iter().find(|(other, _)| *other == word).map(|(_, near)| near.word());
        let diagnostic = match near {
            Some(near) => {
                Diagnostic::error(Code::InvalidConfig, format!("the dialect `{}` is not supported yet", written.value))
                    .at(written.span)
                    .help(format!("write `{near}`, which is the nearest: errors say what differs from it"))
            }
            None => Diagnostic::error(Code::InvalidConfig, format!("`{}` is not a dialect", written.value))
                .at(written.span)
                .suggest(&word, SqlDialect::ALL.map(SqlDialect::word))
                .note("the dialects are `postgres`, `duckdb`, `snowflake`, `bigquery` and `spark`"),
        };
        sink.error(diagnostic);
        SqlDialect::default()
    }
}
