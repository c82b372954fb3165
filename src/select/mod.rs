//! Which models, seeds and sources a command is about: `--select` and `--exclude`.

mod definition;
mod indirect;
mod method;
mod nodes;
mod parse;
mod pattern;
mod stored;
mod test_node;

use std::collections::BTreeSet;

pub use definition::{NamedSelector, named_selectors};
pub use indirect::IndirectSelection;
pub use parse::{Selector, SelectorError, parse};
pub use stored::{NodeChange, NodeChanges, StoredArtifact, StoredNode, StoredState};
pub use test_node::{TestKind, TestNode, TestOrigin};

use crate::diag::{Checked, Code, Diagnostic, Sink, all_of};
use crate::graph::{Dag, NodeId};
use crate::name::{ModelName, NodeKind, TableName, UnitTestName};
use crate::project::Project;
use crate::template::Rendered;
use nodes::Nodes;
use parse::Intersection;

/// What was typed.
#[derive(Debug, Clone, Copy, Default)]
pub struct SelectionRequest<'a> {
    /// Everything if this is empty.
    pub select: &'a [String],
    pub exclude: &'a [String],
    /// A selector that the project names, in the place of `select`.
    pub named: Option<&'a NamedSelector>,
    /// The selectors that `selector:` may name.
    pub known: &'a [NamedSelector],
    /// Which tests are selected with their tables.
    pub indirect: IndirectSelection,
    /// The folder of artifacts that an earlier command wrote: `state:` compares the project with its manifest.
    pub state: Option<&'a str>,
}

/// What can be selected.
#[derive(Clone, Copy)]
pub struct Selectable<'a> {
    pub project: &'a Project,
    pub rendered: &'a Rendered,
    pub dag: &'a Dag,
    /// The data tests. `None` for a command that runs none, and does not know them.
    pub tests: Option<&'a [TestNode]>,
    /// What the artifacts of an earlier command say. `None` if no selector asks for it.
    pub stored: Option<&'a StoredState>,
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
    /// The tests, by their places among those that could be selected.
    tests: BTreeSet<usize>,
}

impl Selection {
    fn new(nodes: Vec<NodeId>, tests: BTreeSet<usize>) -> Selection {
        let order: Vec<ModelName> = nodes.iter().filter_map(NodeId::model).cloned().collect();
        let models = order.iter().cloned().collect();
        let sources = nodes.iter().filter_map(NodeId::source).cloned().collect();
        Selection { nodes, order, models, sources, tests }
    }

    /// The unit tests, selected by themselves or with their models.
    pub fn unit_tests(&self) -> impl Iterator<Item = &UnitTestName> {
        self.nodes.iter().filter_map(NodeId::unit_test)
    }

    /// The nodes of these kinds alone.
    pub fn of_kinds(&self, kinds: &[NodeKind]) -> Selection {
        let nodes = self.nodes.iter().filter(|node| kinds.contains(&node.kind())).cloned().collect();
        let tests = if kinds.contains(&NodeKind::Test) { self.tests.clone() } else { BTreeSet::new() };
        Selection::new(nodes, tests)
    }

    /// Whether the test at this place among those that could be selected was.
    pub fn has_test(&self, index: usize) -> bool {
        self.tests.contains(&index)
    }

    /// How many tests.
    pub fn count_tests(&self) -> usize {
        self.tests.len()
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
    let select = sink.check_all(request.select, |text, sink| parsed("--select", text, request.known, sink));
    let exclude = sink.check_all(request.exclude, |text, sink| parsed("--exclude", text, request.known, sink));
    let select = select?;
    let exclude = exclude?;
    let nodes = Nodes::new(request, selectable);
    // That nothing has changed, or nothing failed, is an answer and no mistake in the selector.
    let may_be_empty = !artifacts_asked_for(request).is_empty();
    let included = if let Some(named) = request.named {
        nodes.defined(&named.definition)
    } else if select.is_empty() {
        nodes.all()
    } else {
        nodes.union("--select", &select, sink)
    };
    let has_nothing = included.direct.is_empty();
    if has_nothing && may_be_empty {
        return Ok(nothing_selected(request, sink));
    }
    if let Some(named) = request.named.filter(|_| has_nothing) {
        let message = format!("the selector `{}` selects nothing", named.name);
        return Err(sink.error(Diagnostic::error(Code::EmptySelection, message)));
    }
    if has_nothing && !select.is_empty() {
        return Err(sink.error(nothing_matches(&nodes, request.select, &select)));
    }
    let excluded = nodes.union("--exclude", &exclude, sink);
    let found = if exclude.is_empty() { included } else { nodes.without(included, excluded) };
    if found.direct.is_empty() && may_be_empty {
        return Ok(nothing_selected(request, sink));
    }
    if found.direct.is_empty() && !has_nothing {
        let typed = request.exclude.join(" ");
        let message = format!("`--exclude {typed}` leaves nothing of the selection");
        return Err(sink.error(Diagnostic::error(Code::EmptySelection, message)));
    }
    let order = selectable.dag.order();
    let tests = found.direct.iter().filter_map(|position| position.checked_sub(order.len())).collect();
    Ok(Selection::new(found.direct.iter().filter_map(|position| order.get(*position).cloned()).collect(), tests))
}

/// The artifacts of an earlier command that these selectors ask for. What is no selector is reported where it is resolved.
pub fn artifacts_asked_for(request: SelectionRequest<'_>) -> BTreeSet<StoredArtifact> {
    let texts = request.select.iter().chain(request.exclude);
    let of_texts = texts.filter_map(|text| parse(text).ok()).flat_map(|selector| selector.artifacts(request.known));
    let of_named = request.named.map(|named| named.artifacts(request.known));
    of_texts.chain(of_named.unwrap_or_default()).collect()
}

/// The kinds of nodes that the selectors name by a method that finds no others: `exposure:`, `test_type:`.
pub fn kinds_named(texts: &[String]) -> Vec<NodeKind> {
    let selectors = texts.iter().filter_map(|text| parse(text).ok());
    let words = selectors.flat_map(|selector| {
        let words = selector.terms().map(|term| match term.method {
            Some(method) if method.name() == "resource_type" => term.pattern.text().to_owned(),
            Some(method) if method.name() == "test_type" && term.pattern.text() == "unit" => {
                NodeKind::UnitTest.word().to_owned()
            }
            Some(method) if method.name().starts_with("test_") => NodeKind::Test.word().to_owned(),
            Some(method) if method.name() != NodeKind::Source.word() => method.name().to_owned(),
            // `source:raw+` means what reads it.
            Some(_) | None => String::new(),
        });
        words.collect::<Vec<_>>()
    });
    let words: BTreeSet<String> = words.collect();
    NodeKind::ALL.into_iter().filter(|kind| words.contains(kind.word())).collect()
}

/// What to say of a selector that no file defines.
pub fn unknown_selector(name: &str, known: &[NamedSelector]) -> Diagnostic {
    let names = || known.iter().map(|one| one.name.as_str());
    let diagnostic = Diagnostic::error(Code::InvalidSelector, format!("no selector is called `{name}`"));
    let diagnostic = diagnostic.suggest(name, names());
    match known {
        [] => diagnostic.help("a file `selectors.yml` beside the project file defines selectors"),
        _ => diagnostic.help(format!("`selectors.yml` defines {}", all_of(names()))),
    }
}

fn parsed(option: &str, text: &str, known: &[NamedSelector], sink: &mut Sink) -> Checked<Selector> {
    let parsed = parse(text);
    let named = parsed.iter().flat_map(Selector::terms).filter_map(parse::Term::names_selector);
    let unknown = named.filter(|name| known.iter().all(|one| one.name != *name)).map(str::to_owned).next();
    if let Some(name) = unknown {
        return Err(sink.error(unknown_selector(&name, known)));
    }
    parsed.map_err(|error| {
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

fn nothing_selected(request: SelectionRequest<'_>, sink: &mut Sink) -> Selection {
    let message = match request.named {
        Some(named) => format!("the selector `{}` selects nothing", named.name),
        None if request.select.is_empty() => format!("`--exclude {}` leaves nothing", request.exclude.join(" ")),
        None => format!("nothing matches `--select {}`", request.select.join(" ")),
    };
    sink.warn(Diagnostic::warning(Code::EmptySelection, message));
    Selection::new(Vec::new(), BTreeSet::new())
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
