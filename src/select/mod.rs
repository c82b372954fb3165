//! Which models, seeds and sources a command is about: `--select` and `--exclude`.

mod definition;
mod indirect;
mod method;
mod parse;
mod pattern;

use std::collections::BTreeSet;

pub use definition::{NamedSelector, named_selectors};
pub use indirect::{IndirectSelection, SelectedTables};
pub use parse::{Selector, SelectorError, parse};

use crate::diag::{Checked, Code, Diagnostic, Sink, nearest};
use crate::graph::{Dag, Depth, NodeId, NodeName};
use crate::name::{ModelName, NodeKind, TableName, UnitTestName};
use crate::project::Project;
use crate::template::Rendered;
use definition::Definition;
use method::{Candidate, Method};
use parse::{Intersection, Term};

/// What was typed.
#[derive(Debug, Clone, Copy, Default)]
pub struct SelectionRequest<'a> {
    /// Everything if this is empty.
    pub select: &'a [String],
    pub exclude: &'a [String],
    /// A selector that the project names, in the place of `select`.
    pub named: Option<&'a NamedSelector>,
}

/// What can be selected.
#[derive(Clone, Copy)]
pub struct Selectable<'a> {
    pub project: &'a Project,
    pub rendered: &'a Rendered,
    pub dag: &'a Dag,
}

/// The nodes that were selected. Each of them is in the graph.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selection {
    /// In the order of the graph.
    nodes: Vec<NodeId>,
    /// The models and seeds among them, in the same order.
    order: Vec<ModelName>,
    models: BTreeSet<ModelName>,
    sources: BTreeSet<TableName>,
    /// The unit tests that came with their models, and were not asked for themselves.
    attached: BTreeSet<UnitTestName>,
}

impl Selection {
    fn new(nodes: Vec<NodeId>) -> Selection {
        let order: Vec<ModelName> = nodes.iter().filter_map(NodeId::model).cloned().collect();
        let models = order.iter().cloned().collect();
        let sources = nodes.iter().filter_map(NodeId::source).cloned().collect();
        Selection { nodes, order, models, sources, attached: BTreeSet::new() }
    }

    /// The unit tests that were selected, themselves or, unless `mode` has it otherwise, with their models.
    pub fn unit_tests(&self, mode: IndirectSelection) -> impl Iterator<Item = &UnitTestName> {
        let tests = self.nodes.iter().filter_map(NodeId::unit_test);
        tests.filter(move |test| mode != IndirectSelection::Empty || !self.attached.contains(test))
    }

    /// The nodes of these kinds alone.
    pub fn of_kinds(&self, kinds: &[NodeKind]) -> Selection {
        let nodes = self.nodes.iter().filter(|node| kinds.contains(&node.kind())).cloned().collect();
        Selection { attached: self.attached.clone(), ..Selection::new(nodes) }
    }

    /// Everything that was selected, in the order of the graph.
    pub fn nodes(&self) -> &[NodeId] {
        &self.nodes
    }

    /// The models and seeds, each after all that it reads.
    pub fn iter(&self) -> impl Iterator<Item = &ModelName> {
        self.order.iter()
    }

    pub fn contains(&self, model: &ModelName) -> bool {
        self.models.contains(model)
    }

    pub fn models(&self) -> &BTreeSet<ModelName> {
        &self.models
    }

    /// The sources that were selected with them.
    pub fn sources(&self) -> &BTreeSet<TableName> {
        &self.sources
    }

    /// How many models and seeds.
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Whether there are no models and no seeds; there may be sources.
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }
}

/// Finds what was asked for. A text that is no selector is an error, and so is a request that selects nothing.
pub fn resolve(request: SelectionRequest<'_>, selectable: Selectable<'_>, sink: &mut Sink) -> Checked<Selection> {
    let select = sink.check_all(request.select, |text, sink| parsed("--select", text, sink));
    let exclude = sink.check_all(request.exclude, |text, sink| parsed("--exclude", text, sink));
    let select = select?;
    let exclude = exclude?;
    let nodes = Nodes::new(selectable);
    let included = if let Some(named) = request.named {
        nodes.defined(&named.definition)
    } else if select.is_empty() {
        (0..selectable.dag.order().len()).collect()
    } else {
        nodes.union("--select", &select, sink)
    };
    if let Some(named) = request.named.filter(|_| included.is_empty()) {
        let message = format!("the selector `{}` selects nothing", named.name);
        return Err(sink.error(Diagnostic::error(Code::EmptySelection, message)));
    }
    if included.is_empty() && !select.is_empty() {
        return Err(sink.error(nothing_matches(&nodes, request.select, &select)));
    }
    let excluded = nodes.with_unit_tests(nodes.union("--exclude", &exclude, sink));
    let tested = nodes.with_unit_tests(included.clone());
    let found: BTreeSet<usize> = tested.difference(&excluded).copied().collect();
    if found.is_empty() && !included.is_empty() {
        let typed = request.exclude.join(" ");
        let message = format!("`--exclude {typed}` leaves nothing of the selection");
        return Err(sink.error(Diagnostic::error(Code::EmptySelection, message)));
    }
    let order = selectable.dag.order();
    let attached = tested.difference(&included).filter_map(|position| order.get(*position)?.unit_test().cloned());
    let selection = Selection::new(found.iter().filter_map(|position| order.get(*position).cloned()).collect());
    Ok(Selection { attached: attached.collect(), ..selection })
}

fn parsed(option: &str, text: &str, sink: &mut Sink) -> Checked<Selector> {
    parse(text).map_err(|error| {
        let part = text.get(error.range).filter(|part| *part != text && !part.is_empty());
        let place = part.map(|part| format!(" (at `{part}`)")).unwrap_or_default();
        let message = format!("`{option} {text}`: {}{place}", error.message);
        let diagnostic = Diagnostic::error(Code::InvalidSelector, message);
        sink.error(match error.help {
            Some(help) => diagnostic.help(help),
            None => diagnostic,
        })
    })
}

/// The nodes of the graph with what the methods ask for, by position.
struct Nodes<'a> {
    dag: &'a Dag,
    known: Vec<(usize, Candidate<'a>)>,
}

impl<'a> Nodes<'a> {
    fn new(selectable: Selectable<'a>) -> Nodes<'a> {
        let Selectable { project, rendered, dag } = selectable;
        let known = dag.order().iter().enumerate().filter_map(|(position, node)| {
            let node = match &node.name {
                NodeName::Source(name) => Candidate::Source { project, source: project.sources.get(name)? },
                NodeName::Seed(name) | NodeName::Model(name) | NodeName::Snapshot(name) => {
                    Candidate::Model { project, model: project.models.get(name)?, rendered: rendered.outline(name)? }
                }
                NodeName::UnitTest(name) => Candidate::UnitTest { project, test: project.unit_tests.get(name)? },
            };
            Some((position, node))
        });
        Nodes { dag, known: known.collect() }
    }

    /// These nodes with the unit tests of the models among them.
    fn with_unit_tests(&self, mut nodes: BTreeSet<usize>) -> BTreeSet<usize> {
        let order = self.dag.order();
        let tests = order.iter().enumerate().filter(|(_, node)| node.unit_test().is_some());
        let attached = tests.filter(|(_, test)| {
            let mut models = self.dag.parents(test).filter_map(|model| self.dag.position(model));
            models.any(|model| nodes.contains(&model))
        });
        let attached: Vec<usize> = attached.map(|(position, _)| position).collect();
        nodes.extend(attached);
        nodes
    }

    /// What any of the selectors selects. One part that selects nothing is worth a warning.
    fn union(&self, option: &str, selectors: &[Selector], sink: &mut Sink) -> BTreeSet<usize> {
        let mut found = BTreeSet::new();
        let parts: Vec<&Intersection> = selectors.iter().flat_map(|selector| &selector.unions).collect();
        for part in &parts {
            // Only part of what was asked for: the rest is still worth doing, so it is a warning.
            let selected = self.intersection(part);
            if selected.is_empty() && (parts.len() > 1 || option == "--exclude") {
                let message = format!("nothing matches `{part}` in `{option}`");
                sink.warn(self.suggest(Diagnostic::warning(Code::EmptySelection, message), part));
            }
            found.extend(selected);
        }
        found
    }

    /// What a named selector selects.
    fn defined(&self, definition: &Definition) -> BTreeSet<usize> {
        match definition {
            Definition::Text(selector) => selector.unions.iter().flat_map(|part| self.intersection(part)).collect(),
            Definition::Union(parts) => parts.iter().flat_map(|part| self.defined(part)).collect(),
            Definition::Intersection(parts) => {
                let mut found = parts.iter().map(|part| self.defined(part));
                let first = found.next().unwrap_or_default();
                found.fold(first, |found, next| found.intersection(&next).copied().collect())
            }
            Definition::Without(included, excluded) => {
                self.defined(included).difference(&self.defined(excluded)).copied().collect()
            }
        }
    }

    fn intersection(&self, part: &Intersection) -> BTreeSet<usize> {
        let mut terms = part.terms.iter().map(|term| self.term(term));
        let first = terms.next().unwrap_or_default();
        terms.fold(first, |found, next| found.intersection(&next).copied().collect())
    }

    fn term(&self, term: &Term) -> BTreeSet<usize> {
        let method = term.method();
        let mut own: BTreeSet<usize> = BTreeSet::new();
        for (position, node) in &self.known {
            if method.matches(&term.pattern, term.argument.as_deref(), *node) {
                own.insert(*position);
            }
        }
        // `@x`: whatever may have to be built after x changed, with all inputs of that.
        if term.with_needs {
            return self.dag.upstream(self.dag.downstream(own, Depth::All), Depth::All);
        }
        let mut found = own.clone();
        if let Some(depth) = term.parents {
            found.extend(self.dag.upstream(own.iter().copied(), depth));
        }
        if let Some(depth) = term.children {
            found.extend(self.dag.downstream(own, depth));
        }
        found
    }

    /// Adds the nearest value that would have matched.
    fn suggest(&self, diagnostic: Diagnostic, part: &Intersection) -> Diagnostic {
        let empty = part.terms.iter().find(|term| self.term(term).is_empty());
        match empty.and_then(|term| self.nearest(term)) {
            Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
            None => diagnostic,
        }
    }

    /// What a method could be asked for.
    fn values(&self, method: &dyn Method) -> BTreeSet<String> {
        self.known.iter().flat_map(|(_, node)| method.values(*node)).collect()
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

fn nothing_matches(nodes: &Nodes<'_>, typed: &[String], selectors: &[Selector]) -> Diagnostic {
    let message = format!("nothing matches `--select {}`", typed.join(" "));
    let diagnostic = Diagnostic::error(Code::EmptySelection, message);
    let parts: Vec<&Intersection> = selectors.iter().flat_map(|selector| &selector.unions).collect();
    match parts.as_slice() {
        [only] => nodes.suggest(diagnostic, only).help("`karat ls` lists what can be selected"),
        _ => diagnostic.help("`karat ls` lists what can be selected"),
    }
}

#[cfg(test)]
mod tests;
