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
