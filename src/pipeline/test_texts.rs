//! Data tests that are a SELECT: files of the test paths, and what macros make of lines of YAML.

use std::collections::BTreeMap;

use crate::analyze::TypedModel;
use crate::check::{TestText, unknown_kind};
use crate::diag::{Checked, Sink};
use crate::name::ModelName;
use crate::project::{DeclaredTest, Project, TestRule};
use crate::span::{FileId, Span};
use crate::template::{TextFile, TextInputs, render_texts, test_names};

/// Renders the tests that are files. One that switches itself off is left out.
pub(super) fn singular_tests(inputs: TextInputs<'_>, sink: &mut Sink) -> Checked<Vec<TestText>> {
    let tests = &inputs.project.singular_tests;
    let texts: Vec<TextFile<'_>> =
        tests.iter().map(|test| TextFile { file: test.file, package: &test.package }).collect();
    let rendered = render_texts(inputs, &texts, sink)?;
    let all = sink.check_all(tests.iter().zip(rendered), |(test, rendered), sink| {
        let rendered = rendered?;
        let rule = TestRule::of_config(&rendered.test_config).map_err(|wrong| sink.error(wrong))?;
        let is_enabled = rendered.test_config.get("enabled").is_none_or(|enabled| enabled.value != false);
        let text = TestText { name: test.name.clone(), rendered, rule, span: Span::new(test.file, 0..0) };
        Ok(is_enabled.then_some(text))
    })?;
    Ok(all.into_iter().flatten().collect())
}

/// A declared test with the text that calls its macro.
struct GenericTest<'a> {
    test: &'a DeclaredTest,
    text: FileId,
    /// The tested table and column, as they stand in the test's name.
    of: String,
}

/// Renders the tests of models that are well, and of sources, that a macro makes a query of. One without a macro is an error.
pub(super) fn generic_tests(
    inputs: TextInputs<'_>,
    typed: &BTreeMap<ModelName, TypedModel>,
    sink: &mut Sink,
) -> Checked<Vec<TestText>> {
    let declared = declared(inputs.project, typed);
    if declared.is_empty() {
        return Ok(Vec::new());
    }
    let known = test_names(inputs.project, inputs.files);
    let tests = sink.check_all(declared, |generic, sink| match known.contains(&generic.test.kind.value) {
        true => Ok(generic),
        false => Err(sink.error(unknown_kind(generic.test))),
    })?;
    let package = inputs.project.name.value.as_str();
    let texts: Vec<TextFile<'_>> = tests.iter().map(|test| TextFile { file: test.text, package }).collect();
    let rendered = render_texts(inputs, &texts, sink)?;
    sink.check_all(tests.into_iter().zip(rendered), |(generic, rendered), _| {
        let test = generic.test;
        let name = match &test.name {
            Some(name) => name.value.clone(),
            None => format!("{}_{}", test.kind.value.replace('.', "_"), generic.of),
        };
        Ok(TestText { name, rendered: rendered?, rule: test.rule, span: test.span })
    })
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
