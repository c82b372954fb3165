//! Materializations: how a model becomes a table, or does not. Each is one file and one word in [`ALL`].
//!
//! Everything else asks the trait and never which materialization it is: the config whether it fits, the fingerprint what
//! belongs into it, planning and deciding for the [`Upkeep`]. It stands in the front half, because configs are checked
//! there; so it says as data how a table is kept up, and `incremental` and `run` know how each upkeep is done.

mod append;
mod delete_insert;
mod ephemeral;
mod merge;
mod options;
mod seed;
mod slices;
mod snapshot;
mod table;
mod test;
mod view;

use std::fmt;

pub use options::Options;

use super::config::{OnSchemaChange, UpdatedColumns};
use crate::diag::{Checked, Sink};
use crate::name::TableName;

/// Every materialization, in the order in which messages list them.
pub static ALL: [&dyn Materialization; 7] = [
    &view::View,
    &ephemeral::Ephemeral,
    &table::Table,
    &slices::Slices,
    &append::Append,
    &merge::Merge,
    &delete_insert::DeleteInsert,
];

/// What every seed is.
pub static SEED: &dyn Materialization = &seed::SeedTable;

/// What every snapshot is.
pub static SNAPSHOT: &dyn Materialization = &snapshot::SnapshotTable;

/// What the rows that break a data test are.
pub static TEST: &dyn Materialization = &test::TestTable;

/// What a model is if its config does not say.
pub static DEFAULT: &dyn Materialization = &view::View;

/// How a model becomes a table, or does not.
pub trait Materialization: fmt::Debug + Sync {
    /// The value of the config `materialized`.
    fn word(&self) -> &'static str;

    /// The value of the config `incremental_strategy`, where one word of `materialized` stands for several.
    fn strategy(&self) -> Option<&'static str> {
        None
    }

    /// How later runs bring the table up to date.
    fn upkeep(&self) -> Upkeep;

    /// Checks that it has the other configs that it needs.
    ///
    /// # Errors
    ///
    /// If one is missing, or contradicts another; the sink has been told.
    fn check(&self, _options: &Options<'_>, _sink: &mut Sink) -> Checked<()> {
        Ok(())
    }

    /// Whether `unique_key` means something to it.
    fn finds_rows_by_key(&self) -> bool {
        false
    }

    /// Whether it means something to it which columns of a row a batch changes.
    fn updates_columns(&self) -> bool {
        false
    }

    /// What a model is called in lists of plans.
    fn label(&self, table: &TableName) -> String {
        format!("{} {table}", self.word())
    }

    /// What decides the rows of a table besides its SQL and what all materializations share. The text goes into the
    /// fingerprints of tables that are built: another text makes all of them stale.
    fn fingerprint_part(&self, options: &Options<'_>) -> String {
        let Some(strategy) = self.strategy() else { return String::new() };
        let key: Vec<&str> = options.unique_key.iter().map(|column| column.value.as_str()).collect();
        let ignores = match options.on_schema_change {
            OnSchemaChange::Ignore => "ignore",
            // These only say how a table comes to the model's columns.
            OnSchemaChange::Fail | OnSchemaChange::AppendNewColumns | OnSchemaChange::SyncAllColumns => "",
        };
        format!("{strategy} {} {ignores}{}", key.join(","), describe_updated(options.updated_columns))
    }

    /// Whether files are written for it.
    fn is_stored(&self) -> bool {
        self.upkeep() != Upkeep::Inlined
    }

    /// Whether later builds may build a part of it: then its SQL may ask `is_incremental()`.
    fn is_incremental(&self) -> bool {
        self.has_parts()
    }

    /// Whether builds may write a part of its table.
    fn has_parts(&self) -> bool {
        match self.upkeep() {
            Upkeep::Slices | Upkeep::Batch(_) => true,
            Upkeep::Inlined | Upkeep::Whole => false,
        }
    }

    /// Whether its table is a history that no build can make again, so that nothing may replace it.
    fn keeps_versions(&self) -> bool {
        self.batch() == Some(BatchWrite::Versions)
    }

    /// Whether its rows come from a file of the project, which `karat seed` loads, and not from a SELECT.
    fn is_loaded(&self) -> bool {
        false
    }

    /// Whether its table is cut into slices by `event_time`.
    fn is_sliced(&self) -> bool {
        self.upkeep() == Upkeep::Slices
    }

    /// How a batch comes to its table, if it is kept up by batches.
    fn batch(&self) -> Option<BatchWrite> {
        match self.upkeep() {
            Upkeep::Batch(write) => Some(write),
            Upkeep::Inlined | Upkeep::Whole | Upkeep::Slices => None,
        }
    }

    /// Whether its table holds what a full refresh would build: not if it was added to by batches, each of which read the
    /// inputs and the table itself as they were then.
    fn is_refresh_equivalent(&self) -> bool {
        self.batch().is_none()
    }

    /// Whether a key stands in one row of the table at most.
    fn has_one_row_a_key(&self) -> bool {
        self.batch() == Some(BatchWrite::Merge)
    }
}

/// How later runs bring a table up to date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Upkeep {
    /// There is no table: the SQL stands wherever the model is read.
    Inlined,
    /// A table that is stale is built whole.
    Whole,
    /// Slices of event time that are stale are built anew.
    Slices,
    /// What came since is added as a batch, and what the table holds already stays.
    Batch(BatchWrite),
}

/// How the rows of a batch come to the rows of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BatchWrite {
    /// They are added.
    Append,
    /// They go in the place of those with the same keys; a key stands in one row.
    Merge,
    /// The rows whose keys stand in the batch go, and the batch is added.
    DeleteInsert,
    /// They are versions of rows: the valid version of each key in the batch goes, and the batch has it with its end.
    Versions,
}

/// Returns which columns of rows that are there a batch changes, in whatever order they are written; empty where it is all,
/// so that tables from before there was a choice are not stale.
fn describe_updated(updated: &UpdatedColumns) -> String {
    let (word, columns) = match updated {
        UpdatedColumns::All => return String::new(),
        UpdatedColumns::Only(columns) => ("only", columns),
        UpdatedColumns::AllBut(columns) => ("all but", columns),
    };
    let mut names: Vec<&str> = columns.iter().map(|column| column.value.as_str()).collect();
    names.sort_unstable();
    format!(" {word} {names:?}")
}

fn incremental_label(table: &TableName) -> String {
    format!("incremental table {table}")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn words_tell_materializations_apart() {
        let words: BTreeSet<_> = ALL.iter().map(|one| (one.word(), one.strategy())).collect();
        assert_eq!(words.len(), ALL.len());
        assert!(words.contains(&(DEFAULT.word(), DEFAULT.strategy())));
    }

    #[test]
    fn a_materialization_without_a_table_has_none_of_what_tables_have() {
        for one in ALL.iter().filter(|one| !one.is_stored()) {
            assert!(!one.is_incremental() && !one.is_sliced() && one.batch().is_none(), "{one:?}");
        }
    }
}
