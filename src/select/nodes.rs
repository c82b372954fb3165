//! What selectors find among the nodes of a graph and the tests beside it.

use std::collections::{BTreeMap, BTreeSet};

use super::definition::Definition;
use super::indirect::{IndirectSelection, Picked};
use super::method::{self, Candidate, Method};
use super::parse::{Intersection, Selector, Term};
use super::{NamedSelector, Selectable, SelectionRequest};
use crate::diag::{Code, Diagnostic, Sink, nearest};
use crate::graph::{Dag, Depth, NodeId, NodeName};
use crate::name::NodeKind;

/// The nodes of the graph, and behind them the tests, with what the methods ask for, by position.
pub(super) struct Nodes<'a> {
    dag: &'a Dag,
    known: Vec<KnownNode<'a>>,
    /// The tables of each test, by their positions. `None` if nobody knows which tests there are.
    tests: Option<Vec<BTreeSet<usize>>>,
    /// The tables of each unit test: its model. Unit tests are in the graph.
    unit_tests: BTreeMap<usize, BTreeSet<usize>>,
    sources: BTreeSet<usize>,
    named: &'a [NamedSelector],
    mode: IndirectSelection,
}

/// A node at its position.
struct KnownNode<'a> {
    position: usize,
    node: Candidate<'a>,
}

impl<'a> Nodes<'a> {
    pub fn new(request: SelectionRequest<'a>, selectable: Selectable<'a>) -> Nodes<'a> {
        let Selectable { project, rendered, dag, tests, stored: state } = selectable;
        let resources = NodeId::of_resources(&project.resources);
        let candidate = |node: &NodeId| {
            let stored = state.and_then(|state| state.of_nodes.get(node));
            Some(match &node.name {
                NodeName::Source(name) => Candidate::Source { project, stored, source: project.sources.get(name)? },
                NodeName::Seed(name) | NodeName::Model(name) | NodeName::Snapshot(name) => Candidate::Model {
                    project,
                    stored,
                    model: project.models.get(name)?,
                    rendered: rendered.outline(name)?,
                },
                NodeName::UnitTest(name) => {
                    Candidate::UnitTest { project, stored, test: project.unit_tests.get(name)? }
                }
                NodeName::Resource(_) => Candidate::Resource { project, stored, resource: resources.get(node)? },
            })
        };
        let order = dag.order();
        let of_graph = order
            .iter()
            .enumerate()
            .filter_map(|(position, node)| Some(KnownNode { position, node: candidate(node)? }));
        let of_tests = tests.into_iter().flatten().enumerate();
        let of_tests = of_tests.map(|(index, test)| {
            let stored = state.and_then(|state| state.of_tests.get(&test.unique_id));
            KnownNode { position: order.len() + index, node: Candidate::Test { project, stored, test } }
        });
        let tables = tests.map(|tests| {
            let positions = |tables: &[NodeId]| tables.iter().filter_map(|table| dag.position(table)).collect();
            tests.iter().map(|test| positions(&test.tables)).collect()
        });
        let units = order.iter().enumerate().filter(|(_, node)| node.unit_test().is_some());
        // A unit test reads one model, so it is whole as soon as that is selected.
        let tested = |unit: &NodeId| dag.parents(unit).filter_map(|model| dag.position(model)).collect();
        let is_source = |position: &usize| order.get(*position).is_some_and(|node| node.kind() == NodeKind::Source);
        Nodes {
            dag,
            known: of_graph.chain(of_tests).collect(),
            tests: tables,
            unit_tests: units.map(|(position, unit)| (position, tested(unit))).collect(),
            sources: (0..order.len()).filter(is_source).collect(),
            named: request.known,
            mode: request.indirect,
        }
    }

    /// Everything there is.
    pub fn all(&self) -> Picked {
        Picked::of((0..self.dag.order().len() + self.tests.as_ref().map_or(0, Vec::len)).collect())
    }

    /// What any of the selectors selects. One part that selects nothing is worth a warning.
    pub fn union(&self, option: &str, selectors: &[Selector], sink: &mut Sink) -> Picked {
        let mut found = Vec::new();
        let parts: Vec<&Intersection> = selectors.iter().flat_map(|selector| &selector.unions).collect();
        for part in &parts {
            // Only part of what was asked for: the rest is still worth doing, so it is a warning.
            let selected = self.intersection(part, self.mode);
            let is_worth_a_word = parts.len() > 1 || option == "--exclude";
            if selected.direct.is_empty() && is_worth_a_word && !self.cannot_know(part) {
                let message = format!("nothing matches `{part}` in `{option}`");
                sink.warn(self.suggest(Diagnostic::warning(Code::EmptySelection, message), part));
            }
            found.push(selected);
        }
        self.united(found)
    }

    /// Whether a part names tests, and nobody knows which there are: then it may match in another command.
    pub fn cannot_know(&self, part: &Intersection) -> bool {
        self.tests.is_none() && part.terms.iter().any(|term| term.method().is_of_tests())
    }

    /// What a named selector selects.
    pub fn defined(&self, definition: &Definition) -> Picked {
        match definition {
            Definition::Text(selector, mode) => {
                let mode = mode.unwrap_or(self.mode);
                self.united(selector.unions.iter().map(|part| self.intersection(part, mode)).collect())
            }
            Definition::Union(parts) => self.united(parts.iter().map(|part| self.defined(part)).collect()),
            Definition::Intersection(parts) => {
                self.intersected(parts.iter().map(|part| self.defined(part)).collect(), self.mode)
            }
            Definition::Without(included, excluded) => self.without(self.defined(included), self.defined(excluded)),
        }
    }

    fn united(&self, parts: Vec<Picked>) -> Picked {
        let mut found = Picked::default();
        for part in parts {
            found.direct.extend(part.direct);
            found.indirect.extend(part.indirect);
        }
        self.with_indirect(found, self.mode)
    }

    fn intersected(&self, parts: Vec<Picked>, mode: IndirectSelection) -> Picked {
        let mut parts = parts.into_iter();
        let Some(mut found) = parts.next() else { return Picked::default() };
        for part in parts {
            let either = |picked: &Picked| picked.direct.union(&picked.indirect).copied().collect::<BTreeSet<usize>>();
            let indirect = either(&found).intersection(&either(&part)).copied().collect();
            found = Picked { direct: found.direct.intersection(&part.direct).copied().collect(), indirect };
        }
        self.with_indirect(found, mode)
    }

    /// What the first has and the second has not.
    pub fn without(&self, included: Picked, excluded: Picked) -> Picked {
        let indirect = included.indirect.iter().chain(&included.direct).copied();
        let indirect = indirect
            .filter(|position| !excluded.direct.contains(position) && !excluded.indirect.contains(position))
            .collect();
        let direct = included.direct.difference(&excluded.direct).copied().collect();
        self.with_indirect(Picked { direct, indirect }, self.mode)
    }

    /// Adds the tests all of whose tables were found by now.
    fn with_indirect(&self, mut picked: Picked, mode: IndirectSelection) -> Picked {
        let enough = match mode {
            // By `eager` no test waits for a table, and by `empty` none is looked for.
            IndirectSelection::Eager | IndirectSelection::Empty => return picked,
            IndirectSelection::Cautious => picked.direct.clone(),
            IndirectSelection::Buildable => self.with_ancestors(&picked.direct),
        };
        for position in &picked.indirect {
            if self.tables_of(*position).is_some_and(|tables| tables.is_subset(&enough)) {
                picked.direct.insert(*position);
            }
        }
        picked
    }

    fn tables_of(&self, position: usize) -> Option<&BTreeSet<usize>> {
        match position.checked_sub(self.dag.order().len()) {
            Some(test) => self.tests.as_ref()?.get(test),
            None => self.unit_tests.get(&position),
        }
    }

    /// The tests at their positions.
    fn tests(&self) -> impl Iterator<Item = (usize, &BTreeSet<usize>)> {
        let first = self.dag.order().len();
        let of_data = self.tests.iter().flatten().enumerate().map(move |(index, tables)| (first + index, tables));
        of_data.chain(self.unit_tests.iter().map(|(position, tables)| (*position, tables)))
    }

    /// The nodes of the graph among these with all that they read.
    fn with_ancestors(&self, positions: &BTreeSet<usize>) -> BTreeSet<usize> {
        let tables = self.in_graph(positions).filter(|position| !self.unit_tests.contains_key(position));
        self.dag.upstream(tables, Depth::All)
    }

    fn in_graph<'p>(&self, positions: &'p BTreeSet<usize>) -> impl Iterator<Item = usize> + use<'p> {
        positions.range(..self.dag.order().len()).copied()
    }

    pub fn intersection(&self, part: &Intersection, mode: IndirectSelection) -> Picked {
        self.intersected(part.terms.iter().map(|term| self.term(term, mode)).collect(), mode)
    }

    fn term(&self, term: &Term, mode: IndirectSelection) -> Picked {
        let own = self.own(term);
        // `@x`: whatever may have to be built after x changed, with all inputs of that.
        if term.with_needs {
            let below = self.dag.downstream(self.in_graph(&own), Depth::All);
            let mut found = self.dag.upstream(below.iter().copied(), Depth::All);
            found.extend(self.tests_of(&below));
            found.extend(own);
            return self.with_tests(found, mode);
        }
        let mut found = own.clone();
        if let Some(depth) = term.parents {
            found.extend(self.parents(&own, depth));
        }
        if let Some(depth) = term.children {
            found.extend(self.children(&own, depth));
        }
        self.with_tests(found, mode)
    }

    /// What a term names, without relatives.
    fn own(&self, term: &Term) -> BTreeSet<usize> {
        if let Some(name) = term.names_selector() {
            // A name that does not exist was refused.
            let named = self.named.iter().find(|one| one.name == name);
            return named.map(|named| self.defined(&named.definition).direct).unwrap_or_default();
        }
        let method = term.method();
        let matching =
            self.known.iter().filter(|known| method.matches(&term.pattern, term.argument.as_deref(), known.node));
        matching.map(|known| known.position).collect()
    }

    fn parents(&self, own: &BTreeSet<usize>, depth: Depth) -> BTreeSet<usize> {
        let mut found = self.dag.upstream(self.in_graph(own), depth);
        if let Some(rest) = depth.after_one_step() {
            let tables = own.iter().filter_map(|position| self.tables_of(*position)).flatten();
            found.extend(self.dag.upstream(tables.copied(), rest));
        }
        found
    }

    fn children(&self, own: &BTreeSet<usize>, depth: Depth) -> BTreeSet<usize> {
        let mut found = self.dag.downstream(self.in_graph(own), depth);
        if let Some(rest) = depth.after_one_step() {
            let tested = self.dag.downstream(self.in_graph(own), rest);
            found.extend(self.tests_of(&tested));
        }
        found
    }

    /// The tests that refer to any of these tables.
    fn tests_of(&self, tables: &BTreeSet<usize>) -> BTreeSet<usize> {
        self.tests().filter(|(_, own)| !own.is_disjoint(tables)).map(|(position, _)| position).collect()
    }

    /// Adds the tests that go with these nodes.
    fn with_tests(&self, selected: BTreeSet<usize>, mode: IndirectSelection) -> Picked {
        let mut picked = Picked::of(selected.clone());
        let enough = match mode {
            IndirectSelection::Empty => return picked,
            IndirectSelection::Eager | IndirectSelection::Cautious => BTreeSet::new(),
            IndirectSelection::Buildable => {
                let mut enough = self.with_ancestors(&selected);
                enough.extend(&self.sources);
                enough
            }
        };
        for (position, tables) in self.tests().filter(|(_, tables)| !tables.is_disjoint(&selected)) {
            let is_whole = tables.is_subset(&selected) || tables.is_subset(&enough);
            if mode == IndirectSelection::Eager || is_whole {
                picked.direct.insert(position);
            } else {
                picked.indirect.insert(position);
            }
        }
        picked
    }

    /// Adds the nearest value that would have matched.
    pub fn suggest(&self, diagnostic: Diagnostic, part: &Intersection) -> Diagnostic {
        let empty = part.terms.iter().find(|term| self.own(term).is_empty());
        match empty.and_then(|term| self.nearest(term)) {
            Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
            None if self.cannot_know(part) => {
                diagnostic.help("`karat test`, `karat build` and `karat ls --resource-type test` know tests")
            }
            None => diagnostic,
        }
    }

    /// What a method could be asked for.
    fn values(&self, method: &dyn Method) -> BTreeSet<String> {
        self.known.iter().flat_map(|known| method.values(known.node)).collect()
    }

    /// The nearest value of the term's own method or, for a bare word, of another.
    fn nearest(&self, term: &Term) -> Option<String> {
        let typed = term.pattern.text();
        let own = self.values(term.method());
        if let Some(near) = nearest(typed, own.iter().map(String::as_str)) {
            let prefix = term.method.map(|method| format!("{}:", method.name())).unwrap_or_default();
            return Some(format!("{prefix}{near}"));
        }
        // A bare word is a name, but its author may have meant a tag or a source.
        ["tag", "source", "fqn"].into_iter().filter_map(method::find).find_map(|method| {
            let values = self.values(method);
            let found = values.get(typed).map(String::as_str);
            let near = found.or_else(|| nearest(typed, values.iter().map(String::as_str)))?;
            Some(if method.name() == "fqn" { near.to_owned() } else { format!("{}:{near}", method.name()) })
        })
    }
}
