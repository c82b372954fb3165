//! How the slices of a table stand to its inputs as they are: what may be said of them where both are copied.

use std::collections::{BTreeMap, BTreeSet};

use super::decider::{Decider, PendingChanges};
use crate::analyze::TypedModel;
use crate::delta::Version;
use crate::incremental::staleness::InputChanges;
use crate::name::TableKey;
use crate::table::{InputVersion, StaleSlices};

/// The slices of a table, before they are copied.
pub(crate) struct CarriedSlices {
    pub stale: StaleSlices,
    changes: BTreeMap<TableKey, InputChanges>,
    /// The inputs whose changes restate nothing.
    dimensions: BTreeSet<TableKey>,
}

impl Decider<'_> {
    /// Looks at a table whose inputs are as they are.
    pub fn carried(&self, model: &TypedModel) -> CarriedSlices {
        let decision = self.decide(model);
        let grain = model.config.batch_size;
        let stale = match decision.build.as_ref() {
            None if decision.blocked.is_none() => StaleSlices::None,
            // The rows of files may belong to any slice.
            Some(build) => match build.slices() {
                Some(slices) => StaleSlices::Some(slices.slices(grain).collect()),
                None => StaleSlices::All,
            },
            None => StaleSlices::All,
        };
        // How slices read inputs is only of interest where some are told apart.
        let reads = if model.is_sliced() { self.input_reads(model) } else { BTreeMap::new() };
        let dimensions =
            reads.into_iter().filter(|(_, reads)| !reads.is_empty() && reads.iter().all(|read| read.is_dimension));
        let dimensions = dimensions.map(|(name, _)| name).collect();
        CarriedSlices { stale, changes: self.changes_of_inputs(model, &PendingChanges::new()), dimensions }
    }
}

impl CarriedSlices {
    /// Whether an input is a dimension that has changed after this version: what was made of it stays, and is not what a build
    /// of now would make.
    pub fn is_older_dimension(&self, input: &TableKey, recorded: &InputVersion) -> bool {
        let InputVersion::Table { version, .. } = recorded else { return false };
        let has_changed = |after: Version| self.changes.get(input).is_none_or(|changes| changes.any_after(after));
        self.dimensions.contains(input) && has_changed(*version)
    }
}
