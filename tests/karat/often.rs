//! A lake that is run often: small files do not pile up, and what nobody needs goes by itself.

use std::fs::{self, File};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use crate::folder::{Folder, walk};
use crate::late_rows::live_files;

const EIGHT_DAYS: Duration = Duration::from_secs(8 * 24 * 3600);

fn lake_objects(folder: &Folder) -> Vec<PathBuf> {
    let mut found = Vec::new();
    walk(&folder.root().join("lake"), &mut found);
    found
}

#[test]
fn files_that_are_loaded_one_by_one_do_not_pile_up() {
    let folder = Folder::with_shop();
    let added = "{{ config(materialized='incremental', incremental_strategy='append') }}\n\
                 select day, amount from {{ ref('orders') }}\n\
                 {% if is_incremental() %}where amount > (select max(amount) from {{ this }}){% endif %}\n";
    folder.write("models/added.sql", added);
    folder.karat(&["run", "-q"]);
    for file in 0..40 {
        folder.write(&format!("data/more-{file:02}.csv"), format!("day,amount\n2023-05-01,{}\n", 1_000 + file));
        folder.karat(&["run", "-q"]);
    }
    let of_day = |table: &str| live_files(&folder, table).len();
    let (orders, added) = (of_day("shop.orders"), of_day("shop.added"));
    assert!((2..=20).contains(&orders), "{orders} files of orders");
    assert!((2..=17).contains(&added), "{added} files of added");
    let rows = folder.shop();
    let sums = || {
        folder.query(
            "select count(*), sum(amount) from shop.orders union all select count(*), sum(amount) from shop.added",
        )
    };
    let before = sums();
    assert_eq!(before[0], before[1]);
    let again = folder.karat(&["run"]).printed;
    assert!(again.contains("4 unchanged"), "{again}");
    folder.karat(&["verify"]);
    folder.karat(&["run", "-q", "--full-refresh"]);
    assert_eq!((folder.shop(), sums()), (rows, before));
}

#[test]
fn the_hundredth_release_removes_what_the_retention_does_not_keep() {
    for (retention, is_kept) in [("7 days", false), ("30 days", true), ("forever", true)] {
        let folder = Folder::with_shop();
        let project = fs::read_to_string(folder.root().join("project.yml")).unwrap();
        let before = project.split("\ntargets:").next().unwrap().trim_end().to_owned();
        let target =
            format!("{before}\n\ntargets:\n  local: {{ lake: ./lake, retention: {retention}, checkpoint_every: 2 }}\n");
        folder.write("project.yml", target);
        for file in 2..8 {
            folder.write(&format!("data/{file}.csv"), format!("day,amount\n2023-05-01,1\n2023-05-{file:02},{file}\n"));
            folder.karat(&["run", "-q"]);
        }
        let releases = folder.root().join("lake/_karat/releases");
        let release = |number: u32| releases.join(format!("{number:020}.json"));
        fs::copy(release(6), release(99)).unwrap();
        for path in lake_objects(&folder) {
            File::options().append(true).open(path).unwrap().set_modified(SystemTime::now() - EIGHT_DAYS).unwrap();
        }
        let before = lake_objects(&folder).len();
        folder.write("data/9.csv", "day,amount\n2023-05-09,9\n");
        folder.karat(&["run", "-q"]);
        assert!(release(100).exists(), "the run made the hundredth release");
        let after = lake_objects(&folder).len();
        assert_eq!(after > before, is_kept, "retention {retention}: {before} objects and then {after}");
        assert_eq!(release(1).exists(), is_kept);
        let rows = folder.shop();
        let again = folder.karat(&["run"]).printed;
        assert!(again.contains("3 unchanged"), "what was removed was needed: {again}");
        folder.karat(&["verify"]);
        folder.karat(&["run", "-q", "--full-refresh"]);
        assert_eq!(folder.shop(), rows);
    }
}

/// A model whose files have a bad record each.
fn with_bad_records() -> Folder {
    let folder = Folder::new();
    folder.write("project.yml", "name: shop\nmodels:\n  +schema: shop\n");
    folder.write(
        "models/sources.yml",
        "sources:\n  - name: raw\n    tables:\n      - name: events\n        location: data/*.csv\n        columns:\n          \
         - { name: id, type: integer }\n          - { name: day, type: date }\n",
    );
    let config = "{{ config(materialized='incremental', event_time='day', batch_size='day', partition_by='day') }}\n";
    folder.write("models/events.sql", format!("{config}select id, day from {{{{ source('raw', 'events') }}}}\n"));
    folder
}

/// The records of all files that the commits of a table have added.
fn records_written(folder: &Folder, table: &str) -> u64 {
    let log = folder.files(&format!("lake/shop/{table}/_delta_log"));
    let commits = log.iter().filter(|path| path.ends_with(".json"));
    let texts = commits.map(|path| fs::read_to_string(folder.root().join(path)).unwrap());
    let counts = |text: String| {
        let parts: Vec<String> = text.split(r#"\"numRecords\":"#).skip(1).map(str::to_owned).collect();
        parts.into_iter().map(|part| part.split([',', '}']).next().unwrap().parse::<u64>().unwrap()).sum::<u64>()
    };
    texts.map(counts).sum()
}

#[test]
fn new_bad_records_cost_what_they_are() {
    let folder = with_bad_records();
    let file = |number: u32, bad: &str| {
        let path = format!("data/{number:03}.csv");
        folder.write(&path, format!("id,day\n{number},2023-05-01\n{bad}"));
    };
    let of_file = "select _source_file, raw from shop.events_quarantine order by 1, 2";
    for number in 0..40 {
        file(number, &format!("bad {number}\n"));
        folder.karat(&["run", "-q"]);
    }
    let bad = folder.query(of_file);
    assert_eq!(bad.len(), 40);
    // Forty of their own, and those that were put together with later ones.
    let written = records_written(&folder, "events_quarantine");
    assert!(written <= 120, "{written} records were written for 40");
    let live = live_files(&folder, "shop.events_quarantine").len();
    assert!((2..=17).contains(&live), "{live} files of bad records");

    let commits = || folder.files("lake/shop/events_quarantine/_delta_log");
    let before = commits();
    file(40, "");
    folder.karat(&["run", "-q"]);
    assert_eq!(commits(), before, "a file without bad records changes nothing");
    assert_eq!(folder.query(of_file), bad);

    file(7, "");
    file(9, "worse 9\nworst 9\n");
    file(41, "bad 41\n");
    folder.karat(&["run", "-q"]);
    let after = folder.query(of_file);
    let raw = |number: &str| {
        let of_file = after.iter().filter(|row| row[0] == format!("data/{number}.csv"));
        of_file.map(|row| row[1].as_str()).collect::<Vec<_>>()
    };
    assert_eq!((raw("007"), raw("008")), (vec![], vec!["bad 8"]));
    assert_eq!((raw("009"), raw("041")), (vec!["worse 9", "worst 9"], vec!["bad 41"]));
    assert_eq!(after.len(), 41);
    assert!(folder.karat(&["run"]).printed.contains("1 unchanged"));
    folder.karat(&["run", "-q", "--full-refresh"]);
    assert_eq!(folder.query(of_file), after);
}

#[test]
fn a_run_that_finds_nothing_to_do_reads_nothing_of_source_files() {
    let folder = with_bad_records();
    folder.write("data/1.csv", "id,day\n1,2023-05-01\nbad\n");
    folder.write("data/2.csv", "id,day\n2,2023-05-01\nbad\nworse\n");
    folder.karat(&["run", "-q"]);
    let lists = folder.root().join("lake/shop/events/_karat/files");
    let aside = folder.root().join("aside");
    fs::rename(&lists, &aside).unwrap();
    assert!(folder.karat(&["run"]).printed.contains("1 unchanged"), "nobody misses them");
    let quarantine = folder.root().join("lake/shop/events_quarantine");
    fs::rename(&quarantine, folder.root().join("gone")).unwrap();
    let plan = folder.karat(&["plan"]).printed;
    assert!(plan.contains("`shop.events_quarantine` is gone"), "{plan}");
    fs::rename(&aside, &lists).unwrap();
    folder.karat(&["run", "-q"]);
    assert_eq!(folder.query("select count(*) from shop.events_quarantine"), [["3"]]);
    // A file that changed, and one that went.
    folder.write("data/1.csv", "id,day\n1,2023-05-01\n");
    fs::remove_file(folder.root().join("data/2.csv")).unwrap();
    folder.karat(&["run", "-q"]);
    assert_eq!(folder.query("select count(*) from shop.events_quarantine"), [["0"]]);
    assert!(folder.karat(&["run"]).printed.contains("1 unchanged"));
}
