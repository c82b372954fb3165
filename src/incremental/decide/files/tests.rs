//! Which files are read and which slices are made anew, line by line.

use super::*;
use crate::day::parse_instant;
use crate::incremental::staleness::PendingChange;
use crate::name::SchemaName;
use crate::table::{Conversions, FileDigests, FileSlices, Provenance, RowChanges, SourceEntry};

fn day(day: u32) -> SliceKey {
    SliceKey::At(parse_instant(&format!("2023-05-{day:02}")).unwrap())
}

fn rows(path: &str, day: u32) -> SliceRows {
    SliceRows { rows: 2, hash: u128::from(day) << 64 | path.bytes().map(u128::from).sum::<u128>() }
}

/// A file with two rows on each of these days; its time tells its content.
type File = (&'static str, i64, &'static [u32]);

fn facts(files: &[File], gone: &[&str]) -> SourceFacts {
    let facts = |(path, modified, days): &File| {
        let slices = days.iter().map(|number| (day(*number), rows(path, *number))).collect();
        let slices = Some(FileSlices(slices));
        let (ranges, gone) = (BTreeMap::new(), gone.contains(path));
        let conversions = Conversions::default();
        let (size, records, quarantined) = (1, 2, 0);
        let facts = SourceFileFacts {
            size,
            modified: *modified,
            etag: None,
            records,
            quarantined,
            ranges,
            slices,
            gone,
            conversions,
        };
        ((*path).to_owned(), Arc::new(facts))
    };
    files.iter().map(facts).collect()
}

fn entries(files: &[File]) -> SliceMap<SliceEntry> {
    let made_of = Arc::new(Provenance { fingerprint: "f".into(), inputs: BTreeMap::new() });
    let mut entries: BTreeMap<SliceKey, SliceEntry> = BTreeMap::new();
    for (path, _, days) in files {
        for number in *days {
            let entry = || SliceEntry {
                provenance: Arc::clone(&made_of),
                files: FileDigests::default().of(SliceKey::All),
                rows: SliceRows::default(),
                changes: RowChanges::default(),
            };
            entries.entry(day(*number)).or_insert_with(entry).rows += rows(path, *number);
        }
    }
    entries.into_iter().collect()
}

/// What is done about these files, in one line.
struct Case {
    known: &'static [File],
    gone: &'static [&'static str],
    listed: &'static [(&'static str, i64)],
    keeps_missing: bool,
    changed_externally: &'static [u32],
}

const KNOWN: Case = Case {
    known: &[("a", 1, &[1, 2]), ("b", 1, &[2, 3]), ("c", 1, &[9])],
    gone: &[],
    listed: &[("a", 1), ("b", 1), ("c", 1)],
    keeps_missing: false,
    changed_externally: &[],
};

impl Case {
    fn decide(&self, arrivals: Option<&Arrivals>, wrong: Option<u32>) -> Loading {
        let (facts, mut entries) = (facts(self.known, self.gone), entries(self.known));
        for (_, entry) in entries.iter_mut().filter(|(slice, _)| wrong.map(day) == Some(**slice)) {
            entry.rows.rows += 1;
        }
        let entry = |(path, modified): &(&str, i64)| SourceEntry {
            path: (*path).to_owned(),
            size: 1,
            modified: *modified,
            etag: None,
        };
        let listing = SourceListing {
            entries: self.listed.iter().map(entry).collect(),
            digest: String::new(),
            keeps_missing: self.keeps_missing,
            partitions: BTreeMap::new(),
        };
        let source = TableName { schema: SchemaName::parse("raw").unwrap(), table: "t".to_owned() };
        let comparison = FileComparison {
            source: &source,
            facts: &facts,
            listing: &listing,
            entries: &entries,
            changed_externally: self.changed_externally.iter().map(|number| day(*number)).collect(),
            grain: Grain::Day,
            arrivals,
        };
        comparison.load().unwrap_or_else(Loading::Everything)
    }

    fn load(&self, arrivals: Option<&Arrivals>) -> (FileLoad, Vec<Reason>) {
        match self.decide(arrivals, None) {
            Loading::Files { load, reasons } => (load, reasons),
            other => panic!("{other:?}"),
        }
    }

    fn said(&self) -> String {
        said(self.decide(None, None))
    }
}

fn said(loading: Loading) -> String {
    let (load, reasons) = match loading {
        Loading::Files { load, reasons } => (load, reasons),
        Loading::Everything(why) => return why.to_string(),
        Loading::OtherCauses => panic!("it was made of files"),
    };
    let words = |paths: &BTreeSet<String>| paths.iter().cloned().collect::<Vec<_>>().join(" ");
    let why: Vec<String> = reasons.into_iter().map(|reason| reason.why).collect();
    format!(
        "read [{}] again [{}] rebuild [{}]: {}",
        words(&load.read),
        words(&load.again),
        load.rebuild,
        why.join("; ")
    )
}

#[test]
fn new_files_alone_are_read_alone() {
    let one = Case { listed: &[("a", 1), ("b", 1), ("c", 1), ("d", 1)], ..KNOWN };
    assert_eq!(one.said(), "read [d] again [] rebuild []: 1 new file: d");
    let three = Case { listed: &[("a", 1), ("b", 1), ("c", 1), ("d", 1), ("e", 1), ("f", 1)], ..KNOWN };
    assert_eq!(three.said(), "read [d e f] again [] rebuild []: 3 new files of raw.t, first d");
}

#[test]
fn a_changed_or_vanished_file_makes_its_slices_anew_with_the_others_that_have_rows_there() {
    let changed = Case { listed: &[("a", 7), ("b", 1), ("c", 1)], ..KNOWN };
    assert_eq!(changed.said(), "read [a] again [b] rebuild [2023-05-01 to 2023-05-02]: a changed");
    let vanished = Case { listed: &[("a", 1), ("b", 1)], ..KNOWN };
    assert_eq!(vanished.said(), "read [] again [] rebuild [2023-05-09]: c is gone");
    let both = Case { listed: &[("b", 2), ("c", 1), ("d", 1)], ..KNOWN };
    let expected = "read [b d] again [] rebuild [2023-05-01 to 2023-05-03]: 1 new file: d; b changed; a is gone";
    assert_eq!(both.said(), expected);
}

#[test]
fn rows_of_files_that_are_gone_stay_where_the_source_says_so() {
    let gone = Case { listed: &[("b", 1), ("c", 1)], keeps_missing: true, ..KNOWN };
    assert_eq!(gone.said(), "read [] again [] rebuild []: a is gone, and its rows stay");
    let known = Case { listed: &[("b", 1), ("c", 1), ("d", 1)], keeps_missing: true, gone: &["a"], ..KNOWN };
    assert_eq!(known.said(), "read [d] again [] rebuild []: 1 new file: d");
    let back = Case { keeps_missing: true, gone: &["a"], ..KNOWN };
    assert_eq!(back.said(), "read [] again [] rebuild []: the list of the files of `raw.t` changed");
    let no_more = Case { listed: &[("b", 1), ("c", 1)], gone: &["a"], ..KNOWN };
    assert_eq!(no_more.said(), "read [] again [b] rebuild [2023-05-01 to 2023-05-02]: a is gone");
    let lost = Case { listed: &[("b", 2), ("c", 1)], keeps_missing: true, ..KNOWN };
    let (load, _) = lost.load(None);
    let listing =
        SourceListing { entries: Vec::new(), digest: String::new(), keeps_missing: true, partitions: BTreeMap::new() };
    let (facts, listings) = (facts(KNOWN.known, &[]), [Arc::new(listing)]);
    assert_eq!(would_lose(&Build::Files(load), &facts, &listings), ["a", "b"], "they share a day with what changed");
    assert_eq!(would_lose(&Build::Whole, &facts, &listings), ["a", "b", "c"]);
}

#[test]
fn slices_that_are_not_what_is_known_of_files_are_made_anew() {
    let changed = Case { changed_externally: &[2], ..KNOWN };
    let expected = "read [] again [a b] rebuild [2023-05-02]: something other than karat changed 2023-05-02";
    assert_eq!(changed.said(), expected);
    let expected = "read [] again [b] rebuild [2023-05-03]: 2023-05-03 was built from other files than the rest";
    assert_eq!(said(KNOWN.decide(None, Some(3))), expected);
}

#[test]
fn without_slices_of_a_file_nothing_can_be_said() {
    let mut facts = facts(KNOWN.known, &[]);
    Arc::make_mut(facts.get_mut("b").unwrap()).slices = None;
    let (entries, listing) = (
        entries(KNOWN.known),
        SourceListing { entries: Vec::new(), digest: String::new(), keeps_missing: false, partitions: BTreeMap::new() },
    );
    let source = TableName { schema: SchemaName::parse("raw").unwrap(), table: "t".to_owned() };
    let comparison = FileComparison {
        source: &source,
        facts: &facts,
        listing: &listing,
        entries: &entries,
        changed_externally: BTreeSet::new(),
        grain: Grain::Day,
        arrivals: None,
    };
    assert_eq!(comparison.load().unwrap_err().to_string(), "it is not known which rows came from which file");
}

#[test]
fn who_has_looked_into_new_files_tells_slices() {
    let case = Case { listed: &[("a", 1), ("b", 1), ("c", 1), ("d", 1)], ..KNOWN };
    let of_d = |rows: u64| BTreeMap::from([("d".to_owned(), rows)]);
    let arrivals = BTreeMap::from([
        (SliceKey::NullTime, of_d(1)),
        (day(2), of_d(3)),
        (day(3), of_d(4)),
        (day(4), of_d(5)),
        (day(9), of_d(1)),
    ]);
    let (load, reasons) = case.load(Some(&arrivals));
    let why: Vec<&str> = reasons.iter().map(|reason| reason.why.as_str()).collect();
    let expected = [
        "1 new row without a time in d",
        "7 late rows for 2023-05-02 to 2023-05-03 in d",
        "5 new rows for 2023-05-04 in d",
        "1 late row for 2023-05-09 in d",
    ];
    assert_eq!(why, expected);
    let slices = SliceSet::of(arrivals.keys().copied(), Grain::Day).unwrap();
    assert_eq!(Build::Files(load).pending_change(), Some(PendingChange::Slices(slices)));
    let (load, _) = case.load(None);
    assert_eq!(Build::Files(load).pending_change(), Some(PendingChange::Unknown(None)));
    let (load, _) = Case { listed: &[("b", 1), ("c", 1)], ..KNOWN }.load(None);
    let rebuilt = PendingChange::Slices(load.rebuild.clone());
    assert_eq!(Build::Files(load).pending_change(), Some(rebuilt));
}
