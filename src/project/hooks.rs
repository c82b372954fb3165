//! Hooks: texts that are rendered and run before and after a model, or before and after a run.

use serde_json::Value;

use super::node::{Node, YamlFields};
use super::settings::Settings;
use crate::diag::Sink;
use crate::span::{Span, Spanned};

/// What is run before and after a model is built.
#[derive(Debug, Clone, Default)]
pub struct ModelHooks {
    pub before: Vec<Spanned<String>>,
    pub after: Vec<Spanned<String>>,
}

impl ModelHooks {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.before.is_empty() && self.after.is_empty()
    }

    pub(super) fn read(settings: &Settings) -> ModelHooks {
        let texts = |key: &str| settings.get(key).map(|found| texts(&found.value, found.span)).unwrap_or_default();
        ModelHooks { before: texts("pre_hook"), after: texts("post_hook") }
    }
}

/// A text, a mapping with `sql`, or a list of these.
fn texts(value: &Value, span: Span) -> Vec<Spanned<String>> {
    match value {
        Value::String(text) => vec![Spanned::new(text.clone(), span)],
        Value::Array(items) => items.iter().flat_map(|item| texts(item, span)).collect(),
        Value::Object(fields) => fields.get("sql").map(|sql| texts(sql, span)).unwrap_or_default(),
        Value::Null | Value::Bool(_) | Value::Number(_) => Vec::new(),
    }
}

/// `on-run-start` and `on-run-end` of a project file.
#[derive(Debug, Clone, Default)]
pub struct RunHooks {
    pub start: Vec<RunHook>,
    pub end: Vec<RunHook>,
}

/// A text that is run once before or after a run.
#[derive(Debug, Clone)]
pub struct RunHook {
    pub text: Spanned<String>,
    /// The package whose project file has it.
    pub package: String,
}

impl RunHooks {
    /// Adds what a project file has.
    pub(super) fn add(&mut self, package: &str, fields: &YamlFields<'_>, sink: &mut Sink) {
        let mut read = |key: &str| {
            let texts = fields.read(key, Node::expect_texts, sink).unwrap_or_default();
            texts.into_iter().map(|text| RunHook { text, package: package.to_owned() }).collect::<Vec<_>>()
        };
        self.start.extend(read("on-run-start"));
        self.end.extend(read("on-run-end"));
    }
}
