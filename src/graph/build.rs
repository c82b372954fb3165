//! Nodes in an order in which they can be built.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use super::cycle::Knot;
use super::edges::Edges;
use super::{Dag, NodeId, cycle, names};
use crate::diag::{Checked, Diagnostic, Sink};
use crate::name::ModelName;
use crate::project::Project;
use crate::template::Rendered;

/// The graph of all sources, seeds and models: one that could not be rendered has the edges that are known. Models that read
/// each other in a circle have none of theirs, and the graph knows what is wrong with them.
///
/// # Errors
///
/// Returns an error for tables that cannot stand where their names put them.
pub fn build(project: &Project, rendered: &Rendered, sink: &mut Sink) -> Checked<Dag> {
    let mut resource_faults = Sink::default();
    let mut edges = Edges::of_references(project, rendered, &mut resource_faults);
    let mut knots = cycle::knots(&edges);
    // A circle through a model that has errors of its own is no news: its references are left out, and its errors stand.
    if !knots.is_empty() {
        edges.forget_reads(|name| rendered.broken.contains_key(name));
        knots = cycle::knots(&edges);
    }
    let mut circles: BTreeMap<ModelName, Vec<Diagnostic>> = BTreeMap::new();
    for Knot { members, fault } in knots {
        let members = members.into_iter().filter_map(|number| edges.nodes.get(number).and_then(NodeId::model));
        members.for_each(|name| circles.entry(name.clone()).or_default().push(fault.clone()));
    }
    edges.forget_reads(|name| circles.contains_key(name));
    let dag = Dag { circles, resource_faults: resource_faults.take(), ..ordered(&edges) };
    names::refuse_collisions(&dag, rendered, sink)?;
    Ok(dag)
}

/// Puts every node after what it reads; among those that could come next the first by kind and name.
///
/// This is Kahn's algorithm with a heap for the nodes that wait for nothing more: without the heap, the order would depend
/// on which node happened to be looked at first.
fn ordered(edges: &Edges) -> Dag {
    let count = edges.nodes.len();
    let mut readers: Vec<Vec<usize>> = vec![Vec::new(); count];
    for (reader, reads) in edges.reads.iter().enumerate() {
        for read in reads.keys() {
            if let Some(list) = readers.get_mut(*read) {
                list.push(reader);
            }
        }
    }
    let mut waits: Vec<usize> = edges.reads.iter().map(BTreeMap::len).collect();
    // `Reverse` makes the max-heap give the smallest number, which is the first by kind and name.
    let free = waits.iter().enumerate().filter(|(_, open)| **open == 0).map(|(number, _)| Reverse(number));
    let mut ready: BinaryHeap<Reverse<usize>> = free.collect();
    let mut places = vec![0; count];
    let mut sequence = Vec::with_capacity(count);
    while let Some(Reverse(number)) = ready.pop() {
        if let Some(place) = places.get_mut(number) {
            *place = sequence.len();
        }
        sequence.push(number);
        for reader in readers.get(number).into_iter().flatten() {
            if let Some(open) = waits.get_mut(*reader) {
                *open -= 1;
                // The last of what it reads has its place.
                if *open == 0 {
                    ready.push(Reverse(*reader));
                }
            }
        }
    }
    assemble(edges, &readers, &sequence, &places)
}

/// The graph with its nodes in `sequence`; `places` says at which place of it each number stands.
fn assemble(edges: &Edges, readers: &[Vec<usize>], sequence: &[usize], places: &[usize]) -> Dag {
    let order: Vec<NodeId> = sequence.iter().filter_map(|number| edges.nodes.get(*number).cloned()).collect();
    let mut parents = Vec::with_capacity(order.len());
    let mut children = Vec::with_capacity(order.len());
    for number in sequence {
        parents.push(in_order(edges.reads.get(*number).into_iter().flat_map(BTreeMap::keys), places));
        children.push(in_order(readers.get(*number).into_iter().flatten(), places));
    }
    let mut positions = BTreeMap::new();
    let mut by_ref = BTreeMap::new();
    for (place, node) in order.iter().enumerate() {
        positions.insert(node.clone(), place);
        if let Some(name) = node.model() {
            by_ref.insert(name.clone(), place);
        }
    }
    Dag { order, positions, by_ref, parents, children, circles: BTreeMap::new(), resource_faults: Vec::new() }
}

/// The places of these numbers, sorted.
fn in_order<'a>(numbers: impl Iterator<Item = &'a usize>, places: &[usize]) -> Vec<usize> {
    let sorted: BTreeSet<usize> = numbers.filter_map(|number| places.get(*number).copied()).collect();
    sorted.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::{Style, render_all};
    use crate::graph::Depth;
    use crate::host::MemoryHost;
    use crate::template::render_models;
    use crate::template::tests::project;

    fn dag(files: &[(&str, &str)]) -> Result<Dag, String> {
        let (project, sources) = project(files);
        let mut sink = Sink::default();
        let rendered =
            render_models(&project, &sources, &MemoryHost::default(), &mut crate::template::NoCompiler, &mut sink)
                .unwrap();
        let built = build(&project, &rendered, &mut sink);
        let circles = built.iter().flat_map(|dag| dag.circles().values().flatten().cloned()).collect::<Vec<_>>();
        circles.into_iter().for_each(|fault| sink.add(fault));
        let told = render_all(&sink.take(), &sources, Style::Plain);
        built.ok().filter(|_| told.is_empty()).ok_or(told)
    }

    fn names<'a>(nodes: impl IntoIterator<Item = &'a NodeId>) -> String {
        nodes.into_iter().map(NodeId::to_string).collect::<Vec<_>>().join(" ")
    }

    fn node(name: &str) -> NodeId {
        let package = crate::name::PackageName::parse("notes").unwrap();
        NodeId::new(package, crate::graph::NodeName::Model(ModelName::parse(name).unwrap()))
    }

    fn diamond() -> Dag {
        dag(&[
            ("models/gold/a.sql", "{{ ref('z') }} {{ ref('m') }}"),
            ("models/silver/z.sql", "{{ ref('x') }}"),
            ("models/silver/m.sql", "{{ ref('x') }} {{ ref('x') }}"),
            ("models/silver/x.sql", "{{ source('raw', 'notes') }}"),
            ("models/silver/b.sql", "select 1"),
        ])
        .unwrap()
    }

    #[test]
    fn inputs_come_first_and_names_decide_among_equals() {
        assert_eq!(names(diamond().order()), "raw.notes b x m z a");
        assert_eq!(names(diamond().parents(&node("a"))), "m z");
        assert_eq!(names(diamond().children(&node("x"))), "m z");
    }

    #[test]
    fn walks_end_after_their_steps() {
        let dag = diamond();
        assert_eq!(names(dag.ancestors(&node("a"), Depth::All)), "raw.notes x m z");
        assert_eq!(names(dag.ancestors(&node("a"), Depth::Steps(1))), "m z");
        assert_eq!(names(dag.descendants(&node("x"), Depth::Steps(0))), "");
        assert_eq!(names(dag.descendants(&node("x"), Depth::All)), "m z a");
        assert_eq!(names(dag.between(&node("x"), &node("m"))), "x m");
        assert_eq!(names(dag.between(&node("m"), &node("z"))), "");
    }

    #[test]
    fn each_circle_is_told_once_with_every_call() {
        let told = dag(&[
            ("models/a.sql", "select * from {{ ref('b') }}"),
            ("models/b.sql", "{{ ref('c') }} {{ ref('b2') }}"),
            ("models/b2.sql", "select 1"),
            ("models/c.sql", "{{ ref('a') }} {{ ref('b') }}"),
            ("models/own.sql", "{{ ref('own') }}"),
        ]);
        insta::assert_snapshot!(told.unwrap_err(), @r"
        error[cycle]: models read each other in a cycle: `a` → `b` → `c` → `a`
         --> models/a.sql:1:18
          |
        1 | select * from {{ ref('b') }}
          |                  ^^^^^^^^ `a` reads `b`
          |
         ::: models/b.sql:1:4
          |
        1 | {{ ref('c') }} {{ ref('b2') }}
          |    -------- `b` reads `c`
          |
         ::: models/c.sql:1:4
          |
        1 | {{ ref('a') }} {{ ref('b') }}
          |    -------- `c` reads `a`
          |
          = help: take one of these `ref()` out: what both need can be a model of its own

        error[cycle]: the model `own` reads itself
         --> models/own.sql:1:4
          |
        1 | {{ ref('own') }}
          |    ^^^^^^^^^^ `own` reads `own`
          |
          = help: use `{{ this }}` for the rows of earlier slices
        ");
    }

    #[test]
    fn a_model_may_read_its_own_table() {
        let text =
            "{{ config(materialized='incremental', event_time='day') }}{% if is_incremental() %}{{ this }}{% endif %}";
        assert_eq!(names(dag(&[("models/a.sql", text)]).unwrap().order()), "raw.notes a");
    }

    #[test]
    fn a_chain_of_ten_thousand_models_is_no_problem() {
        let files: Vec<(String, String)> = (0..10_000)
            .map(|number: u32| {
                let reads = number.checked_sub(1).map(|before| format!("{{{{ ref('m{before}') }}}}"));
                (format!("models/m{number}.sql"), reads.unwrap_or_default())
            })
            .collect();
        let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
        let dag = dag(&files).unwrap();
        assert_eq!(dag.ancestors(&node("m9999"), Depth::All).len(), 9_999);
    }
}
