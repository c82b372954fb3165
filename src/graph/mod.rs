//! Which model reads what: a graph without circles, in a total and stable order.

mod build;
mod cycle;
mod names;
mod walk;

use std::collections::BTreeMap;

pub use build::build;
pub use walk::Depth;

use crate::name::{ModelName, TableName};

/// A table that is read or built.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NodeId {
    Source(TableName),
    Model(ModelName),
}

impl NodeId {
    /// The model, if it is one.
    pub fn model(&self) -> Option<&ModelName> {
        match self {
            NodeId::Model(name) => Some(name),
            NodeId::Source(_) => None,
        }
    }
}

impl std::fmt::Display for NodeId {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            NodeId::Source(name) => name.fmt(formatter),
            NodeId::Model(name) => name.fmt(formatter),
        }
    }
}

/// All sources and models. What a model reads stands before it; among equals the name decides.
#[derive(Debug, Clone)]
pub struct Dag {
    order: Vec<NodeId>,
    positions: BTreeMap<NodeId, usize>,
    /// By position, sorted.
    parents: Vec<Vec<usize>>,
    children: Vec<Vec<usize>>,
}

impl Dag {
    /// Every node after all that it reads.
    pub fn order(&self) -> &[NodeId] {
        &self.order
    }

    /// The models alone, in the same order.
    pub fn models(&self) -> impl Iterator<Item = &ModelName> {
        self.order.iter().filter_map(NodeId::model)
    }

    pub fn contains(&self, node: &NodeId) -> bool {
        self.positions.contains_key(node)
    }

    /// What the node reads itself.
    pub fn parents(&self, node: &NodeId) -> impl Iterator<Item = &NodeId> {
        self.named(self.neighbours(&self.parents, node))
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
