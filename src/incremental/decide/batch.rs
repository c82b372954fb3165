//! When a table that adds to its past is not up to date: a batch is added, and what it holds already stays.

use super::build::Build;
use crate::incremental::staleness::{Cause, Subject};
use crate::table::LedgerFound;

/// Stands behind a reason: such a table is not what a full refresh would build.
const ADDS: &str = "accumulating table: not refresh-equivalent";

/// Returns what must be built of a table, if anything, and why. Files that another writer has changed stay: nobody could
/// make their rows again.
pub(super) fn batch(subject: &Subject<'_>) -> Option<(Build, String)> {
    let Some(state) = subject.state else {
        return Some((Build::Whole, "not built yet".to_owned()));
    };
    let ledger = match &state.ledger {
        LedgerFound::Known(ledger) => ledger,
        LedgerFound::Unknown(reason) => return Some(added(reason)),
    };
    let made_of: Vec<_> = ledger.provenances().collect();
    if made_of.is_empty() {
        return Some(added("it is not known what it was built from"));
    }
    if made_of.iter().any(|made_of| made_of.fingerprint != subject.fingerprint) {
        let why = "its SQL or config changed: old rows stay as they were; `--full-refresh` rebuilds them";
        return Some((Build::Batch, why.to_owned()));
    }
    // Which rows changed does not matter: the SQL says what of its inputs it takes, and what is there already stays.
    let cause = made_of.into_iter().find_map(|made_of| subject.any_difference(made_of))?;
    Some(added(&subject.describe(&cause)))
}

/// Returns whether a snapshot must be taken, and why. The same query over the same inputs finds no version that begins or
/// ends, whatever the time is: the rows that it would give are those that the valid versions were made of.
pub(super) fn versions(subject: &Subject<'_>) -> Option<(Build, String)> {
    let take = |why: &str| Some((Build::Batch, why.to_owned()));
    let Some(state) = subject.state else { return take("not taken yet") };
    let ledger = match &state.ledger {
        LedgerFound::Known(ledger) => ledger,
        LedgerFound::Unknown(reason) => return take(reason),
    };
    let made_of: Vec<_> = ledger.provenances().collect();
    if made_of.is_empty() {
        return take("it is not known what it was taken of");
    }
    if made_of.iter().any(|made_of| made_of.fingerprint != subject.fingerprint) {
        return take("its query or config changed; the versions that it has stay");
    }
    // Valid versions may be others than those that the query gave.
    if !state.changed_externally(&subject.layout).is_empty() {
        return take(&subject.describe(&Cause::Foreign));
    }
    let cause = made_of.into_iter().find_map(|made_of| subject.any_difference(made_of))?;
    take(&subject.describe(&cause))
}

fn added(why: &str) -> (Build, String) {
    (Build::Batch, format!("{why}; {ADDS}"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use super::*;
    use crate::day::Grain;
    use crate::delta::Version;
    use crate::incremental::staleness::SubjectInput;
    use crate::table::{
        FileDigests, InputVersion, Ledger, Provenance, RecentLedgers, RowChanges, SliceEntry, SliceKey, SliceLayout,
        SliceRows, TableState,
    };

    fn made_of(fingerprint: &str, files: &str) -> Arc<Provenance> {
        let inputs = BTreeMap::from([("raw.orders".into(), InputVersion::Files(files.to_owned()))]);
        Arc::new(Provenance { fingerprint: fingerprint.into(), inputs })
    }

    fn built(provenance: Option<Arc<Provenance>>) -> TableState {
        let (files, changes) = (FileDigests::default().of(SliceKey::All), RowChanges::default());
        let entry = |provenance| SliceEntry { provenance, files, rows: SliceRows::default(), changes };
        let slices = provenance.clone().map(|provenance| (SliceKey::All, entry(provenance))).into_iter().collect();
        let ledger = Ledger {
            slices,
            history_starts_at: Version::FIRST,
            default_provenance: provenance,
            ..Ledger::empty("id".to_owned(), Version::new(1))
        };
        TableState { ledger: LedgerFound::Known(Arc::new(ledger)), ..TableState::empty() }
    }

    /// What is decided for code `f` over these files.
    fn decided(state: Option<&TableState>, files: &str) -> Option<(Build, String)> {
        let version = InputVersion::Files(files.to_owned());
        let inputs = BTreeMap::from([(
            "raw.orders".into(),
            SubjectInput { version, changes: None, recent: RecentLedgers::default() },
        )]);
        let (layout, grain, begin) = (SliceLayout::Whole, Grain::Day, None);
        let makes_times = &|| false;
        batch(&Subject { fingerprint: "f", layout, grain, begin, state, inputs, reads: &BTreeMap::new, makes_times })
    }

    #[test]
    fn the_first_build_is_whole_and_later_ones_are_batches() {
        assert_eq!(decided(None, "a").unwrap().0, Build::Whole);
        let same = built(Some(made_of("f", "a")));
        assert_eq!(decided(Some(&same), "a"), None);
        let (build, why) = decided(Some(&same), "b").unwrap();
        assert_eq!(build, Build::Batch);
        assert_eq!(why, "the files of `raw.orders` changed; accumulating table: not refresh-equivalent");
    }

    #[test]
    fn edited_code_is_used_from_now_on_and_takes_no_row_away() {
        let edited = built(Some(made_of("g", "a")));
        for files in ["a", "b"] {
            let (build, why) = decided(Some(&edited), files).unwrap();
            assert_eq!(build, Build::Batch);
            assert!(why.starts_with("its SQL or config changed: old rows stay"), "{why}");
        }
    }

    #[test]
    fn what_is_not_known_is_stale_and_never_thrown_away() {
        let lost = TableState { ledger: LedgerFound::Unknown("its ledger is lost".to_owned()), ..TableState::empty() };
        for state in [lost, built(None)] {
            assert_eq!(decided(Some(&state), "a").unwrap().0, Build::Batch);
        }
    }
}
