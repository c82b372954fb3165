//! Decides what is stale of one table.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::NaiveDateTime;

use super::cause::Cause;
use super::changes::InputChanges;
use super::input::{Changed, InputRead, InputReads, Inputs, SubjectInput, dropped_input, is_kept_dimension};
use super::ptr_map::ProvenanceCounts;
use super::reached::ReachedSlices;
use crate::day::Grain;
use crate::incremental::reach::Reach;
use crate::incremental::windows::NullTime;
use crate::name::TableKey;
use crate::table::{Ledger, LedgerFound, Provenance, SliceEntry, SliceKey, SliceLayout, TableState};

/// A table, what would be built of it now, and from what.
pub(crate) struct Subject<'a> {
    pub fingerprint: &'a str,
    pub layout: SliceLayout,
    pub grain: Grain,
    /// No slice before it is built.
    pub begin: Option<NaiveDateTime>,
    pub state: Option<&'a TableState>,
    pub inputs: BTreeMap<TableKey, SubjectInput<'a>>,
    /// How slices read each input: asked for only where it matters.
    pub reads: &'a dyn Fn() -> BTreeMap<TableKey, Vec<InputRead>>,
    /// Whether it has rows at times of which no input has rows: asked for only where it matters.
    pub makes_times: &'a dyn Fn() -> bool,
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
    pub older: BTreeMap<TableKey, u64>,
}

impl Subject<'_> {
    /// Decides. Whatever is not known is stale.
    pub fn verdict(&self) -> Verdict {
        let Some(state) = self.state else { return Verdict::whole(Cause::NotBuilt) };
        let ledger = match &state.ledger {
            LedgerFound::Known(ledger) => ledger,
            LedgerFound::Unknown(reason) => return Verdict::whole(Cause::Unknown(reason.clone())),
        };
        if ledger.default_provenance.is_none() && ledger.slices.is_empty() {
            return Verdict::whole(Cause::Unknown("it is not known what it was built from".to_owned()));
        }
        let changed_externally = state.changed_externally(&self.layout);
        if !self.layout.is_sliced() {
            let is_new = ledger.provenances().any(|made_of| made_of.fingerprint != self.fingerprint);
            // Other code may cut the table in another way, and then its files tell nothing.
            let cause = if changed_externally.is_empty() || is_new {
                ledger.provenances().find_map(|made_of| self.any_difference(made_of))
            } else {
                Some(Cause::Foreign)
            };
            return cause.map_or(Verdict::fresh(), Verdict::whole);
        }
        if state.needs_full_rebuild(&self.layout).is_some() {
            let is_of_this_code = ledger.provenances().all(|made_of| made_of.fingerprint == self.fingerprint);
            return Verdict::whole(if is_of_this_code { Cause::Foreign } else { Cause::NewCode });
        }
        // The quick answer first: where no input has changed at all, nobody needs to know what reads what, and deriving
        // that costs as much as planning the model.
        let mut made_of: Vec<_> = ledger.provenances().collect();
        made_of.sort();
        made_of.dedup();
        let is_known = ledger.default_provenance.is_some() && changed_externally.is_empty();
        if is_known && made_of.iter().all(|made_of| self.any_difference(made_of).is_none()) {
            return Verdict::fresh();
        }
        let reads = (self.reads)();
        SliceBySlice { subject: self, ledger, changed_externally: &changed_externally, reads: &reads }.verdict()
    }

    /// Returns those of these slices that are recorded and hold what a build would make.
    pub fn fresh(&self, slices: impl Iterator<Item = SliceKey>) -> Vec<SliceKey> {
        let Some((state, ledger)) = self.state.and_then(|state| Some((state, state.known_ledger()?))) else {
            return Vec::new();
        };
        let changed_externally = state.changed_externally(&self.layout);
        let reads = (self.reads)();
        slices
            .filter(|slice| {
                let recorded = ledger.slices.get(slice).filter(|_| !changed_externally.contains(slice));
                recorded.is_some_and(|entry| self.difference(*slice, entry, &reads).is_none())
            })
            .collect()
    }

    /// Returns how anything may differ, whatever reads what.
    pub fn any_difference(&self, made_of: &Provenance) -> Option<Cause> {
        if made_of.fingerprint != self.fingerprint {
            return Some(Cause::NewCode);
        }
        for (name, input) in &self.inputs {
            match (input.recorded_version(name, made_of), input.changes) {
                (Ok(after), Some(changes)) if changes.any_after(after) => {
                    return Some(Cause::Rows { input: name.clone(), after, read: None });
                }
                (Ok(_), _) => {}
                (Err(cause), _) => return Some(cause),
            }
        }
        dropped_input(&self.inputs, made_of)
    }

    /// Says a cause in an analyst's words, with the rows that changed.
    pub fn describe(&self, cause: &Cause) -> String {
        match cause {
            Cause::Rows { input, after, read } => {
                let changes = self.inputs.get(input).and_then(|input| input.changes);
                cause.describe(changes.map(|changes| changes.summary(*read, *after)).as_ref())
            }
            _ => cause.describe(None),
        }
    }

    /// Returns how what a slice was made of differs from what it would be made of now.
    fn difference(&self, slice: SliceKey, entry: &SliceEntry, all: &InputReads) -> Option<Cause> {
        let made_of = &entry.provenance;
        if made_of.fingerprint != self.fingerprint {
            return Some(Cause::NewCode);
        }
        for (name, input) in &self.inputs {
            let (after, changes) = match (input.recorded_version(name, made_of), input.changes) {
                (Ok(after), Some(changes)) if changes.any_after(after) => (after, changes),
                (Ok(_), _) => continue,
                (Err(_), _) if is_kept_dimension(name, input, made_of, all) => continue,
                (Err(cause), _) => return Some(cause),
            };
            let Some(reads) = all.get(name) else {
                return Some(Cause::Rows { input: name.clone(), after, read: None });
            };
            // Rows that are there may have lost what they were made of.
            let is_possible = slice != SliceKey::NullTime || entry.rows.rows > 0 || may_be_timeless(&self.inputs, all);
            for read in reads.iter().filter(|read| is_possible && !read.is_dimension) {
                if let Changed::Yes(read) = read.changed(slice, changes, after, self.grain) {
                    return Some(Cause::Rows { input: name.clone(), after, read });
                }
            }
        }
        dropped_input(&self.inputs, made_of)
    }

    fn is_before_begin(&self, slice: SliceKey) -> bool {
        match (slice, self.begin) {
            (SliceKey::At(start), Some(begin)) => self.grain.next(start) <= begin,
            _ => false,
        }
    }
}

impl Verdict {
    fn whole(cause: Cause) -> Verdict {
        Verdict { stale: Stale::Whole(cause), older: BTreeMap::new() }
    }

    fn fresh() -> Verdict {
        Verdict { stale: Stale::Nothing, older: BTreeMap::new() }
    }
}

/// Whether rows without an event time can come out at all: where they come from such rows of an input, some input must
/// have them, or have had them when the slice was made.
fn may_be_timeless(inputs: &Inputs<'_>, reads: &InputReads) -> bool {
    let passes_on = inputs.iter().filter(|(name, _)| {
        let mut of_input = reads.get(*name).into_iter().flatten();
        of_input.any(|read| read.timeless == NullTime::Same)
    });
    let mut passes_on = passes_on.peekable();
    passes_on.peek().is_none() || passes_on.any(|(_, input)| input.changes.is_none_or(InputChanges::knows_timeless))
}

/// The comparison of a sliced table with what a build would make, slice by slice.
///
/// Slices fall into three groups: those with an entry in the ledger, those without one in which something else than karat
/// has written rows, and those that are absent and may have rows by now.
struct SliceBySlice<'s> {
    subject: &'s Subject<'s>,
    ledger: &'s Ledger,
    changed_externally: &'s BTreeSet<SliceKey>,
    reads: &'s InputReads,
}

impl<'s> SliceBySlice<'s> {
    fn verdict(&self) -> Verdict {
        let absent = match self.absent() {
            Ok(absent) => absent,
            Err(cause) => return Verdict::whole(cause),
        };
        let Subject { fingerprint, grain, inputs, .. } = self.subject;
        let reached = ReachedSlices::of_many(self.ledger, fingerprint, inputs, self.reads, *grain);
        let mut stale = BTreeMap::new();
        let mut fresh = ProvenanceCounts::default();
        let mut is_all = true;
        for (slice, entry) in self.known_slices() {
            // Rows from before the model began later, or of somebody else, go: a full refresh has none there.
            let holds_rows = entry.is_none_or(|entry| entry.rows.rows > 0) || self.changed_externally.contains(&slice);
            if self.subject.is_before_begin(slice) && !holds_rows {
                is_all = false;
                continue;
            }
            match (self.cause(slice, entry, &reached), entry) {
                (Some(cause), _) => {
                    stale.insert(slice, cause);
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
            // New code throughout: a whole build also records the slices without rows, so that it is asked for only once.
            Some((_, first))
                if is_all && self.default_provenance().is_none() && self.ledger.default_provenance.is_some() =>
            {
                Stale::Whole(first.clone())
            }
            Some(_) => Stale::Slices(stale),
        };
        let fresh: Vec<_> = fresh.counts().collect();
        Verdict { stale, older: self.older(&fresh) }
    }

    /// Returns the slices with an entry, and then those that only others have filled.
    fn known_slices(&self) -> impl Iterator<Item = (SliceKey, Option<&'s SliceEntry>)> {
        let recorded = self.ledger.slices.iter().map(|(slice, entry)| (*slice, Some(entry)));
        let only_external = self.changed_externally.iter().filter(|slice| !self.ledger.slices.contains_key(slice));
        recorded.chain(only_external.map(|slice| (*slice, None)))
    }

    /// Returns why a known slice is stale, or `None` if it is fresh.
    fn cause(&self, slice: SliceKey, entry: Option<&SliceEntry>, reached: &ReachedSlices<'_>) -> Option<Cause> {
        match entry {
            Some(entry) if entry.provenance.fingerprint != self.subject.fingerprint => Some(Cause::NewCode),
            None => Some(Cause::Foreign),
            Some(_) if self.changed_externally.contains(&slice) => Some(Cause::Foreign),
            Some(entry) if reached.spare(slice, entry) => None,
            Some(entry) => self.subject.difference(slice, entry, self.reads),
        }
    }

    /// Returns what slices without an entry are made of, if a build of everything by this code has recorded that.
    fn default_provenance(&self) -> Option<&'s Provenance> {
        self.ledger.default_provenance.as_deref().filter(|rest| rest.fingerprint == self.subject.fingerprint)
    }

    /// Returns the slices that nobody has recorded and that may have rows.
    ///
    /// # Errors
    ///
    /// If that may be any slice, the cause why.
    fn absent(&self) -> Result<BTreeMap<SliceKey, Cause>, Cause> {
        let default_provenance = self.default_provenance();
        // Where other code built everything, that is why nothing counts as made.
        let never = if self.ledger.default_provenance.is_some() { Cause::NewCode } else { Cause::NeverMade };
        if default_provenance.is_none() && (self.subject.makes_times)() {
            return Err(never);
        }
        let mut found = BTreeMap::new();
        for (name, input) in &self.subject.inputs {
            let is_kept = |made_of: &Provenance| is_kept_dimension(name, input, made_of, self.reads);
            if default_provenance.is_some_and(is_kept) {
                continue;
            }
            let after = default_provenance.map(|made_of| input.recorded_version(name, made_of)).transpose()?;
            let cause = |read| match after {
                Some(after) => Cause::Rows { input: name.clone(), after, read },
                None => never.clone(),
            };
            let (Some(changes), Some(reads)) = (input.changes, self.reads.get(name)) else {
                match default_provenance {
                    Some(_) => continue,
                    None => return Err(never),
                }
            };
            if after.is_some_and(|after| !changes.any_after(after)) {
                continue;
            }
            // Without a version to compare with, every slice that may have rows is missing; which these are, only an input that
            // tells its slices apart can say.
            let is_all = after.map_or_else(|| changes.is_not_told_apart(), |after| changes.all_after(after));
            for read in reads.iter().filter(|read| !read.is_dimension) {
                if is_all || read.reach == Reach::Everything {
                    return Err(cause(None));
                }
                read.each_reached(changes, after, self.subject.grain, &mut |slice, times| {
                    if self.may_be_missing(slice) {
                        found.entry(slice).or_insert_with(|| cause(times));
                    }
                });
            }
        }
        Ok(found)
    }

    /// Whether a slice that rows have come for is nowhere recorded and can have rows of its own.
    fn may_be_missing(&self, slice: SliceKey) -> bool {
        let is_possible = slice != SliceKey::NullTime || may_be_timeless(&self.subject.inputs, self.reads);
        let is_known = self.ledger.slices.contains_key(&slice) || self.changed_externally.contains(&slice);
        is_possible && !is_known && !self.subject.is_before_begin(slice)
    }

    /// Returns how many slices that stay as they are were made of an older version of each dimension.
    fn older(&self, fresh: &[(&Arc<Provenance>, u64)]) -> BTreeMap<TableKey, u64> {
        let mut older: BTreeMap<TableKey, u64> = BTreeMap::new();
        for (name, input) in &self.subject.inputs {
            if !self.reads.get(name).is_some_and(|reads| reads.iter().any(|read| read.is_dimension)) {
                continue;
            }
            for (made_of, count) in fresh {
                let is_older = match (input.recorded_version(name, made_of), input.changes) {
                    (Ok(after), Some(changes)) => changes.any_after(after),
                    (Ok(_), None) => false,
                    (Err(_), _) => is_kept_dimension(name, input, made_of, self.reads),
                };
                if is_older {
                    *older.entry(name.clone()).or_default() += count;
                }
            }
        }
        older
    }
}
