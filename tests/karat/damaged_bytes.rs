//! Bytes of the lake's files that change on the disk: every command gives the right rows, or names the file.

use crate::folder::Folder;

fn project() -> Folder {
    let folder = Folder::new();
    folder.write("project.yml", "name: shop\nmodels:\n  +schema: shop\n  +materialized: table\n");
    folder.write(
        "models/sources.yml",
        "sources:\n  - name: raw\n    tables:\n      - name: events\n        location: data/events.csv\n        columns:\n          \
         - { name: id, type: integer }\n          - { name: day, type: date }\n          - { name: amount, type: integer }\n",
    );
    let sliced = "{{ config(materialized='incremental', event_time='day', batch_size='day', partition_by='day') }}\n";
    let events = format!("{sliced}select id, day, amount from {{{{ source('raw', 'events') }}}}\n");
    folder.write("models/events.sql", events);
    let totals = "select day, count(*) as events, sum(amount) as amount from {{ ref('events') }} group by day\n";
    folder.write("models/totals.sql", totals);
    folder.write("models/numbers.sql", "select id * 2 as twice from {{ source('raw', 'events') }}\n");
    folder.write("models/sums.sql", "select sum(twice) as twice from {{ ref('numbers') }}\n");
    let tests = "models:\n  - name: events\n    columns:\n      - name: amount\n        data_tests: [not_null]\n";
    folder.write("models/tests.yml", tests);
    let lines =
        (0..3_000_u32).map(|id| format!("{id},2023-05-0{},{}\n", 1 + id % 3, id.wrapping_mul(2_654_435_761) >> 8));
    folder.write("data/events.csv", format!("id,day,amount\n{}", lines.collect::<String>()));
    folder.karat(&["run", "--quiet"]);
    folder
}

/// Turns one bit of one data file of the events; gives the name of the file.
fn turn_a_bit(folder: &Folder, place: usize) -> String {
    let files = folder.files("lake/shop/events");
    let files: Vec<&String> = files.iter().filter(|path| path.ends_with(".parquet")).collect();
    let file = files[place % files.len()];
    let mut bytes = std::fs::read(folder.root().join(file)).unwrap();
    let at = place % bytes.len();
    bytes[at] ^= 1 << (place % 8);
    folder.write(file, bytes);
    file.strip_prefix("lake/").unwrap().to_owned()
}

#[test]
fn a_turned_bit_is_told_by_every_command_that_reads_it() {
    let whole = project();
    let sums = "select day, sum(amount), max(id) from shop.events group by day order by day";
    let right = whole.query(sums);
    for place in [3, 1_001, 2_003, 5_002] {
        let folder = Folder::like(&whole);
        let file = turn_a_bit(&folder, place);
        let told = format!("error[corrupt-table]: the data file `{file}` is damaged: ");
        let remedy = "build `shop.events` again, with `--full-refresh`";
        let says = |words: &[&str]| {
            let answer = folder.try_karat(words);
            assert_eq!(answer.code, 1, "{words:?}: {}", answer.printed);
            for text in [told.as_str(), remedy] {
                assert!(answer.printed.contains(text), "{words:?}: {text}: {}", answer.printed);
            }
            answer.printed
        };
        says(&["query", "select * from shop.events", "--limit", "0"]);
        says(&["test", "--select", "events"]);
        says(&["verify", "--select", "events"]);
        let printed = says(&["run", "--exclude", "events", "--full-refresh"]);
        assert!(printed.contains("failed: 2 built, 1 failed"), "other models go on: {printed}");

        folder.karat(&["run", "--quiet", "--full-refresh"]);
        assert_eq!(folder.query(sums), right, "the remedy helps");
    }
}

#[test]
fn files_without_checksums_are_read_and_named() {
    // As another program leaves them: the name of the writer and the list of checksums are other texts.
    let folder = project();
    let before = folder.query("select sum(amount) from shop.events");
    for file in folder.files("lake/shop/events").iter().filter(|path| path.ends_with(".parquet")) {
        let mut bytes = std::fs::read(folder.root().join(file)).unwrap();
        for (ours, others) in [("karat-crc32", "other-crc32"), ("(build crc32)", "(build other)")] {
            let place = bytes.windows(ours.len()).rposition(|window| window == ours.as_bytes()).unwrap();
            bytes[place..place + ours.len()].copy_from_slice(others.as_bytes());
        }
        folder.write(file, bytes);
    }
    assert_eq!(folder.query("select sum(amount) from shop.events"), before);
    let files = folder.files("lake/shop/events");
    let file = files.iter().find(|path| path.ends_with(".parquet")).unwrap();
    let mut bytes = std::fs::read(folder.root().join(file)).unwrap();
    bytes[4..60].fill(0xff);
    folder.write(file, bytes);
    let answer = folder.try_karat(&["query", "select sum(id), sum(amount) from shop.events"]);
    assert_eq!(answer.code, 1, "{}", answer.printed);
    let told = format!("error[corrupt-table]: the data file `{}` is damaged", file.strip_prefix("lake/").unwrap());
    assert!(answer.printed.contains(&told), "{}", answer.printed);
}

#[test]
fn a_turned_bit_in_a_log_or_a_release_never_moves_a_row() {
    let whole = project();
    // A second version, and a checkpoint.
    let project_file = "name: shop\nmodels:\n  +schema: shop\n  +materialized: table\ntargets:\n  dev: { lake: ./lake, checkpoint_every: 1 }\ntarget: dev\n";
    whole.write("project.yml", project_file);
    for _ in 0..6 {
        whole.karat(&["run", "--quiet", "--full-refresh"]);
    }
    let sums = "select day, count(*), sum(amount), max(id) from shop.events group by day order by day";
    let right = whole.query(sums);
    let mut told = 0;
    for below in ["lake/shop/events/_delta_log", "lake/_karat/releases"] {
        let files = whole.files(below);
        assert!(files.len() > 1, "{files:?}");
        for place in 0..20_usize {
            let folder = Folder::like(&whole);
            // The newest say most.
            let file = &files[files.len() - 1 - place % files.len().min(3)];
            let mut bytes = std::fs::read(folder.root().join(file)).unwrap();
            let at = place * 7_919 % bytes.len();
            bytes[at] ^= 1 << (place % 8);
            folder.write(file, bytes);
            let answer = folder.try_karat(&["query", sums, "--output", "csv", "--limit", "0"]);
            if answer.code == 0 {
                assert_eq!(folder.query(sums), right, "bit of {at} in {file}: {}", answer.printed);
            } else {
                let name = file.strip_prefix("lake/").unwrap();
                assert!(answer.printed.contains("error[corrupt-table]"), "{at} of {file}: {}", answer.printed);
                assert!(answer.printed.contains(name), "{at} of {file}: {}", answer.printed);
                told += 1;
            }
        }
    }
    assert!(told > 10, "{told}");
}
