//! Changes that come second, where files were put together meanwhile.

use std::collections::BTreeSet;

use super::*;
use crate::day::{Grain, parse_instant};
use crate::table::{
    Domain, InputVersion, LedgerFound, PartitionValues, Provenance, SliceKey, SliceLayout, SliceMap, SliceRows,
};

fn file(path: &str, day: &str) -> DataFile {
    let partition = PartitionValues::from_iter([("day", Some(day))]);
    DataFile { path: path.into(), partition, bytes: 1, rows: Some(1), stats: None }
}

fn slice(day: &str) -> SliceKey {
    SliceKey::At(parse_instant(day).unwrap())
}

fn made_of(files: &str) -> Arc<Provenance> {
    let inputs = [("raw.orders".into(), InputVersion::Files(files.to_owned()))].into();
    Arc::new(Provenance { fingerprint: "code".into(), inputs })
}

fn layout() -> SliceLayout {
    SliceLayout::ByFile { event_time: "day".to_owned(), grain: Grain::Day }
}

/// A load of a file: the rows of both days stay as they are, and one more file comes to the first.
fn load() -> Work {
    let days = ["2023-05-01", "2023-05-02"];
    let rows = |day: &&str| (slice(day), SliceRows { rows: 2, hash: 7 });
    let slices = days.iter().map(rows).collect::<SliceMap<SliceRows>>();
    let stays = days.iter().map(|day| slice(day)).collect::<BTreeSet<SliceKey>>();
    Work { slices, stays, ..Work::new(layout(), Domain::Whole, made_of("two files")) }
}

/// The table as karat has left it.
fn state(files: &[DataFile]) -> TableState {
    let slices = ["2023-05-01", "2023-05-02"].map(|day| (slice(day), SliceRows { rows: 2, hash: 6 }));
    let before =
        Work { slices: slices.into_iter().collect(), ..Work::new(layout(), Domain::Whole, made_of("one file")) };
    let ledger = before.ledger(None, NextVersion { table: "id", version: Version::new(1) }, files);
    let files = Arc::new(files.to_vec());
    TableState {
        id: "id".to_owned(),
        version: Version::new(1),
        files,
        ledger: LedgerFound::Known(Arc::new(ledger)),
        ..TableState::empty()
    }
}

/// What becomes of a load that has put `a1` and `a2` of the first day together with its new rows, when something else has
/// left these files meanwhile.
fn outcome(now: &[DataFile]) -> Result<Change, Box<CommitOutcome>> {
    let (a1, a2, b) = (file("a1", "2023-05-01"), file("a2", "2023-05-01"), file("b", "2023-05-02"));
    let base = state(&[a1.clone(), a2.clone(), b]);
    // Files that were only rearranged make no other rows.
    let winner = TableState {
        version: Version::new(2),
        files: Arc::new(now.to_vec()),
        since: SinceLedger::Commits(Vec::new()),
        ..base.clone()
    };
    let about = CommitInfo {
        token: "token".to_owned(),
        model: "m".to_owned(),
        run: "r".to_owned(),
        why: "w".to_owned(),
        git: None,
        made_as: None,
        now: 0,
    };
    let together = vec![a1, a2];
    let (remove, add) = (together.clone(), vec![file("a3", "2023-05-01")]);
    let (schema, partition_columns) = (TableSchema::default(), Vec::new());
    onto(
        Change { base: Some(Arc::new(base)), work: load(), remove, add, together, schema, partition_columns, about },
        Arc::new(winner),
    )
}

fn paths(files: &[DataFile]) -> Vec<&str> {
    files.iter().map(|file| file.path.as_str()).collect()
}

#[test]
fn files_that_were_put_together_go_also_from_the_version_of_another_writer() {
    let files = [file("a1", "2023-05-01"), file("a2", "2023-05-01"), file("other", "2023-05-02")];
    let change = outcome(&files).expect("the other day's file does not matter");
    assert_eq!((paths(&change.remove), paths(&change.add)), (vec!["a1", "a2"], vec!["a3"]));
}

#[test]
fn files_that_another_writer_has_put_together_first_are_planned_again() {
    let files = [file("a12", "2023-05-01"), file("b", "2023-05-02")];
    match outcome(&files).map_err(|outcome| *outcome) {
        Err(CommitOutcome::Replan { reason, .. }) => assert!(reason.contains("were to be compacted"), "{reason}"),
        other => panic!("their rows would be there twice: {other:?}"),
    }
}
