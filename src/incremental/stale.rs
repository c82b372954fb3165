//! Which slices of a table do not hold what a build would make: a pure function of ledgers and of what slices read.
//!
//! # The theory
//!
//! The ledger of a table records for each slice its provenance: the fingerprint of the model that made it, and the version
//! of every input that it was made of. A slice is fresh if a build from the inputs as they are now would give the same
//! rows. That holds if, for each input,
//!
//! ```text
//!   no slice of the input that the window of this slice touches has changed after the version that was recorded
//! ```
//!
//! and if the fingerprint is the same. The ledger of an input says of each of its slices in which version its rows changed
//! last (`changes.rs`), where rows that came out as they were count as no change: that is what stops a rebuild from
//! rippling through all tables behind it (early cutoff). So freshness is the question for the newest change within a
//! range, asked of an implicit segment tree in O(log n). It needs no log of the input between then and now, and nothing in it
//! depends on clocks.
//!
//! Most slices share few provenances, because they were built together. For those the question is turned round
//! (`reached.rs`): from the changes since to the slices that read them, so that a new day of a table with thousands of days
//! looks at a handful of slices.
//!
//! Slices without an entry are absent. They hold no rows if a build of everything has recorded that ("the rest" of a
//! ledger), and if no row has come since that reaches them; otherwise they must be made. If rows may lie at times of which no
//! input has any, as in a calendar that a model writes out, nobody can list the slices that are missing, and the whole table
//! is stale.
//!
//! Everything errs to one side: whatever is not known, as a version from before an input's record begins, is stale.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::NaiveDateTime;

use super::cause::Cause;
use super::changes::InputChanges;
use super::per_provenance::Counted;
use super::reach::Reach;
use super::reads::Timeless;
use crate::day::{Grain, TimeRange};
use crate::table::{
    Entry, InputVersion, Ledger, LedgerFound, LedgerName, Provenance, RecentLedgers, SliceKey, SliceLayout, TableState,
};

/// A table, what would be built of it now, and from what.
pub(crate) struct Subject<'a> {
    pub fingerprint: &'a str,
    pub layout: SliceLayout,
    pub grain: Grain,
    /// No slice before it is built.
    pub begin: Option<NaiveDateTime>,
    pub state: Option<&'a TableState>,
    pub inputs: BTreeMap<String, SubjectInput<'a>>,
    /// How slices read each input: asked for only where it matters.
    pub reads: &'a dyn Fn() -> BTreeMap<String, Vec<InputRead>>,
    /// Whether it has rows at times of which no input has rows: asked for only where it matters.
    pub makes_times: &'a dyn Fn() -> bool,
}

/// An input as it is now.
pub(crate) struct SubjectInput<'a> {
    pub version: InputVersion,
    /// Nothing for files, and for a table that does not exist.
    pub changes: Option<&'a InputChanges>,
    /// The ledgers that a table had at its last versions.
    pub recent: RecentLedgers,
}

impl SubjectInput<'_> {
    /// Whether the table is known to have had another ledger at this version: then it was put back as it was before, and has come
    /// to the version again.
    fn was_never(&self, version: u64, ledger: Option<LedgerName>) -> bool {
        ledger.zip(self.recent.get(&version)).is_some_and(|(recorded, then)| recorded != *then)
    }
}

/// How slices read an input through one reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct InputRead {
    pub reach: Reach,
    pub timeless: Timeless,
    /// What it says of now is taken for all slices, and a change restates none.
    pub is_dimension: bool,
}

/// What must be built of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Stale {
    Nothing,
    Whole(Cause),
    Slices(BTreeMap<SliceKey, Cause>),
}

/// What is stale, and of which dimensions slices were made that changed since: how many slices each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub stale: Stale,
    pub older: BTreeMap<String, u64>,
}

pub(super) type Reads = BTreeMap<String, Vec<InputRead>>;

impl Subject<'_> {
    /// Decides. Whatever is not known is stale.
    pub fn verdict(&self) -> Verdict {
        let whole = |cause| Verdict { stale: Stale::Whole(cause), older: BTreeMap::new() };
        let Some(state) = self.state else { return whole(Cause::NotBuilt) };
        let ledger = match &state.ledger {
            LedgerFound::Known(ledger) => ledger,
            LedgerFound::Unknown(reason) => return whole(Cause::Unknown(reason.clone())),
        };
        if ledger.rest.is_none() && ledger.slices.is_empty() {
            return whole(Cause::Unknown("it is not known what it was built from".to_owned()));
        }
        let tainted = state.tainted(&self.layout);
        if self.layout == SliceLayout::Whole {
            let differs = || ledger.provenances().find_map(|made_of| self.any_difference(made_of));
            let is_new = ledger.provenances().any(|made_of| made_of.fingerprint != self.fingerprint);
            // Other code may cut the table in another way, and then its files tell nothing.
            let cause = if tainted.is_empty() || is_new { differs() } else { Some(Cause::Foreign) };
            return Verdict { stale: cause.map_or(Stale::Nothing, Stale::Whole), older: BTreeMap::new() };
        }
        let is_of_this_code = ledger.provenances().all(|made_of| made_of.fingerprint == self.fingerprint);
        if state.hides_slices(&self.layout).is_some() {
            return whole(if is_of_this_code { Cause::Foreign } else { Cause::NewCode });
        }
        let mut made_of: Vec<_> = ledger.provenances().collect();
        made_of.sort();
        made_of.dedup();
        let is_known = ledger.rest.is_some() && tainted.is_empty();
        if is_known && made_of.iter().all(|made_of| self.any_difference(made_of).is_none()) {
            return Verdict { stale: Stale::Nothing, older: BTreeMap::new() };
        }
        self.by_slice(ledger, &tainted, &(self.reads)())
    }

    /// Those of these slices that are recorded and hold what a build would make.
    pub fn fresh(&self, slices: impl Iterator<Item = SliceKey>) -> Vec<SliceKey> {
        let Some((state, ledger)) = self.state.and_then(|state| Some((state, state.known_ledger()?))) else {
            return Vec::new();
        };
        let (tainted, reads) = (state.tainted(&self.layout), (self.reads)());
        let is_fresh = |slice: &SliceKey| {
            let recorded = ledger.slices.get(slice).filter(|_| !tainted.contains(slice));
            recorded.is_some_and(|entry| self.difference(*slice, entry, &reads).is_none())
        };
        slices.filter(is_fresh).collect()
    }

    fn by_slice(&self, ledger: &Ledger, tainted: &BTreeSet<SliceKey>, reads: &Reads) -> Verdict {
        let rest = ledger.rest.as_deref().filter(|rest| rest.fingerprint == self.fingerprint);
        // Where other code made the rest, that is why nothing counts as made.
        let never = if ledger.rest.is_some() { Cause::NewCode } else { Cause::NeverMade };
        let is_known = |slice: SliceKey| ledger.slices.contains_key(&slice) || tainted.contains(&slice);
        let absent = match self.absent((rest, &never), &is_known, reads) {
            Ok(absent) => absent,
            Err(cause) => return Verdict { stale: Stale::Whole(cause), older: BTreeMap::new() },
        };
        let reached = self.reached_of_many(ledger, reads);
        let without_entry =
            tainted.iter().filter(|slice| !ledger.slices.contains_key(slice)).map(|slice| (slice, None));
        let recorded = ledger.slices.iter().map(|(slice, entry)| (slice, Some(entry)));
        let is_untouched = |slice: &SliceKey, entry: &Entry| {
            reached.get(&entry.provenance).is_some_and(|reached| *slice != SliceKey::All && !reached.contains(slice))
        };
        let (mut stale, mut fresh, mut is_all) = (BTreeMap::new(), Counted::default(), true);
        for (slice, entry) in recorded.chain(without_entry) {
            // Rows from before the model began later, or of somebody else, go: a full refresh has none there.
            let holds_rows = entry.is_none_or(|entry| entry.rows.rows > 0) || tainted.contains(slice);
            if self.is_before_begin(*slice) && !holds_rows {
                is_all = false;
                continue;
            }
            let cause = match entry {
                Some(entry) if entry.provenance.fingerprint != self.fingerprint => Some(Cause::NewCode),
                None => Some(Cause::Foreign),
                Some(_) if tainted.contains(slice) => Some(Cause::Foreign),
                Some(entry) if is_untouched(slice, entry) => None,
                Some(entry) => self.difference(*slice, entry, reads),
            };
            match (cause, entry) {
                (Some(cause), _) => {
                    stale.insert(*slice, cause);
                }
                (None, Some(entry)) => {
                    is_all = false;
                    fresh.add(&entry.provenance);
                }
                (None, None) => is_all = false,
            }
        }
        let is_all = is_all && !stale.is_empty();
        stale.extend(absent);
        let stale = match stale.first_key_value() {
            None => Stale::Nothing,
            Some((_, first)) if is_all && rest.is_none() && ledger.rest.is_some() => Stale::Whole(first.clone()),
            Some(_) => Stale::Slices(stale),
        };
        let fresh: Vec<_> = fresh.counts().collect();
        Verdict { stale, older: self.older(&fresh, reads) }
    }

    /// The slices that nobody has recorded and that may have rows. The error is why that may be any slice.
    fn absent(
        &self,
        (rest, never): (Option<&Provenance>, &Cause),
        is_known: &dyn Fn(SliceKey) -> bool,
        reads: &Reads,
    ) -> Result<BTreeMap<SliceKey, Cause>, Cause> {
        if rest.is_none() && (self.makes_times)() {
            return Err(never.clone());
        }
        let mut found = BTreeMap::new();
        for (name, input) in &self.inputs {
            let after = match rest.map(|rest| self.recorded(rest, name, input)) {
                None => None,
                Some(Ok(after)) => Some(after),
                Some(Err(cause)) => return Err(cause),
            };
            let (Some(changes), Some(of_input)) = (input.changes, reads.get(name)) else {
                match rest {
                    Some(_) => continue,
                    None => return Err(never.clone()),
                }
            };
            if after.is_some_and(|after| !changes.any_after(after)) {
                continue;
            }
            for read in of_input.iter().filter(|read| !read.is_dimension) {
                let cause = || match after {
                    Some(after) => Cause::Rows { input: name.clone(), after, read: None },
                    None => never.clone(),
                };
                let is_all = after.map_or_else(|| changes.is_not_told_apart(), |after| changes.all_after(after));
                if is_all || read.reach == Reach::Everything {
                    return Err(cause());
                }
                self.reached(changes, (read, after), &mut |slice, changed| {
                    let is_possible = slice != SliceKey::Timeless || self.may_be_timeless(reads);
                    if is_possible && !is_known(slice) && !self.is_before_begin(slice) {
                        let cause = match after {
                            Some(after) => Cause::Rows { input: name.clone(), after, read: changed },
                            None => never.clone(),
                        };
                        found.entry(slice).or_insert(cause);
                    }
                });
            }
        }
        Ok(found)
    }

    /// Calls for each slice that may read something that changed, or that has rows if nothing was ever made.
    pub(super) fn reached(
        &self,
        changes: &InputChanges,
        (read, after): (&InputRead, Option<u64>),
        found: &mut dyn FnMut(SliceKey, Option<TimeRange>),
    ) {
        let ranges: Vec<TimeRange> = match after {
            Some(after) => changes.ranges_after(after).collect(),
            None => changes.ranges_with_rows().collect(),
        };
        for changed in TimeRange::joined(ranges) {
            for slice in read.reach.slices_that_read(changed, self.grain).into_iter().flatten() {
                found(SliceKey::At(slice.start()), read.reach.reads(slice).flatten());
            }
        }
        let has_changed = match (read.timeless, after) {
            (Timeless::Same, None) => changes.has_timeless(),
            (Timeless::Same, Some(after)) => changes.timeless_after(after),
            (Timeless::Anything, _) => true,
            (Timeless::Nothing, _) => false,
        };
        if has_changed {
            found(SliceKey::Timeless, None);
        }
    }

    /// Whether rows without an event time can come out at all: where they come from such rows of an input, some input
    /// must have them, or have had them when the slice was made.
    fn may_be_timeless(&self, reads: &Reads) -> bool {
        let is_source = |name: &str| {
            let of_input = reads.get(name).into_iter().flatten();
            of_input.into_iter().any(|read| read.timeless == Timeless::Same)
        };
        let mut sources = self.inputs.iter().filter(|(name, _)| is_source(name)).peekable();
        sources.peek().is_none() || sources.any(|(_, input)| input.changes.is_none_or(InputChanges::knows_timeless))
    }

    /// How what a slice was made of differs from what it would be made of now.
    fn difference(&self, slice: SliceKey, entry: &Entry, all: &Reads) -> Option<Cause> {
        let made_of = &entry.provenance;
        if made_of.fingerprint != self.fingerprint {
            return Some(Cause::NewCode);
        }
        for (name, input) in &self.inputs {
            let (after, changes) = match (self.recorded(made_of, name, input), input.changes) {
                (Ok(after), Some(changes)) if changes.any_after(after) => (after, changes),
                (Ok(_), _) => continue,
                (Err(cause), _) => return Some(cause),
            };
            let Some(reads) = all.get(name) else {
                return Some(Cause::Rows { input: name.clone(), after, read: None });
            };
            for read in reads.iter().filter(|read| !read.is_dimension) {
                // Rows that are there may have lost what they were made of.
                let is_possible = slice != SliceKey::Timeless || entry.rows.rows > 0 || self.may_be_timeless(all);
                if let Some(read) = self.has_changed(slice, read, changes, after).filter(|_| is_possible) {
                    return Some(Cause::Rows { input: name.clone(), after, read });
                }
            }
        }
        self.dropped_input(made_of)
    }

    /// Whether something that the slice reads has changed; the inner range is what it reads, if that is known.
    fn has_changed(
        &self,
        slice: SliceKey,
        read: &InputRead,
        changes: &InputChanges,
        after: u64,
    ) -> Option<Option<TimeRange>> {
        let SliceKey::At(start) = slice else {
            let has_changed = match read.timeless {
                Timeless::Same => changes.timeless_after(after),
                Timeless::Nothing => false,
                Timeless::Anything => changes.any_after(after),
            };
            return has_changed.then_some(None);
        };
        let range = TimeRange::new(start, self.grain.next(start))?;
        match read.reach.reads(range) {
            None => changes.any_after(after).then_some(None),
            Some(Some(range)) => changes.within_after(range, after).then_some(Some(range)),
            Some(None) => None,
        }
    }

    /// The version of an input that something was made of; the error is why that says nothing any more.
    pub(super) fn recorded(&self, made_of: &Provenance, name: &str, input: &SubjectInput<'_>) -> Result<u64, Cause> {
        let owned = || name.to_owned();
        match (made_of.inputs.get(name), &input.version) {
            (None, _) => Err(Cause::InputNew { input: owned() }),
            (Some(InputVersion::Table { id, .. }), InputVersion::Table { id: now, .. }) if id != now => {
                Err(Cause::InputAnew { input: owned() })
            }
            (Some(InputVersion::Table { version, .. }), InputVersion::Table { version: now, .. }) if version > now => {
                Err(Cause::InputBack { input: owned(), made_of: *version })
            }
            (
                Some(InputVersion::Table { version, ledger, .. }),
                InputVersion::Table { version: now, ledger: newest, .. },
            ) if input.was_never(*version, *ledger) || version == now && ledger != newest => {
                Err(Cause::InputBack { input: owned(), made_of: *version })
            }
            (Some(InputVersion::Table { version, .. }), InputVersion::Table { .. }) => Ok(*version),
            // A table that is still to come: it comes in this run, or not yet.
            (Some(InputVersion::Missing), InputVersion::Missing) => {
                if input.changes.is_some_and(|changes| changes.any_after(0)) {
                    Err(Cause::Rows { input: owned(), after: 0, read: None })
                } else {
                    Ok(0)
                }
            }
            (Some(recorded), now) if recorded == now => Ok(0),
            (Some(_), InputVersion::Missing) => Err(Cause::InputGone { input: owned() }),
            (Some(_), InputVersion::Files(_)) => Err(Cause::Files { input: owned() }),
            (Some(_), InputVersion::Table { .. }) => Err(Cause::InputAnew { input: owned() }),
        }
    }

    pub(super) fn dropped_input(&self, made_of: &Provenance) -> Option<Cause> {
        let gone = made_of.inputs.keys().find(|input| !self.inputs.contains_key(*input));
        gone.map(|input| Cause::InputDropped { input: input.clone() })
    }

    /// How anything may differ, whatever reads what.
    pub fn any_difference(&self, made_of: &Provenance) -> Option<Cause> {
        if made_of.fingerprint != self.fingerprint {
            return Some(Cause::NewCode);
        }
        for (name, input) in &self.inputs {
            match (self.recorded(made_of, name, input), input.changes) {
                (Ok(after), Some(changes)) if changes.any_after(after) => {
                    return Some(Cause::Rows { input: name.clone(), after, read: None });
                }
                (Ok(_), _) => {}
                (Err(cause), _) => return Some(cause),
            }
        }
        self.dropped_input(made_of)
    }

    /// How many slices that stay as they are were made of an older version of each dimension.
    fn older(&self, fresh: &[(&Arc<Provenance>, u64)], reads: &Reads) -> BTreeMap<String, u64> {
        let mut older: BTreeMap<String, u64> = BTreeMap::new();
        let is_dimension =
            |name: &String| reads.get(name).is_some_and(|reads| reads.iter().any(|read| read.is_dimension));
        for (name, input) in self.inputs.iter().filter(|(name, _)| is_dimension(name)) {
            for (made_of, count) in fresh {
                if let (Ok(after), Some(changes)) = (self.recorded(made_of, name, input), input.changes)
                    && changes.any_after(after)
                {
                    *older.entry(name.clone()).or_default() += count;
                }
            }
        }
        older
    }

    fn is_before_begin(&self, slice: SliceKey) -> bool {
        match (slice, self.begin) {
            (SliceKey::At(start), Some(begin)) => self.grain.next(start) <= begin,
            _ => false,
        }
    }
}
