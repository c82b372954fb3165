//! A snapshot: which part of a file is its query, and what its config says of the versions of rows that it keeps.

use std::sync::Arc;

use crate::span::{Span, Spanned};

/// The query of a snapshot, which is a block in a file, or a line of YAML that names a relation.
#[derive(Debug, Clone)]
pub struct SnapshotTemplate {
    /// A template with nothing but the query. Each byte of the query is where it is in the file.
    pub text: Arc<str>,
    /// The name where it is declared.
    pub name: Span,
}

/// What a snapshot keeps of its query's rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotConfig {
    /// The columns or expressions that identify a row; at least one.
    pub unique_key: Vec<Spanned<String>>,
    pub strategy: SnapshotStrategy,
    pub hard_deletes: HardDeletes,
    /// The expression that is the end of versions that are still valid, in the place of null.
    pub valid_to_current: Option<Spanned<String>>,
    pub columns: SnapshotColumns,
}

/// How a row is known to have changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SnapshotStrategy {
    /// Its time is later than that of the version.
    Timestamp { updated_at: Spanned<String> },
    /// A value differs from that of the version.
    Check {
        columns: CheckedColumns,
        /// When it changed; the time of the run if the config does not say.
        updated_at: Option<Spanned<String>>,
    },
}

/// The columns that are compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CheckedColumns {
    All,
    These(Vec<Spanned<String>>),
}

/// What becomes of the version of a row that the query no longer has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HardDeletes {
    /// It stays valid.
    Ignore,
    /// It ends.
    Invalidate,
    /// It ends, and a version that is marked as deleted follows.
    NewRecord,
}

/// What the columns are called that a snapshot adds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotColumns {
    pub scd_id: String,
    pub updated_at: String,
    pub valid_from: String,
    pub valid_to: String,
    pub is_deleted: String,
}

impl Default for SnapshotColumns {
    fn default() -> SnapshotColumns {
        SnapshotColumns {
            scd_id: "dbt_scd_id".to_owned(),
            updated_at: "dbt_updated_at".to_owned(),
            valid_from: "dbt_valid_from".to_owned(),
            valid_to: "dbt_valid_to".to_owned(),
            is_deleted: "dbt_is_deleted".to_owned(),
        }
    }
}

impl HardDeletes {
    pub const ALL: [(&'static str, HardDeletes); 3] = [
        ("ignore", HardDeletes::Ignore),
        ("invalidate", HardDeletes::Invalidate),
        ("new_record", HardDeletes::NewRecord),
    ];

    pub fn word(self) -> &'static str {
        match self {
            HardDeletes::Ignore => "ignore",
            HardDeletes::Invalidate => "invalidate",
            HardDeletes::NewRecord => "new_record",
        }
    }
}

impl SnapshotConfig {
    /// The expression for the time at which a row became what it is; `None` if that is the time of the run.
    pub fn updated_at(&self) -> Option<&Spanned<String>> {
        match &self.strategy {
            SnapshotStrategy::Timestamp { updated_at } => Some(updated_at),
            SnapshotStrategy::Check { updated_at, .. } => updated_at.as_ref(),
        }
    }

    /// The columns that are added to those of the query, in dbt's order.
    pub fn added_columns(&self) -> Vec<&str> {
        let columns = &self.columns;
        let mut added = vec![
            columns.scd_id.as_str(),
            columns.updated_at.as_str(),
            columns.valid_from.as_str(),
            columns.valid_to.as_str(),
        ];
        if self.hard_deletes == HardDeletes::NewRecord {
            added.push(&columns.is_deleted);
        }
        added
    }

    /// All of it in one text, which is part of the fingerprint.
    pub fn describe(&self) -> String {
        let values = |texts: &[Spanned<String>]| texts.iter().map(|text| text.value.clone()).collect::<Vec<_>>();
        let strategy = match &self.strategy {
            SnapshotStrategy::Timestamp { updated_at } => format!("timestamp {:?}", updated_at.value),
            SnapshotStrategy::Check { columns, updated_at } => {
                let columns = match columns {
                    CheckedColumns::All => "all".to_owned(),
                    CheckedColumns::These(columns) => format!("{:?}", values(columns)),
                };
                format!("check {columns} {:?}", updated_at.as_ref().map(|column| &column.value))
            }
        };
        let current = self.valid_to_current.as_ref().map(|text| &text.value);
        let key = values(&self.unique_key);
        format!("snapshot {key:?} {strategy} {} {current:?} {:?}", self.hard_deletes.word(), self.added_columns())
    }
}
