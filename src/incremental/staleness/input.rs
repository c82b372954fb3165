//! An input of a table as it is now, and how the table's slices read it.

use std::collections::BTreeMap;

use super::cause::Cause;
use super::changes::InputChanges;
use crate::day::{Grain, TimeRange};
use crate::delta::Version;
use crate::incremental::reach::{Reach, ReadRange};
use crate::incremental::windows::NullTime;
use crate::name::TableKey;
use crate::table::{InputVersion, LedgerName, Provenance, RecentLedgers, SliceKey};

/// An input as it is now.
pub(crate) struct SubjectInput<'a> {
    pub version: InputVersion,
    /// `None` for files, and for a table that does not exist.
    pub changes: Option<&'a InputChanges>,
    /// The ledgers that a table had at its last versions.
    pub recent: RecentLedgers,
}

/// How slices read an input through one reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct InputRead {
    pub reach: Reach,
    pub timeless: NullTime,
    /// What it says of now is taken for all slices, and a change restates none.
    pub is_dimension: bool,
}

/// The inputs of a table by the names that stand in ledgers.
pub(super) type Inputs<'a> = BTreeMap<TableKey, SubjectInput<'a>>;

/// How slices read each input.
pub(super) type InputReads = BTreeMap<TableKey, Vec<InputRead>>;

/// Whether something that a slice reads of an input has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Changed {
    No,
    /// With the times of the input that the slice reads, if these are known.
    Yes(Option<TimeRange>),
}

impl SubjectInput<'_> {
    /// Returns the version of this input that something was made of.
    ///
    /// # Errors
    ///
    /// If the versions say nothing about each other any more, the cause why all of it is stale.
    pub fn recorded_version(&self, name: &TableKey, made_of: &Provenance) -> Result<Version, Cause> {
        let input = name.clone();
        match (made_of.inputs.get(name), &self.version) {
            (None, _) => Err(Cause::InputNew { input }),
            // Versions of two tables cannot be compared, even under one name.
            (Some(then @ InputVersion::Table { id, .. }), InputVersion::Table { id: now, .. }) if id != now => {
                Err(self.moved(input.clone(), then).unwrap_or(Cause::InputAnew { input }))
            }
            // The table was restored, or the lake was put back from a copy: what was read is not there any more.
            (Some(InputVersion::Table { version, .. }), InputVersion::Table { version: now, .. }) if version > now => {
                Err(Cause::InputBack { input, made_of: *version })
            }
            (
                Some(InputVersion::Table { version, ledger, .. }),
                InputVersion::Table { version: now, ledger: newest, .. },
                // It went back and came forward again on another way: the number is the same, the rows need not be.
            ) if self.had_another_ledger(*version, *ledger) || version == now && ledger != newest => {
                Err(Cause::InputBack { input, made_of: *version })
            }
            (Some(InputVersion::Table { version, .. }), InputVersion::Table { .. }) => Ok(*version),
            // A table that is still to come: it comes in this run, or not yet.
            (Some(InputVersion::Missing), InputVersion::Missing) => {
                if self.changes.is_some_and(|changes| changes.any_after(Version::FIRST)) {
                    Err(Cause::Rows { input, after: Version::FIRST, read: None })
                } else {
                    Ok(Version::FIRST)
                }
            }
            // The same list of files. It has no versions, so nothing can have changed after any.
            (Some(recorded), now) if recorded == now => Ok(Version::FIRST),
            (Some(then), InputVersion::Missing) => {
                Err(self.moved(input.clone(), then).unwrap_or(Cause::InputGone { input }))
            }
            (Some(_), InputVersion::Files(_)) => Err(Cause::Files { input }),
            // It was missing, or a source, and now it is a table.
            (Some(_), InputVersion::Table { .. }) => Err(Cause::InputAnew { input }),
        }
    }

    /// The cause if the table was read from another target than it is now, or not now.
    fn moved(&self, input: TableKey, then: &InputVersion) -> Option<Cause> {
        let now = self.version.target();
        (then.target() != now).then(|| Cause::InputElsewhere {
            input,
            then: then.target().map(str::to_owned),
            now: now.map(str::to_owned),
            is_there: self.version.is_there(),
        })
    }

    /// Whether the table is known to have had another ledger at this version: then it was put back as it was before, and
    /// has come to the version again.
    fn had_another_ledger(&self, version: Version, ledger: Option<LedgerName>) -> bool {
        ledger.zip(self.recent.get(&version)).is_some_and(|(recorded, then)| recorded != *then)
    }
}

impl InputRead {
    /// Calls `found` for each slice that may read something that changed after a version; without a version, for each that
    /// may read any row at all.
    pub(super) fn each_reached(
        &self,
        changes: &InputChanges,
        after: Option<Version>,
        grain: Grain,
        found: &mut dyn FnMut(SliceKey, Option<TimeRange>),
    ) {
        let ranges: Vec<TimeRange> = match after {
            Some(after) => changes.ranges_after(after).collect(),
            None => changes.ranges_with_rows().collect(),
        };
        // Neighbouring slices are joined first: mostly one range has changed, and its slices are enumerated once.
        for changed in TimeRange::joined(ranges) {
            for slice in self.reach.slices_that_read(changed, grain).into_iter().flatten() {
                found(SliceKey::At(slice.start()), self.reach.reads(slice).range());
            }
        }
        let has_changed = match (self.timeless, after) {
            (NullTime::Same, None) => changes.has_timeless(),
            (NullTime::Same, Some(after)) => changes.timeless_after(after),
            (NullTime::Anything, _) => true,
            (NullTime::Nothing, _) => false,
        };
        if has_changed {
            found(SliceKey::NullTime, None);
        }
    }

    /// Whether something that one slice reads has changed after a version.
    pub(super) fn changed(&self, slice: SliceKey, changes: &InputChanges, after: Version, grain: Grain) -> Changed {
        let SliceKey::At(start) = slice else {
            let has_changed = match self.timeless {
                NullTime::Same => changes.timeless_after(after),
                NullTime::Nothing => false,
                NullTime::Anything => changes.any_after(after),
            };
            return if has_changed { Changed::Yes(None) } else { Changed::No };
        };
        let Some(range) = TimeRange::new(start, grain.next(start)) else { return Changed::No };
        match self.reach.reads(range) {
            // What reads everything is stale after any change, and no range tells which.
            ReadRange::All if changes.any_after(after) => Changed::Yes(None),
            ReadRange::Range(range) if changes.within_after(range, after) => Changed::Yes(Some(range)),
            ReadRange::All | ReadRange::Range(_) | ReadRange::Nothing => Changed::No,
        }
    }
}

/// Whether something was copied together with what is recorded of it, and a dimension that it reads had changed since it was made of
/// it, or is not the one that was copied: such a change restates nothing, here as there.
pub(super) fn is_kept_dimension(
    name: &TableKey,
    input: &SubjectInput<'_>,
    made_of: &Provenance,
    all: &InputReads,
) -> bool {
    let is_of_a_copy = made_of.inputs.get(name).is_some_and(InputVersion::is_of_a_copy);
    let reads = all.get(name).map_or(&[] as &[InputRead], Vec::as_slice);
    is_of_a_copy && input.version.is_there() && !reads.is_empty() && reads.iter().all(|read| read.is_dimension)
}

/// Returns why something is stale that was made of an input which is not read any more.
pub(super) fn dropped_input(inputs: &Inputs<'_>, made_of: &Provenance) -> Option<Cause> {
    let dropped = made_of.inputs.keys().find(|input| !inputs.contains_key(*input))?;
    Some(Cause::InputDropped { input: dropped.clone() })
}
