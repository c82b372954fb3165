//! The bytes of a commit: one action a line, in Delta's format (the Delta protocol, "Actions").

use std::collections::BTreeMap;

use bytes::Bytes;
use serde_json::{Value, json};

use super::commit::{Change, Committer};
use super::table_log::TableLog;
use crate::partition_writer::to_uri;
use crate::table::{CommitNote, DataFile, LedgerName, SliceKey, Work, transaction_name};

/// The bytes of this change as a commit that names this ledger.
pub(super) fn commit_bytes(
    log: &TableLog,
    change: &Change,
    (table_id, ledger): (&str, LedgerName),
    committer: &Committer,
) -> Bytes {
    let now = change.about.now;
    let mut lines = vec![info(change, ledger)];
    if change.base.is_none() {
        lines.push(json!({"protocol": {"minReaderVersion": 1, "minWriterVersion": 2}}));
    }
    lines.extend(metadata(log, change, table_id, committer));
    let transaction =
        json!({"appId": transaction_name(&log.name), "version": ledger.transaction(), "lastUpdated": now});
    lines.push(json!({ "txn": transaction }));
    lines.extend(change.remove.iter().map(|file| remove(file, now)));
    lines.extend(change.add.iter().map(|file| add(file, now)));
    let mut bytes = Vec::new();
    for line in lines {
        serde_json::to_writer(&mut bytes, &line).expect("JSON can be written into memory");
        bytes.push(b'\n');
    }
    bytes.into()
}

fn info(change: &Change, ledger: LedgerName) -> Value {
    let about = &change.about;
    let note = CommitNote {
        token: about.token.clone(),
        model: about.model.clone(),
        run: about.run.clone(),
        why: about.why.clone(),
        slices: told(&change.work),
        rows: change
            .work
            .slices
            .iter()
            .filter(|(slice, _)| change.work.covers(**slice))
            .map(|(_, rows)| rows.rows)
            .sum(),
        ledger: ledger.path(),
        inputs: change.work.provenance.inputs.clone(),
        git: about.git.clone(),
    };
    json!({"commitInfo": {
        "timestamp": about.now,
        "operation": "WRITE",
        "operationParameters": {"mode": "Overwrite"},
        "engineInfo": concat!("karat/", env!("CARGO_PKG_VERSION")),
        "txnId": about.token,
        "karat": note,
    }})
}

/// The slices of a commit for people.
fn told(work: &Work) -> String {
    let slices: Vec<&SliceKey> = work.slices.keys().filter(|slice| work.covers(**slice)).collect();
    let times: Vec<&&SliceKey> = slices.iter().filter(|slice| matches!(slice, SliceKey::At(_))).collect();
    match (slices.as_slice(), times.as_slice()) {
        ([], _) => "none".to_owned(),
        ([one], _) => one.to_string(),
        (all, [first, .., last]) => format!("{} slices from {first} to {last}", all.len()),
        (all, _) => all.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
    }
}

/// The table's metadata, if it is not in the log as it must be.
fn metadata(log: &TableLog, change: &Change, table_id: &str, committer: &Committer) -> Option<Value> {
    let base = change.base.as_deref();
    let mut properties: BTreeMap<String, String> = base.map(|base| base.properties.clone()).unwrap_or_default();
    let own = [
        // Other engines would clean up versions that releases and ledgers need.
        ("delta.enableExpiredLogCleanup", "false".to_owned()),
        ("delta.checkpointInterval", committer.checkpoint_every.to_string()),
        ("karat.modelId", log.name.clone()),
    ];
    properties.extend(own.map(|(name, value)| (name.to_owned(), value)));
    if committer.single_writer {
        properties.insert("karat.singleWriter".to_owned(), "true".to_owned());
    }
    let is_same = base.is_some_and(|base| {
        base.schema == change.schema
            && base.partition_columns == change.partition_columns
            && base.properties == properties
    });
    (!is_same).then(|| {
        json!({"metaData": {
            "id": table_id,
            "name": change.about.model,
            "format": {"provider": "parquet", "options": {}},
            "schemaString": change.schema,
            "partitionColumns": change.partition_columns,
            "createdTime": change.about.now,
            "configuration": properties,
        }})
    })
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
