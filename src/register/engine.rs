//! The engines that tables can be made visible in.

use super::Statements;
use super::catalogs::{Athena, Spark, Trino, Unity};
use super::duckdb::DeltaViews;
use super::polars::Polars;

/// An engine that reads Delta tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum QueryEngine {
    DuckDb,
    Trino,
    Athena,
    Spark,
    Unity,
    Polars,
}

impl QueryEngine {
    pub const ALL: [QueryEngine; 6] = [
        QueryEngine::DuckDb,
        QueryEngine::Trino,
        QueryEngine::Athena,
        QueryEngine::Spark,
        QueryEngine::Unity,
        QueryEngine::Polars,
    ];

    /// As it is typed.
    pub fn word(self) -> &'static str {
        match self {
            QueryEngine::DuckDb => "duckdb",
            QueryEngine::Trino => "trino",
            QueryEngine::Athena => "athena",
            QueryEngine::Spark => "spark",
            QueryEngine::Unity => "unity",
            QueryEngine::Polars => "polars",
        }
    }

    /// What is printed for it.
    pub fn summary(self) -> &'static str {
        match self {
            QueryEngine::DuckDb => "Views of DuckDB, through its extension `delta`",
            QueryEngine::Trino => "Calls of `register_table` in a catalog of Trino",
            QueryEngine::Athena => "External tables of Athena, in the catalog of Glue",
            QueryEngine::Spark => "Tables of Spark with Delta Lake",
            QueryEngine::Unity => "External tables of a Unity Catalog",
            QueryEngine::Polars => "Python that gives a LazyFrame for each table",
        }
    }

    pub(super) fn statements(self) -> Box<dyn Statements> {
        match self {
            QueryEngine::DuckDb => Box::new(DeltaViews),
            QueryEngine::Trino => Box::new(Trino),
            QueryEngine::Athena => Box::new(Athena),
            QueryEngine::Spark => Box::new(Spark),
            QueryEngine::Unity => Box::new(Unity),
            QueryEngine::Polars => Box::new(Polars),
        }
    }
}
