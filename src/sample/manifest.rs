//! What was written, counted exactly: the yardstick for whoever loads the sample.

use super::SampleOptions;
use serde::Serialize;
use std::collections::BTreeMap;

/// What a sample holds.
///
/// A *record* is what a reader of CSV finds after the header: a row, or something broken where a row should be. A
/// record with a line end inside quotes is one record on two lines; a blank line is a line and no record. Every record
/// is either a bronze row or quarantined, so `records = bronze_rows + quarantined` for every file and for both sources.
#[derive(Debug, Serialize, PartialEq)]
pub(crate) struct Manifest {
    pub(crate) options: SampleOptions,
    pub(crate) user_interactions: SourceManifest,
    pub(crate) user_metadata: SourceManifest,
    pub(crate) expected: Expected,
}

/// One source: its files and their sums.
#[derive(Debug, Serialize, PartialEq, Default)]
pub(crate) struct SourceManifest {
    /// All records; for `user_interactions` exactly the number of rows that was asked for.
    pub(crate) records: u64,
    pub(crate) bronze_rows: u64,
    pub(crate) quarantined: u64,
    /// Quarantined records by reason.
    pub(crate) quarantined_by_reason: BTreeMap<&'static str, u64>,
    /// How often each kind of dirt was written; a record has at most one kind, besides being late. `blank_lines`,
    /// `crlf_lines` (lines that end in CRLF, the header too) and `byte_order_marks` are no records.
    pub(crate) dirt: BTreeMap<&'static str, u64>,
    pub(crate) files: Vec<FileManifest>,
}

/// One file.
#[derive(Debug, Serialize, PartialEq, Default)]
pub(crate) struct FileManifest {
    pub(crate) name: String,
    /// Line feeds, so the header, blank lines and line ends inside quotes count.
    pub(crate) lines: u64,
    pub(crate) records: u64,
    pub(crate) bronze_rows: u64,
    pub(crate) quarantined: u64,
}

/// What cleaning the interactions must arrive at.
#[derive(Debug, Serialize, PartialEq, Default)]
pub(crate) struct Expected {
    /// Bronze rows that silver rejects, by reason.
    pub(crate) rejected: BTreeMap<&'static str, u64>,
    /// Rows that repeat the key of another: exact, near and redelivered duplicates.
    pub(crate) duplicates: u64,
    /// Rows of `silver.fct_interactions`: bronze rows that are neither rejected nor duplicates.
    pub(crate) fct_interactions: u64,
    /// Rows of `silver.fct_interactions` by `duration_status`.
    pub(crate) duration_status: BTreeMap<&'static str, u64>,
    /// Rows of `silver.fct_interactions` whose user is not in the metadata.
    pub(crate) unknown_users: u64,
    /// Rows of `silver.dim_users`.
    pub(crate) dim_users: u64,
}

impl SourceManifest {
    pub(super) fn count(&mut self, dirt: &'static str, times: u64) {
        if times > 0 {
            *self.dirt.entry(dirt).or_default() += times;
        }
    }

    pub(super) fn quarantine(&mut self, reason: &'static str, records: u64) {
        if records > 0 {
            *self.quarantined_by_reason.entry(reason).or_default() += records;
        }
    }

    pub(super) fn add_file(&mut self, mut file: FileManifest) {
        file.bronze_rows = file.records - file.quarantined;
        self.records += file.records;
        self.bronze_rows += file.bronze_rows;
        self.quarantined += file.quarantined;
        self.files.push(file);
    }
}
