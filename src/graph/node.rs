//! What the graph is made of: nodes, by package, kind and name.

use std::collections::BTreeMap;
use std::fmt;

use crate::name::{ModelName, NodeKind, PackageName, TableName, UnitTestName};
use crate::project::{Resource, ResourceKind};

/// A table that is read or built, a test of what a model makes, or what reads tables. Within a package, kind and name are
/// unique.
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
    /// What reads tables and is never built.
    Resource(ResourceName),
}

/// The name of an exposure, a metric and their like.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResourceName {
    pub kind: ResourceKind,
    pub name: String,
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
            NodeName::Resource(resource) => resource.kind.node_kind(),
        }
    }

    /// The name by which `ref()` finds the node. Returns `None` for a source, a unit test, and what is no table.
    pub fn model(&self) -> Option<&ModelName> {
        match &self.name {
            NodeName::Seed(name) | NodeName::Model(name) | NodeName::Snapshot(name) => Some(name),
            NodeName::Source(_) | NodeName::UnitTest(_) | NodeName::Resource(_) => None,
        }
    }

    /// Returns `None` if the node is not a source.
    pub fn source(&self) -> Option<&TableName> {
        match &self.name {
            NodeName::Source(name) => Some(name),
            _ => None,
        }
    }

    /// Returns `None` if the node is not a unit test.
    pub fn unit_test(&self) -> Option<&UnitTestName> {
        match &self.name {
            NodeName::UnitTest(name) => Some(name),
            _ => None,
        }
    }

    /// Returns `None` if the node is a table.
    pub fn resource(&self) -> Option<&ResourceName> {
        match &self.name {
            NodeName::Resource(name) => Some(name),
            _ => None,
        }
    }

    /// What YAML declares, and analyses, by their nodes.
    pub(crate) fn of_resources(resources: &[Resource]) -> BTreeMap<NodeId, &Resource> {
        resources.iter().map(|resource| (NodeId::of_resource(resource), resource)).collect()
    }

    /// The node of something that YAML declares, or of an analysis.
    pub fn of_resource(resource: &Resource) -> NodeId {
        let package = PackageName::parse(&resource.package).expect("the name of a package that was loaded is valid");
        let name = ResourceName { kind: resource.kind, name: resource.name.value.clone() };
        NodeId::new(package, NodeName::Resource(name))
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            NodeName::Source(name) => name.fmt(formatter),
            NodeName::Seed(name) | NodeName::Model(name) | NodeName::Snapshot(name) => name.fmt(formatter),
            NodeName::UnitTest(name) => name.fmt(formatter),
            NodeName::Resource(resource) => formatter.pad(&resource.name),
        }
    }
}
