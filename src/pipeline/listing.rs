//! What `karat ls` shows of nodes and tests: names, paths, and facts as JSON.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::load::Loaded;
use crate::check::{CheckBatch, Guards, PlannedCheck};
use crate::graph::NodeId;
use crate::name::NodeKind;
use crate::project::{Resource, UnitTest};
use crate::select::Selection;
use crate::template::{ReferenceTarget, RenderedModel};

/// What is shown of a node.
pub(crate) struct ListedNode {
    pub name: String,
    pub path: String,
    pub json: Value,
}

impl Loaded {
    /// The selected nodes of these kinds, in the order of the graph.
    pub fn listed(&self, selection: &Selection, kinds: &[NodeKind]) -> Vec<ListedNode> {
        selection.of_kinds(kinds).nodes().iter().filter_map(|node| self.describe(node)).collect()
    }

    /// Data tests, in the order of what they guard.
    pub fn listed_tests(&self, tests: &Guards) -> Vec<ListedNode> {
        let mut listed = Vec::new();
        for batch in self.dag.models().filter_map(|name| tests.get(name)).flatten() {
            listed.extend(batch.checks.iter().map(|check| self.describe_test(batch, check)));
        }
        listed
    }

    fn describe(&self, node: &NodeId) -> Option<ListedNode> {
        let project = &self.project;
        if let Some(source) = node.source().and_then(|name| project.sources.get(name)) {
            let name = source.name().to_string();
            let path = self.files.path(source.span.file).to_owned();
            let json = json!({
                "name": name,
                "resource_type": node.kind().word(),
                "path": path,
                "table": name,
                "description": source.description,
            });
            return Some(ListedNode { name, path, json });
        }
        if node.resource().is_some() {
            let resource = project.resources.iter().find(|resource| NodeId::of_resource(resource) == *node)?;
            return Some(self.describe_resource(node, resource));
        }
        if let Some(test) = node.unit_test().and_then(|name| project.unit_tests.get(name)) {
            return Some(describe_unit_test(test));
        }
        let name = node.model()?;
        let model = project.models.get(name)?;
        let rendered = self.rendered.outline(name)?;
        let json = json!({
            "name": name.as_str(),
            "resource_type": node.kind().word(),
            "path": model.path,
            "table": rendered.table.to_string(),
            "materialized": rendered.config.materialized.word(),
            "tags": rendered.config.tags.iter().map(|tag| tag.as_str()).collect::<Vec<_>>(),
            "depends_on": depends_on(rendered),
            "description": model.description,
        });
        Some(ListedNode { name: name.to_string(), path: model.path.clone(), json })
    }

    fn describe_resource(&self, node: &NodeId, resource: &Resource) -> ListedNode {
        let name = resource.name.value.clone();
        let json = json!({
            "name": name,
            "package_name": resource.package,
            "resource_type": node.kind().word(),
            "path": resource.path,
            "tags": resource.tags,
            "depends_on": self.dag.parents(node).map(NodeId::to_string).collect::<Vec<_>>(),
            "description": resource.description,
        });
        ListedNode { name, path: resource.path.clone(), json }
    }

    fn describe_test(&self, batch: &CheckBatch, check: &PlannedCheck) -> ListedNode {
        let path = self.files.path(check.span.file).to_owned();
        let json = json!({
            "name": check.name,
            "resource_type": NodeKind::Test.word(),
            "path": path,
            "depends_on": batch.tables.iter().filter_map(named).collect::<Vec<_>>(),
        });
        ListedNode { name: check.name.clone(), path, json }
    }
}

fn describe_unit_test(test: &UnitTest) -> ListedNode {
    let name = test.id.test.clone();
    let json = json!({
        "name": name,
        "resource_type": NodeKind::UnitTest.word(),
        "path": test.path,
        "model": test.id.model.as_str(),
        "tags": test.tags,
        // Its rows are written down: it reads its model alone.
        "depends_on": [test.id.model.as_str()],
        "description": test.description,
    });
    ListedNode { name, path: test.path.clone(), json }
}

/// What a reference names; `None` if that is the model itself.
fn named(target: &ReferenceTarget) -> Option<String> {
    match target {
        ReferenceTarget::Model(name) => Some(name.to_string()),
        ReferenceTarget::Source(name) => Some(name.to_string()),
        ReferenceTarget::This => None,
    }
}

fn depends_on(rendered: &RenderedModel) -> Vec<String> {
    let named: BTreeSet<String> =
        rendered.full.references.iter().filter_map(|reference| named(&reference.target)).collect();
    named.into_iter().collect()
}
