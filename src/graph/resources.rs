//! What exposures, metrics, semantic models, saved queries and analyses read.

use std::collections::BTreeMap;

use super::NodeId;
use super::edges::{Edges, NodeNumbers};
use crate::diag::{Code, Diagnostic, Sink};
use crate::name::ModelName;
use crate::project::{Dependency, Project, Resource, ResourceKind};
use crate::span::Spanned;
use crate::template::{PrivateRead, ReferenceTarget, Rendered};

/// What the declared nodes can be found by.
struct Declared<'a> {
    project: &'a Project,
    rendered: &'a Rendered,
    tables: &'a NodeNumbers,
    metrics: BTreeMap<&'a str, usize>,
    /// The semantic model of each measure.
    measures: BTreeMap<&'a str, usize>,
}

impl Edges {
    /// Adds what they read; what they name and is not there is reported.
    pub(super) fn add_resources(
        &mut self,
        project: &Project,
        rendered: &Rendered,
        tables: &NodeNumbers,
        sink: &mut Sink,
    ) {
        if project.resources.is_empty() {
            return;
        }
        let number = |nodes: &[NodeId], resource: &Resource| nodes.binary_search(&NodeId::of_resource(resource)).ok();
        let mut declared = Declared { project, rendered, tables, metrics: BTreeMap::new(), measures: BTreeMap::new() };
        for resource in &project.resources {
            let Some(own) = number(&self.nodes, resource) else { continue };
            if resource.kind == ResourceKind::Metric {
                declared.metrics.insert(&resource.name.value, own);
            }
            declared.measures.extend(resource.measures().map(|measure| (measure, own)));
        }
        for resource in &project.resources {
            declared.check_group(resource, sink);
            let Some(own) = number(&self.nodes, resource) else { continue };
            let Some(reads) = self.reads.get_mut(own) else { continue };
            for written in &resource.depends_on {
                match declared.find(resource, written, sink) {
                    Some(read) => {
                        reads.entry(read).or_insert(written.span);
                    }
                    None => declared.report(resource, written, sink),
                }
            }
            if let Some(analysis) = resource.file.and_then(|file| rendered.analyses.get(&file)) {
                for reference in &analysis.references {
                    reads.extend(tables.get(&reference.target).map(|read| (read, reference.span)));
                }
            }
        }
    }
}

impl Declared<'_> {
    fn find(&self, resource: &Resource, written: &Spanned<Dependency>, sink: &mut Sink) -> Option<usize> {
        match &written.value {
            Dependency::Model { name, version } => {
                let model = self.project.referred(name, version.as_deref())?;
                let found = self.tables.get(&ReferenceTarget::Model(model.clone()))?;
                self.check_access(resource, &model, written, sink);
                Some(found)
            }
            Dependency::Source { .. } => {
                self.tables.get(&ReferenceTarget::Source(written.value.source()?)).or_else(|| {
                    // A source without files of its own is a seed, or a model's table.
                    let table = self.project.tables.get(&written.value.source()?)?;
                    let model = self.project.referred(&table.identifier, None)?;
                    self.tables.get(&ReferenceTarget::Model(model))
                })
            }
            Dependency::Metric(name) => self.metrics.get(name.as_str()).copied(),
            Dependency::Measure(name) => self.measures.get(name.as_str()).copied(),
        }
    }

    fn report(&self, resource: &Resource, written: &Spanned<Dependency>, sink: &mut Sink) {
        let own = format!("the {} `{}`", resource.kind.spoken(), resource.name.value);
        // It is declared, and where its files are is not known: what it is read by is another matter.
        if written.value.source().is_some_and(|source| self.project.tables.contains_key(&source)) {
            return;
        }
        let error = |message: String| Diagnostic::error(Code::UnknownRef, message).at(written.span);
        let diagnostic = match &written.value {
            Dependency::Model { name, version } => {
                let is_disabled = self.project.referred(name, version.as_deref()).is_some();
                let lack = if is_disabled { "is disabled" } else { "does not exist" };
                let known = self.project.models.keys().map(ModelName::as_str);
                error(format!("{own} reads `{name}`, which {lack}")).suggest(name, known)
            }
            Dependency::Source { schema, table } => {
                let known: Vec<String> = self.project.sources.keys().map(ToString::to_string).collect();
                let diagnostic = error(format!("{own} reads the source `{schema}.{table}`, which does not exist"));
                diagnostic.suggest(&format!("{schema}.{table}"), known.iter().map(String::as_str))
            }
            Dependency::Metric(name) => {
                let diagnostic = error(format!("{own} reads the metric `{name}`, which does not exist"));
                diagnostic.suggest(name, self.metrics.keys().copied())
            }
            Dependency::Measure(name) => {
                let diagnostic = error(format!("no semantic model has the measure `{name}` of {own}"));
                diagnostic.suggest(name, self.measures.keys().copied())
            }
        };
        sink.error(diagnostic);
    }

    fn check_group(&self, resource: &Resource, sink: &mut Sink) {
        if let Some(unknown) = resource.group.as_ref().and_then(|group| self.project.unknown_group(group)) {
            sink.error(unknown);
        }
    }

    /// A private model is read by nodes of its group alone.
    fn check_access(&self, resource: &Resource, model: &ModelName, written: &Spanned<Dependency>, sink: &mut Sink) {
        let Some(config) = self.rendered.outline(model).map(|outline| &outline.config) else { return };
        let own = resource.group.as_ref().map(|group| group.value.as_str());
        let reader = format!("the {} `{}`", resource.kind.spoken(), resource.name.value);
        let read = PrivateRead { reader: &reader, group: own, model, config };
        read.refusal(written.span).into_iter().for_each(|refusal| sink.add(refusal));
    }
}
