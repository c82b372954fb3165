//! How the slices of a table stand: fresh, stale or missing, or what the last run of their model failed to build.

use std::collections::{BTreeMap, BTreeSet};

use super::payload::{Calendar, StateFacts, TableStanding};
use crate::analyze::TypedModel;
use crate::incremental::{Build, Decision};
use crate::table::{SliceKey, TableState};

/// Files and bytes of each slice. Returns `None` if files hold rows of several slices.
fn files_by_slice(model: &TypedModel, state: &TableState) -> Option<BTreeMap<SliceKey, (u64, u64)>> {
    let layout = model.layout();
    let mut found: BTreeMap<SliceKey, (u64, u64)> = BTreeMap::new();
    for file in state.files.iter() {
        let sum = found.entry(layout.slice_of(&file.partition)?).or_default();
        sum.0 += 1;
        sum.1 += file.bytes;
    }
    Some(found)
}

/// The calendar of a table that is cut by time. Returns `None` for others, and where no slice is known.
pub(super) fn calendar(
    model: &TypedModel,
    state: Option<&TableState>,
    decision: Option<&Decision>,
    last_failed: bool,
) -> Option<Calendar> {
    if !model.is_sliced() {
        return None;
    }
    let grain = model.config.batch_size;
    let ledger = state.and_then(TableState::known_ledger);
    let build = decision.and_then(|decision| decision.build.as_ref());
    let built = build.and_then(Build::slices);
    let is_whole = build.is_some_and(Build::is_whole);
    let is_unsure = decision.is_none_or(|decision| decision.waits_for.is_some() || decision.blocked.is_some())
        || build.is_some() && !is_whole && built.is_none();
    let mut keys: BTreeSet<SliceKey> = ledger.into_iter().flat_map(|ledger| ledger.slices.keys().copied()).collect();
    keys.extend(built.iter().flat_map(|slices| slices.slices(grain)));
    if keys.is_empty() {
        return None;
    }
    let files = state.and_then(|state| files_by_slice(model, state));
    let mut calendar = Calendar {
        grain: grain.word(),
        keys: Vec::new(),
        states: String::new(),
        rows: Vec::new(),
        files: files.is_some().then(Vec::new),
        versions: Vec::new(),
        reasons: Vec::new(),
        reason_of: Vec::new(),
    };
    let times = keys.iter().filter(|key| matches!(key, SliceKey::At(_)));
    for key in times.chain(keys.iter().filter(|key| !matches!(key, SliceKey::At(_)))) {
        let entry = ledger.and_then(|ledger| ledger.slices.get(key));
        let is_to_build = is_whole || built.as_ref().is_some_and(|slices| slices.contains(*key));
        calendar.keys.push(key.to_string());
        calendar.states.push(match (is_to_build, entry) {
            (false, _) if is_unsure => '3',
            (false, _) => '0',
            // A run has tried, and what it was to build is still to be built.
            (true, _) if last_failed => '4',
            (true, Some(_)) => '1',
            (true, None) => '2',
        });
        calendar.rows.push(entry.map_or(0, |entry| entry.rows.rows));
        calendar.versions.push(entry.map_or(0, |entry| entry.changes.newest().number()));
        if let (Some(list), Some(files)) = (&mut calendar.files, &files) {
            list.push(files.get(key).copied().unwrap_or_default());
        }
        let reason = if is_to_build || is_unsure { decision.map(|decision| decision.why_of(*key)) } else { None };
        let place = reason.map_or(0, |reason| calendar.place_of(reason));
        calendar.reason_of.push(place);
    }
    Some(calendar)
}

impl Calendar {
    fn place_of(&mut self, reason: &str) -> usize {
        if let Some(place) = self.reasons.iter().position(|known| known == reason) {
            return place + 1;
        }
        self.reasons.push(reason.to_owned());
        self.reasons.len()
    }
}

/// How a table stands as a whole.
pub(super) fn standing(model: &TypedModel, state: Option<&TableState>, decision: Option<&Decision>) -> TableStanding {
    match (model.config.materialized.is_stored(), state, decision) {
        (false, _, _) => TableStanding::None,
        (true, None, _) => TableStanding::Missing,
        (true, Some(_), None) => TableStanding::None,
        (true, Some(_), Some(decision)) => match (&decision.build, &decision.waits_for, &decision.blocked) {
            (None, None, None) => TableStanding::Fresh,
            _ => TableStanding::Stale,
        },
    }
}

/// What the newest version of a table holds.
pub(super) fn state_facts(state: &TableState) -> StateFacts {
    StateFacts {
        version: state.version.number(),
        rows: state.files.iter().map(|file| file.rows).sum(),
        bytes: state.files.iter().map(|file| file.bytes).sum(),
        files: state.files.len(),
    }
}
