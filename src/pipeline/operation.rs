//! Calls of macros from outside: `run-operation` of dbt.

use serde_json::Value;

use super::introspection::answer;
use super::load::Compiled;
use crate::analyze::Planner;
use crate::diag::{Checked, Code, Diagnostic, Sink};
use crate::project::yaml_without_places;
use crate::span::{SourceFiles, Span};
use crate::template::{Question, TextFile, messages_of};

/// A macro and what it is called with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Operation<'a> {
    /// `name`, or `package.name`.
    pub macro_name: &'a str,
    /// A mapping of names to values, in YAML.
    pub arguments: Option<&'a str>,
}

impl Operation<'_> {
    /// Calls the macro, and gives what it has said by `log()` and `print()`. The call is put among `files`, so that errors can
    /// show it.
    pub fn messages(self, compiled: &Compiled, files: &mut SourceFiles, sink: &mut Sink) -> Checked<Vec<String>> {
        let text = self.call(files, sink)?;
        let file = files.add("<operation>", text.as_str());
        let loaded = &compiled.loaded;
        let planner = Planner::new(&loaded.project, &loaded.rendered.models);
        let answers = |question: &Question| answer(&loaded.project, &planner, &compiled.typed, question);
        let inputs = loaded.text_inputs(files, &answers);
        messages_of(inputs, TextFile::plain(file, &loaded.project.name.value), sink)
    }

    /// The call as a template.
    fn call(self, files: &mut SourceFiles, sink: &mut Sink) -> Checked<String> {
        let name = self.macro_name;
        if name.split('.').count() > 2 || !name.split('.').all(is_identifier) {
            let message = format!("`{name}` is not the name of a macro");
            let diagnostic = Diagnostic::error(Code::UnknownMacro, message);
            return Err(sink.error(diagnostic.help("write `name`, or `package.name`")));
        }
        let given = match self.arguments {
            None => Vec::new(),
            Some(arguments) => arguments_of(arguments, files, sink)?,
        };
        let given: Vec<String> = given.iter().map(|(key, value)| format!("{key}={}", literal(value))).collect();
        Ok(format!("{{% do {name}({}) %}}", given.join(", ")))
    }
}

/// The arguments by name, in their order.
fn arguments_of(text: &str, files: &mut SourceFiles, sink: &mut Sink) -> Checked<Vec<(String, Value)>> {
    let file = files.add("--args", text);
    let place = Span::new(file, 0..text.len());
    let fail = |message: &str| Diagnostic::error(Code::InvalidYaml, message).at(place);
    match yaml_without_places(text, file, sink)? {
        Value::Object(fields) => match fields.keys().find(|key| !is_identifier(key)) {
            Some(wrong) => Err(sink.error(fail(&format!("`{wrong}` is not the name of an argument")))),
            None => Ok(fields.into_iter().collect()),
        },
        _ => {
            Err(sink
                .error(fail("`--args` must be a mapping of names to values").help("write `--args '{name: value}'`")))
        }
    }
}

fn is_identifier(text: &str) -> bool {
    let mut letters = text.chars();
    letters.next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
        && letters.all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
}

/// A value as a template writes it.
fn literal(value: &Value) -> String {
    match value {
        Value::Null => "none".to_owned(),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => value.to_string(),
        Value::Array(items) => format!("[{}]", items.iter().map(literal).collect::<Vec<_>>().join(", ")),
        Value::Object(fields) => {
            let pair = |(key, value): (&String, &Value)| format!("{}: {}", Value::from(key.as_str()), literal(value));
            format!("{{{}}}", fields.iter().map(pair).collect::<Vec<_>>().join(", "))
        }
    }
}
