//! What a step computes.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::incremental::staleness::PendingChange;
use crate::table::SliceSet;

/// What a step computes, and what becomes of the rows that its table has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Build {
    /// All rows anew.
    Whole,
    /// These slices; the others stay as they are.
    Slices(SliceSet),
    /// The rows of new and changed files, and some slices anew; the other rows stay as they are.
    Files(FileLoad),
    /// Rows that are added to the table, or go in the place of some of its rows.
    Batch,
}

/// What a build does to the rows that its table has. Everything that writes is told this, and never asks how a model is
/// materialized.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Write<'a> {
    /// All of them go.
    ReplaceAll,
    /// Those of these slices go; rows of other slices may come to those that are there.
    ReplaceSlices(&'a SliceSet),
    /// Those go whose keys stand in the new rows: none, if the model has no key.
    AddBatch,
}

/// How much of a table is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum BuildKind {
    Whole,
    Slices,
    /// The rows of new files, which are added to slices, and slices that held rows of other files.
    Files,
    /// Rows that are added to the table, or go in the place of some of its rows.
    Batch,
}

/// What a build does that loads files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FileLoad {
    /// The new and the changed files: all of their rows are loaded.
    pub read: BTreeSet<String>,
    /// The slices that held rows of changed or vanished files: they are made anew.
    pub rebuild: SliceSet,
    /// The files that did not change and have rows in these slices: they are read once more for them.
    pub again: BTreeSet<String>,
    /// The slices that the rows of the new and the changed files belong to, if somebody has looked.
    pub arrives: Option<SliceSet>,
}

impl Build {
    pub fn kind(&self) -> BuildKind {
        match self {
            Build::Whole => BuildKind::Whole,
            Build::Slices(_) => BuildKind::Slices,
            Build::Files(_) => BuildKind::Files,
            Build::Batch => BuildKind::Batch,
        }
    }

    pub fn write(&self) -> Write<'_> {
        match self {
            Build::Whole => Write::ReplaceAll,
            Build::Slices(slices) => Write::ReplaceSlices(slices),
            Build::Files(load) => Write::ReplaceSlices(&load.rebuild),
            Build::Batch => Write::AddBatch,
        }
    }

    /// Whether all rows are made anew.
    pub fn is_whole(&self) -> bool {
        *self == Build::Whole
    }

    /// Whether rows come to those that are there, and few or none of these go.
    pub fn only_adds(&self) -> bool {
        match self {
            Build::Files(_) | Build::Batch => true,
            Build::Whole | Build::Slices(_) => false,
        }
    }

    /// Returns the slices that get other rows. Returns `None` if that is the whole table, or if only the reading of files
    /// can tell.
    pub fn slices(&self) -> Option<SliceSet> {
        match self {
            Build::Slices(slices) => Some(slices.clone()),
            Build::Files(load) => load.slices(),
            Build::Whole | Build::Batch => None,
        }
    }

    /// Returns the files that are loaded, if it loads files.
    pub fn load(&self) -> Option<&FileLoad> {
        match self {
            Build::Files(load) => Some(load),
            Build::Whole | Build::Slices(_) | Build::Batch => None,
        }
    }

    /// Returns what readers of the table will find changed.
    pub(super) fn pending_change(&self) -> Option<PendingChange> {
        match self {
            Build::Whole | Build::Batch => Some(PendingChange::Whole),
            Build::Slices(slices) => Some(PendingChange::Slices(slices.clone())),
            Build::Files(load) => match load.slices() {
                None => Some(PendingChange::Unknown(None)),
                Some(slices) => (!slices.is_empty()).then_some(PendingChange::Slices(slices)),
            },
        }
    }
}

impl FileLoad {
    /// Returns the slices that get other rows; `None` if nobody has looked into the files.
    pub fn slices(&self) -> Option<SliceSet> {
        let arrives = match (&self.arrives, self.read.is_empty()) {
            (None, false) => return None,
            (arrives, _) => arrives.clone().unwrap_or_default(),
        };
        let ranges = self.rebuild.ranges().iter().chain(arrives.ranges()).copied().collect();
        Some(SliceSet::new(ranges, self.rebuild.timeless() || arrives.timeless()))
    }
}
