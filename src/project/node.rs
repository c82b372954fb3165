//! A YAML value with its place, and ways to read it that say what is wrong with it.

use serde_json::{Map, Value};

use super::scalar::{Scalar, Typed};
use crate::diag::{Checked, Code, Diagnostic, Sink, nearest};
use crate::span::{Span, Spanned};

/// One value of a YAML file. For a mapping or list the span covers everything below it.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) span: Span,
    pub(crate) kind: YamlKind,
}

#[derive(Debug, Clone)]
pub(crate) enum YamlKind {
    Scalar(Scalar),
    Sequence(Vec<Node>),
    Mapping(Vec<YamlEntry>),
}

/// A key of a mapping and its value.
pub(crate) type YamlEntry = (Spanned<String>, Node);

/// What to say of `{ type: decimal(18, 2) }`, in which a comma ends the value. Returns `None` if this is something else.
pub(crate) fn ended_by_comma(value: &str, span: Span) -> Option<Diagnostic> {
    if !value.contains('(') || value.contains(')') {
        return None;
    }
    let message = format!("`{value}` has no `)`: in `{{ … }}` a comma ends the value");
    let word = value.split('(').next().unwrap_or_default();
    let diagnostic = Diagnostic::error(Code::InvalidConfig, message).at(span);
    Some(diagnostic.help(format!("put it in quotes: `\"{word}(18, 2)\"`")))
}

impl Node {
    /// What to say if the value ends at a comma that belongs to it.
    pub(crate) fn ended_by_comma(&self) -> Option<Diagnostic> {
        match &self.kind {
            YamlKind::Scalar(scalar) => ended_by_comma(&scalar.text, self.span),
            YamlKind::Sequence(_) | YamlKind::Mapping(_) => None,
        }
    }

    pub(crate) fn is_null(&self) -> bool {
        matches!(&self.kind, YamlKind::Scalar(Scalar { typed: Typed::Null, .. }))
    }

    /// A text; a number or a truth value is none, as it may have been meant as something else.
    pub(crate) fn expect_text(&self, what: &str, sink: &mut Sink) -> Checked<Spanned<String>> {
        match &self.kind {
            YamlKind::Scalar(Scalar { text, typed: Typed::Text }) => Ok(Spanned::new(text.clone(), self.span)),
            YamlKind::Scalar(Scalar { text, typed: Typed::Bool(_) | Typed::Integer(_) | Typed::Float(_) }) => {
                Err(sink.error(self.wrong(what, "a text").help(format!("put it in quotes: `\"{text}\"`"))))
            }
            _ => Err(sink.error(self.wrong(what, "a text"))),
        }
    }

    /// A text, or a number or truth value taken as it was written: `version: 1.0`.
    pub(crate) fn expect_any_text(&self, what: &str, sink: &mut Sink) -> Checked<Spanned<String>> {
        match &self.kind {
            YamlKind::Scalar(scalar) if scalar.typed != Typed::Null => Ok(Spanned::new(scalar.text.clone(), self.span)),
            _ => Err(sink.error(self.wrong(what, "a text"))),
        }
    }

    pub(crate) fn expect_bool(&self, what: &str, sink: &mut Sink) -> Checked<bool> {
        match &self.kind {
            YamlKind::Scalar(Scalar { typed: Typed::Bool(value), .. }) => Ok(*value),
            _ => Err(sink.error(self.wrong(what, "`true` or `false`"))),
        }
    }

    /// A text, or a list of texts.
    pub(crate) fn expect_texts(&self, what: &str, sink: &mut Sink) -> Checked<Vec<Spanned<String>>> {
        match &self.kind {
            YamlKind::Sequence(items) => {
                sink.check_all(items, |item, sink| item.expect_text(&format!("an item of {what}"), sink))
            }
            YamlKind::Scalar(Scalar { typed: Typed::Text, .. }) => Ok(vec![self.expect_text(what, sink)?]),
            _ => Err(sink.error(self.wrong(what, "a text or a list of texts"))),
        }
    }

    pub(crate) fn expect_list(&self, what: &str, sink: &mut Sink) -> Checked<&[Node]> {
        match &self.kind {
            YamlKind::Sequence(items) => Ok(items),
            _ => Err(sink.error(self.wrong(what, "a list"))),
        }
    }

    pub(crate) fn expect_mapping(&self, what: &str, sink: &mut Sink) -> Checked<&[YamlEntry]> {
        match &self.kind {
            YamlKind::Mapping(entries) => Ok(entries),
            _ => Err(sink.error(self.wrong(what, "a mapping of keys to values"))),
        }
    }

    /// The place to show for this value: its first key if it is a mapping, because a whole block is too much to see.
    pub(crate) fn place(&self) -> Span {
        match &self.kind {
            YamlKind::Mapping(entries) => entries.first().map_or(self.span, |(key, _)| key.span),
            YamlKind::Sequence(items) => items.first().map_or(self.span, Node::place),
            YamlKind::Scalar(_) => self.span,
        }
    }

    /// The value without its places.
    pub(crate) fn to_json(&self) -> Value {
        match &self.kind {
            YamlKind::Scalar(scalar) => match scalar.typed {
                Typed::Null => Value::Null,
                Typed::Bool(value) => Value::from(value),
                Typed::Integer(value) => Value::from(value),
                Typed::Float(value) => Value::from(value),
                Typed::Text => Value::from(scalar.text.as_str()),
            },
            YamlKind::Sequence(items) => items.iter().map(Node::to_json).collect(),
            YamlKind::Mapping(entries) => {
                Value::Object(entries.iter().map(|(key, value)| (key.value.clone(), value.to_json())).collect())
            }
        }
    }

    fn wrong(&self, what: &str, wanted: &str) -> Diagnostic {
        let message = format!("{what} must be {wanted}, not {}", self.kind_word());
        let diagnostic = Diagnostic::error(Code::InvalidYaml, message).at(self.place());
        match &self.kind {
            YamlKind::Scalar(scalar) if wanted.contains("mapping") => match meant_entry(&scalar.text) {
                Some(meant) => diagnostic.help(format!("write `{meant}`, with a blank behind the colon")),
                None => diagnostic,
            },
            _ => diagnostic,
        }
    }

    fn kind_word(&self) -> &'static str {
        match &self.kind {
            YamlKind::Scalar(scalar) => match scalar.typed {
                Typed::Null => "nothing",
                Typed::Bool(_) => "a truth value",
                Typed::Integer(_) | Typed::Float(_) => "a number",
                Typed::Text => "a text",
            },
            YamlKind::Sequence(_) => "a list",
            YamlKind::Mapping(_) => "a mapping",
        }
    }
}

/// The entry of a mapping that was meant by `key:value` or `key=value`.
fn meant_entry(text: &str) -> Option<String> {
    let (key, value) = text.split_once([':', '='])?;
    let is_key = !key.is_empty() && key.chars().all(|letter| letter.is_alphanumeric() || letter == '_');
    is_key.then(|| format!("{key}: {}", value.trim()))
}

/// Reads a value of one type, and says so if it has another. The text names the value in the message.
pub(crate) type NodeReader<T> = fn(&Node, &str, &mut Sink) -> Checked<T>;

/// A mapping whose keys are known beforehand.
#[derive(Debug, Clone, Copy)]
pub(crate) struct YamlFields<'a> {
    entries: &'a [YamlEntry],
    place: Span,
}

impl<'a> YamlFields<'a> {
    /// `what` names the mapping in the message if it is none.
    pub(crate) fn of(node: &'a Node, what: &str, sink: &mut Sink) -> Checked<YamlFields<'a>> {
        Ok(YamlFields { entries: node.expect_mapping(what, sink)?, place: node.place() })
    }

    pub(crate) fn entries(&self) -> &'a [YamlEntry] {
        self.entries
    }

    /// The values of all keys but these, without their places.
    pub(crate) fn written_without(&self, keys: &[&str]) -> Map<String, Value> {
        let others = self.entries.iter().filter(|(key, _)| !keys.contains(&key.value.as_str()));
        others.map(|(key, node)| (key.value.clone(), node.to_json())).collect()
    }

    /// Where to show that a key is missing.
    pub(crate) fn place(&self) -> Span {
        self.place
    }

    /// The value of a key; a key without a value counts as absent.
    pub(crate) fn get(&self, key: &str) -> Option<&'a Node> {
        self.entries.iter().find(|(found, _)| found.value == key).map(|(_, node)| node).filter(|node| !node.is_null())
    }

    /// The value of a key, if it is there and has the type that `read` wants; a wrong type is reported.
    pub(crate) fn read<T>(&self, key: &str, read: NodeReader<T>, sink: &mut Sink) -> Option<T> {
        self.get(key).and_then(|node| read(node, &format!("`{key}`"), sink).ok())
    }

    /// The text of a key, or nothing; a wrong type is reported.
    pub(crate) fn text(&self, key: &str, sink: &mut Sink) -> Option<Spanned<String>> {
        self.read(key, Node::expect_text, sink)
    }

    /// The description, which may be any text; empty if there is none.
    pub(crate) fn description(&self, sink: &mut Sink) -> String {
        self.read("description", Node::expect_any_text, sink).map_or(String::new(), |text| text.value.trim().to_owned())
    }

    /// The items of a list; none if the key is absent or its value no list, which is reported.
    pub(crate) fn list(&self, key: &str, sink: &mut Sink) -> &'a [Node] {
        self.get(key).and_then(|node| node.expect_list(&format!("`{key}`"), sink).ok()).unwrap_or(&[])
    }

    /// The `name`, which `what` (a model, a column) must have.
    pub(crate) fn name(&self, what: &str, sink: &mut Sink) -> Checked<Spanned<String>> {
        match self.get("name") {
            Some(node) => node.expect_any_text("`name`", sink),
            None => {
                let diagnostic = Diagnostic::error(Code::InvalidYaml, format!("{what} has no `name`")).at(self.place);
                let near = self.entries.iter().find(|(key, _)| nearest(&key.value, ["name"]).is_some());
                Err(sink.error(match near {
                    Some((key, _)) => diagnostic.help(format!("did you mean `name` by `{}`?", key.value)),
                    None => diagnostic.help("add `name: …`"),
                }))
            }
        }
    }
}
