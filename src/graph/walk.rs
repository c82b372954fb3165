//! Ancestors, descendants, and what lies between.

use std::collections::BTreeSet;

use super::{Dag, NodeId};

/// How far to walk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Depth {
    Steps(u32),
    All,
}

impl Depth {
    /// What is left of it behind the first step. Returns `None` if it allows none.
    pub fn after_one_step(self) -> Option<Depth> {
        match self {
            Depth::All => Some(Depth::All),
            Depth::Steps(steps) => steps.checked_sub(1).map(Depth::Steps),
        }
    }
}

impl Dag {
    /// Everything that the node reads, directly or not, without the node; in order.
    pub fn ancestors(&self, node: &NodeId, depth: Depth) -> Vec<&NodeId> {
        self.without(node, self.upstream(self.position(node), depth))
    }

    /// Everything that reads the node, directly or not, without the node; in order.
    pub fn descendants(&self, node: &NodeId, depth: Depth) -> Vec<&NodeId> {
        self.without(node, self.downstream(self.position(node), depth))
    }

    /// Everything on a way from `first` to `last`, with both, in order. Empty if there is no way.
    pub fn between(&self, first: &NodeId, last: &NodeId) -> Vec<&NodeId> {
        let below = self.downstream(self.position(first), Depth::All);
        let above = self.upstream(self.position(last), Depth::All);
        below.intersection(&above).filter_map(|position| self.order.get(*position)).collect()
    }

    /// These positions and everything that they read.
    pub(crate) fn upstream(&self, from: impl IntoIterator<Item = usize>, depth: Depth) -> BTreeSet<usize> {
        walk(&self.parents, from, depth)
    }

    /// These positions and everything that reads them.
    pub(crate) fn downstream(&self, from: impl IntoIterator<Item = usize>, depth: Depth) -> BTreeSet<usize> {
        walk(&self.children, from, depth)
    }

    fn without(&self, node: &NodeId, positions: BTreeSet<usize>) -> Vec<&NodeId> {
        positions.into_iter().filter_map(|position| self.order.get(position)).filter(|found| *found != node).collect()
    }
}

/// Goes from all starts at once, one step after the other.
fn walk(neighbours: &[Vec<usize>], from: impl IntoIterator<Item = usize>, depth: Depth) -> BTreeSet<usize> {
    let mut found: BTreeSet<usize> = from.into_iter().collect();
    let mut border: Vec<usize> = found.iter().copied().collect();
    let mut steps = 0;
    while !border.is_empty() && depth > Depth::Steps(steps) {
        // `insert` is false for what was found before: each node is entered once, whatever the number of ways to it.
        let reached = border.iter().filter_map(|position| neighbours.get(*position)).flatten().copied();
        border = reached.filter(|position| found.insert(*position)).collect();
        steps = steps.saturating_add(1);
    }
    found
}
