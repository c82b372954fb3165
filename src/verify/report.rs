//! What was found of one model.

use std::collections::{BTreeMap, BTreeSet};

use super::compare::Different;
use crate::analyze::TypedModel;
use crate::execute::{Event, Observer};
use crate::failure::Failure;
use crate::name::ModelName;
use crate::table::SliceKey;

#[derive(Debug)]
pub(crate) struct Verified {
    pub model: ModelName,
    /// Slices that are what a full refresh makes.
    pub equal: usize,
    /// Of those, the ones whose floating-point numbers differ in digits that depend on the order of a sum.
    pub rounded: usize,
    /// Slices that could not be compared, by the reason.
    pub unverified: BTreeMap<String, usize>,
    /// Why nothing of the model could be compared, if that is so.
    pub not_at_all: Option<String>,
    /// Whether windows, or a text of its own for slices, were taken for true.
    pub trusted: bool,
    pub findings: Vec<Finding>,
    /// What kept the comparison from its end.
    pub failure: Option<Failure>,
}

/// Slices whose rows are not what a full refresh makes.
#[derive(Debug)]
pub(crate) enum Finding {
    /// Something else than karat has changed them, and they are stale.
    Tainted(BTreeSet<SliceKey>),
    /// The table says that they have no rows, and a full refresh gives them some.
    Missing(BTreeSet<SliceKey>),
    /// The table has rows in them of which its ledger knows nothing.
    Unrecorded(BTreeSet<SliceKey>),
    Different(Box<Different>),
    /// The files of a table that adds to its past hold other rows than karat wrote: so many, and so many were recorded.
    NotAsRecorded {
        stored: u64,
        recorded: u64,
    },
}

impl Finding {
    /// How many slices it concerns.
    pub fn slices(&self) -> usize {
        match self {
            Finding::Tainted(slices) | Finding::Missing(slices) | Finding::Unrecorded(slices) => slices.len(),
            Finding::Different(different) => different.slices.len(),
            Finding::NotAsRecorded { .. } => 1,
        }
    }
}

impl Verified {
    pub fn new(model: &TypedModel) -> Verified {
        Verified {
            model: model.name.clone(),
            equal: 0,
            rounded: 0,
            unverified: BTreeMap::new(),
            not_at_all: None,
            trusted: false,
            findings: Vec::new(),
            failure: None,
        }
    }

    pub fn not_at_all(model: &TypedModel, why: String) -> Verified {
        Verified { not_at_all: Some(why), ..Verified::new(model) }
    }

    /// How many slices are not what a full refresh makes.
    pub fn different(&self) -> usize {
        self.findings.iter().map(Finding::slices).sum()
    }

    pub(super) fn cannot(&mut self, why: impl Into<String>, slices: usize) {
        if slices > 0 {
            *self.unverified.entry(why.into()).or_default() += slices;
        }
    }

    /// Tells how it ended.
    pub(super) fn tell(&self, observer: &dyn Observer) {
        let model = &self.model;
        if let Some(failure) = &self.failure {
            return observer.event(&Event::Failed { model, message: &failure.diagnostic().message });
        }
        if let Some(why) = &self.not_at_all {
            return observer.event(&Event::NotVerified { model, why });
        }
        match (self.different(), self.equal) {
            (0, 0) => observer.event(&Event::NotVerified { model, why: &self.reasons().join("; ") }),
            (0, slices) => {
                let aside = self.asides().join("; ");
                let aside = Some(aside.as_str()).filter(|aside| !aside.is_empty());
                observer.event(&Event::Verified { model, slices, aside });
            }
            (1, _) => observer.event(&Event::Failed { model, message: "1 slice differs" }),
            (count, _) => observer.event(&Event::Failed { model, message: &format!("{count} slices differ") }),
        }
    }

    fn asides(&self) -> Vec<String> {
        let rounded = (self.rounded > 0).then(|| format!("{} up to the rounding of sums", self.rounded));
        rounded.into_iter().chain(self.reasons()).collect()
    }

    /// Why slices could not be compared.
    fn reasons(&self) -> Vec<String> {
        if self.unverified.is_empty() && self.equal == 0 {
            return vec!["it has no slices".to_owned()];
        }
        self.unverified.iter().map(|(why, count)| format!("{count} cannot be verified: {why}")).collect()
    }
}
