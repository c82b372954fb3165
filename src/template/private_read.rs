//! Private models, which nodes of their own group may read and nobody else.

use super::{BrokenModel, ReferenceTarget, Rendered, RenderedModel};
use crate::diag::{Code, Diagnostic};
use crate::name::ModelName;
use crate::project::{ModelAccess, ModelConfig, Project};
use crate::span::Span;

/// A node that reads a model.
pub(crate) struct PrivateRead<'a> {
    /// The node in words: `the model `daily``.
    pub reader: &'a str,
    /// The group of the reader.
    pub group: Option<&'a str>,
    pub model: &'a ModelName,
    /// The config of the model that is read.
    pub config: &'a ModelConfig,
}

impl PrivateRead<'_> {
    /// What is wrong with the reference at this place. Returns `None` if the model may be read.
    pub fn refusal(&self, at: Span) -> Option<Diagnostic> {
        let owner = self.config.group.as_ref().map(|group| group.value.as_str());
        // As in dbt: a private model without a group is read by nobody.
        if self.config.access != ModelAccess::Private || (self.group.is_some() && self.group == owner) {
            return None;
        }
        let of_group =
            owner.map_or_else(|| "it has no group".to_owned(), |group| format!("only the group `{group}` may read it"));
        let message = format!("{} reads `{}`, which is private: {of_group}", self.reader, self.model);
        let help = match owner {
            Some(group) => format!("put the reader into the group `{group}`, or make the model `access: protected`"),
            None => "give the model a `group`, or make it `access: protected`".to_owned(),
        };
        Some(Diagnostic::error(Code::InvalidConfig, message).at(at).help(help))
    }
}

impl RenderedModel {
    /// The references to private models that this model may not read, and the groups that do not exist.
    pub(super) fn refused_reads(&self, project: &Project, rendered: &Rendered) -> Vec<Diagnostic> {
        let mut refused: Vec<Diagnostic> =
            self.config.group.iter().filter_map(|group| project.unknown_group(group)).collect();
        let reader = format!("the {} `{}`", project.kind_of(&self.name), self.name);
        let texts = std::iter::once(&self.full).chain(&self.sliced);
        for reference in texts.flat_map(|text| &text.references) {
            let ReferenceTarget::Model(model) = &reference.target else { continue };
            let Some(read) = rendered.outline(model) else { continue };
            let group = self.config.group.as_ref().map(|group| group.value.as_str());
            let read = PrivateRead { reader: &reader, group, model, config: &read.config };
            refused.extend(read.refusal(reference.span).filter(|diagnostic| !refused.contains(diagnostic)));
        }
        refused
    }
}

impl Rendered {
    /// Models that read what they may not are broken: everything else goes on.
    pub(super) fn refuse_private_reads(&mut self, project: &Project) {
        // A model that is broken in another way may not know its group.
        let refused: Vec<(ModelName, Vec<Diagnostic>)> = self
            .models
            .values()
            .map(|model| (model.name.clone(), model.refused_reads(project, self)))
            .filter(|(_, faults)| !faults.is_empty())
            .collect();
        for (name, faults) in refused {
            if let Some(outline) = self.models.remove(&name) {
                self.broken.insert(name, BrokenModel { outline, faults });
            }
        }
    }
}
