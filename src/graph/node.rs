//! What the graph is made of: nodes, by package, kind and name.

use std::fmt;

use crate::name::{ModelName, NodeKind, PackageName, TableName, UnitTestName};

/// A table that is read or built, or a test of what a model makes. Within a package, kind and name are unique.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId {
    pub package: PackageName,
    pub name: NodeName,
}

/// A kind of node, with a name as that kind has it. The order is that of [`NodeKind`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NodeName {
    Source(TableName),
    Seed(ModelName),
    Model(ModelName),
    Snapshot(ModelName),
    UnitTest(UnitTestName),
}

impl NodeId {
    pub fn new(package: PackageName, name: NodeName) -> NodeId {
        NodeId { package, name }
    }

    pub fn kind(&self) -> NodeKind {
        match &self.name {
            NodeName::Source(_) => NodeKind::Source,
            NodeName::Seed(_) => NodeKind::Seed,
            NodeName::Model(_) => NodeKind::Model,
            NodeName::Snapshot(_) => NodeKind::Snapshot,
            NodeName::UnitTest(_) => NodeKind::UnitTest,
        }
    }

    /// The name by which `ref()` finds the node. Returns `None` for a source and a unit test.
    pub fn model(&self) -> Option<&ModelName> {
        match &self.name {
            NodeName::Seed(name) | NodeName::Model(name) | NodeName::Snapshot(name) => Some(name),
            NodeName::Source(_) | NodeName::UnitTest(_) => None,
        }
    }

    /// Returns `None` if the node is not a source.
    pub fn source(&self) -> Option<&TableName> {
        match &self.name {
            NodeName::Source(name) => Some(name),
            NodeName::Seed(_) | NodeName::Model(_) | NodeName::Snapshot(_) | NodeName::UnitTest(_) => None,
        }
    }

    /// Returns `None` if the node is not a unit test.
    pub fn unit_test(&self) -> Option<&UnitTestName> {
        match &self.name {
            NodeName::UnitTest(name) => Some(name),
            NodeName::Source(_) | NodeName::Seed(_) | NodeName::Model(_) | NodeName::Snapshot(_) => None,
        }
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            NodeName::Source(name) => name.fmt(formatter),
            NodeName::Seed(name) | NodeName::Model(name) | NodeName::Snapshot(name) => name.fmt(formatter),
            NodeName::UnitTest(name) => name.fmt(formatter),
        }
    }
}
