//! A circle, told as a path.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use petgraph::algo::kosaraju_scc;
use petgraph::graph::{DiGraph, NodeIndex};

use super::edges::Edges;
use crate::diag::{Code, Diagnostic};

/// Models that read each other.
pub(super) struct Knot {
    pub members: BTreeSet<usize>,
    /// One circle through it.
    pub fault: Diagnostic,
}

/// Finds each knot of models that read each other, and describes it as one circle through it.
///
/// A knot is a strongly connected component (Kosaraju's algorithm). Within one, a breadth-first search finds the shortest
/// circle through its first node: the whole knot would be more than anybody can read.
pub(super) fn knots(edges: &Edges) -> Vec<Knot> {
    let count: usize = edges.reads.iter().map(BTreeMap::len).sum();
    let mut graph: DiGraph<(), ()> = DiGraph::with_capacity(edges.nodes.len(), count);
    edges.nodes.iter().for_each(|_| {
        graph.add_node(());
    });
    for (reader, reads) in edges.reads.iter().enumerate() {
        for read in reads.keys() {
            graph.add_edge(NodeIndex::new(reader), NodeIndex::new(*read), ());
        }
    }
    let found = kosaraju_scc(&graph).into_iter().map(|knot| knot.into_iter().map(NodeIndex::index).collect());
    let described = |members: BTreeSet<usize>| {
        let path = circle(edges, &members)?;
        Some(Knot { fault: described(edges, &path), members })
    };
    found.filter_map(described).collect()
}

/// A shortest way from the first node of the knot back to itself, as readers and what they read.
fn circle(edges: &Edges, knot: &BTreeSet<usize>) -> Option<Vec<(usize, usize)>> {
    let first = *knot.first()?;
    let mut came_from: BTreeMap<usize, usize> = BTreeMap::new();
    let mut waiting = VecDeque::from([first]);
    while let Some(reader) = waiting.pop_front() {
        // Breadth first: the first way back that is found is a shortest one.
        for read in edges.reads.get(reader)?.keys().filter(|read| knot.contains(read)) {
            if !came_from.contains_key(read) {
                came_from.insert(*read, reader);
                waiting.push_back(*read);
            }
        }
    }
    let mut path = Vec::new();
    let mut read = first;
    loop {
        let reader = *came_from.get(&read)?;
        path.push((reader, read));
        if reader == first {
            break;
        }
        read = reader;
    }
    path.reverse();
    Some(path)
}

fn described(edges: &Edges, path: &[(usize, usize)]) -> Diagnostic {
    let first = path.first().map(|(reader, _)| edges.name(*reader)).unwrap_or_default();
    let diagnostic = match path {
        [_] => Diagnostic::error(Code::Cycle, format!("the model `{first}` reads itself"))
            .help("use `{{ this }}` for the rows of earlier slices"),
        _ => {
            let steps: String = path.iter().map(|(_, read)| format!(" → `{}`", edges.name(*read))).collect();
            Diagnostic::error(Code::Cycle, format!("models read each other in a cycle: `{first}`{steps}"))
                .help("take one of these `ref()` out: what both need can be a model of its own")
        }
    };
    path.iter().fold(diagnostic, |diagnostic, (reader, read)| match edges.place(*reader, *read) {
        Some(span) => diagnostic.labelled(span, format!("`{}` reads `{}`", edges.name(*reader), edges.name(*read))),
        None => diagnostic,
    })
}
