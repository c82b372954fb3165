//! What is built after a change: scenarios of the design on a disk and on a real object store.

use std::collections::BTreeSet;
use std::fs;

use crate::folder::Folder;
use crate::lakes::{PREFIX, listing};
use crate::minio::{Minio, minio};
use crate::readers::{Lake, readers};

/// Files of events, sums a day, and sums over three days, each table cut by days.
const PROJECT: [(&str, &str); 5] = [
    ("project.yml", "name: shop\nmodels:\n  +schema: shop\n  +materialized: incremental\n  +event_time: day\n"),
    (
        "models/sources.yml",
        "version: 2\nsources:\n  - name: raw\n    tables:\n      - name: events\n        location: data/*.csv\n        \
         format: csv\n        columns:\n          - { name: at, type: timestamp }\n          \
         - { name: amount, type: integer }\n",
    ),
    (
        "models/events.sql",
        "{{ config(partition_by='day') }}\nselect cast(at as date) as day, at, amount from {{ source('raw', 'events') }}",
    ),
    (
        "models/daily.sql",
        "{{ config(partition_by='day') }}\nselect day, sum(amount) as amount from {{ ref('events') }} group by day",
    ),
    (
        "models/rolling.sql",
        "{{ config(partition_by='day') }}\nselect day, sum(amount) over (order by day range between interval '2 days' \
         preceding and current row) as amount from {{ ref('daily', lookback='2 days') }}",
    ),
];

const TABLES: [&str; 3] = ["events", "daily", "rolling"];

/// A project whose lake is in a folder or in a bucket.
struct Shop {
    folder: Folder,
    remote: Option<(&'static Minio, String)>,
}

impl Shop {
    /// With rows for twelve days, a file a day, and built.
    fn built(remote: Option<&'static Minio>) -> Shop {
        let folder = Folder::new();
        PROJECT.iter().for_each(|(path, text)| folder.write(path, text));
        (1..=12).for_each(|day| folder.write(&file(day), csv(&[(day, 10 + day), (day, 100 * day)])));
        let remote = remote.map(|minio| (minio, minio.bucket()));
        let folder = match &remote {
            Some((minio, bucket)) => folder.on_minio(minio, bucket, ""),
            None => folder,
        };
        let shop = Shop { folder, remote };
        shop.folder.karat(&["run", "--quiet"]);
        shop
    }

    /// On a disk, and in a bucket if there is a server.
    fn everywhere(check: impl Fn(Shop)) {
        check(Shop::built(None));
        if let Some(minio) = minio() {
            check(Shop::built(Some(minio)));
        }
    }

    fn objects(&self) -> BTreeSet<String> {
        match &self.remote {
            None => self.folder.files("lake").into_iter().collect(),
            Some((minio, bucket)) => listing(minio, bucket).into_keys().collect(),
        }
    }

    fn lake(&self) -> Lake {
        match &self.remote {
            None => Lake::folder(&self.folder.root().join("lake")),
            Some((minio, bucket)) => {
                Lake::bucket(&format!("s3://{bucket}/{PREFIX}"), &minio.endpoint, minio.variables())
            }
        }
    }

    /// The days of May 2023 of which a table got new data files.
    fn new_days(&self, table: &str, before: &BTreeSet<String>) -> BTreeSet<u32> {
        let new = self.objects();
        let of_table = new.difference(before).filter(|key| key.contains(&format!("shop/{table}/day=2023-05-")));
        of_table
            .map(|key| key.split("day=2023-05-").nth(1).unwrap().split('/').next().unwrap().parse().unwrap())
            .collect()
    }

    fn rows(&self) -> Vec<Vec<Vec<String>>> {
        let rows = |table: &&str| {
            let mut rows = self.folder.query(&format!("select * from shop.{table}"));
            rows.sort();
            rows
        };
        TABLES.iter().map(rows).collect()
    }

    /// The same project and files, built from nothing.
    fn rebuilt(&self) -> Vec<Vec<Vec<String>>> {
        let fresh = Folder::new();
        crate::folder::copy(&self.folder.root().join("models"), &fresh.root().join("models"));
        crate::folder::copy(&self.folder.root().join("data"), &fresh.root().join("data"));
        fresh.write("project.yml", PROJECT[0].1);
        fresh.karat(&["run", "--quiet"]);
        Shop { folder: fresh, remote: None }.rows()
    }
}

fn file(day: u32) -> String {
    format!("data/2023-05-{day:02}.csv")
}

/// Events of days of May 2023, with their amounts.
fn csv(events: &[(u32, u32)]) -> String {
    let line = |(day, amount): &(u32, u32)| format!("2023-05-{day:02} 10:00:00,{amount}\n");
    let lines: String = events.iter().map(line).collect();
    format!("at,amount\n{lines}")
}

fn days(days: &[u32]) -> BTreeSet<u32> {
    days.iter().copied().collect()
}

#[test]
fn scenario_1_a_late_row_makes_its_day_and_the_days_that_look_back_to_it() {
    Shop::everywhere(|shop| {
        let before = shop.objects();
        // A row of day 3 arrives in the file of day 13.
        shop.folder.write(&file(13), csv(&[(13, 23), (3, 5000)]));
        let told = shop.folder.karat(&["run"]).printed;
        assert!(told.contains("2023-05-13.csv") || told.contains("the files of `raw.events` changed"), "{told}");
        assert_eq!(shop.new_days("events", &before), days(&[3, 13]));
        assert_eq!(shop.new_days("daily", &before), days(&[3, 13]));
        assert_eq!(shop.new_days("rolling", &before), days(&[3, 4, 5, 13]));
        assert_eq!(shop.rows(), shop.rebuilt());
        let after = shop.objects();
        shop.folder.karat(&["run"]);
        assert_eq!(shop.objects(), after, "a second run writes nothing");
    });
}

#[test]
fn scenario_3_where_nothing_changed_nothing_is_written() {
    Shop::everywhere(|shop| {
        let before = shop.objects();
        let answer = shop.folder.karat(&["run"]);
        assert!(answer.printed.contains("done: 3 unchanged"), "{}", answer.printed);
        assert_eq!(shop.objects(), before);
        // Neither do comments and white space.
        let path = shop.folder.root().join("models/daily.sql");
        let sql = fs::read_to_string(&path).unwrap();
        fs::write(&path, format!("-- sums\n{}", sql.replace("sum(amount) as amount", "sum( amount )\n  as amount")))
            .unwrap();
        shop.folder.karat(&["run"]);
        assert_eq!(shop.objects(), before);
    });
}

#[test]
fn scenario_5_compaction_by_another_engine_makes_nothing_stale() {
    let Some(readers) = readers() else { return };
    Shop::everywhere(|shop| {
        for table in TABLES {
            readers.rearrange(&shop.lake(), &format!("shop/{table}"));
        }
        let before = shop.objects();
        let rows = shop.rows();
        let told = shop.folder.karat(&["run"]).printed;
        assert!(told.contains("done: 3 unchanged"), "{told}");
        // Only a release says that readers are to see the other engine's versions.
        let after = shop.objects();
        assert!(after.difference(&before).all(|key| key.contains("_karat/releases/")), "{told}");
        // And what changes after that is still noticed.
        shop.folder.write(&file(2), csv(&[(2, 12), (2, 201)]));
        shop.folder.karat(&["run"]);
        assert_eq!(shop.new_days("rolling", &before), days(&[2, 3, 4]));
        assert_ne!(shop.rows(), rows);
        assert_eq!(shop.rows(), shop.rebuilt());
    });
}

#[test]
fn scenario_4_a_row_that_goes_and_one_that_moves_make_the_windows_of_their_days() {
    Shop::everywhere(|shop| {
        let before = shop.objects();
        shop.folder.write(&file(2), csv(&[(2, 12)]));
        shop.folder.write(&file(4), csv(&[(6, 14), (4, 400)]));
        shop.folder.karat(&["run"]);
        assert_eq!(shop.new_days("events", &before), days(&[2, 4, 6]));
        assert_eq!(shop.new_days("daily", &before), days(&[2, 4, 6]));
        // The window of day 6 holds the row before and after: its sum came out as it was.
        assert_eq!(shop.new_days("rolling", &before), days(&[2, 3, 4, 5, 7, 8]));
        assert_eq!(shop.rows(), shop.rebuilt());
    });
}

#[test]
fn scenario_13_a_range_leaves_the_other_changed_days_to_the_next_run() {
    Shop::everywhere(|shop| {
        let before = shop.objects();
        shop.folder.write(&file(2), csv(&[(2, 12), (2, 201)]));
        shop.folder.karat(&["run", "--start", "2023-05-05", "--end", "2023-05-06"]);
        assert!(TABLES.iter().all(|table| shop.new_days(table, &before).is_empty()), "days 5 and 6 came out unchanged");
        let before = shop.objects();
        shop.folder.karat(&["run"]);
        assert_eq!(shop.new_days("events", &before), days(&[2]));
        assert_eq!(shop.new_days("rolling", &before), days(&[2, 3, 4]));
        assert_eq!(shop.rows(), shop.rebuilt());
    });
}

#[test]
fn scenario_16_other_code_makes_its_table_anew_and_of_others_what_came_out_differently() {
    Shop::everywhere(|shop| {
        let before = shop.objects();
        let path = shop.folder.root().join("models/daily.sql");
        let sql = fs::read_to_string(&path).unwrap();
        let sum = "sum(case when amount > 1000 then amount + 1 else amount end)";
        fs::write(&path, sql.replace("sum(amount)", sum)).unwrap();
        let told = shop.folder.karat(&["run"]).printed;
        assert!(told.contains("its SQL or config changed"), "{told}");
        assert!(shop.new_days("events", &before).is_empty());
        assert_eq!(shop.new_days("daily", &before), (1..=12).collect());
        assert_eq!(shop.new_days("rolling", &before), days(&[11, 12]), "of the days 11 and 12 alone the sum differs");
        assert_eq!(shop.rows(), shop.rebuilt());
    });
}
