//! `modules.re`: regular expressions, without what would have to go back over the text.

use std::sync::Arc;

use minijinja::value::{Object, ObjectRepr, Tuple, from_args};
use minijinja::{Error, State, Value};
use regex::{Captures, Regex, RegexBuilder};

use super::{CallFailure, LibraryArguments};

/// What a pattern may cost once it is compiled.
const LARGEST: usize = 1 << 20;

const IGNORE_CASE: i64 = 2;
const MULTI_LINE: i64 = 8;
const DOT_ALL: i64 = 16;
const VERBOSE: i64 = 64;

pub(super) fn constant(is_patterns: bool, name: &str) -> Option<Value> {
    let flag = match name {
        "I" | "IGNORECASE" => IGNORE_CASE,
        "M" | "MULTILINE" => MULTI_LINE,
        "S" | "DOTALL" => DOT_ALL,
        "X" | "VERBOSE" => VERBOSE,
        _ => return None,
    };
    is_patterns.then(|| Value::from(flag))
}

pub(super) fn call(method: Option<&str>, state: &State<'_, '_>, call: &LibraryArguments<'_>) -> Result<Value, Error> {
    let method = method.unwrap_or_default();
    if method == "escape" {
        return Ok(Value::from(regex::escape(&call.text(0, "pattern")?)));
    }
    let flags = match method {
        "sub" | "split" => call.named.get::<Option<i64>>("flags")?,
        "compile" => call.number(1, "flags")?,
        _ => call.number(2, "flags")?,
    };
    let given = call.argument(0, "pattern");
    let pattern = match given.as_ref().and_then(|given| given.downcast_object_ref::<CompiledPattern>()) {
        Some(compiled) => compiled.clone(),
        None => CompiledPattern::compile(&call.text(0, "pattern")?, flags.unwrap_or(0))?,
    };
    match method {
        "compile" => Ok(Value::from_object(pattern)),
        _ => pattern.apply(method, state, call, 1),
    }
}

/// A compiled pattern, for the whole text or a part of it.
#[derive(Debug, Clone)]
struct CompiledPattern {
    anywhere: Regex,
    at_start: Regex,
    whole: Regex,
}

impl CompiledPattern {
    fn compile(pattern: &str, flags: i64) -> Result<CompiledPattern, CallFailure> {
        // Python's `\Z` is the very end; here it is written `\z`.
        let translated = pattern.replace("\\Z", "\\z");
        let build = |text: &str| {
            RegexBuilder::new(text)
                .case_insensitive(flags & IGNORE_CASE != 0)
                .multi_line(flags & MULTI_LINE != 0)
                .dot_matches_new_line(flags & DOT_ALL != 0)
                .ignore_whitespace(flags & VERBOSE != 0)
                .size_limit(LARGEST)
                .build()
        };
        let wrong = |error: regex::Error| {
            let text = error.to_string();
            let reason = text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
            CallFailure::new(format!("`{pattern}` is not a pattern that karat can use: {reason}"))
        };
        let anywhere = build(&translated).map_err(wrong)?;
        let at_start = build(&format!("\\A(?:{translated})")).map_err(wrong)?;
        let whole = build(&format!("\\A(?:{translated})\\z")).map_err(wrong)?;
        Ok(CompiledPattern { anywhere, at_start, whole })
    }

    /// A function of the library, whose arguments begin at `first`.
    fn apply(
        &self,
        method: &str,
        state: &State<'_, '_>,
        call: &LibraryArguments<'_>,
        first: usize,
    ) -> Result<Value, Error> {
        let is_sub = method == "sub" || method == "subn";
        let text = call.text(if is_sub { first + 1 } else { first }, "string")?;
        // Matching takes time in proportion to the text.
        state.consume_fuel(1 + text.len() as u64 / 16)?;
        let matched = |pattern: &Regex| {
            pattern.captures(&text).map_or_else(|| Value::from(()), |found| Match::value(&found, pattern))
        };
        Ok(match method {
            "search" => matched(&self.anywhere),
            "match" => matched(&self.at_start),
            "fullmatch" => matched(&self.whole),
            "findall" => self.anywhere.captures_iter(&text).map(|found| groups_or_all(&found)).collect(),
            "finditer" => {
                self.anywhere.captures_iter(&text).map(|found| Match::value(&found, &self.anywhere)).collect()
            }
            "split" => Value::from(self.split(&text, call.number(first + 1, "maxsplit")?.unwrap_or(0))),
            "sub" => {
                let replacement = call.text(first, "repl")?;
                let limit = usize::try_from(call.number(first + 2, "count")?.unwrap_or(0)).unwrap_or(0);
                let expand = |found: &Captures<'_>| expanded(&replacement, found);
                Value::from(self.anywhere.replacen(&text, limit, expand).into_owned())
            }
            _ => return Err(call.unknown().into()),
        })
    }

    /// The text between the matches; what groups of the pattern matched stands between them, as in Python.
    fn split(&self, text: &str, limit: i64) -> Vec<Value> {
        let limit = usize::try_from(limit).ok().filter(|limit| *limit > 0).unwrap_or(usize::MAX);
        let mut parts = Vec::new();
        let mut done = 0;
        for found in self.anywhere.captures_iter(text).take(limit) {
            let Some(all) = found.get(0) else { continue };
            parts.push(Value::from(text.get(done..all.start()).unwrap_or_default()));
            parts.extend((1..found.len()).map(|group| group_value(&found, group)));
            done = all.end();
        }
        parts.push(Value::from(text.get(done..).unwrap_or_default()));
        parts
    }
}

impl Object for CompiledPattern {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn call_method(
        self: &Arc<Self>,
        state: &mut State<'_, '_>,
        method: &str,
        arguments: &[Value],
    ) -> Result<Value, Error> {
        let (positional, named) = from_args(arguments)?;
        let arguments = LibraryArguments { positional, named, name: format!("pattern.{method}") };
        self.apply(method, state, &arguments, 0)
    }
}

fn group_value(found: &Captures<'_>, group: usize) -> Value {
    found.get(group).map_or_else(|| Value::from(()), |part| Value::from(part.as_str()))
}

fn groups_or_all(found: &Captures<'_>) -> Value {
    let text = |group: usize| Value::from(found.get(group).map_or("", |part| part.as_str()));
    match found.len() {
        1 => text(0),
        2 => text(1),
        count => Value::from(Tuple::new((1..count).map(text).collect())),
    }
}

/// Python's replacement: `\1` and `\g<name>` are groups.
fn expanded(replacement: &str, found: &Captures<'_>) -> String {
    let mut text = String::new();
    let mut rest = replacement;
    while let Some((before, after)) = rest.split_once('\\') {
        text.push_str(before);
        if let Some((name, behind)) = after.strip_prefix("g<").and_then(|inner| inner.split_once('>')) {
            let by_number = name.parse().ok().and_then(|group: usize| found.get(group));
            text.push_str(by_number.or_else(|| found.name(name)).map_or("", |part| part.as_str()));
            rest = behind;
            continue;
        }
        let mut letters = after.chars();
        match letters.next() {
            Some(digit) if digit.is_ascii_digit() => {
                let group = digit.to_digit(10).and_then(|digit| usize::try_from(digit).ok()).unwrap_or(0);
                text.push_str(found.get(group).map_or("", |part| part.as_str()));
            }
            Some('n') => text.push('\n'),
            Some('t') => text.push('\t'),
            Some(other) if other != '\\' => text.extend(['\\', other]),
            Some(_) | None => text.push('\\'),
        }
        rest = letters.as_str();
    }
    text.push_str(rest);
    text
}

/// A match.
#[derive(Debug)]
struct Match {
    /// The whole, then the groups: text and place.
    groups: Vec<Option<(String, usize, usize)>>,
    names: Vec<Option<String>>,
}

impl Match {
    fn value(found: &Captures<'_>, pattern: &Regex) -> Value {
        let groups = found.iter().map(|part| part.map(|part| (part.as_str().to_owned(), part.start(), part.end())));
        let names = pattern.capture_names().map(|name| name.map(str::to_owned));
        Value::from_object(Match { groups: groups.collect(), names: names.collect() })
    }

    fn place(&self, group: &Value) -> Option<usize> {
        match group.as_str() {
            Some(name) => self.names.iter().position(|known| known.as_deref() == Some(name)),
            None => group.as_usize(),
        }
    }

    fn group(&self, place: usize) -> Value {
        let text = self.groups.get(place).and_then(Option::as_ref).map(|(text, _, _)| text.as_str());
        text.map_or_else(|| Value::from(()), Value::from)
    }
}

impl Object for Match {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.place(key).map(|place| self.group(place))
    }

    fn call_method(self: &Arc<Self>, _: &mut State<'_, '_>, method: &str, arguments: &[Value]) -> Result<Value, Error> {
        let place = arguments.first().map_or(Some(0), |group| self.place(group));
        let place = place.filter(|place| *place < self.groups.len());
        let known = place.and_then(|place| self.groups.get(place)?.as_ref());
        match method {
            "group" if arguments.len() > 1 => {
                let chosen =
                    arguments.iter().map(|group| self.place(group).map_or(Value::from(()), |place| self.group(place)));
                Ok(Value::from(Tuple::new(chosen.collect())))
            }
            "group" => match place {
                Some(place) => Ok(self.group(place)),
                None => Err(CallFailure::new("the pattern has no such group").into()),
            },
            "groups" => Ok(Value::from(Tuple::new((1..self.groups.len()).map(|place| self.group(place)).collect()))),
            "groupdict" => {
                let named = self.names.iter().enumerate();
                Ok(named.filter_map(|(place, name)| Some((name.clone()?, self.group(place)))).collect())
            }
            "start" => Ok(Value::from(known.map_or(-1, |(_, start, _)| i64::try_from(*start).unwrap_or(-1)))),
            "end" => Ok(Value::from(known.map_or(-1, |(_, _, end)| i64::try_from(*end).unwrap_or(-1)))),
            _ => Err(CallFailure::new(format!("a match has no method `{method}`")).into()),
        }
    }
}
