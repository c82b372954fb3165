//! What the artifacts of an earlier command say of nodes: `state:`, `result:` and `source_status:` select by it.

use std::collections::{BTreeMap, BTreeSet};

use crate::graph::NodeId;

/// An artifact that a selector asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum StoredArtifact {
    /// `manifest.json`
    Manifest,
    /// `run_results.json`
    RunResults,
    /// `sources.json`
    Sources,
}

/// In what a node differs from what was stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum NodeChange {
    /// Its text, or the rows of a seed.
    Body,
    /// What is configured, but for its place in the lake.
    Configs,
    /// Where it stands: `schema` and `alias`, as they are written.
    Relation,
    /// Descriptions, of a model whose descriptions are kept with its table.
    PersistedDescriptions,
    /// A macro that it calls, or one that this calls.
    Macros,
    /// What its contract promises.
    Contract,
    /// What has no word of its own: its folder, what an exposure depends on.
    Other,
}

impl NodeChange {
    /// Those that have a word, with it: `state:modified.body`.
    pub const WORDS: [(&'static str, NodeChange); 6] = [
        ("body", NodeChange::Body),
        ("configs", NodeChange::Configs),
        ("relation", NodeChange::Relation),
        ("persisted_descriptions", NodeChange::PersistedDescriptions),
        ("macros", NodeChange::Macros),
        ("contract", NodeChange::Contract),
    ];
}

/// What has changed of one node.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NodeChanges {
    /// Whether the stored manifest does not have it.
    pub is_new: bool,
    pub changes: BTreeSet<NodeChange>,
}

impl NodeChanges {
    /// Whether it is new, or differs in anything.
    pub fn is_modified(&self) -> bool {
        self.is_new || !self.changes.is_empty()
    }
}

/// What the artifacts of an earlier command say of one node. What no selector asked for is not there.
#[derive(Debug, Clone, Default)]
pub struct StoredNode {
    pub changes: Option<NodeChanges>,
    /// What became of it, in dbt's word: `success`, `fail`.
    pub result: Option<String>,
    /// Whether a source has newer rows than it had then.
    pub is_fresher: bool,
}

/// What the artifacts of an earlier command say of everything that can be selected.
#[derive(Debug, Clone, Default)]
pub struct StoredState {
    pub of_nodes: BTreeMap<NodeId, StoredNode>,
    /// Data tests by dbt's ids.
    pub of_tests: BTreeMap<String, StoredNode>,
}
