//! Data tests that are a SELECT: files of the test paths, and what macros make of lines of YAML.

use std::collections::BTreeMap;

use crate::analyze::TypedModel;
use crate::check::{TestText, unknown_kind};
use crate::diag::{Checked, Partial, Sink};
use crate::name::ModelName;
use crate::project::{DeclaredTest, Project, SingularTest, TestRule};
use crate::span::{FileId, Span};
use crate::template::{RenderedSql, TextFile, TextInputs, render_texts, test_names};

/// A declared test with the text that calls its macro.
struct GenericTest<'a> {
    test: &'a DeclaredTest,
    text: FileId,
    /// The tested table and column, as they stand in the test's name.
    of: String,
}

/// Renders all of them, in one go: macros are read once. A file that switches itself off is left out, and a line of YAML without a
/// macro is an error.
pub(super) fn test_texts(
    inputs: TextInputs<'_>,
    typed: &BTreeMap<ModelName, TypedModel>,
    sink: &mut Sink,
) -> Checked<Vec<TestText>> {
    let files = &inputs.project.singular_tests;
    let Partial { well: declared, failed } = known(inputs, declared(inputs.project, typed), sink);
    let own = inputs.project.name.value.as_str();
    let mut texts: Vec<TextFile<'_>> =
        files.iter().map(|test| TextFile { file: test.file, package: &test.package }).collect();
    texts.extend(declared.iter().map(|test| TextFile { file: test.text, package: own }));
    let mut rendered = render_texts(inputs, &texts, sink)?.into_iter();
    let of_files = rendered.by_ref().take(files.len()).collect::<Vec<_>>();
    let of_files = sink.check_all(files.iter().zip(of_files), |(test, rendered), sink| of_file(test, rendered?, sink));
    let of_lines =
        sink.check_all(declared.iter().zip(rendered), |(test, rendered), sink| of_line(test, rendered?, sink));
    let mut all: Vec<TestText> = of_files?.into_iter().flatten().collect();
    all.extend(of_lines?);
    failed.map_or(Ok(all), Err)
}

/// Those that there is a macro for.
fn known<'a>(inputs: TextInputs<'_>, declared: Vec<GenericTest<'a>>, sink: &mut Sink) -> Partial<Vec<GenericTest<'a>>> {
    if declared.is_empty() {
        return Partial { well: declared, failed: None };
    }
    let known = test_names(inputs.project, inputs.files);
    sink.check_each(declared, |generic, sink| match known.contains(&generic.test.kind.value) {
        true => Ok(generic),
        false => Err(sink.error(unknown_kind(generic.test))),
    })
}

/// Returns `None` if the test switches itself off.
fn of_file(test: &SingularTest, rendered: RenderedSql, sink: &mut Sink) -> Checked<Option<TestText>> {
    let rule = TestRule::of_config(&rendered.test_config).map_err(|wrong| sink.error(wrong))?;
    let is_enabled = rendered.test_config.get("enabled").is_none_or(|enabled| enabled.value != false);
    let calculation = calculation_of(&rendered);
    let span = Span::new(test.file, 0..0);
    let text = TestText { name: test.name.clone(), rendered, rule, calculation, span };
    Ok(is_enabled.then_some(text))
}

fn of_line(generic: &GenericTest<'_>, rendered: RenderedSql, sink: &mut Sink) -> Checked<TestText> {
    let test = generic.test;
    // What the macro says of itself holds where YAML says nothing.
    let of_macro = TestRule::of_config(&rendered.test_config).map_err(|wrong| sink.error(wrong))?;
    let rule = if test.rule == TestRule::default() { of_macro } else { test.rule };
    let written = test.calculation.as_ref().map(|calculation| calculation.value.clone());
    let calculation = written.or_else(|| calculation_of(&rendered));
    let name = match &test.name {
        Some(name) => name.value.clone(),
        None => format!("{}_{}", test.kind.value.replace('.', "_"), generic.of),
    };
    Ok(TestText { name, rendered, rule, calculation, span: test.span })
}

/// The `fail_calc` of a test's own `config()`.
fn calculation_of(rendered: &RenderedSql) -> Option<String> {
    rendered.test_config.get("fail_calc")?.value.as_str().map(str::to_owned)
}

fn declared<'a>(project: &'a Project, typed: &BTreeMap<ModelName, TypedModel>) -> Vec<GenericTest<'a>> {
    let mut found = Vec::new();
    let mut add = |tests: &'a [DeclaredTest], of: String| {
        found.extend(tests.iter().filter_map(|test| Some(GenericTest { test, text: test.text?, of: of.clone() })));
    };
    for model in project.models.values().filter(|model| typed.contains_key(&model.name)) {
        add(&model.tests, model.name.to_string());
        for column in &model.columns {
            add(&column.tests, format!("{}_{}", model.name, column.name.value));
        }
    }
    for source in project.sources.values() {
        add(&source.tests, source.table.to_string());
        for column in &source.columns {
            add(&column.tests, format!("{}_{}", source.table, column.name.value));
        }
    }
    found
}
