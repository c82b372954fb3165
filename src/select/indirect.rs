//! Which data tests are selected with what they refer to: dbt's indirect selection.

use std::collections::BTreeSet;

use super::Selection;
use crate::graph::{Dag, Depth, NodeId};

/// When a test is selected with the tables that it refers to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum IndirectSelection {
    /// If any of them is selected.
    #[default]
    Eager,
    /// If all of them are selected.
    Cautious,
    /// If all of them are selected, or are ancestors of what is.
    Buildable,
    /// Never.
    Empty,
}

impl IndirectSelection {
    /// All of them.
    pub const ALL: [IndirectSelection; 4] =
        [IndirectSelection::Eager, IndirectSelection::Cautious, IndirectSelection::Buildable, IndirectSelection::Empty];

    /// dbt's word.
    pub fn word(self) -> &'static str {
        match self {
            IndirectSelection::Eager => "eager",
            IndirectSelection::Cautious => "cautious",
            IndirectSelection::Buildable => "buildable",
            IndirectSelection::Empty => "empty",
        }
    }

    /// What it means, in a line of help.
    pub fn summary(self) -> &'static str {
        match self {
            IndirectSelection::Eager => "Tests of which any table is selected",
            IndirectSelection::Cautious => "Tests of which all tables are selected",
            IndirectSelection::Buildable => "Tests of which all tables are selected, or ancestors of what is",
            IndirectSelection::Empty => "No tests",
        }
    }

    /// The tables of which a test must have one, or may have no other, to be selected.
    pub fn tables<'a>(self, selection: &'a Selection, dag: &'a Dag) -> SelectedTables<'a> {
        let mut nodes: BTreeSet<&NodeId> = selection.nodes().iter().collect();
        if self == IndirectSelection::Buildable {
            let own = nodes.iter().filter_map(|node| dag.position(node)).collect::<Vec<_>>();
            nodes.extend(dag.upstream(own, Depth::All).into_iter().filter_map(|position| dag.order().get(position)));
        }
        SelectedTables { mode: self, nodes }
    }
}

/// What decides which tests are selected.
#[derive(Debug)]
pub struct SelectedTables<'a> {
    mode: IndirectSelection,
    nodes: BTreeSet<&'a NodeId>,
}

impl SelectedTables<'_> {
    /// Whether a test that refers to these tables is selected.
    pub fn includes<'n>(&self, mut tables: impl Iterator<Item = &'n NodeId>) -> bool {
        match self.mode {
            IndirectSelection::Eager => tables.any(|table| self.nodes.contains(table)),
            IndirectSelection::Cautious | IndirectSelection::Buildable => {
                tables.all(|table| self.nodes.contains(table))
            }
            IndirectSelection::Empty => false,
        }
    }
}
