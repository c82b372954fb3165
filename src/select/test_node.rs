//! Data tests, as selectors see them.

use crate::graph::NodeId;

/// A data test that can be selected.
#[derive(Debug, Clone)]
pub struct TestNode {
    /// dbt's id. Empty if it has none.
    pub unique_id: String,
    pub name: String,
    pub kind: TestKind,
    /// The package that declares it.
    pub package: String,
    /// The file that declares it, relative to the project.
    pub path: String,
    /// The package, the folders of the file, and the name.
    pub fqn: Vec<String>,
    pub tags: Vec<String>,
    /// The tables that it refers to.
    pub tables: Vec<NodeId>,
}

/// What a data test is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TestKind {
    /// A line of YAML, with the name of the rule: `not_null`.
    Generic(String),
    /// A file of its own.
    Singular,
    /// A constraint of a contract, which nothing selects.
    Constraint,
}

/// Where a data test comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestOrigin {
    pub kind: TestKind,
    /// The package that declares it.
    pub package: String,
    pub tags: Vec<String>,
}
