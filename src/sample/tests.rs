//! The sample as a whole: what its manifest says is what an independent reader finds.

#[path = "../../tests/karat/oracle/mod.rs"]
mod oracle;

use super::{Manifest, SampleDestination, SampleLayout, SampleOptions, write};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::sync::{Arc, Mutex};

type Files = BTreeMap<String, Vec<u8>>;

#[derive(Default)]
struct Memory(Arc<Mutex<Files>>);

struct MemoryFile(Arc<Mutex<Files>>, String);

impl SampleDestination for Memory {
    fn create(&self, relative: &str) -> io::Result<Box<dyn Write + Send>> {
        let old = self.0.lock().unwrap().insert(relative.to_owned(), Vec::new());
        assert!(old.is_none(), "{relative} is created once");
        Ok(Box::new(MemoryFile(self.0.clone(), relative.to_owned())))
    }
}

impl Write for MemoryFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().get_mut(&self.1).unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Full;

impl SampleDestination for Full {
    fn create(&self, _: &str) -> io::Result<Box<dyn Write + Send>> {
        Err(io::Error::new(io::ErrorKind::StorageFull, "the disk is full"))
    }
}

fn small() -> SampleOptions {
    SampleOptions { rows: 20_000, days: 45, users: 300, ..SampleOptions::default() }
}

fn make(options: &SampleOptions) -> (Files, Manifest) {
    let memory = Memory::default();
    let manifest = write(options, &memory).unwrap();
    let files = memory.0.lock().unwrap().clone();
    (files, manifest)
}

/// Makes a sample and has the oracle read it; what is true of every sample is checked here.
fn make_and_read(options: &SampleOptions) -> (Files, Manifest, oracle::Tables) {
    let (files, manifest) = make(options);
    let (users, interactions): (Vec<_>, Vec<_>) = files
        .clone()
        .into_iter()
        .filter(|(name, _)| name.ends_with(".csv"))
        .partition(|(name, _)| name.as_str() == "user_metadata.csv");
    let tables = oracle::compute(&interactions, &users);
    check_counts(options, &manifest, &tables);
    for file in manifest.user_interactions.files.iter().chain(&manifest.user_metadata.files) {
        let bytes = &files[&file.name];
        assert_eq!(bytes.iter().filter(|byte| **byte == b'\n').count() as u64, file.lines, "{}", file.name);
        let read = |table: &str| count(&tables, table, "_source_file", &file.name);
        assert_eq!(read("bronze.interactions") + read("bronze.users"), file.bronze_rows, "{}", file.name);
        assert_eq!(read("quarantine.interactions") + read("quarantine.users"), file.quarantined, "{}", file.name);
        assert_eq!(file.records, file.bronze_rows + file.quarantined);
    }
    (files, manifest, tables)
}

fn check_counts(options: &SampleOptions, manifest: &Manifest, tables: &oracle::Tables) {
    let rows = |table: &str| tables.by_name[table].rows.len() as u64;
    for (name, source) in [("interactions", &manifest.user_interactions), ("users", &manifest.user_metadata)] {
        assert_eq!(source.bronze_rows, rows(&format!("bronze.{name}")));
        assert_eq!(source.quarantined, rows(&format!("quarantine.{name}")));
        assert_eq!(source.records, source.bronze_rows + source.quarantined);
        for (reason, records) in &source.quarantined_by_reason {
            assert_eq!(count(tables, &format!("quarantine.{name}"), "reason", reason), *records, "{reason}");
        }
    }
    let expected = &manifest.expected;
    assert_eq!(manifest.user_interactions.records, options.rows);
    assert_eq!(expected.fct_interactions, rows("silver.fct_interactions"));
    assert_eq!(expected.dim_users, rows("silver.dim_users"));
    for (status, facts) in &expected.duration_status {
        assert_eq!(count(tables, "silver.fct_interactions", "duration_status", status), *facts, "{status}");
    }
    let mut rejected: BTreeMap<String, u64> = BTreeMap::new();
    for row in &tables.by_name["silver.rejected_interactions"].rows {
        *rejected.entry(row[1].clone()).or_default() += row[2].parse::<u64>().unwrap();
    }
    assert_eq!(
        expected.rejected.iter().map(|(reason, n)| (reason.to_string(), *n)).collect::<BTreeMap<_, _>>(),
        rejected
    );
    assert_eq!(
        manifest.user_interactions.bronze_rows,
        expected.fct_interactions + expected.duplicates + rejected.values().sum::<u64>()
    );
    let known: BTreeSet<&str> = column(tables, "silver.dim_users", "user_id").collect();
    let strangers = column(tables, "silver.fct_interactions", "user_id").filter(|user| !known.contains(user));
    assert_eq!(strangers.count() as u64, expected.unknown_users);
}

fn column<'a>(tables: &'a oracle::Tables, table: &str, name: &str) -> impl Iterator<Item = &'a str> {
    let table = &tables.by_name[table];
    let place = table.columns.iter().position(|column| *column == name).unwrap();
    table.rows.iter().map(move |row| row[place].as_str())
}

fn count(tables: &oracle::Tables, table: &str, name: &str, value: &str) -> u64 {
    column(tables, table, name).filter(|found| *found == value).count() as u64
}

#[test]
fn the_manifest_of_a_dirty_sample_is_what_a_reader_finds() {
    let (_, manifest, tables) = make_and_read(&small());
    let dirt = &manifest.user_interactions.dirt;
    for kind in super::dirt::KINDS {
        assert!(dirt[kind.name] > 0, "{}", kind.name);
    }
    assert_eq!(dirt["exact_duplicates"], 200);
    let late = column(&tables, "bronze.interactions", "event_date")
        .zip(column(&tables, "bronze.interactions", "_source_file"))
        .filter(|(date, file)| *date != "∅" && !file.contains(date));
    assert_eq!(late.count() as u64, dirt["late_rows"] + dirt["redelivered_duplicates"]);
    let rescued = column(&tables, "bronze.interactions", "_rescued").filter(|text| *text != "∅").count() as u64;
    assert_eq!(rescued, dirt["unreadable_durations"] + dirt["unreadable_timestamps"]);
    let bad_dates = column(&tables, "bronze.users", "_rescued").filter(|text| *text != "∅").count() as u64;
    assert_eq!(bad_dates, manifest.user_metadata.dirt["bad_join_dates"]);
}

#[test]
fn line_ends_and_byte_order_marks_are_counted() {
    let (files, manifest) = make(&small());
    let crlf: usize = files.values().map(|bytes| bytes.windows(2).filter(|pair| pair == b"\r\n").count()).sum();
    let marks = files.values().filter(|bytes| bytes.starts_with(b"\xEF\xBB\xBF")).count();
    assert_eq!(crlf as u64, manifest.user_interactions.dirt["crlf_lines"]);
    assert_eq!(marks as u64, manifest.user_interactions.dirt["byte_order_marks"]);
}

#[test]
fn a_clean_sample_has_no_dirt_at_all() {
    let (files, manifest, _) = make_and_read(&SampleOptions { dirty: false, ..small() });
    let expected = &manifest.expected;
    assert_eq!(manifest.user_interactions.dirt, BTreeMap::new());
    assert_eq!(manifest.user_metadata.dirt, BTreeMap::new());
    assert_eq!(manifest.user_metadata.records, 300);
    assert_eq!((expected.fct_interactions, expected.duplicates, expected.unknown_users), (20_000, 0, 0));
    assert_eq!(expected.duration_status, BTreeMap::from([("ok", 20_000)]));
    assert!(files.values().all(|bytes| !bytes.contains(&b'\r') && !bytes.contains(&b'\xEF')));
    let csv = files.iter().filter(|(name, _)| name.ends_with(".csv"));
    assert!(csv.flat_map(|(_, bytes)| bytes).all(|byte| *byte != b'"'));
}

#[test]
fn a_user_who_acts_every_second_still_has_distinct_keys() {
    let busy = SampleOptions { rows: 200_000, days: 1, users: 1, dirty: false, ..SampleOptions::default() };
    let (_, manifest, _) = make_and_read(&busy);
    assert_eq!(manifest.expected.fct_interactions, 200_000);
}

#[test]
fn tiny_samples_have_exactly_the_rows_asked_for() {
    for (rows, days, users) in [(0, 1, 1), (1, 1, 1), (1, 400, 3), (50, 7, 20), (999, 3, 60), (5_000, 2, 100)] {
        for layout in [SampleLayout::Daily, SampleLayout::OneFile] {
            make_and_read(&SampleOptions { rows, days, users, layout, ..SampleOptions::default() });
        }
    }
}

#[test]
fn threads_do_not_change_a_byte_and_the_seed_does() {
    for layout in [SampleLayout::Daily, SampleLayout::OneFile] {
        // The files only: they include the manifest, but not the number of threads.
        let (one, _) = make(&SampleOptions { layout, ..small() });
        let (three, _) = make(&SampleOptions { layout, threads: 3, ..small() });
        assert!(one == three, "{layout:?}");
        assert!(one != make(&SampleOptions { layout, seed: 8, ..small() }).0, "{layout:?}");
    }
}

#[test]
fn the_one_file_is_the_days_end_to_end() {
    let (daily, _, by_day) = make_and_read(&small());
    let (one, manifest, at_once) =
        make_and_read(&SampleOptions { layout: SampleLayout::OneFile, threads: 2, ..small() });
    assert_eq!(one.keys().collect::<Vec<_>>(), ["manifest.json", "user_interactions.csv", "user_metadata.csv"]);
    assert_eq!(manifest.user_interactions.files.len(), 1);
    assert_eq!(daily.len(), 47);
    assert_eq!(daily["user_metadata.csv"], one["user_metadata.csv"]);
    for name in by_day.by_name.keys().filter(|name| name.starts_with("silver") || name.starts_with("gold")) {
        assert_eq!(by_day.by_name[name], at_once.by_name[name], "{name}");
    }
}

#[test]
fn some_sessions_run_over_midnight_and_none_lasts_a_day() {
    let (_, _, tables) = make_and_read(&small());
    let sessions = |column_name: &'static str| column(&tables, "gold.sessions", column_name);
    let over = sessions("event_date").zip(sessions("session_end")).filter(|(date, end)| !end.starts_with(date));
    assert!(over.count() > 5);
    assert!(sessions("duration_s").all(|seconds| seconds.parse::<u32>().unwrap() < 86_400));
    let several = sessions("n_actions").filter(|actions| *actions != "1").count();
    assert!(several * 2 > tables.by_name["gold.sessions"].rows.len());
}

#[test]
fn without_late_days_nothing_is_late() {
    let (_, manifest, _) = make_and_read(&SampleOptions { late_days: 0, ..small() });
    assert!(!manifest.user_interactions.dirt.contains_key("late_rows"));
}

#[test]
fn options_out_of_range_and_full_disks_are_errors() {
    let wrong = [
        SampleOptions { days: 0, ..small() },
        SampleOptions { users: 0, ..small() },
        SampleOptions { late_days: 366, ..small() },
        SampleOptions { start: chrono::NaiveDate::MAX, ..small() },
    ];
    for options in wrong {
        assert_eq!(write(&options, &Memory::default()).unwrap_err().kind(), io::ErrorKind::InvalidInput);
    }
    for layout in [SampleLayout::Daily, SampleLayout::OneFile] {
        let options = SampleOptions { layout, threads: 2, ..small() };
        assert_eq!(write(&options, &Full).unwrap_err().kind(), io::ErrorKind::StorageFull);
    }
}
