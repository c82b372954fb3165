//! When a table that adds to its past is not up to date: a batch is added, and what it holds already stays.

use crate::table::{LedgerFound, Provenance, TableState};

use super::decide::Build;

/// Stands behind a reason: such a table is not what a full refresh would build.
const ADDS: &str = "adds to its past: not refresh-equivalent";

/// What must be built of the table of a model with this fingerprint, if anything, and why, where `differs` says how
/// the inputs differ from those that something was made of. Files that another writer has changed stay: nobody could
/// make them again.
pub(super) fn batch(
    state: Option<&TableState>,
    fingerprint: &str,
    differs: &dyn Fn(&Provenance) -> Option<String>,
) -> Option<(Build, String)> {
    let Some(state) = state else {
        return Some((Build::Whole, "not built yet".to_owned()));
    };
    let add = |why: &str| Some((Build::Batch, format!("{why}; {ADDS}")));
    let ledger = match &state.ledger {
        LedgerFound::Known(ledger) => ledger,
        LedgerFound::Unknown(reason) => return add(reason),
    };
    let made_of: Vec<_> = ledger.provenances().collect();
    if made_of.is_empty() {
        return add("it is not known what it was made of");
    }
    if made_of.iter().any(|made_of| made_of.fingerprint != fingerprint) {
        let why = "its SQL or config changed: old rows stay as they were; `--full-refresh` rebuilds them";
        return Some((Build::Batch, why.to_owned()));
    }
    made_of.into_iter().find_map(|made_of| differs(made_of)).and_then(|why| add(&why))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use super::*;
    use crate::table::{Entry, InputVersion, Ledger, SliceKey, SliceRows};

    fn made_of(fingerprint: &str, version: u64) -> Arc<Provenance> {
        let input = InputVersion::Table { id: "id".to_owned(), version };
        Arc::new(Provenance {
            fingerprint: fingerprint.to_owned(),
            inputs: BTreeMap::from([("bronze.orders".to_owned(), input)]),
        })
    }

    fn built(provenance: Option<Arc<Provenance>>) -> TableState {
        let entry = |provenance| Entry { provenance, files: "files".to_owned(), rows: SliceRows::default() };
        let slices = provenance.iter().cloned().map(|provenance| (SliceKey::All, entry(provenance))).collect();
        let (table, source_files) = ("id".to_owned(), None);
        let ledger = Ledger { table, version: 1, slices, rest: provenance, source_files };
        TableState { ledger: LedgerFound::Known(Arc::new(ledger)), ..TableState::empty() }
    }

    fn decided(state: Option<&TableState>, version: u64) -> Option<(Build, String)> {
        let now = made_of("f", version);
        batch(state, "f", &|made_of| (made_of.inputs != now.inputs).then(|| "`bronze.orders` changed".to_owned()))
    }

    #[test]
    fn the_first_build_is_whole_and_later_ones_are_batches() {
        assert_eq!(decided(None, 1).unwrap().0, Build::Whole);
        let same = built(Some(made_of("f", 1)));
        assert_eq!(decided(Some(&same), 1), None);
        let (build, why) = decided(Some(&same), 2).unwrap();
        assert_eq!(build, Build::Batch);
        assert_eq!(why, "`bronze.orders` changed; adds to its past: not refresh-equivalent");
    }

    #[test]
    fn edited_code_is_used_from_now_on_and_takes_no_row_away() {
        let edited = built(Some(made_of("g", 1)));
        let (build, why) = decided(Some(&edited), 1).unwrap();
        assert_eq!(build, Build::Batch);
        assert!(why.starts_with("its SQL or config changed: old rows stay"), "{why}");
    }

    #[test]
    fn what_is_not_known_is_stale_and_never_thrown_away() {
        let lost = TableState { ledger: LedgerFound::Unknown("its ledger is lost".to_owned()), ..TableState::empty() };
        for state in [lost, built(None)] {
            assert_eq!(decided(Some(&state), 1).unwrap().0, Build::Batch);
        }
    }
}
