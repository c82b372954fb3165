//! What was observed of a table: its version, its files and its ledger. No IO.

mod backfill;
mod bad_record_count;
mod column;
pub(crate) mod commit_sum;
mod contest;
mod features;
mod freshness;
mod layers;
mod layout;
mod ledger;
mod log_actions;
mod packed;
mod partition_values;
mod provenance;
mod record;
mod schema_change;
mod slice;
mod slice_map;
mod slice_set;
mod source_facts;
mod source_files;
mod text;

pub(crate) use backfill::Backfill;
pub(crate) use bad_record_count::BadRecordCount;
pub(crate) use column::stored_columns;
pub(crate) use contest::{Contest, Domain, Work, contest};
pub(crate) use features::{Protocol, with_notes_of};
pub(crate) use freshness::behind;
pub(crate) use layout::{FileDigest, FileDigests, SliceLayout};
pub(crate) use ledger::{Changes, Entry, Ledger, LedgerLayer, LedgerLayers, LedgerName};
pub(crate) use log_actions::{LogActions, files_after, ledgers_after, transaction_name};
pub(crate) use partition_values::PartitionValues;
pub(crate) use provenance::{InputVersion, Provenance, ProvenanceDigest};
pub(crate) use record::CommitNote;
pub(crate) use schema_change::{Difference, Refused, SchemaChange};
pub(crate) use slice::{SliceKey, SliceRows};
pub(crate) use slice_map::SliceMap;
pub(crate) use slice_set::SliceSet;
pub(crate) use source_facts::{FactsName, SourceFacts, StoredFacts};
pub(crate) use source_files::{Conversion, Conversions, FileSlices, SourceEntry, SourceFileFacts, SourceListing};
pub(crate) use text::Text;

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::NaiveDateTime;

use crate::day::parse_stored;
use crate::name::TableName;

/// A table at one version.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TableState {
    /// Delta's table id: another id means another table under the same name.
    pub id: String,
    pub version: u64,
    /// Sorted by path.
    pub files: Arc<Vec<DataFile>>,
    pub partition_columns: Vec<String>,
    /// Delta's schema string.
    pub schema: String,
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
    pub data_version: u64,
}

/// What must be read of a log to know its table: the newest checkpoint, and all commits after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct LogLength {
    /// The version of the newest checkpoint.
    pub checkpoint: Option<u64>,
    /// Its size; 0 if there is none.
    pub checkpoint_bytes: u64,
    /// The size of the commits after it.
    pub bytes: u64,
    /// How many files those commits name.
    pub files: u64,
}

/// By version the ledger that a table had then.
pub(crate) type RecentLedgers = Arc<BTreeMap<u64, LedgerName>>;

/// Metadata of a table that decides nothing, and is kept as it is found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct TableLabel {
    pub name: Option<String>,
    pub description: Option<String>,
    /// Milliseconds since 1970.
    pub created: Option<i64>,
}

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

/// One data file of a table.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct DataFile {
    /// Relative to the table's folder, decoded.
    pub path: Text,
    pub partition: PartitionValues,
    pub bytes: u64,
    pub rows: Option<u64>,
    /// Delta's statistics, as JSON text.
    pub stats: Option<Text>,
}

/// The state of every table that was looked at; nothing for one that does not exist.
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
        InputVersion::Table { id: self.id.clone(), version: self.version, ledger: self.transaction }
    }

    /// Why no part of the table can be built alone, if so: without a ledger, or after a change by something else, files
    /// that slices share may hold rows of slices that nobody would ever look at again.
    pub fn hides_slices(&self, layout: &SliceLayout) -> Option<&str> {
        const FOREIGN: &str = "something other than karat changed it";
        match &self.ledger {
            _ if *layout != SliceLayout::Shared => None,
            LedgerFound::Unknown(reason) => Some(reason),
            LedgerFound::Known(ledger) => {
                let is_unknown = ledger.slices.is_empty() && !self.files.is_empty();
                (is_unknown || !self.tainted(layout).is_empty()).then_some(FOREIGN)
            }
        }
    }

    /// The digests of the files that hold each slice.
    pub fn digests(&self, layout: &SliceLayout) -> FileDigests {
        layout.digests(self.files.iter())
    }
}

impl DataFile {
    /// The first and the last time that a column has in the file; nothing if statistics do not tell.
    pub fn times(&self, column: &str) -> Option<(NaiveDateTime, NaiveDateTime)> {
        let stats: serde_json::Value = serde_json::from_str(self.stats.as_deref()?).ok()?;
        let bound = |which: &str| {
            let text = stats.get(which)?.get(column)?.as_str()?;
            parse_stored(text)
        };
        Some((bound("minValues")?, bound("maxValues")?))
    }

    /// Whether a column may be null in the file: it is not only if statistics say so.
    pub fn may_be_null(&self, column: &str) -> bool {
        let stats = self.stats.as_deref().and_then(|stats| serde_json::from_str::<serde_json::Value>(stats).ok());
        stats.and_then(|stats| stats.get("nullCount")?.get(column)?.as_u64()) != Some(0)
    }

    /// The number of rows that Delta's statistics tell.
    pub fn rows_of(stats: &str) -> Option<u64> {
        // Most writers put it first, and there are many files.
        if let Some((number, _)) = stats.strip_prefix(r#"{"numRecords":"#).and_then(|rest| rest.split_once([',', '}']))
            && let Ok(rows) = number.parse()
        {
            return Some(rows);
        }
        #[derive(serde::Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Stats {
            num_records: Option<u64>,
        }
        serde_json::from_str::<Stats>(stats).ok()?.num_records
    }
}
