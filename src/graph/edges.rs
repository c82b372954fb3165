//! From references to edges.

use std::collections::BTreeMap;

use super::{NodeId, NodeName};
use crate::diag::Sink;
use crate::name::{ModelName, NodeKind, UnitTestName};
use crate::project::Project;
use crate::span::Span;
use crate::template::{ReferenceTarget, Rendered, RenderedModel};

/// What was read out of the references. Nodes are numbered in their order.
pub(super) struct Edges {
    pub nodes: Vec<NodeId>,
    /// For each node the nodes that it reads, each with its first call.
    pub reads: Vec<BTreeMap<usize, Span>>,
}

impl Edges {
    pub fn of_references(project: &Project, rendered: &Rendered, sink: &mut Sink) -> Edges {
        let package = project.package();
        let sources = project.sources.keys().cloned().map(NodeName::Source);
        let referred = rendered.outlines().map(|RenderedModel { name, .. }| match project.kind_of(name) {
            NodeKind::Seed => NodeName::Seed(name.clone()),
            NodeKind::Snapshot => NodeName::Snapshot(name.clone()),
            _ => NodeName::Model(name.clone()),
        });
        let mut nodes: Vec<NodeId> = Vec::new();
        // A test of a model that switches itself off is gone with it.
        let tests = project.unit_tests.keys().filter(|test| rendered.outline(&test.model).is_some());
        let tests = tests.cloned().map(NodeName::UnitTest);
        nodes.extend(sources.chain(referred).chain(tests).map(|name| NodeId::new(package.clone(), name)));
        nodes.extend(project.resources.iter().map(NodeId::of_resource));
        // The numbers decide among equals, so they must not depend on how nodes were found.
        nodes.sort();
        let numbers = NodeNumbers::new(&nodes);
        let reads = nodes.iter().map(|node| match (node.model().and_then(|name| rendered.outline(name)), &node.name) {
            (Some(model), _) => {
                numbers.read_by(model).into_iter().chain(numbers.named_by_keys(project, model)).collect()
            }
            (None, NodeName::UnitTest(name)) => numbers.tested_by(project, name),
            (None, _) => BTreeMap::new(),
        });
        let reads = reads.collect();
        let mut edges = Edges { nodes, reads };
        edges.add_resources(project, rendered, &numbers, sink);
        edges
    }

    /// Leaves out what these models read.
    pub fn forget_reads(&mut self, of: impl Fn(&ModelName) -> bool) {
        for (node, reads) in self.nodes.iter().zip(&mut self.reads) {
            if node.model().is_some_and(&of) {
                reads.clear();
            }
        }
    }

    /// The name of a node.
    pub fn name(&self, number: usize) -> String {
        self.nodes.get(number).map(ToString::to_string).unwrap_or_default()
    }

    /// The first call by which one node reads another.
    pub fn place(&self, reader: usize, read: usize) -> Option<Span> {
        self.reads.get(reader)?.get(&read).copied()
    }
}

/// The number of each node by what a reference says.
pub(super) struct NodeNumbers(BTreeMap<ReferenceTarget, usize>);

impl NodeNumbers {
    fn new(nodes: &[NodeId]) -> NodeNumbers {
        let mut numbers = BTreeMap::new();
        for (number, node) in nodes.iter().enumerate() {
            let target = match &node.name {
                NodeName::Source(name) => ReferenceTarget::Source(name.clone()),
                NodeName::Seed(name) | NodeName::Model(name) | NodeName::Snapshot(name) => {
                    ReferenceTarget::Model(name.clone())
                }
                // Nothing refers to a test.
                NodeName::UnitTest(_) | NodeName::Resource(_) => continue,
            };
            numbers.insert(target, number);
        }
        NodeNumbers(numbers)
    }

    /// The node that a reference names.
    pub fn get(&self, target: &ReferenceTarget) -> Option<usize> {
        self.0.get(target).copied()
    }

    /// The model that a unit test tests.
    fn tested_by(&self, project: &Project, name: &UnitTestName) -> BTreeMap<usize, Span> {
        let number = self.get(&ReferenceTarget::Model(name.model.clone()));
        let test = project.unit_tests.get(name);
        number.zip(test).map(|(number, test)| (number, test.span)).into_iter().collect()
    }

    /// What the foreign keys of a model name: as in dbt, it must be built first.
    fn named_by_keys(&self, project: &Project, model: &RenderedModel) -> BTreeMap<usize, Span> {
        let declared = project.models.get(&model.name).filter(|_| model.config.contract.is_some());
        let keys = declared.into_iter().flat_map(|model| model.all_constraints()).filter_map(|key| key.to.as_ref());
        let named = keys.filter_map(|to| {
            let target = ReferenceTarget::named_by(&to.value, project)?;
            // A row may refer to another one of its own table.
            let is_own = target == ReferenceTarget::Model(model.name.clone());
            Some((self.get(&target).filter(|_| !is_own)?, to.span))
        });
        named.collect()
    }

    /// What both texts of a model read. A model's own rows of earlier slices (`this`) have no number: they are no input
    /// that must be built first.
    fn read_by(&self, model: &RenderedModel) -> BTreeMap<usize, Span> {
        let mut found = BTreeMap::new();
        let texts = std::iter::once(&model.full).chain(&model.sliced);
        for reference in texts.flat_map(|text| &text.references) {
            if let Some(number) = self.0.get(&reference.target) {
                // A model may read a table often. The first call is shown if it is part of a circle.
                found.entry(*number).or_insert(reference.span);
            }
        }
        found
    }
}
