//! Which table is made of which: a graph without circles, in a total and stable order.

mod build;
mod cycle;
mod edges;
mod names;
mod node;
mod resources;
mod walk;

use std::collections::BTreeMap;

pub use build::build;
pub use node::{NodeId, NodeName, ResourceName};
pub use walk::Depth;

use crate::diag::Diagnostic;
use crate::name::ModelName;

/// All sources, seeds and models, and what else reads them. What a model reads stands before it; among equals kind and name decide.
#[derive(Debug, Clone)]
pub struct Dag {
    order: Vec<NodeId>,
    positions: BTreeMap<NodeId, usize>,
    /// The positions of what `ref()` finds.
    by_ref: BTreeMap<ModelName, usize>,
    /// By position, sorted.
    parents: Vec<Vec<usize>>,
    children: Vec<Vec<usize>>,
    /// Models that read each other in a circle, and what is wrong with them.
    circles: BTreeMap<ModelName, Vec<Diagnostic>>,
    /// What is wrong with exposures, metrics and their like.
    resource_faults: Vec<Diagnostic>,
}

impl Dag {
    /// The models that read each other in a circle, with what is wrong. The graph has no edges for what they read.
    pub fn circles(&self) -> &BTreeMap<ModelName, Vec<Diagnostic>> {
        &self.circles
    }

    /// Every node after all that it reads.
    pub fn order(&self) -> &[NodeId] {
        &self.order
    }

    /// The names of the models and seeds, in the same order.
    pub fn models(&self) -> impl Iterator<Item = &ModelName> {
        self.order.iter().filter_map(NodeId::model)
    }

    /// The model or seed that `ref()` finds by this name. Returns `None` if there is none.
    pub fn referred(&self, name: &ModelName) -> Option<&NodeId> {
        self.order.get(*self.by_ref.get(name)?)
    }

    /// What is wrong with exposures, metrics and their like: they name what is not there, or may not be read.
    pub fn resource_faults(&self) -> &[Diagnostic] {
        &self.resource_faults
    }

    pub fn contains(&self, node: &NodeId) -> bool {
        self.positions.contains_key(node)
    }

    /// What the node reads itself.
    pub fn parents(&self, node: &NodeId) -> impl Iterator<Item = &NodeId> {
        self.named(self.neighbours(&self.parents, node))
    }

    /// The models, seeds and snapshots that a model reads itself.
    pub fn models_read_by(&self, name: &ModelName) -> impl Iterator<Item = &ModelName> {
        self.referred(name).into_iter().flat_map(|node| self.parents(node)).filter_map(NodeId::model)
    }

    /// What reads the node itself.
    pub fn children(&self, node: &NodeId) -> impl Iterator<Item = &NodeId> {
        self.named(self.neighbours(&self.children, node))
    }

    /// The place of the node in the order.
    pub(crate) fn position(&self, node: &NodeId) -> Option<usize> {
        self.positions.get(node).copied()
    }

    fn neighbours<'a>(&'a self, of: &'a [Vec<usize>], node: &NodeId) -> impl Iterator<Item = usize> + use<'a> {
        self.position(node).and_then(|position| of.get(position)).into_iter().flatten().copied()
    }

    fn named(&self, positions: impl Iterator<Item = usize>) -> impl Iterator<Item = &NodeId> {
        positions.filter_map(|position| self.order.get(position))
    }
}
