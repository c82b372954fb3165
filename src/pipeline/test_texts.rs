//! Data tests that are a SELECT: files of the test paths, and what macros make of lines of YAML.

use std::collections::BTreeMap;

use crate::analyze::TypedModel;
use crate::check::{BrokenTest, TestText, unknown_kind};
use crate::diag::{Checked, Diagnostic, Sink};
use crate::name::ModelName;
use crate::project::{DeclaredTest, Project, SingularTest, TestRule, TestSettings, TestStorage};
use crate::select::{TestKind, TestOrigin};
use crate::span::{FileId, Span};
use crate::template::{RenderedSql, RenderedText, TextFile, TextInputs, render_texts, test_names, trace_texts};

/// The tests that could be rendered, and what is wrong with the others.
pub(super) struct TestTexts {
    pub texts: Vec<TestText>,
    pub broken: Vec<BrokenTest>,
}

/// A declared test with the text that calls its macro.
struct GenericTest<'a> {
    test: &'a DeclaredTest,
    text: FileId,
    /// The model that it is declared on, if it is one.
    model: Option<&'a ModelName>,
    /// The package that declares it.
    package: &'a str,
    /// The tested table and column, as they stand in the test's name.
    of: String,
}

/// Renders all of them, in one go: macros are read once. A file that switches itself off is left out, and a line of YAML
/// without a macro is an error.
///
/// # Errors
///
/// Returns an error if the macros cannot be read.
pub(super) fn test_texts(
    inputs: TextInputs<'_>,
    typed: &BTreeMap<ModelName, TypedModel>,
    sink: &mut Sink,
) -> Checked<TestTexts> {
    let files = &inputs.project.singular_tests;
    let mut found = TestTexts { texts: Vec::new(), broken: Vec::new() };
    let declared = known(inputs, declared(inputs.project, typed), &mut found.broken);
    let own = inputs.project.name.value.as_str();
    let mut texts: Vec<TextFile<'_>> =
        files.iter().map(|test| text_of(test.file, &test.package, &test.settings)).collect();
    let configs: Vec<TestSettings> = declared.iter().map(|generic| generic.test.settings()).collect();
    texts.extend(declared.iter().zip(&configs).map(|(test, config)| text_of(test.text, own, config)));
    let mut rendered = render_texts(inputs, &texts, sink)?.into_iter();
    for (test, rendered) in files.iter().zip(rendered.by_ref()) {
        match rendered.and_then(|rendered| of_file(test, rendered)) {
            Ok(text) => found.texts.extend(text),
            Err(faults) => found.broken.push(BrokenTest { model: None, faults }),
        }
    }
    for (test, rendered) in declared.iter().zip(rendered) {
        match rendered.and_then(|rendered| of_line(test, own, rendered)) {
            Ok(text) => found.texts.push(text),
            Err(faults) => found.broken.push(BrokenTest { model: test.model.cloned(), faults }),
        }
    }
    Ok(found)
}

fn text_of<'a>(file: FileId, package: &'a str, config: &'a TestSettings) -> TextFile<'a> {
    TextFile { config: Some(config), ..TextFile::plain(file, package) }
}

/// The texts with the places in macros of those whose faults lie in what a macro gave. Returns `None` if there are none.
pub(super) fn traced_texts(inputs: TextInputs<'_>, texts: &[TestText], broken: &[BrokenTest]) -> Option<Vec<TestText>> {
    let labels = || broken.iter().flat_map(|test| &test.faults).flat_map(|fault| &fault.labels);
    let is_concerned = |text: &TestText| labels().any(|label| text.rendered.map.is_expression(label.span));
    let concerned: Vec<usize> =
        texts.iter().enumerate().filter(|(_, text)| is_concerned(text)).map(|(index, _)| index).collect();
    if concerned.is_empty() {
        return None;
    }
    let rendered = concerned.iter().filter_map(|index| texts.get(*index)).map(|text| RenderedText {
        place: text_of(text.file, &text.package, &text.rendered.test_config),
        sql: &text.rendered,
    });
    let mut traced = texts.to_vec();
    for (index, rendered) in concerned.iter().zip(trace_texts(inputs, &rendered.collect::<Vec<_>>())) {
        traced.get_mut(*index).into_iter().for_each(|text| text.rendered = rendered.clone());
    }
    Some(traced)
}

/// Those that there is a macro for.
fn known<'a>(
    inputs: TextInputs<'_>,
    declared: Vec<GenericTest<'a>>,
    broken: &mut Vec<BrokenTest>,
) -> Vec<GenericTest<'a>> {
    if declared.is_empty() {
        return declared;
    }
    let known = test_names(inputs.project, inputs.files);
    let (well, unknown): (Vec<GenericTest<'a>>, Vec<GenericTest<'a>>) =
        declared.into_iter().partition(|generic| known.contains(&generic.test.kind.value));
    broken.extend(
        unknown
            .into_iter()
            .map(|generic| BrokenTest { model: generic.model.cloned(), faults: vec![unknown_kind(generic.test)] }),
    );
    well
}

/// Returns `None` if the test switches itself off.
fn of_file(test: &SingularTest, rendered: RenderedSql) -> Result<Option<TestText>, Vec<Diagnostic>> {
    let mut config = test.settings.clone();
    config.extend(rendered.test_config.iter().map(|(key, value)| (key.clone(), value.clone())));
    let rule = TestRule::of_config(&config).map_err(|wrong| vec![wrong])?;
    let storage = storage_of(&config)?;
    let is_enabled = config.get("enabled").is_none_or(|enabled| enabled.value != false);
    let calculation = calculation_of(&config);
    let span = Span::new(test.file, 0..0);
    let tags = config.get("tags").map(|tags| texts_of(&tags.value)).unwrap_or_default();
    let text = TestText {
        name: test.name.clone(),
        origin: TestOrigin { kind: TestKind::Singular, package: test.package.clone(), tags },
        file: test.file,
        package: test.package.clone(),
        declared_on: None,
        rendered,
        rule,
        storage,
        calculation,
        span,
    };
    Ok(is_enabled.then_some(text))
}

fn of_line(generic: &GenericTest<'_>, package: &str, rendered: RenderedSql) -> Result<TestText, Vec<Diagnostic>> {
    let test = generic.test;
    // What the macro says of itself holds where YAML says nothing.
    let said = rendered.test_config.iter().filter(|(key, _)| !test.config.contains_key(*key));
    let said: TestSettings = said.map(|(key, value)| (key.clone(), value.clone())).collect();
    let of_macro = TestRule::of_config(&said).map_err(|wrong| vec![wrong])?;
    let rule = if test.rule == TestRule::default() { of_macro } else { test.rule };
    let written = test.calculation.as_ref().map(|calculation| calculation.value.clone());
    let calculation = written.or_else(|| calculation_of(&said));
    let name = match &test.name {
        Some(name) => name.value.clone(),
        None => format!("{}_{}", test.kind.value.replace('.', "_"), generic.of),
    };
    let kind = TestKind::Generic(test.kind.value.clone());
    let origin = TestOrigin { kind, package: generic.package.to_owned(), tags: test.tags.clone() };
    Ok(TestText {
        name,
        origin,
        file: generic.text,
        package: package.to_owned(),
        declared_on: generic.model.cloned(),
        storage: test.storage.or(&storage_of(&said)?),
        rendered,
        rule,
        calculation,
        span: test.span,
    })
}

/// What the `config()` of a test says of the rows that break it.
fn storage_of(config: &TestSettings) -> Result<TestStorage, Vec<Diagnostic>> {
    let mut storage = TestStorage::default();
    for (key, value) in config {
        storage.set(key, value).map_err(|wrong| vec![wrong])?;
    }
    Ok(storage)
}

/// A text, or the texts of a list.
fn texts_of(value: &serde_json::Value) -> Vec<String> {
    match value {
        serde_json::Value::Array(items) => items.iter().filter_map(|item| item.as_str()).map(str::to_owned).collect(),
        other => other.as_str().map(str::to_owned).into_iter().collect(),
    }
}

/// The `fail_calc` of a test's own `config()`.
fn calculation_of(config: &TestSettings) -> Option<String> {
    config.get("fail_calc")?.value.as_str().map(str::to_owned)
}

fn declared<'a>(project: &'a Project, typed: &BTreeMap<ModelName, TypedModel>) -> Vec<GenericTest<'a>> {
    let mut found = Vec::new();
    for model in project.models.values().filter(|model| typed.contains_key(&model.name)) {
        let on = |of: String| DeclaredOn { model: Some(&model.name), package: &model.package, of };
        found.extend(on(model.name.to_string()).with_text(&model.tests));
        for column in &model.columns {
            found.extend(on(format!("{}_{}", model.name, column.name.value)).with_text(&column.tests));
        }
    }
    for source in project.sources.values() {
        let on = |of: String| DeclaredOn { model: None, package: &project.name.value, of };
        found.extend(on(source.table.to_string()).with_text(&source.tests));
        for column in &source.columns {
            found.extend(on(format!("{}_{}", source.table, column.name.value)).with_text(&column.tests));
        }
    }
    found
}

/// What tests are declared on.
struct DeclaredOn<'a> {
    /// The model, if it is one.
    model: Option<&'a ModelName>,
    package: &'a str,
    /// The table and the column, as they stand in the names of the tests.
    of: String,
}

impl<'a> DeclaredOn<'a> {
    /// The tests that are calls of macros.
    fn with_text(self, tests: &'a [DeclaredTest]) -> impl Iterator<Item = GenericTest<'a>> {
        let DeclaredOn { model, package, of } = self;
        tests
            .iter()
            .filter_map(move |test| Some(GenericTest { test, text: test.text?, model, package, of: of.clone() }))
    }
}
