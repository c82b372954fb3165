//! The files that karat reads from a log are those that the library finds in it.

use futures::executor::block_on;
use object_store::memory::InMemory;
use object_store::path::Path;
use serde_json::{Value, json};

use super::super::{Committer, Lake, RetryPolicy};
use super::*;
use crate::delta::Version;
use crate::name::{SchemaName, TableName};

struct Logged {
    log: TableLog,
    reader: SnapshotReader,
}

impl Logged {
    fn new() -> Logged {
        let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
        let log = TableLog { store: Arc::clone(&store), folder: Path::from("s/t"), name: "s.t".to_owned() };
        Logged { log, reader: SnapshotReader::new(store).unwrap() }
    }

    fn commit(&self, version: Version, actions: &[Value]) {
        let lines: Vec<String> = actions.iter().map(Value::to_string).collect();
        let path = self.log.path(&commit_name(version)).unwrap();
        block_on(self.log.store.put(&path, lines.join("\n").into())).unwrap();
    }

    /// The files as both find them, and how many the commits after the checkpoint name.
    fn files(&self) -> (Vec<DataFile>, u64) {
        let snapshot = self.reader.snapshot(&self.log, None).unwrap();
        let replayed = self.reader.replayed(&self.log, &snapshot.log_segment().listed).unwrap();
        let Replayed { files, logged_files: logged, .. } = replayed.expect("karat reads what karat writes");
        let mut scanned = self.reader.scanned(&self.log, &snapshot, add_files).unwrap();
        scanned.sort_by(|left, right| left.path.cmp(&right.path));
        assert_eq!(files, scanned);
        (files, logged)
    }
}

fn table() -> [Value; 2] {
    let field = |name: &str, kind: &str| json!({"name": name, "type": kind, "nullable": true, "metadata": {}});
    let schema =
        json!({"type": "struct", "fields": [field("day", "date"), field("kind", "string"), field("n", "long")]});
    let metadata = json!({"id": "an id", "format": {"provider": "parquet", "options": {}}, "schemaString": schema.to_string(),
        "partitionColumns": ["day", "kind"], "configuration": {}, "createdTime": 0});
    [json!({"protocol": {"minReaderVersion": 1, "minWriterVersion": 2}}), json!({ "metaData": metadata })]
}

fn add(path: &str, day: Option<&str>, stats: Option<&str>) -> Value {
    let values = json!({"day": day, "kind": "a kind of a name"});
    json!({"add": {"path": path, "partitionValues": values, "size": path.len(), "modificationTime": 0, "dataChange": true,
        "stats": stats}})
}

fn remove(path: &str) -> Value {
    let now = chrono::Utc::now().timestamp_millis();
    json!({"remove": {"path": path, "deletionTimestamp": now, "dataChange": true}})
}

#[test]
fn the_files_are_those_that_the_library_finds_before_and_after_a_checkpoint() {
    let logged = Logged::new();
    let stats = r#"{"numRecords":3,"minValues":{"n":1},"maxValues":{"n":9},"nullCount":{"n":0}}"#;
    let [protocol, metadata] = table();
    let first = add("day=2023-05-03/a%20b.parquet", Some("2023-05-03"), Some(stats));
    logged.commit(
        Version::FIRST,
        &[protocol, metadata, first, add("a.parquet", None, None), add("b.parquet", Some(""), Some("{}"))],
    );
    logged.commit(Version::new(1), &[remove("a.parquet"), add("c.parquet", Some("2023-05-04"), Some(stats))]);
    let (files, logged_files) = logged.files();
    let paths: Vec<&str> = files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!((paths, logged_files), (vec!["b.parquet", "c.parquet", "day=2023-05-03/a b.parquet"], 5));
    assert_eq!(files[2].rows, Some(3));
    assert_eq!((files[2].partition.value("day"), files[0].partition.get("day")), (Some("2023-05-03"), Some(None)));

    logged.reader.checkpoint(&logged.log).unwrap();
    assert_eq!(logged.files(), (files, 0));
    // What was removed comes back, and what the checkpoint has is removed.
    logged.commit(
        Version::new(2),
        &[add("a.parquet", None, Some(stats)), remove("c.parquet"), remove("day=2023-05-03/a%20b.parquet")],
    );
    logged.commit(Version::new(3), &[add("c.parquet", Some("2023-05-05"), Some(stats))]);
    let (files, logged_files) = logged.files();
    let told = |file: &DataFile| (file.path.to_string(), file.partition.value("day").map(str::to_owned), file.rows);
    let expected =
        [("a.parquet", None, Some(3)), ("b.parquet", None, None), ("c.parquet", Some("2023-05-05"), Some(3))];
    let expected = expected.map(|(path, day, rows)| (path.to_owned(), day.map(str::to_owned), rows));
    assert_eq!((files.iter().map(told).collect::<Vec<_>>(), logged_files), (expected.to_vec(), 4));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_of_many_files_gets_a_checkpoint_at_once_and_one_of_few_does_not() {
    for (count, is_many) in [(999, false), (1000, true)] {
        let logged = Logged::new();
        let adds = (0..count).map(|number| add(&format!("{number}.parquet"), None, None));
        logged.commit(Version::FIRST, &table().into_iter().chain(adds).collect::<Vec<_>>());
        let committer = Committer::new(RetryPolicy::default(), 10, false);
        let lake = Lake::open("memory".to_owned(), Arc::clone(&logged.log.store), committer, None);
        let name = TableName { schema: SchemaName::parse("s").unwrap(), table: "t".to_owned() };
        let state = lake.observe(&name).await.unwrap().unwrap();
        assert_eq!(lake.checkpoint(&name, &state).await.unwrap().is_some(), is_many);
        let state = lake.observe(&name).await.unwrap().unwrap();
        assert_eq!((state.files.len(), state.log.checkpoint), (count, is_many.then_some(Version::FIRST)));
        assert_eq!(lake.checkpoint(&name, &state).await.unwrap(), None, "once is enough");
        // The reader blocks while it goes away.
        tokio::task::spawn_blocking(move || drop((logged, lake))).await.unwrap();
    }
}

#[test]
fn a_checkpoint_with_deleted_rows_is_left_to_the_library() {
    let logged = Logged::new();
    let [_, metadata] = table();
    let features = json!(["deletionVectors"]);
    let protocol = json!({"protocol": {"minReaderVersion": 3, "minWriterVersion": 7, "readerFeatures": features,
        "writerFeatures": features}});
    let mut file = add("a.parquet", None, Some(r#"{"numRecords":3}"#));
    file["add"]["deletionVector"] = json!({"storageType": "u", "pathOrInlineDv": "ab^-aqEH.-t@S}K{vb[*k^", "offset": 4,
        "sizeInBytes": 40, "cardinality": 1});
    logged.commit(Version::FIRST, &[protocol, metadata, file]);
    logged.reader.checkpoint(&logged.log).unwrap();
    let snapshot = logged.reader.snapshot(&logged.log, None).unwrap();
    assert_eq!(logged.reader.replayed(&logged.log, &snapshot.log_segment().listed).unwrap(), None);
}
