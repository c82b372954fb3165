//! Unit tests in properties files: rows that are given to a model, and the rows that it makes of them.

mod csv;
mod rows;

use std::collections::BTreeMap;

use serde_json::Value;

pub use rows::{FixtureCell, FixtureRow, FixtureRows, FixtureValue};

use super::files::FoundFile;
use super::found_models::PropertiesFile;
use super::model::{Model, model_named};
use super::node::{Node, YamlFields, YamlKind};
use super::properties::is_version;
use super::schema;
use crate::day::{Grain, TimeRange, WrittenTime};
use crate::diag::{Checked, Code, Diagnostic, Sink};
use crate::name::{ModelName, NodeKind, UnitTestName};
use crate::span::{FileId, SourceFiles, Span, Spanned};
use rows::FixtureReader;

/// A test of what a model makes of rows that are written down.
#[derive(Debug, Clone)]
pub struct UnitTest {
    pub id: UnitTestName,
    /// The package whose properties file declares it.
    pub package: String,
    /// The properties file, relative to the project.
    pub path: String,
    /// The package's name, the folders of the properties file, the model and the test: what selectors match.
    pub fqn: Vec<String>,
    pub description: String,
    pub tags: Vec<String>,
    /// `null` if there is none.
    pub meta: Value,
    pub given: Vec<GivenInput>,
    pub expected: ExpectedRows,
    pub overrides: UnitTestOverrides,
    /// The slice that the model is run for; `None` if it is not run for a slice.
    pub slice: Option<Spanned<TimeRange>>,
    /// Where its name stands.
    pub span: Span,
    /// Everything that YAML says of it.
    pub properties: Value,
}

/// The unit tests of a project.
#[derive(Debug, Default)]
pub(super) struct UnitTests {
    pub enabled: BTreeMap<UnitTestName, UnitTest>,
    pub disabled: BTreeMap<UnitTestName, UnitTest>,
}

/// Rows that stand in the place of something that the model reads.
#[derive(Debug, Clone)]
pub struct GivenInput {
    pub input: GivenName,
    pub rows: FixtureRows,
    /// Where the input is named.
    pub span: Span,
}

/// What rows are given for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GivenName {
    /// The model's own table, as it is before the run.
    This,
    /// A `ref()` or `source()`, as the template of one call.
    Call(FileId),
}

/// What must come out.
#[derive(Debug, Clone)]
pub struct ExpectedRows {
    pub rows: FixtureRows,
    /// Whether these are the rows of the model's table after the run, and not those that the model puts out.
    pub of_table: bool,
    /// Where `expect` stands.
    pub span: Span,
}

/// What templates see otherwise while the model is tested.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct UnitTestOverrides {
    /// What calls of macros give, by `macro` or `package.macro`.
    pub macros: BTreeMap<String, Spanned<Value>>,
    pub vars: BTreeMap<String, Value>,
    pub env_vars: BTreeMap<String, String>,
}

/// What unit tests may name.
pub(super) struct UnitTestScope<'a> {
    /// All models, those that are switched off too.
    pub models: &'a BTreeMap<ModelName, Model>,
    /// The files in `fixtures` of the test paths.
    pub fixtures: Vec<&'a FoundFile>,
}

/// Reads the unit tests of all properties files.
pub(super) fn read(
    properties: &[PropertiesFile<'_>],
    scope: &UnitTestScope<'_>,
    texts: &mut SourceFiles,
    sink: &mut Sink,
) -> UnitTests {
    let mut tests = UnitTests::default();
    for file in properties {
        // What is no mapping is reported where models are described.
        let Ok(fields) = YamlFields::of(&file.node, "a properties file", &mut Sink::default()) else { continue };
        for node in fields.list("unit_tests", sink) {
            let mut reader = FixtureReader { fixtures: &scope.fixtures, texts };
            let Ok(found) = declared(node, file, scope, &mut reader, sink) else { continue };
            tests.disabled.extend(found.disabled.into_iter().map(|test| (test.id.clone(), test)));
            for test in found.enabled {
                if let Some(first) = tests.enabled.get(&test.id) {
                    let message = format!("two unit tests of `{}` are called `{}`", test.id.model, test.id.test);
                    let diagnostic = Diagnostic::error(Code::DuplicateName, message).at(test.span);
                    sink.error(diagnostic.labelled(first.span, "the first one"));
                    continue;
                }
                tests.enabled.insert(test.id.clone(), test);
            }
        }
    }
    tests
}

/// The tests of one item of `unit_tests`.
#[derive(Debug, Default)]
struct DeclaredUnitTests {
    enabled: Vec<UnitTest>,
    disabled: Vec<UnitTest>,
}

/// One item of `unit_tests`: a test for each version of its model.
fn declared(
    node: &Node,
    file: &PropertiesFile<'_>,
    scope: &UnitTestScope<'_>,
    reader: &mut FixtureReader<'_>,
    sink: &mut Sink,
) -> Checked<DeclaredUnitTests> {
    let fields = YamlFields::of(node, "an item of `unit_tests`", sink)?;
    schema::UNIT_TEST.check(&fields, sink);
    let name = fields.name("a unit test", sink)?;
    let config = UnitTestConfig::read(&fields, sink);
    let models = tested_models(&name, &fields, scope, sink)?;
    // What is wrong with a test that nobody runs is no matter.
    let is_run = |model: &Model| config.enabled && !model.is_disabled();
    let unsaid = &mut Sink::default();
    let sink = if models.iter().any(|model| is_run(model)) { sink } else { unsaid };
    let inputs = fields.list("given", sink);
    let given = sink.check_all(inputs, |node, sink| given(node, reader, sink));
    let expected = expected(&name, &fields, reader, sink);
    let overrides = overrides(&fields, sink);
    let slice = fields.get("slice").map(|node| slice(node, sink)).transpose();
    let given = refuse_twice(given?, reader.texts, sink)?;
    let expected = expected?;
    let overrides = overrides?;
    let slice = slice?;
    let package = file.package.clone().unwrap_or_default();
    let test_of = |model: &Model| UnitTest {
        id: UnitTestName { model: model.name.clone(), test: name.value.clone() },
        package: package.clone(),
        path: file.found.path.clone(),
        fqn: fqn(&package, file.found, model, &name.value),
        description: fields.description(&mut Sink::default()),
        tags: config.tags.clone(),
        meta: config.meta.clone(),
        given: given.clone(),
        expected: expected.clone(),
        overrides: overrides.clone(),
        slice: slice.clone(),
        span: name.span,
        properties: node.to_json(),
    };
    let (enabled, disabled): (Vec<&Model>, Vec<&Model>) = models.into_iter().partition(|model| is_run(model));
    let of_all = |models: Vec<&Model>| models.into_iter().map(test_of).collect();
    Ok(DeclaredUnitTests { enabled: of_all(enabled), disabled: of_all(disabled) })
}

fn fqn(package: &str, found: &FoundFile, model: &Model, test: &str) -> Vec<String> {
    let folders = found.below.rsplit_once('/').map(|(folders, _)| folders);
    let folders = folders.into_iter().flat_map(|folders| folders.split('/'));
    let all = std::iter::once(package).chain(folders).chain([model.name.as_str(), test]);
    all.map(str::to_owned).collect()
}

/// `config` of a unit test.
struct UnitTestConfig {
    enabled: bool,
    tags: Vec<String>,
    meta: Value,
}

impl UnitTestConfig {
    fn read(fields: &YamlFields<'_>, sink: &mut Sink) -> Self {
        let mut read = Self { enabled: true, tags: Vec::new(), meta: Value::Null };
        let Some(node) = fields.get("config") else { return read };
        let Ok(config) = YamlFields::of(node, "`config`", sink) else { return read };
        schema::UNIT_TEST_CONFIG.check(&config, sink);
        read.enabled = config.read("enabled", Node::expect_bool, sink).unwrap_or(true);
        let tags = config.read("tags", Node::expect_texts, sink).unwrap_or_default();
        read.tags = tags.into_iter().map(|tag| tag.value).collect();
        read.meta = config.get("meta").map_or(Value::Null, Node::to_json);
        read
    }
}

/// The model that a test names; all of its versions that the test is meant for, if it has versions.
fn tested_models<'a>(
    name: &Spanned<String>,
    fields: &YamlFields<'_>,
    scope: &UnitTestScope<'a>,
    sink: &mut Sink,
) -> Checked<Vec<&'a Model>> {
    let Some(model) = fields.text("model", sink) else {
        let message = format!("the unit test `{}` has no `model`", name.value);
        return Err(sink.error(Diagnostic::error(Code::InvalidYaml, message).at(name.span)));
    };
    let versions = chosen_versions(fields, sink)?;
    let exact = model_named(scope.models, &model.value).and_then(|name| scope.models.get(&name));
    let all: Vec<&Model> = scope.models.values().filter(|one| is_version(&one.name, &model.value)).collect();
    match exact {
        Some(found) if found.kind() != NodeKind::Model => {
            let message = format!("`{}` is a {}, and unit tests are for models", model.value, found.kind());
            Err(sink.error(Diagnostic::error(Code::InvalidConfig, message).at(model.span)))
        }
        Some(found) if all.is_empty() => match versions {
            None => Ok(vec![found]),
            Some(VersionChoice { span, .. }) => {
                let message = format!("`{}` has no versions", model.value);
                Err(sink.error(Diagnostic::error(Code::InvalidConfig, message).at(span).help("leave `versions` out")))
            }
        },
        None if all.is_empty() => {
            let message = format!("no model is called `{}`", model.value);
            let known = scope.models.values().filter(|one| one.kind() == NodeKind::Model);
            let diagnostic = Diagnostic::error(Code::UnknownModelInYaml, message).at(model.span);
            Err(sink.error(diagnostic.suggest(&model.value, known.map(|one| one.name.as_str()))))
        }
        // One of the versions may be in a file of the plain name, which says no number.
        Some(_) | None => {
            let of_plain_name = exact.filter(|_| versions.is_none());
            let numbered = all.into_iter().filter(|one| versions.as_ref().is_none_or(|choice| choice.has(one, &model)));
            let chosen: Vec<&Model> = of_plain_name.into_iter().chain(numbered).collect();
            if chosen.is_empty() {
                let span = versions.map_or(model.span, |choice| choice.span);
                let message = format!("no version of `{}` is left to test", model.value);
                return Err(sink.error(Diagnostic::error(Code::InvalidConfig, message).at(span)));
            }
            Ok(chosen)
        }
    }
}

/// `versions: { include: [1] }`, or `exclude` in its place.
struct VersionChoice {
    numbers: Vec<String>,
    includes: bool,
    span: Span,
}

impl VersionChoice {
    fn has(&self, model: &Model, of: &Spanned<String>) -> bool {
        let number = model.name.as_str().strip_prefix(&*of.value).and_then(|rest| rest.strip_prefix("_v"));
        self.numbers.iter().any(|chosen| Some(chosen.trim_start_matches('v')) == number) == self.includes
    }
}

fn chosen_versions(fields: &YamlFields<'_>, sink: &mut Sink) -> Checked<Option<VersionChoice>> {
    let Some(node) = fields.get("versions") else { return Ok(None) };
    let versions = YamlFields::of(node, "`versions`", sink)?;
    schema::UNIT_TEST_VERSIONS.check(&versions, sink);
    let (key, includes) = match (versions.get("include"), versions.get("exclude")) {
        (Some(_), Some(_)) => {
            let message = "`versions` has both `include` and `exclude`";
            return Err(sink.error(Diagnostic::error(Code::InvalidConfig, message).at(node.place())));
        }
        (Some(_), None) => ("include", true),
        (None, Some(_)) => ("exclude", false),
        (None, None) => return Ok(None),
    };
    let items = versions.list(key, sink);
    let numbers = sink.check_all(items, |item, sink| item.expect_any_text("a version", sink))?;
    let numbers = numbers.into_iter().map(|number| number.value).collect();
    Ok(Some(VersionChoice { numbers, includes, span: node.place() }))
}

fn given(node: &Node, reader: &mut FixtureReader<'_>, sink: &mut Sink) -> Checked<GivenInput> {
    let fields = YamlFields::of(node, "an item of `given`", sink)?;
    schema::GIVEN.check(&fields, sink);
    let Some(input) = fields.text("input", sink) else {
        let message = "an item of `given` has no `input`";
        let diagnostic = Diagnostic::error(Code::InvalidYaml, message).at(node.place());
        return Err(sink.error(diagnostic.help("write `input: ref('…')`, `input: source('…', '…')` or `input: this`")));
    };
    let rows = reader.rows(&fields, sink)?;
    let call = input.value.trim();
    let is_call = (call.starts_with("ref") || call.starts_with("source")) && call.ends_with(')');
    if call != "this" && !is_call {
        let message = format!("`{call}` is no input of a model");
        let diagnostic = Diagnostic::error(Code::InvalidConfig, message).at(input.span);
        return Err(sink.error(diagnostic.help("an input is `ref('…')`, `source('…', '…')` or `this`")));
    }
    let rows = match rows {
        Some(rows) => rows,
        // As in dbt: a seed has rows of its own.
        None if is_call && call.starts_with("ref") => FixtureRows::OfSeed,
        None => {
            let message = format!("no rows are given for `{call}`");
            let diagnostic = Diagnostic::error(Code::InvalidYaml, message).at(input.span);
            return Err(sink.error(diagnostic.help("write `rows: []` if it has none")));
        }
    };
    let name = match is_call {
        true => GivenName::Call(reader.texts.add(format!("<{call}>"), format!("{{{{ {call} }}}}"))),
        false => GivenName::This,
    };
    Ok(GivenInput { input: name, rows, span: input.span })
}

/// Each input has rows once. That two calls may mean one table is found when they are rendered.
fn refuse_twice(given: Vec<GivenInput>, texts: &SourceFiles, sink: &mut Sink) -> Checked<Vec<GivenInput>> {
    let mut seen: BTreeMap<String, Span> = BTreeMap::new();
    for one in &given {
        let word = match one.input {
            GivenName::This => "this".to_owned(),
            GivenName::Call(file) => texts.text(file).split_whitespace().collect(),
        };
        if let Some(first) = seen.insert(word, one.span) {
            let diagnostic = Diagnostic::error(Code::DuplicateName, "rows are given for one input twice").at(one.span);
            return Err(sink.error(diagnostic.labelled(first, "the first ones")));
        }
    }
    Ok(given)
}

fn expected(
    name: &Spanned<String>,
    fields: &YamlFields<'_>,
    reader: &mut FixtureReader<'_>,
    sink: &mut Sink,
) -> Checked<ExpectedRows> {
    let missing = || Diagnostic::error(Code::InvalidYaml, format!("the unit test `{}` expects no rows", name.value));
    let help = "write `expect: { rows: [] }` if the model is to have none";
    let Some(node) = fields.get("expect") else { return Err(sink.error(missing().at(name.span).help(help))) };
    let expect = YamlFields::of(node, "`expect`", sink)?;
    schema::EXPECT.check(&expect, sink);
    let of_table = expect.read("table", Node::expect_bool, sink).unwrap_or(false);
    match reader.rows(&expect, sink)? {
        Some(rows) => Ok(ExpectedRows { rows, of_table, span: node.place() }),
        None => Err(sink.error(missing().at(node.place()).help(help))),
    }
}

fn overrides(fields: &YamlFields<'_>, sink: &mut Sink) -> Checked<UnitTestOverrides> {
    let mut read = UnitTestOverrides::default();
    let Some(node) = fields.get("overrides") else { return Ok(read) };
    let overrides = YamlFields::of(node, "`overrides`", sink)?;
    schema::UNIT_TEST_OVERRIDES.check(&overrides, sink);
    let entries = |key: &str, sink: &mut Sink| match overrides.get(key) {
        Some(node) => node.expect_mapping(&format!("`{key}`"), sink),
        None => Ok(&[][..]),
    };
    for (name, value) in entries("macros", sink)? {
        read.macros.insert(name.value.clone(), Spanned::new(value.to_json(), name.span));
    }
    for (name, value) in entries("vars", sink)? {
        read.vars.insert(name.value.clone(), value.to_json());
    }
    for (name, value) in entries("env_vars", sink)? {
        let text = value.expect_any_text(&format!("`{}`", name.value), sink)?;
        read.env_vars.insert(name.value.clone(), text.value);
    }
    Ok(read)
}

/// `slice: 2023-05-01`, or `{ start: 2023-05-01, end: 2023-05-03 }` with its last day.
fn slice(node: &Node, sink: &mut Sink) -> Checked<Spanned<TimeRange>> {
    let written = |node: &Node, sink: &mut Sink| {
        let text = node.expect_any_text("`slice`", sink)?;
        WrittenTime::parse(&text.value).ok_or_else(|| {
            let message = format!("`{}` is not a date", text.value);
            let diagnostic = Diagnostic::error(Code::InvalidRange, message).at(text.span);
            sink.error(diagnostic.help("write it as `2023-05-01`, with leading zeros, or as `2023-05-01 13:00`"))
        })
    };
    let YamlKind::Mapping(_) = &node.kind else {
        let start = written(node, sink)?;
        return range(start, None, node, sink);
    };
    let fields = YamlFields::of(node, "`slice`", sink)?;
    schema::SLICE.check(&fields, sink);
    let Some(start) = fields.get("start") else {
        let message = "`slice` has no `start`";
        return Err(sink.error(Diagnostic::error(Code::InvalidRange, message).at(node.place())));
    };
    let start = written(start, sink)?;
    let end = fields.get("end").map(|end| written(end, sink)).transpose()?;
    range(start, end, node, sink)
}

fn range(start: WrittenTime, end: Option<WrittenTime>, node: &Node, sink: &mut Sink) -> Checked<Spanned<TimeRange>> {
    let to = match (end, start) {
        (Some(end), _) => end.end(),
        // A beginning alone means its own day or hour, as on the command line.
        (None, WrittenTime::Day(_)) => start.end(),
        (None, WrittenTime::Instant(time)) => Grain::Hour.next(time),
    };
    let found = TimeRange::new(start.start(), to).map(|range| Spanned::new(range, node.place()));
    found.ok_or_else(|| {
        let message = "the slice ends before it begins";
        sink.error(Diagnostic::error(Code::InvalidRange, message).at(node.place()))
    })
}

#[cfg(test)]
mod tests;
