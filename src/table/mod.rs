//! What was observed of a table: its version, its files and its ledger. No IO.

mod backfill;
mod bad_record_count;
mod conflict;
mod copied_ledger;
mod fingerprint;
mod freshness;
mod layers;
mod layout;
mod ledger;
mod log_actions;
mod next_ledger;
mod packed;
mod passed_tests;
mod provenance;
mod record;
mod schema_change;
mod slice;
mod slice_map;
mod slice_set;
mod source_facts;
mod source_files;
mod work;

pub(crate) use crate::delta::{DataFile, PartitionValues, SharedText, Version};
pub(crate) use backfill::Backfill;
pub(crate) use bad_record_count::BadRecordCount;
pub(crate) use conflict::{Resolution, resolve_conflict};
pub(crate) use copied_ledger::{LedgerCopy, StaleSlices};
pub(crate) use fingerprint::Fingerprint;
pub(crate) use freshness::behind;
pub(crate) use layout::{FileDigest, FileDigests, SliceLayout};
pub(crate) use ledger::{Ledger, LedgerLayer, LedgerLayers, LedgerName, RowChanges, SliceEntry};
pub(crate) use log_actions::{LogActions, files_after, ledgers_after, transaction_name};
pub(crate) use next_ledger::NextVersion;
pub(crate) use packed::{Packer, Unpacker, decompressed};
pub(crate) use passed_tests::{PassedTests, TestedVersions};
pub(crate) use provenance::{InputVersion, Provenance, ProvenanceDigest};
pub(crate) use record::CommitNote;
pub(crate) use schema_change::{Difference, RefusedColumns, SchemaChange};
pub(crate) use slice::{SliceKey, SliceRows};
pub(crate) use slice_map::SliceMap;
pub(crate) use slice_set::SliceSet;
pub(crate) use source_facts::{FactsName, SourceFacts, StoredFacts};
pub(crate) use source_files::{Conversion, Conversions, FileSlices, SourceEntry, SourceFileFacts, SourceListing};
pub(crate) use work::{Domain, Work};

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::delta::{Protocol, TableLabel, TableSchema, unsupported};
use crate::name::TableName;

/// A table at one version.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TableState {
    /// Delta's table id: another id means another table under the same name.
    pub id: String,
    pub version: Version,
    /// Sorted by path.
    pub files: Arc<Vec<DataFile>>,
    pub partition_columns: Vec<String>,
    pub schema: TableSchema,
    /// Delta's table properties.
    pub properties: BTreeMap<String, String>,
    /// What the log asks of those who read or write the table.
    pub protocol: Protocol,
    /// What the log says of the table for people.
    pub label: TableLabel,
    /// What is read of the log whenever the table is.
    pub log: LogLength,
    /// The ledger that the log names.
    pub transaction: Option<LedgerName>,
    /// The ledgers that the table had at those versions whose commits were read.
    pub recent: RecentLedgers,
    pub ledger: LedgerFound,
    /// What was done to the table after its ledger was written.
    pub since: SinceLedger,
    /// The newest version that may have changed rows: all later ones only rearranged files.
    pub data_version: Version,
    /// Where it is, if it was read in the place of a table that is not in the lake.
    pub elsewhere: Option<Arc<Elsewhere>>,
}

/// A table of another target that is read in the place of one of this target. It is never written to, and no release of
/// this target shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Elsewhere {
    pub target: String,
    /// Its name there.
    pub table: TableName,
}

/// What must be read of a log to know its table: the newest checkpoint, and all commits after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct LogLength {
    /// The version of the newest checkpoint.
    pub checkpoint: Option<Version>,
    /// Its size; 0 if there is none.
    pub checkpoint_bytes: u64,
    /// The size of the commits after it.
    pub bytes: u64,
    /// How many files those commits name.
    pub files: u64,
}

/// By version the ledger that a table had then.
pub(crate) type RecentLedgers = Arc<BTreeMap<Version, LedgerName>>;

/// The ledger of a table, or why there is none.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum LedgerFound {
    Known(Arc<Ledger>),
    Unknown(String),
}

/// What other writers did to a table after karat's last commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SinceLedger {
    Nothing,
    /// Files were rewritten without a change of rows in some commits; in these partitions rows changed.
    Commits(Vec<PartitionValues>),
    /// The commits can no longer be read.
    Unreadable,
}

/// The state of every table that was looked at; `None` for one that does not exist.
pub(crate) type Tables = BTreeMap<TableName, Option<Arc<TableState>>>;

/// The property of a table that says by which config its rows are told apart.
pub(crate) const MADE_AS: &str = "karat.madeAs";

impl TableState {
    pub fn known_ledger(&self) -> Option<&Arc<Ledger>> {
        match &self.ledger {
            LedgerFound::Known(ledger) => Some(ledger),
            LedgerFound::Unknown(_) => None,
        }
    }

    /// This state as the input of another table.
    pub fn as_input(&self) -> InputVersion {
        let target = self.elsewhere.as_ref().map(|elsewhere| elsewhere.target.clone());
        let ledger = self.transaction;
        InputVersion::Table { id: self.id.clone(), version: self.version, ledger, target, copied: false }
    }

    /// Why no part of the table can be built alone, if so: without a ledger, or after a change by something else, files
    /// that slices share may hold rows of slices that nobody would ever look at again.
    pub fn needs_full_rebuild(&self, layout: &SliceLayout) -> Option<&str> {
        const FOREIGN: &str = "something other than karat changed it";
        match &self.ledger {
            _ if *layout != SliceLayout::Shared => None,
            LedgerFound::Unknown(reason) => Some(reason),
            LedgerFound::Known(ledger) => {
                let is_unknown = ledger.slices.is_empty() && !self.files.is_empty();
                (is_unknown || !self.changed_externally(layout).is_empty()).then_some(FOREIGN)
            }
        }
    }

    /// What the table asks of its writers that karat does not do. Returns `None` if karat may write to it.
    pub fn unsupported(&self) -> Option<String> {
        unsupported(&self.protocol, &self.properties, &self.schema)
    }

    /// The digests of the files that hold each slice.
    pub fn digests(&self, layout: &SliceLayout) -> FileDigests {
        layout.digests(self.files.iter())
    }
}
