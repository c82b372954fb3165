//! Tables that go back to an old version, and what is left of them after a removal of old files.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use object_store::memory::InMemory;
use object_store::{ObjectStore, ObjectStoreExt};

use super::super::gc::Collection;
use super::super::{Change, CommitInfo, CommitOutcome, Committer, Lake, RetryPolicy};
use super::*;
use crate::delta::{TableSchema, Version};
use crate::name::SchemaName;
use crate::table::{
    Domain, InputVersion, PartitionValues, Provenance, SharedText, SliceKey, SliceLayout, SliceMap, SliceRows, Work,
};

const LATER: i64 = i64::MAX;

fn schema(column: &str) -> TableSchema {
    format!(r#"{{"type":"struct","fields":[{{"name":"{column}","type":"long","nullable":true,"metadata":{{}}}}]}}"#)
        .into()
}

fn about(token: &str) -> CommitInfo {
    let text = str::to_owned;
    let now = chrono::Utc::now().timestamp_millis();
    CommitInfo {
        token: text(token),
        model: text("t"),
        run: text("a run"),
        why: text("a reason"),
        git: None,
        made_as: None,
        now,
    }
}

fn name() -> TableName {
    TableName { schema: SchemaName::parse("s").unwrap(), table: "t".to_owned() }
}

fn lake(store: &Arc<InMemory>) -> Lake {
    let committer = Committer::new(RetryPolicy::default(), 2, false);
    Lake::open("memory".to_owned(), Arc::clone(store) as Arc<dyn ObjectStore>, committer, None)
}

fn provenance(version: Version) -> Arc<Provenance> {
    let inputs = BTreeMap::from([(
        "input".into(),
        InputVersion::Table { id: "id".to_owned(), version, ledger: None, target: None, copied: false },
    )]);
    Arc::new(Provenance { fingerprint: "code".into(), inputs })
}

/// Replaces all of the table by one file of this name, made of this version of its input.
async fn build(lake: &Lake, file: &str, column: &str, input: u64) -> Arc<TableState> {
    let base = lake.observe(&name()).await.unwrap();
    let path = format!("{file}.parquet");
    lake.objects().put(&lake.log(&name()).unwrap().path(&path).unwrap(), "rows".into()).await.unwrap();
    let (path, stats) = (SharedText::from(path), SharedText::from(r#"{"numRecords":4}"#));
    let mut work = Work::new(SliceLayout::Whole, Domain::Whole, provenance(Version::new(input)));
    work.slices = SliceMap::from_iter([(SliceKey::All, SliceRows { rows: 4, hash: u128::from(input) })]);
    let change = Change {
        together: Vec::new(),
        work,
        remove: base.as_ref().map(|base| base.files.to_vec()).unwrap_or_default(),
        base,
        add: vec![DataFile { path, partition: PartitionValues::none(), bytes: 4, rows: Some(4), stats: Some(stats) }],
        schema: schema(column),
        partition_columns: Vec::new(),
        about: about(file),
    };
    match lake.commit(&name(), change).await.unwrap() {
        CommitOutcome::Committed(state) => state,
        other => panic!("{other:?}"),
    }
}

async fn restore(lake: &Lake, version: Version) -> Result<Restored, StoreError> {
    lake.restore(&name(), version, &about(&format!("restore of {version}"))).await
}

async fn committed(lake: &Lake, version: Version) -> Restoration {
    match restore(lake, version).await.unwrap() {
        Restored::Committed(restoration) => *restoration,
        other => panic!("{other:?}"),
    }
}

async fn names_of(lake: &Lake) -> Vec<String> {
    let log = lake.log(&name()).unwrap();
    names(&log, &log.list("").await.unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_restored_table_has_its_old_files_columns_and_provenance_as_a_new_version() {
    let store = Arc::new(InMemory::new());
    let lake = lake(&store);
    let first = build(&lake, "first", "a", 7).await;
    build(&lake, "second", "b", 8).await;
    let restoration = committed(&lake, Version::FIRST).await;
    assert_eq!((restoration.added, restoration.removed, restoration.has_ledger), (1, 1, true));
    let state = lake.observe(&name()).await.unwrap().unwrap();
    assert_eq!(state.files, first.files);
    assert_eq!((state.version, &state.schema, &state.id), (Version::new(2), &schema("a"), &first.id));
    let ledger = state.known_ledger().unwrap();
    assert_eq!((ledger.version, &ledger.slices), (Version::new(2), &first.known_ledger().unwrap().slices));
    assert_eq!(ledger.default_provenance, Some(provenance(Version::new(7))));
    assert!(state.changed_externally(&SliceLayout::Whole).is_empty(), "its files are those that karat wrote");
    assert_eq!(restoration.state.known_ledger(), Some(ledger));

    let history = lake.history(&name(), 1).await.unwrap().unwrap();
    assert_eq!(history.versions[0].operation.as_deref(), Some("RESTORE"));
    assert_eq!(history.versions[0].note.as_ref().unwrap().rows, 4);
    assert!(!names_of(&lake).await.iter().any(|name| name.contains("/pin/")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn there_is_nothing_to_restore_where_nothing_differs() {
    let store = Arc::new(InMemory::new());
    let lake = lake(&store);
    assert!(matches!(restore(&lake, Version::FIRST).await.unwrap(), Restored::NoTable));
    build(&lake, "first", "a", 1).await;
    build(&lake, "second", "a", 2).await;
    assert!(matches!(restore(&lake, Version::new(1)).await.unwrap(), Restored::Same(_)));
    committed(&lake, Version::FIRST).await;
    assert!(
        matches!(restore(&lake, Version::FIRST).await.unwrap(), Restored::Same(state) if state.version == Version::new(2))
    );
    let unknown = restore(&lake, Version::new(3)).await.unwrap();
    assert!(
        matches!(unknown, Restored::NoVersion { oldest: Version::FIRST, newest } if newest == Version::new(2)),
        "{unknown:?}"
    );
    assert_eq!(lake.observe(&name()).await.unwrap().unwrap().version, Version::new(2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn without_its_ledger_a_restored_version_is_stale() {
    let store = Arc::new(InMemory::new());
    let lake = lake(&store);
    let first = build(&lake, "first", "a", 1).await;
    build(&lake, "second", "a", 2).await;
    let ledger = lake.log(&name()).unwrap().path(&first.transaction.unwrap().path()).unwrap();
    store.delete(&ledger).await.unwrap();
    assert!(!committed(&lake, Version::FIRST).await.has_ledger);
    let state = lake.observe(&name()).await.unwrap().unwrap();
    assert_eq!(state.known_ledger().unwrap().provenances().count(), 0);
    assert_eq!(state.changed_externally(&SliceLayout::Whole), BTreeSet::from([SliceKey::All]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_restore_gives_way_to_what_it_has_not_seen() {
    let store = Arc::new(InMemory::new());
    let lake = lake(&store);
    build(&lake, "first", "a", 1).await;
    let seen = build(&lake, "second", "a", 2).await;
    let third = build(&lake, "third", "a", 3).await;
    let log = lake.log(&name()).unwrap();
    let outcome = lake.restore_pinned(&log, Version::FIRST, seen, &about("token")).await;
    assert!(matches!(outcome, Err(StoreError::Conflict { version, .. }) if version == Version::new(2)), "{outcome:?}");
    assert_eq!(lake.observe(&name()).await.unwrap().unwrap().files, third.files);

    Mark::Removal.put(&log, &lake.committer().random).await.unwrap();
    let outcome = restore(&lake, Version::FIRST).await;
    assert!(matches!(outcome, Err(StoreError::Conflict { version, .. }) if version == Version::new(3)), "{outcome:?}");
    assert!(!names_of(&lake).await.iter().any(|name| name.contains("/pin/")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_was_removed_cannot_be_restored_and_the_rest_can() {
    let store = Arc::new(InMemory::new());
    let lake = lake(&store);
    for input in 0..6 {
        let state = build(&lake, &format!("file-{input}"), "a", input).await;
        lake.checkpoint(&name(), &state).await.unwrap();
    }
    let before = lake.observe(&name()).await.unwrap().unwrap();
    let tables = BTreeSet::from([name()]);
    let told = lake.collect(&tables, Collection { horizon: LATER, removes: false }).await.unwrap();
    let all = names_of(&lake).await;
    let removed = lake.collect(&tables, Collection { horizon: LATER, removes: true }).await.unwrap();
    let left = names_of(&lake).await;
    let gone: BTreeSet<&str> = all.iter().filter(|name| !left.contains(name)).map(String::as_str).collect();
    assert_eq!(gone, told.tables[&name()].as_ref().unwrap().names().collect(), "what was told is what goes");
    // Here the mark of the removal itself is old enough to be removed.
    assert_eq!(
        gone,
        removed.tables[&name()].as_ref().unwrap().names().filter(|name| !name.contains("/removal/")).collect()
    );
    assert_eq!(left.iter().filter(|name| name.ends_with(".parquet") && !name.starts_with('_')).count(), 1);

    let after = lake.observe(&name()).await.unwrap().unwrap();
    assert_eq!((&after.files, &after.ledger), (&before.files, &before.ledger));
    let history = lake.history(&name(), usize::MAX).await.unwrap().unwrap();
    assert!(history.first > Version::FIRST, "{history:?}");
    let lost = restore(&lake, Version::FIRST).await.unwrap();
    assert!(
        matches!(lost, Restored::NoVersion { oldest, newest } if oldest == history.first && newest == Version::new(5)),
        "{lost:?}"
    );
    let again = lake.collect(&tables, Collection { horizon: LATER, removes: true }).await.unwrap();
    assert!(again.tables[&name()].as_ref().unwrap().is_empty() && again.lake.is_empty(), "{again:?}");

    build(&lake, "one-more", "a", 9).await;
    let log = lake.log(&name()).unwrap();
    store.delete(&log.path("file-5.parquet").unwrap()).await.unwrap();
    let gone = restore(&lake, Version::new(5)).await.unwrap();
    assert!(matches!(gone, Restored::FilesGone { gone: 1, of: 1 }), "{gone:?}");
    assert_eq!(lake.observe(&name()).await.unwrap().unwrap().version, Version::new(6));
}
