//! The bytes of a commit: one action a line, in Delta's format (the Delta protocol, "Actions").

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::table_log::TableLog;
use crate::delta::{
    TableMetadata, TableSchema, Version, add_action, commit_sum, metadata_action, protocol_action, remove_action,
    transaction_action,
};
use crate::name::{TableKey, TableName};
use crate::project::Project;
use crate::table::{
    CommitNote, DataFile, Domain, InputVersion, LedgerName, MADE_AS, SliceKey, SliceMap, TableState, Work,
    transaction_name,
};

/// What a commit says of itself.
#[derive(Debug, Clone)]
pub(crate) struct CommitInfo {
    /// Random, unique to the commit.
    pub token: String,
    pub model: String,
    pub run: String,
    pub why: String,
    pub git: Option<String>,
    /// How the table's rows are told apart, as its config says. None leaves what is known of that.
    pub made_as: Option<String>,
    /// Milliseconds since 1970.
    pub now: i64,
}

/// Who makes a table, as its properties say: several projects, and several targets of one, may share a lake.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Maker {
    pub project: String,
    pub target: String,
}

impl From<&Project> for Maker {
    fn from(project: &Project) -> Self {
        Self { project: project.name.value.clone(), target: project.target.name.clone() }
    }
}

impl Maker {
    /// As they stand in a table's log.
    pub(super) fn properties(&self) -> [(&'static str, &str); 2] {
        [("karat.project", &self.project), ("karat.target", &self.target)]
    }
}

/// What the log of a table says of how it is written.
pub(super) struct LogSettings<'a> {
    pub checkpoint_every: u32,
    pub single_writer: bool,
    /// None in tests of one table.
    pub maker: Option<&'a Maker>,
}

/// A commit before it has become bytes.
pub(super) struct CommitDraft<'a> {
    pub about: &'a CommitInfo,
    /// The state before it; `None` for a table that does not exist.
    pub base: Option<&'a TableState>,
    pub table_id: &'a str,
    pub schema: &'a TableSchema,
    pub partition_columns: &'a [String],
    pub remove: &'a [DataFile],
    pub add: &'a [DataFile],
    pub ledger: LedgerName,
    pub operation: CommitOperation<'a>,
}

/// What kind of change it is.
pub(super) enum CommitOperation<'a> {
    /// Slices were computed.
    Write(&'a Work),
    /// The table is again what it was at this version, with so many rows.
    Restore { version: Version, rows: u64 },
    /// Some files were written anew, with so many rows, which are the same.
    Optimize { rows: u64 },
    /// It is a copy of another target's table, with so many rows.
    Clone { table: &'a TableName, origin: &'a InputVersion, rows: u64 },
}

impl CommitDraft<'_> {
    /// One action a line.
    pub fn to_bytes(&self, log: &TableLog, settings: &LogSettings<'_>) -> Bytes {
        let now = self.about.now;
        let mut lines = vec![self.info()];
        if self.base.is_none() {
            lines.push(protocol_action());
        }
        lines.extend(self.metadata(log, settings));
        lines.push(transaction_action(&transaction_name(&log.name), self.ledger.transaction(), now));
        let changes_data = !matches!(self.operation, CommitOperation::Optimize { .. });
        lines.extend(self.remove.iter().map(|file| remove_action(file, now, changes_data)));
        lines.extend(self.add.iter().map(|file| add_action(file, now, changes_data)));
        let mut bytes = Vec::new();
        for line in lines {
            serde_json::to_writer(&mut bytes, &line).expect("JSON can be written into memory");
            bytes.push(b'\n');
        }
        commit_sum::seal(&mut bytes);
        bytes.into()
    }

    fn info(&self) -> Value {
        let about = self.about;
        let slices = self.operation.changed_slices(self.base);
        let note = CommitNote {
            token: about.token.clone(),
            model: about.model.clone(),
            run: about.run.clone(),
            why: about.why.clone(),
            computed: self.operation.computed_slices().filter(|computed| *computed != slices),
            slices,
            rows: self.operation.rows(),
            ledger: self.ledger.path(),
            inputs: self.operation.inputs(),
            git: about.git.clone(),
        };
        let (operation, parameters) = match self.operation {
            CommitOperation::Write(_) => ("WRITE", json!({"mode": "Overwrite"})),
            CommitOperation::Optimize { .. } => ("OPTIMIZE", json!({"predicate": "[]"})),
            CommitOperation::Restore { version, .. } => ("RESTORE", json!({"version": version.to_string()})),
            // As other engines call it. Nothing is shared with the original.
            CommitOperation::Clone { table, .. } => {
                ("CLONE", json!({"source": table.to_string(), "isShallow": "false"}))
            }
        };
        json!({"commitInfo": {
            "timestamp": about.now,
            "operation": operation,
            "operationParameters": parameters,
            "engineInfo": concat!("karat/", env!("CARGO_PKG_VERSION")),
            "txnId": about.token,
            "karat": note,
            commit_sum::FIELD: commit_sum::UNKNOWN,
        }})
    }

    /// The table's metadata, if it is not in the log as it must be.
    fn metadata(&self, log: &TableLog, settings: &LogSettings<'_>) -> Option<Value> {
        let mut properties: BTreeMap<String, String> =
            self.base.map(|base| base.properties.clone()).unwrap_or_default();
        let own = [
            // Other engines would clean up versions that releases and ledgers need.
            ("delta.enableExpiredLogCleanup", "false".to_owned()),
            ("delta.checkpointInterval", settings.checkpoint_every.to_string()),
            ("karat.modelId", log.name.clone()),
        ];
        properties.extend(own.map(|(name, value)| (name.to_owned(), value)));
        let maker = settings.maker.into_iter().flat_map(Maker::properties);
        properties.extend(maker.map(|(name, value)| (name.to_owned(), value.to_owned())));
        properties.extend(self.about.made_as.iter().map(|made_as| (MADE_AS.to_owned(), made_as.clone())));
        if settings.single_writer {
            properties.insert("karat.singleWriter".to_owned(), "true".to_owned());
        }
        let schema = match self.base {
            Some(base) if base.schema != *self.schema => self.schema.with_notes_of(&base.schema),
            _ => self.schema.clone(),
        };
        let is_same = self.base.is_some_and(|base| {
            base.schema == schema && base.partition_columns == self.partition_columns && base.properties == properties
        });
        // Metadata is repeated only when it changes: a commit that brings some is in conflict with all others (Delta protocol).
        if is_same {
            return None;
        }
        let mut label = self.base.map(|base| base.label.clone()).unwrap_or_default();
        label.name.get_or_insert_with(|| self.about.model.clone());
        label.created.get_or_insert(self.about.now);
        let partition_columns = self.partition_columns.to_vec();
        let id = self.table_id.to_owned();
        Some(metadata_action(&TableMetadata { id, schema, partition_columns, properties, label }))
    }
}

impl CommitOperation<'_> {
    /// The slices whose rows are others after the commit, for people. What something else has changed counts: readers have
    /// seen it.
    fn changed_slices(&self, base: Option<&TableState>) -> String {
        let work = match self {
            CommitOperation::Write(work) => work,
            CommitOperation::Restore { .. } | CommitOperation::Clone { .. } => return "all".to_owned(),
            CommitOperation::Optimize { .. } => return "none".to_owned(),
        };
        let base = base.filter(|base| base.needs_full_rebuild(&work.layout).is_none());
        let before = base.and_then(TableState::known_ledger).map(|ledger| &ledger.slices);
        let changed_externally = base.map(|base| base.changed_externally(&work.layout)).unwrap_or_default();
        let rows_before =
            |slice: &SliceKey| before.and_then(|before| before.get(slice)).map(|entry| entry.rows).unwrap_or_default();
        let rows_now = |slice: &SliceKey| work.slices.get(slice).copied().unwrap_or_default();
        // A table that was cut in another way before has entries that mean nothing now.
        let is_of_layout = |slice: &SliceKey| (*slice == SliceKey::All) != work.layout.is_sliced();
        let is_changed = |slice: &SliceKey| changed_externally.contains(slice) || rows_before(slice) != rows_now(slice);
        let all = before.into_iter().flat_map(SliceMap::keys).chain(work.slices.keys()).chain(&changed_externally);
        let changed: BTreeSet<SliceKey> =
            all.filter(|slice| is_of_layout(slice) && work.covers(**slice) && is_changed(slice)).copied().collect();
        slices_in_words(&changed.into_iter().collect::<Vec<_>>())
    }

    /// The slices with rows that a build computed one by one.
    fn computed_slices(&self) -> Option<String> {
        match self {
            CommitOperation::Write(work) if matches!(work.domain, Domain::Slices(_)) => {
                let computed = work.slices.iter().filter(|(slice, rows)| work.covers(**slice) && rows.rows > 0);
                Some(slices_in_words(&computed.map(|(slice, _)| *slice).collect::<Vec<_>>()))
            }
            CommitOperation::Write(_)
            | CommitOperation::Restore { .. }
            | CommitOperation::Optimize { .. }
            | CommitOperation::Clone { .. } => None,
        }
    }

    fn rows(&self) -> u64 {
        match self {
            CommitOperation::Write(work) => {
                work.slices.iter().filter(|(slice, _)| work.covers(**slice)).map(|(_, rows)| rows.rows).sum()
            }
            CommitOperation::Restore { rows, .. }
            | CommitOperation::Optimize { rows }
            | CommitOperation::Clone { rows, .. } => *rows,
        }
    }

    fn inputs(&self) -> BTreeMap<TableKey, InputVersion> {
        match self {
            CommitOperation::Write(work) => work.provenance.inputs.clone(),
            CommitOperation::Restore { .. } | CommitOperation::Optimize { .. } => BTreeMap::new(),
            CommitOperation::Clone { table, origin, .. } => BTreeMap::from([(table.key(), (*origin).clone())]),
        }
    }
}

fn slices_in_words(slices: &[SliceKey]) -> String {
    let times: Vec<&SliceKey> = slices.iter().filter(|slice| matches!(slice, SliceKey::At(_))).collect();
    match (slices, times.as_slice()) {
        ([], _) => "none".to_owned(),
        ([one], _) => one.to_string(),
        (all, [first, .., last]) => format!("{} slices from {first} to {last}", all.len()),
        (all, _) => all.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
    }
}
