//! The bytes of a commit: one action a line, in Delta's format (the Delta protocol, "Actions").

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use serde_json::{Value, json};

use super::commit::{About, Committer, Maker};
use super::table_log::TableLog;
use crate::partition_writer::to_uri;
use crate::table::{
    CommitNote, DataFile, Domain, InputVersion, LedgerName, MADE_AS, SliceKey, SliceLayout, SliceMap, TableState, Work,
    commit_sum, transaction_name, with_notes_of,
};

/// A commit before it has become bytes.
pub(super) struct Draft<'a> {
    pub about: &'a About,
    /// The state before it; nothing for a table that does not exist.
    pub base: Option<&'a TableState>,
    pub table_id: &'a str,
    /// Delta's schema string.
    pub schema: &'a str,
    pub partition_columns: &'a [String],
    pub remove: &'a [DataFile],
    pub add: &'a [DataFile],
    pub ledger: LedgerName,
    pub deed: Deed<'a>,
}

/// What kind of change it is.
pub(super) enum Deed<'a> {
    /// Slices were computed.
    Write(&'a Work),
    /// The table is again what it was at this version, with so many rows.
    Restore { version: u64, rows: u64 },
}

impl Draft<'_> {
    /// One action a line.
    pub fn to_bytes(&self, log: &TableLog, committer: &Committer) -> Bytes {
        let now = self.about.now;
        let mut lines = vec![self.info()];
        if self.base.is_none() {
            lines.push(json!({"protocol": {"minReaderVersion": 1, "minWriterVersion": 2}}));
        }
        lines.extend(self.metadata(log, committer));
        let version = self.ledger.transaction();
        let transaction = json!({"appId": transaction_name(&log.name), "version": version, "lastUpdated": now});
        lines.push(json!({ "txn": transaction }));
        lines.extend(self.remove.iter().map(|file| remove(file, now)));
        lines.extend(self.add.iter().map(|file| add(file, now)));
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
        let slices = self.deed.changed_slices(self.base);
        let note = CommitNote {
            token: about.token.clone(),
            model: about.model.clone(),
            run: about.run.clone(),
            why: about.why.clone(),
            computed: self.deed.computed_slices().filter(|computed| *computed != slices),
            slices,
            rows: self.deed.rows(),
            ledger: self.ledger.path(),
            inputs: self.deed.inputs(),
            git: about.git.clone(),
        };
        let (operation, parameters) = match self.deed {
            Deed::Write(_) => ("WRITE", json!({"mode": "Overwrite"})),
            Deed::Restore { version, .. } => ("RESTORE", json!({"version": version.to_string()})),
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
    fn metadata(&self, log: &TableLog, committer: &Committer) -> Option<Value> {
        let mut properties: BTreeMap<String, String> =
            self.base.map(|base| base.properties.clone()).unwrap_or_default();
        let own = [
            // Other engines would clean up versions that releases and ledgers need.
            ("delta.enableExpiredLogCleanup", "false".to_owned()),
            ("delta.checkpointInterval", committer.checkpoint_every.to_string()),
            ("karat.modelId", log.name.clone()),
        ];
        properties.extend(own.map(|(name, value)| (name.to_owned(), value)));
        let maker = committer.maker.iter().flat_map(Maker::properties);
        properties.extend(maker.map(|(name, value)| (name.to_owned(), value.to_owned())));
        properties.extend(self.about.made_as.iter().map(|made_as| (MADE_AS.to_owned(), made_as.clone())));
        if committer.single_writer {
            properties.insert("karat.singleWriter".to_owned(), "true".to_owned());
        }
        let schema = match self.base {
            Some(base) if base.schema != self.schema => with_notes_of(self.schema, &base.schema),
            _ => self.schema.to_owned(),
        };
        let label = self.base.map(|base| base.label.clone()).unwrap_or_default();
        let is_same = self.base.is_some_and(|base| {
            base.schema == schema && base.partition_columns == self.partition_columns && base.properties == properties
        });
        if is_same {
            return None;
        }
        let mut metadata = json!({
            "id": self.table_id,
            "name": label.name.as_deref().unwrap_or(&self.about.model),
            "format": {"provider": "parquet", "options": {}},
            "schemaString": schema,
            "partitionColumns": self.partition_columns,
            "createdTime": label.created.unwrap_or(self.about.now),
            "configuration": properties,
        });
        if let (Some(description), Some(fields)) = (label.description, metadata.as_object_mut()) {
            fields.insert("description".to_owned(), description.into());
        }
        Some(json!({ "metaData": metadata }))
    }
}

impl Deed<'_> {
    /// The slices whose rows are others after the commit, for people. What something else has changed counts: readers have
    /// seen it.
    fn changed_slices(&self, base: Option<&TableState>) -> String {
        let work = match self {
            Deed::Write(work) => work,
            Deed::Restore { .. } => return "all".to_owned(),
        };
        let is_cut_alike = |base: &&TableState| base.hides_slices(&work.layout).is_none();
        let base = base.filter(is_cut_alike);
        let before = base.and_then(TableState::known_ledger).map(|ledger| &ledger.slices);
        let tainted = base.map(|base| base.tainted(&work.layout)).unwrap_or_default();
        let rows_before =
            |slice: &SliceKey| before.and_then(|before| before.get(slice)).map(|entry| entry.rows).unwrap_or_default();
        let rows_now = |slice: &SliceKey| work.slices.get(slice).copied().unwrap_or_default();
        // A table that was cut in another way before has entries that mean nothing now.
        let is_of_layout = |slice: &SliceKey| (*slice == SliceKey::All) == (work.layout == SliceLayout::Whole);
        let is_changed = |slice: &SliceKey| tainted.contains(slice) || rows_before(slice) != rows_now(slice);
        let all = before.into_iter().flat_map(SliceMap::keys).chain(work.slices.keys()).chain(&tainted);
        let changed: BTreeSet<SliceKey> =
            all.filter(|slice| is_of_layout(slice) && work.covers(**slice) && is_changed(slice)).copied().collect();
        told(&changed.into_iter().collect::<Vec<_>>())
    }

    /// The slices with rows that a build computed one by one.
    fn computed_slices(&self) -> Option<String> {
        match self {
            Deed::Write(work) if matches!(work.domain, Domain::Slices(_)) => {
                let computed = work.slices.iter().filter(|(slice, rows)| work.covers(**slice) && rows.rows > 0);
                Some(told(&computed.map(|(slice, _)| *slice).collect::<Vec<_>>()))
            }
            Deed::Write(_) | Deed::Restore { .. } => None,
        }
    }

    fn rows(&self) -> u64 {
        match self {
            Deed::Write(work) => {
                work.slices.iter().filter(|(slice, _)| work.covers(**slice)).map(|(_, rows)| rows.rows).sum()
            }
            Deed::Restore { rows, .. } => *rows,
        }
    }

    fn inputs(&self) -> BTreeMap<String, InputVersion> {
        match self {
            Deed::Write(work) => work.provenance.inputs.clone(),
            Deed::Restore { .. } => BTreeMap::new(),
        }
    }
}

fn told(slices: &[SliceKey]) -> String {
    let times: Vec<&SliceKey> = slices.iter().filter(|slice| matches!(slice, SliceKey::At(_))).collect();
    match (slices, times.as_slice()) {
        ([], _) => "none".to_owned(),
        ([one], _) => one.to_string(),
        (all, [first, .., last]) => format!("{} slices from {first} to {last}", all.len()),
        (all, _) => all.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
    }
}

fn add(file: &DataFile, now: i64) -> Value {
    json!({"add": {
        "path": to_uri(&file.path),
        "partitionValues": file.partition,
        "size": file.bytes,
        "modificationTime": now,
        "dataChange": true,
        "stats": file.stats,
    }})
}

fn remove(file: &DataFile, now: i64) -> Value {
    json!({"remove": {
        "path": to_uri(&file.path),
        "deletionTimestamp": now,
        "dataChange": true,
        "extendedFileMetadata": true,
        "partitionValues": file.partition,
        "size": file.bytes,
    }})
}

#[cfg(test)]
mod tests {
    use crate::partition_writer::{from_uri, to_uri};

    #[test]
    fn a_path_survives_the_log() {
        for path in ["event_date=2023-05-03/part-1.parquet", "country=C%C3%B4te/é x.parquet", "a%3Ab/c.parquet"] {
            assert_eq!(from_uri(&to_uri(path)), path);
        }
    }
}
