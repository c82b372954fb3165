//! dbt's unique ids of what is no test: `model.shop.orders`, `source.shop.raw.orders`.

use crate::name::{ModelName, TableName};
use crate::project::{Model, Project, model_named};
use crate::template::{Reference, ReferenceTarget};

/// The ids of a project's nodes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NodeIds<'a> {
    project: &'a Project,
}

impl<'a> NodeIds<'a> {
    pub fn new(project: &'a Project) -> Self {
        Self { project }
    }

    /// The id of a model, a seed or a snapshot.
    pub fn of_model(self, model: &Model) -> String {
        let id = format!("{}.{}.{}", model.kind(), model.package, base_name(model));
        match version(model) {
            Some(version) => format!("{id}.v{version}"),
            None => id,
        }
    }

    /// The id of what `ref()` finds by this name. Returns `None` if there is no such thing.
    pub fn of_name(self, name: &ModelName) -> Option<String> {
        self.project.models.get(name).map(|model| self.of_model(model))
    }

    /// What `ref('name')` or `ref('name', version=…)` finds.
    pub(super) fn referred(self, name: &str, number: Option<&str>) -> Option<&'a Model> {
        let plain = model_named(&self.project.models, name).and_then(|name| self.project.models.get(&name));
        if let Some(model) = plain.filter(|model| model.version.is_none()) {
            return Some(model);
        }
        // Only models with versions get here, and there are few of them.
        let is_meant = |model: &&Model| {
            model.version.as_ref().filter(|found| found.of == name).is_some_and(|found| match number {
                Some(number) => version(model).as_deref() == Some(number),
                None => found.is_latest(),
            })
        };
        self.project.models.values().find(is_meant)
    }

    pub fn of_source(self, name: &TableName) -> String {
        let package = self.project.package_of_source(name);
        format!("source.{package}.{}.{}", name.schema, name.table)
    }

    /// The id of what a reference names. Returns `None` for a model's own table.
    pub(super) fn of_reference(self, reference: &Reference) -> Option<String> {
        match (&reference.through, &reference.target) {
            (Some(source), _) | (None, ReferenceTarget::Source(source)) => Some(self.of_source(source)),
            (None, ReferenceTarget::Model(name)) => self.of_name(name),
            (None, ReferenceTarget::This) => None,
        }
    }

    pub(super) fn of_target(self, target: &ReferenceTarget) -> Option<String> {
        match target {
            ReferenceTarget::Source(source) => Some(self.of_source(source)),
            ReferenceTarget::Model(name) => self.of_name(name),
            ReferenceTarget::This => None,
        }
    }
}

/// The name by which `ref()` finds a model: that of all of its versions.
pub(super) fn base_name(model: &Model) -> &str {
    model.version.as_ref().map_or(model.name.as_str(), |version| version.of.as_str())
}

/// The number of a model's version, without quotes.
pub(super) fn version(model: &Model) -> Option<String> {
    model.version.as_ref().map(|version| version.version.clone())
}
