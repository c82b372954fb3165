//! Generic tests of the project's own and of packages: the call of their macro, as a text that is rendered like any other.

use std::collections::BTreeSet;

use serde_json::Value;

use super::MacroSource;
use super::model::{DeclaredTest, Model};
use super::source::Source;
use crate::diag::{Code, Diagnostic, Sink};
use crate::span::SourceFiles;

/// The data tests that karat has itself: the names of the checks, which are known only below this module.
pub const OWN_TESTS: [&str; 12] = [
    "accepted_values",
    "anomaly",
    "between",
    "expression_is_true",
    "matches",
    "no_gaps",
    "not_null",
    "recency",
    "reconciles",
    "relationships",
    "row_count",
    "unique",
];

/// The names of the tests that macro files of the project itself define.
fn defined_tests(macro_files: &[MacroSource], project: &str, files: &SourceFiles) -> BTreeSet<String> {
    let own = macro_files.iter().filter(|source| source.package == project);
    let tags = own.flat_map(|source| files.text(source.file).split("{%").skip(1));
    let names = tags.filter_map(|tag| {
        let (word, rest) = tag.trim_start_matches('-').trim_start().split_once(char::is_whitespace)?;
        let name = rest.trim_start().split(|letter: char| !letter.is_alphanumeric() && letter != '_').next()?;
        match word {
            "test" => Some(name),
            "macro" => name.strip_prefix("test_"),
            _ => None,
        }
    });
    names.map(str::to_owned).collect()
}

/// Which tests are calls of macros, and where these are written down.
pub(super) struct TestCalls<'a> {
    pub macro_files: &'a [MacroSource],
    /// The project's own name.
    pub project: &'a str,
    pub files: &'a mut SourceFiles,
}

/// Writes the call of each test that karat does not have itself. Whether there is a macro for it is found when it is planned.
pub(super) fn write_calls<'a>(
    models: impl Iterator<Item = &'a mut Model>,
    sources: impl Iterator<Item = &'a mut Source>,
    calls: TestCalls<'_>,
    sink: &mut Sink,
) {
    let TestCalls { macro_files, project, files } = calls;
    let defined = defined_tests(macro_files, project, files);
    // As in dbt, a test that the project defines goes before one that is built in.
    let is_own = |kind: &str| OWN_TESTS.contains(&kind) && !defined.contains(kind);
    for model in models {
        let table = format!("ref('{}')", model.name);
        let columns = model.columns.iter_mut().map(|column| (Some(column.name.value.clone()), &mut column.tests));
        for (column, tests) in std::iter::once((None, &mut model.tests)).chain(columns) {
            let (own, calls): (Vec<_>, Vec<_>) = tests.iter_mut().partition(|test| is_own(&test.kind.value));
            own.into_iter().for_each(|test| refuse_calculation(test, sink));
            write_each(calls, &table, column.as_deref(), files);
        }
    }
    for source in sources {
        let table = format!("source('{}', '{}')", source.schema, source.table);
        let columns = source.columns.iter_mut().map(|column| (Some(column.name.value.clone()), &mut column.tests));
        for (column, tests) in std::iter::once((None, &mut source.tests)).chain(columns) {
            let (own, calls): (Vec<_>, Vec<_>) = tests.iter_mut().partition(|test| is_own(&test.kind.value));
            own.into_iter().for_each(|test| refuse_calculation(test, sink));
            write_each(calls, &table, column.as_deref(), files);
        }
    }
}

/// karat's own tests count rows: a calculation over them would be passed over.
fn refuse_calculation(test: &DeclaredTest, sink: &mut Sink) {
    let Some(calculation) = &test.calculation else { return };
    if calculation.value.replace(' ', "").eq_ignore_ascii_case("count(*)") {
        return;
    }
    let message = format!("`{}` counts rows, so `fail_calc` cannot be `{}`", test.kind.value, calculation.value);
    let help = "write a test of your own: `{% test name(model, column_name) %} … {% endtest %}`";
    sink.error(Diagnostic::error(Code::InvalidConfig, message).at(calculation.span).help(help));
}

fn write_each(tests: Vec<&mut DeclaredTest>, table: &str, column: Option<&str>, files: &mut SourceFiles) {
    for test in tests {
        let text = call(test, table, column);
        test.text = Some(files.add(format!("<{}>", test.kind.value), text));
    }
}

/// `{{ package.test_name(model=…, column_name=…, argument=…) }}`
fn call(test: &DeclaredTest, table: &str, column: Option<&str>) -> String {
    let name = match test.kind.value.rsplit_once('.') {
        Some((package, name)) => format!("{package}.test_{name}"),
        None => format!("test_{}", test.kind.value),
    };
    let model = match &test.filter {
        // As in dbt, the rows that count stand in the place of the table.
        Some(filter) => {
            let filter = literal(&Value::String(filter.value.clone()));
            format!("'(select * from ' ~ {table} ~ ' where ' ~ {filter} ~ ') as tested'")
        }
        None => table.to_owned(),
    };
    let mut arguments = vec![format!("model={model}")];
    if let Some(column) = column.filter(|_| !test.arguments.contains_key("column_name")) {
        arguments.push(format!("column_name={}", literal(&Value::String(column.to_owned()))));
    }
    let mut lists = String::new();
    for (name, value) in &test.arguments {
        let written = argument(name, value);
        if value.is_array() || value.is_object() {
            // Macros add to the lists that they are given: what gets a name can change.
            lists.push_str(&format!("{{% set given_{name} = {written} %}}"));
            arguments.push(format!("{name}=given_{name}"));
        } else {
            arguments.push(format!("{name}={written}"));
        }
    }
    format!("{lists}{{{{ {name}({}) }}}}", arguments.join(", "))
}

/// An argument. A text that is a call of `ref()` and its like means what they give, as in dbt.
fn argument(name: &str, value: &Value) -> String {
    const CALLS: [&str; 5] = ["ref", "source", "var", "env_var", "doc"];
    if let Value::String(text) = value
        && name != "column_name"
    {
        let text = text.trim();
        let inner = text.strip_prefix("{{").and_then(|rest| rest.strip_suffix("}}")).map(str::trim);
        if let Some(expression) = inner.filter(|inner| !inner.contains("{{")) {
            return format!("({expression})");
        }
        let is_call = text.split_once('(').is_some_and(|(word, _)| CALLS.contains(&word.trim()));
        if is_call && text.ends_with(')') {
            return text.to_owned();
        }
    }
    if let Value::Array(items) = value {
        let items: Vec<String> = items.iter().map(|item| argument(name, item)).collect();
        return format!("[{}]", items.join(", "));
    }
    literal(value)
}

/// A value as a template writes it.
fn literal(value: &Value) -> String {
    match value {
        Value::Null => "none".to_owned(),
        Value::Array(items) => format!("[{}]", items.iter().map(literal).collect::<Vec<_>>().join(", ")),
        Value::Object(entries) => {
            let entry = |(key, value): (&String, &Value)| format!("{}: {}", Value::String(key.clone()), literal(value));
            format!("{{{}}}", entries.iter().map(entry).collect::<Vec<_>>().join(", "))
        }
        Value::Bool(_) | Value::Number(_) | Value::String(_) => value.to_string(),
    }
}
