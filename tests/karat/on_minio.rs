//! The same project with its lake in a folder and on a real object store: the same rows, and nothing that is not needed.

use std::fs;

use crate::folder::Folder;
use crate::lakes::{PREFIX, contents, listing};
use crate::minio::{Minio, minio};
use crate::readers::{Lake, readers};
use crate::slices::TABLES;

/// The sample project in both places.
struct Pair {
    minio: &'static Minio,
    bucket: String,
    local: Folder,
    remote: Folder,
}

impl Pair {
    /// None if there is no server.
    fn new(project: Folder, settings: &str) -> Option<Pair> {
        let minio = minio()?;
        let bucket = minio.bucket();
        let remote = Folder::like(&project).on_minio(minio, &bucket, settings);
        Some(Pair { minio, bucket, local: project, remote })
    }

    fn both(&self, words: &[&str]) {
        self.local.karat(words);
        self.remote.karat(words);
    }

    fn write(&self, path: &str, text: &str) {
        self.local.write(path, text);
        self.remote.write(path, text);
    }

    fn lake(&self) -> Lake {
        let url = format!("s3://{}/{PREFIX}", self.bucket);
        Lake::bucket(&url, &self.minio.endpoint, self.minio.variables())
    }

    /// Every table has the same rows in both places, for karat.
    fn check_rows(&self, place: &str) {
        for table in TABLES {
            let sql = format!("select * from {table}");
            let [mut local, mut remote] = [&self.local, &self.remote].map(|folder| folder.query(&sql));
            local.sort();
            remote.sort();
            assert!(local == remote, "{place}: {table} has {} rows, and {} on MinIO", local.len(), remote.len());
        }
    }

    /// And for the other engines.
    fn check_readers(&self, place: &str) {
        let Some(readers) = readers() else { return };
        let local = readers.tables(&Lake::folder(&self.local.root().join("lake")));
        let remote = readers.tables(&self.lake());
        assert_eq!(local, remote, "{place}");
        assert!(!local.is_empty(), "{place}");
    }

    /// A run that has nothing to do changes nothing in the bucket.
    fn check_nothing_left(&self, words: &[&str], place: &str) {
        let before = listing(self.minio, &self.bucket);
        self.remote.karat(words);
        assert_eq!(listing(self.minio, &self.bucket), before, "{place}");
    }
}

/// With rows for forty days.
fn sample() -> Folder {
    let folder = Folder::with_sample();
    folder.karat(&["sample-data", "--rows", "4000", "--days", "40", "--users", "80", "--seed", "4"]);
    folder
}

#[test]
fn the_sample_is_the_same_in_a_folder_and_in_a_bucket() {
    let Some(pair) = Pair::new(sample(), "checkpoint_every: 2") else { return };
    pair.both(&["build", "--quiet"]);
    pair.check_rows("after the first build");
    pair.check_nothing_left(&["build"], "a second build");
    pair.check_nothing_left(&["run"], "a run after the build");

    // Some of the slices, some of the models, a late file, other code.
    pair.both(&["run", "--quiet", "--start", "2023-01-20", "--end", "2023-01-22"]);
    let late = "user_id,timestamp,action_type,page_id,duration_ms,app_version\n\
                Late,2023-01-05 10:00:00,edit,P1,1000,5.0.0\nLate,2023-01-06 10:00:00,edit,P1,1000,5.0.0\n";
    pair.write("data/user_interactions/late.csv", late);
    pair.both(&["run", "--quiet", "--select", "+fct_interactions"]);
    pair.both(&["run", "--quiet"]);
    let model = "models/gold/daily_active_users.sql";
    let sql = fs::read_to_string(pair.local.root().join(model)).unwrap();
    let changed = sql.replace("count(*) as dau,", "count(*) as dau, 'é ☃' as mark,");
    assert_ne!(sql, changed);
    let synced = |sql: &str| format!("{{{{ config(on_schema_change='sync_all_columns') }}}}\n{sql}");
    pair.write(model, &synced(&changed));
    pair.both(&["build", "--quiet"]);
    pair.write(model, &synced(&sql));
    pair.both(&["build", "--quiet"]);

    pair.check_rows("after all changes");
    pair.check_nothing_left(&["build"], "a build after all changes");
    pair.check_readers("after all changes");

    // A table goes back, and what nobody needs any more goes away.
    pair.both(&["restore", "daily_active_users", "--version", "1"]);
    pair.both(&["gc", "--retention", "1 hour", "--yes"]);
    pair.both(&["build", "--quiet"]);
    pair.check_nothing_left(&["build"], "a build after a restore");
    let checkpoints = listing(pair.minio, &pair.bucket).into_keys().filter(|key| key.contains(".checkpoint")).count();
    assert!(checkpoints > 2, "{checkpoints} checkpoints");
    pair.check_readers("after a restore and gc");
}

/// Values of partitions, as SQL.
const VALUES: [&str; 20] = [
    "'New York'",
    "'x:y'",
    "'Zürich'",
    "'100%25'",
    "null",
    "'a/b'",
    "'a//b'",
    "'a=b'",
    "'?#&+'",
    "'..'",
    "'.'",
    "' x '",
    "'\"quoted\"'",
    "'it''s'",
    "'a\\b'",
    "'*|<>'",
    "'☃ 🦀'",
    "'%'",
    "'{}[]^`~'",
    "'__HIVE__'",
];

#[test]
fn partition_values_may_hold_any_character_in_a_bucket() {
    let project = Folder::new();
    project.write("project.yml", "name: shop\n");
    let rows: Vec<String> =
        VALUES.iter().enumerate().map(|(id, value)| format!("select {id} as id, {value} as city")).collect();
    let sql = format!(
        "{{{{ config(materialized='table', partition_by='city') }}}}\n{}",
        rows.join(" union all\n").replace("null as", "cast(null as varchar) as")
    );
    project.write("models/cities.sql", &sql);
    project.write(
        "models/hours.sql",
        "{{ config(materialized='incremental', event_time='hour', partition_by='hour', batch_size='hour') }}\n\
         select hour, count(*) as events from (select timestamp '2023-05-01 05:00:00' as hour union all \
         select timestamp '2023-05-01 06:00:00') as hours group by hour",
    );
    let Some(pair) = Pair::new(project, "") else { return };
    pair.both(&["run"]);
    pair.both(&["run", "--start", "2023-05-01 05:00:00", "--end", "2023-05-01 06:00:00"]);
    let expected: Vec<Vec<String>> = (0..VALUES.len()).map(|id| vec![id.to_string()]).collect();
    for folder in [&pair.local, &pair.remote] {
        assert_eq!(folder.query("select id from shop.cities order by id"), expected);
        for (id, value) in VALUES.iter().enumerate() {
            let test = if *value == "null" { "is null".to_owned() } else { format!("= {value}") };
            let sql = format!("select id, city from shop.cities where city {test}");
            let found = folder.query(&sql);
            assert_eq!(found.len(), 1, "{value}");
            assert_eq!(found[0][0], id.to_string(), "{value}");
            assert_eq!(found[0][1], value.trim_matches('\'').replace("''", "'").replace("null", ""), "{value}");
        }
        let hours = folder.query("select hour, events from shop.hours order by hour");
        assert_eq!(hours, [["2023-05-01 05:00:00", "1"], ["2023-05-01 06:00:00", "1"]]);
    }
    // The paths in the bucket are those of the folder.
    let is_data = |key: &String| key.ends_with(".parquet");
    let keys = contents(pair.minio, &pair.bucket).into_keys().filter(is_data).count();
    assert_eq!(keys, pair.local.files("lake").iter().filter(|key| is_data(key)).count());
    pair.check_nothing_left(&["run"], "a second run");
    pair.check_readers("partition values");
}
