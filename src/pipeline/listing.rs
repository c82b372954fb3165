//! What `karat ls` shows of nodes and tests: names, paths, and facts as JSON.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::load::Loaded;
use crate::artifacts::{NodeIds, resource_id, test_ids, unit_test_id};
use crate::check::{CheckBatch, Guards, PlannedCheck};
use crate::graph::{NodeId, NodeName};
use crate::name::NodeKind;
use crate::project::{Model, Resource, Source, TestKey, UnitTest};
use crate::select::Selection;
use crate::template::{ReferenceTarget, RenderedModel};

/// What is listed: a node, or a data test.
#[derive(Clone)]
pub(crate) struct ListedNode<'a> {
    loaded: &'a Loaded,
    item: ListedItem<'a>,
    /// dbt's id of it.
    id: Option<String>,
}

#[derive(Clone, Copy)]
enum ListedItem<'a> {
    Source(&'a Source),
    Model(&'a NodeId, &'a Model, &'a RenderedModel),
    UnitTest(&'a UnitTest),
    Resource(&'a NodeId, &'a Resource),
    DataTest(&'a CheckBatch, &'a PlannedCheck),
}

impl Loaded {
    /// The selected nodes of these kinds, in the order of the graph.
    pub fn listed<'a>(&'a self, selection: &'a Selection, kinds: &[NodeKind]) -> Vec<ListedNode<'a>> {
        // A project may have thousands of metrics, and each is looked up once.
        let resources = NodeId::of_resources(&self.project.resources);
        let chosen = selection.nodes().iter().filter(|node| kinds.contains(&node.kind()));
        let items = chosen.filter_map(|node| self.item(node, &resources));
        let node = |item: ListedItem<'a>| ListedNode { loaded: self, id: self.unique_id(&item), item };
        items.map(node).collect()
    }

    /// dbt's id of a node of the graph.
    fn unique_id(&self, item: &ListedItem<'_>) -> Option<String> {
        let project = &self.project;
        match item {
            ListedItem::Source(source) => Some(NodeIds::new(project).of_source(&source.name())),
            ListedItem::Model(_, model, _) => NodeIds::new(project).of_name(&model.name),
            ListedItem::UnitTest(test) => Some(unit_test_id(project, test)),
            ListedItem::Resource(_, resource) => Some(resource_id(resource)),
            // These are no nodes of the graph.
            ListedItem::DataTest(..) => None,
        }
    }

    /// Data tests, in the order of what they guard.
    pub fn listed_tests<'a>(&'a self, tests: &'a Guards) -> Vec<ListedNode<'a>> {
        let batches = self.dag.models().filter_map(|name| tests.get(name)).flatten();
        let items = batches.flat_map(|batch| batch.checks.iter().map(|check| ListedItem::DataTest(batch, check)));
        let ids = test_ids(&self.project);
        let node = |item: ListedItem<'a>| {
            let id = match item {
                ListedItem::DataTest(_, check) => {
                    let key = TestKey { span: check.span, declared_on: check.declared_on.clone() };
                    ids.get(&key).cloned()
                }
                _ => None,
            };
            ListedNode { loaded: self, item, id }
        };
        items.map(node).collect()
    }

    fn item<'a>(&'a self, node: &'a NodeId, resources: &BTreeMap<NodeId, &'a Resource>) -> Option<ListedItem<'a>> {
        let project = &self.project;
        match &node.name {
            NodeName::Source(name) => project.sources.get(name).map(ListedItem::Source),
            NodeName::UnitTest(name) => project.unit_tests.get(name).map(ListedItem::UnitTest),
            NodeName::Resource(_) => resources.get(node).map(|resource| ListedItem::Resource(node, resource)),
            NodeName::Seed(name) | NodeName::Model(name) | NodeName::Snapshot(name) => {
                Some(ListedItem::Model(node, project.models.get(name)?, self.rendered.outline(name)?))
            }
        }
    }
}

impl ListedNode<'_> {
    pub fn name(&self) -> String {
        match self.item {
            ListedItem::Source(source) => source.name().to_string(),
            ListedItem::Model(_, model, _) => model.name.to_string(),
            ListedItem::UnitTest(test) => test.id.test.clone(),
            ListedItem::Resource(_, resource) => resource.name.value.clone(),
            ListedItem::DataTest(_, check) => check.name.clone(),
        }
    }

    /// The file that declares it.
    pub fn path(&self) -> &str {
        match self.item {
            ListedItem::Source(source) => self.loaded.files.path(source.span.file),
            ListedItem::Model(_, model, _) => &model.path,
            ListedItem::UnitTest(test) => &test.path,
            ListedItem::Resource(_, resource) => &resource.path,
            ListedItem::DataTest(_, check) => self.loaded.files.path(check.span.file),
        }
    }

    /// The object with these of its keys; with all of them if none are named. Several may stand in one word, as in dbt.
    pub fn json_with(&self, keys: &[String]) -> Value {
        let wanted: Vec<&str> = keys.iter().flat_map(|keys| keys.split([' ', ','])).collect();
        match self.json() {
            Value::Object(fields) if !wanted.is_empty() => {
                Value::Object(fields.into_iter().filter(|(key, _)| wanted.contains(&key.as_str())).collect())
            }
            other => other,
        }
    }

    /// Everything that is shown of it.
    pub fn json(&self) -> Value {
        let mut json = self.facts();
        if let (Some(id), Some(facts)) = (&self.id, json.as_object_mut()) {
            facts.insert("unique_id".to_owned(), Value::from(id.as_str()));
        }
        json
    }

    fn facts(&self) -> Value {
        let name = self.name();
        let path = self.path();
        match self.item {
            ListedItem::Source(source) => json!({
                "name": name,
                "resource_type": NodeKind::Source.word(),
                "path": path,
                "table": name,
                "description": source.description,
            }),
            ListedItem::Model(node, model, rendered) => json!({
                "name": name,
                "resource_type": node.kind().word(),
                "path": path,
                "table": rendered.table.to_string(),
                "materialized": rendered.config.materialized.word(),
                "tags": rendered.config.tags.iter().map(|tag| tag.as_str()).collect::<Vec<_>>(),
                "depends_on": depends_on(rendered),
                "description": model.description,
            }),
            ListedItem::UnitTest(test) => json!({
                "name": name,
                "resource_type": NodeKind::UnitTest.word(),
                "path": path,
                "model": test.id.model.as_str(),
                "tags": test.tags,
                // Its rows are written down: it reads its model alone.
                "depends_on": [test.id.model.as_str()],
                "description": test.description,
            }),
            ListedItem::Resource(node, resource) => json!({
                "name": name,
                "package_name": resource.package,
                "resource_type": node.kind().word(),
                "path": path,
                "tags": resource.tags,
                "depends_on": self.loaded.dag.parents(node).map(NodeId::to_string).collect::<Vec<_>>(),
                "description": resource.description,
            }),
            ListedItem::DataTest(batch, check) => json!({
                "name": check.name,
                "resource_type": NodeKind::Test.word(),
                "path": path,
                "depends_on": batch.tables.iter().filter_map(named).collect::<Vec<_>>(),
            }),
        }
    }
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
