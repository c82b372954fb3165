//! What a commit in a table's log says, read line by line, and what a table is after it.
//!
//! The format is that of the Delta protocol (`PROTOCOL.md`, "Actions"); actions that are not needed here are skipped.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{CommitNote, LedgerFound, LedgerName, LogLength, RecentLedgers, SinceLedger, TableState};
use crate::delta::{
    CommitAction, DataFile, FileAction, PartitionValues, Protocol, TableLabel, TableMetadata, TableSchema, Version,
    commit_sum,
};

/// One commit.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct LogActions {
    pub add: Vec<DataFile>,
    /// Paths of files that went.
    pub remove: Vec<String>,
    /// The partitions of files that came or went with other data than before; none after a mere rearrangement.
    pub touched: Vec<PartitionValues>,
    /// Whether rows came or went.
    pub changes_data: bool,
    pub metadata: Option<TableMetadata>,
    /// What it asks from then on of readers and writers.
    pub protocol: Option<Protocol>,
    /// The ledger that the commit names.
    pub ledger: Option<LedgerName>,
    /// What karat wrote beside the data; `None` if another writer made the commit.
    pub note: Option<CommitNote>,
    /// What kind of change the writer called it.
    pub operation: Option<String>,
    /// What the writer calls itself.
    pub engine: Option<String>,
    /// The writer's clock, milliseconds since 1970.
    pub timestamp: Option<i64>,
    /// The size of the commit in the log.
    pub bytes: u64,
}

/// Under which name karat's transactions stand in a log: a model's table is never written under another.
pub(crate) fn transaction_name(table: &str) -> String {
    format!("karat/{table}")
}

impl LogActions {
    /// Reads a commit of the table of this name, `schema.table`.
    ///
    /// # Errors
    ///
    /// What is wrong with the commit, in words: a line that is not JSON, or a checksum that does not fit.
    pub fn parse(table: &str, bytes: &[u8]) -> Result<LogActions, String> {
        commit_sum::check(bytes)?;
        let mut actions = LogActions { bytes: bytes.len() as u64, ..LogActions::default() };
        let name = transaction_name(table);
        for line in CommitAction::all(bytes) {
            let line = line?;
            if let Some(file) = line.add {
                actions.change(&file);
                actions.add.push(file.into());
            }
            if let Some(file) = line.remove {
                actions.change(&file);
                actions.remove.push(file.path());
            }
            if let Some(metadata) = line.metadata {
                actions.metadata = Some(metadata.into());
            }
            if line.protocol.is_some() {
                actions.protocol = line.protocol;
            }
            if let Some(transaction) = line.txn
                && transaction.app_id == name
            {
                actions.ledger = LedgerName::from_transaction(transaction.version);
            }
            if let Some(info) = line.info {
                actions.timestamp = info.timestamp;
                actions.operation = info.operation;
                actions.engine = info.engine_info;
                actions.note = info.karat.and_then(|note| serde_json::from_value(note).ok());
            }
        }
        Ok(actions)
    }

    fn change(&mut self, file: &FileAction) {
        if file.data_change {
            self.changes_data = true;
            self.touched.push(file.partition());
        }
    }

    /// How many files it names.
    pub fn files_named(&self) -> u64 {
        (self.add.len() + self.remove.len()) as u64
    }

    /// The token of the commit, if karat made it.
    pub fn token(&self) -> Option<&str> {
        self.note.as_ref().map(|note| note.token.as_str())
    }
}

impl TableState {
    /// The table before its first commit, which only that commit can fill.
    pub fn empty() -> TableState {
        TableState {
            id: String::new(),
            version: Version::FIRST,
            files: Arc::default(),
            partition_columns: Vec::new(),
            schema: TableSchema::default(),
            properties: BTreeMap::new(),
            protocol: Protocol::OWN,
            label: TableLabel::default(),
            log: LogLength::default(),
            transaction: None,
            recent: RecentLedgers::default(),
            ledger: LedgerFound::Unknown("it has no ledger".to_owned()),
            since: SinceLedger::Nothing,
            data_version: Version::FIRST,
            elsewhere: None,
        }
    }

    /// The table after some more commits, in their order: these and no others came after this state. Its ledger is
    /// not known yet; the name of it is in `transaction`.
    pub fn after(&self, commits: &[(Version, LogActions)]) -> TableState {
        let files = files_after(&self.files, commits.iter().map(|(_, actions)| actions));
        let mut state = TableState { files: Arc::new(files), ..self.clone() };
        let ledgers = ledgers_after(state.transaction, commits.iter().map(|(version, actions)| (*version, actions)));
        Arc::make_mut(&mut state.recent).extend(ledgers);
        for (version, actions) in commits {
            state.version = *version;
            state.log.files += actions.files_named();
            state.log.bytes += actions.bytes;
            state.transaction = actions.ledger.or(state.transaction);
            if actions.changes_data {
                state.data_version = *version;
            }
            if let Some(metadata) = actions.metadata.clone() {
                state.id = metadata.id;
                state.schema = metadata.schema;
                state.partition_columns = metadata.partition_columns;
                state.properties = metadata.properties;
                state.label = metadata.label;
            }
            if let Some(protocol) = actions.protocol.clone() {
                state.protocol = protocol;
            }
        }
        state
    }
}

/// The ledgers that a table has after each of some commits in their order, as far as they are known.
pub(crate) fn ledgers_after<'c>(
    before: Option<LedgerName>,
    commits: impl Iterator<Item = (Version, &'c LogActions)>,
) -> impl Iterator<Item = (Version, LedgerName)> {
    let named = commits.scan(before, |newest, (version, actions)| {
        *newest = actions.ledger.or(*newest);
        Some((version, *newest))
    });
    named.filter_map(|(version, ledger)| Some((version, ledger?)))
}

/// The files of a table, in the order of their paths, after some more commits in their order.
pub(crate) fn files_after<'c>(files: &[DataFile], commits: impl Iterator<Item = &'c LogActions>) -> Vec<DataFile> {
    let mut named: BTreeMap<&str, Option<&DataFile>> = BTreeMap::new();
    for actions in commits {
        named.extend(actions.remove.iter().map(|path| (path.as_str(), None)));
        named.extend(actions.add.iter().map(|file| (file.path.as_str(), Some(file))));
    }
    let mut after = Vec::with_capacity(files.len() + named.len());
    let mut named = named.into_iter().peekable();
    for file in files {
        while let Some((_, added)) = named.next_if(|(path, _)| *path < file.path.as_str()) {
            after.extend(added.cloned());
        }
        match named.next_if(|(path, _)| *path == file.path.as_str()) {
            Some((_, added)) => after.extend(added.cloned()),
            None => after.push(file.clone()),
        }
    }
    after.extend(named.filter_map(|(_, added)| added.cloned()));
    after
}
