//! `modules.re`: Python's regular expressions, as far as they can be matched in linear time: no look-around, no back-references
//! within a pattern.

use std::fmt;
use std::sync::Arc;

use minijinja::value::{Object, ObjectRepr};
use minijinja::{Error, State, Value};
use regex::{Captures, Regex, RegexBuilder};

use super::{Call, CallFailure};
use crate::template::render::Render;

/// The most that a compiled pattern may take, in bytes.
const LARGEST: usize = 1 << 20;

/// What `modules` has.
pub(super) fn modules(render: &Arc<Render>) -> Value {
    Value::from_pairs([("re", Value::from_object(ReModule(Arc::clone(render))))])
}

/// `modules.re`
struct ReModule(Arc<Render>);

/// What `re.match()` and `re.search()` give.
struct MatchValue {
    /// The groups, the whole match first; nothing where one took no part.
    groups: Vec<Option<String>>,
}

impl fmt::Debug for ReModule {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("<module re>")
    }
}

impl Object for ReModule {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        match key.as_str()? {
            "IGNORECASE" | "I" => Some(Value::from("i")),
            _ => None,
        }
    }

    fn call_method(self: &Arc<Self>, state: &mut State<'_, '_>, method: &str, given: &[Value]) -> Result<Value, Error> {
        let call = Call::new(&self.0, "modules.re", state.name(), given);
        let pattern = call.text(0, "pattern")?;
        if method == "escape" {
            return Ok(Value::from(regex::escape(&pattern)));
        }
        if method == "sub" {
            let regex = compiled(&pattern, &call)?;
            let replacement = python_replacement(&call.text(1, "repl")?);
            let text = call.text(2, "string")?;
            return Ok(Value::from(regex.replace_all(&text, replacement.as_str()).into_owned()));
        }
        let anchored = match method {
            "match" => format!(r"\A(?:{pattern})"),
            "fullmatch" => format!(r"\A(?:{pattern})\z"),
            "search" | "findall" | "split" => pattern,
            _ => return Err(CallFailure::new(format!("`modules.re` has no function `{method}`")).into()),
        };
        let regex = compiled(&anchored, &call)?;
        let text = call.text(1, "string")?;
        Ok(match method {
            "findall" => regex.captures_iter(&text).map(|found| found_by(&found)).collect(),
            "split" => regex.split(&text).map(Value::from).collect(),
            _ => regex
                .captures(&text)
                .map_or_else(|| Value::from(()), |found| Value::from_object(MatchValue::of(&found))),
        })
    }
}

fn compiled(pattern: &str, call: &Call<'_>) -> Result<Regex, CallFailure> {
    let ignores_case = call.named.iter().any(|(name, value)| name == "flags" && value.as_str() == Some("i"));
    let built = RegexBuilder::new(pattern).case_insensitive(ignores_case).size_limit(LARGEST).build();
    built.map_err(|_| {
        CallFailure::new(format!("`{pattern}` is not a regular expression that can be matched"))
            .help("look-around and references to groups within the pattern are not available")
    })
}

/// `\1` is `${1}`, and a dollar sign is itself.
fn python_replacement(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match (letter, letters.peek()) {
            ('$', _) => out.push_str("$$"),
            ('\\', Some(digit)) if digit.is_ascii_digit() => {
                out.push_str(&format!("${{{digit}}}"));
                letters.next();
            }
            _ => out.push(letter),
        }
    }
    out
}

/// One result of `findall`: the match, its only group, or all of its groups.
fn found_by(found: &Captures<'_>) -> Value {
    let group = |place: usize| found.get(place).map_or("", |group| group.as_str());
    match found.len() {
        1 => Value::from(group(0)),
        2 => Value::from(group(1)),
        groups => (1..groups).map(|place| Value::from(group(place))).collect(),
    }
}

impl MatchValue {
    fn of(found: &Captures<'_>) -> MatchValue {
        MatchValue { groups: found.iter().map(|group| group.map(|group| group.as_str().to_owned())).collect() }
    }

    fn group(&self, place: usize) -> Value {
        self.groups.get(place).map_or_else(|| Value::from(()), |group| Value::from(group.clone()))
    }
}

impl fmt::Debug for MatchValue {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("<match>")
    }
}

impl Object for MatchValue {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn call_method(self: &Arc<Self>, _: &mut State<'_, '_>, method: &str, given: &[Value]) -> Result<Value, Error> {
        match method {
            "group" => Ok(self.group(given.first().and_then(Value::as_usize).unwrap_or(0))),
            "groups" => Ok((1..self.groups.len()).map(|place| self.group(place)).collect()),
            _ => Err(CallFailure::new(format!("a match has no method `{method}`")).into()),
        }
    }
}
