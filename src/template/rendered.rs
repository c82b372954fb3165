//! What rendering makes of a project: its models, and what is known of those that have errors.

use std::collections::BTreeMap;

use super::{Reference, RenderedModel, RenderedModels};
use crate::diag::{Checked, Diagnostic, Sink};
use crate::name::ModelName;
use crate::span::FileId;

/// Every model and seed that is enabled.
#[derive(Debug, Default)]
pub struct Rendered {
    /// Those that are well.
    pub models: RenderedModels,
    /// The others.
    pub broken: BTreeMap<ModelName, BrokenModel>,
    /// The analyses, by their files.
    pub analyses: BTreeMap<FileId, RenderedAnalysis>,
}

/// An analysis: a query that is rendered and never run.
#[derive(Debug)]
pub struct RenderedAnalysis {
    /// `None` if it cannot be rendered.
    pub text: Option<String>,
    /// What it refers to, as far as that is known.
    pub references: Vec<Reference>,
}

/// A model that could not be rendered.
#[derive(Debug)]
pub struct BrokenModel {
    /// Its place in the lake, its config and its references, as far as they are known. It has no text.
    pub outline: RenderedModel,
    /// What is wrong with it; at least one of them is an error.
    pub faults: Vec<Diagnostic>,
}

impl Rendered {
    /// What is known of each model, well or not, in the order of their names.
    pub fn outlines(&self) -> impl Iterator<Item = &RenderedModel> {
        let mut all: Vec<&RenderedModel> = self.models.values().collect();
        all.extend(self.broken.values().map(|model| &model.outline));
        all.sort_by(|left, right| left.name.cmp(&right.name));
        all.into_iter()
    }

    /// What is known of a model, well or not. Returns `None` if there is no such model.
    pub fn outline(&self, name: &ModelName) -> Option<&RenderedModel> {
        self.models.get(name).or_else(|| self.broken.get(name).map(|model| &model.outline))
    }

    /// The models, if all of them are well.
    ///
    /// # Errors
    ///
    /// Says what is wrong with the others.
    pub fn whole(self, sink: &mut Sink) -> Checked<RenderedModels> {
        for fault in self.broken.into_values().flat_map(|model| model.faults) {
            sink.add(fault);
        }
        sink.unless_errors(self.models)
    }
}
