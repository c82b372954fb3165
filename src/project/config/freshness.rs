//! `freshness` of a model: how old its newest slice may be, which `karat status` checks.

use serde_json::{Map, Value};

use super::{invalid, setting, wrong_type};
use crate::diag::{Checked, Code, Diagnostic, Sink, all_of, any_of};
use crate::project::freshness::PERIODS;
use crate::project::{Age, Freshness, Settings};
use crate::span::{Span, Spanned};

const KEYS: [&str; 2] = ["warn_after", "error_after"];
/// dbt's word for when its platform builds a model again.
const BUILD_AFTER: &str = "build_after";

/// The promise of a model. Returns `None` if there is none.
pub(super) fn read(settings: &Settings, sink: &mut Sink) -> Checked<Option<Freshness>> {
    let Some(found) = setting(settings, "freshness") else { return Ok(None) };
    let Value::Object(fields) = &found.value else {
        return Err(sink.error(wrong_type("freshness", "a mapping with `warn_after` or `error_after`", found)));
    };
    for key in fields.keys().filter(|key| !KEYS.contains(&key.as_str())) {
        if key == BUILD_AFTER {
            let message = "`build_after` has no effect: a run builds whatever is out of date";
            sink.warn(Diagnostic::warning(Code::InvalidConfig, message).at(found.span));
            continue;
        }
        let diagnostic = Diagnostic::error(Code::UnknownKey, format!("`{key}` is not a key of `freshness`"));
        let diagnostic = diagnostic.at(found.span).suggest(key, KEYS);
        return Err(sink.error(diagnostic.help(format!("its keys are {}", all_of(KEYS)))));
    }
    let warn_after = age(fields, "warn_after", found, sink)?;
    let error_after = age(fields, "error_after", found, sink)?;
    let is_promise = warn_after.is_some() || error_after.is_some();
    if is_promise && setting(settings, "event_time").is_none() {
        let message = "`freshness` of a model needs `event_time`: the age is that of its newest slice";
        let diagnostic = invalid(Some(found.span), message);
        return Err(sink.error(diagnostic.help("set `event_time` to the column that places a row in time")));
    }
    Ok(is_promise.then_some(Freshness { warn_after, error_after, filter: None }))
}

fn age(fields: &Map<String, Value>, key: &str, found: &Spanned<Value>, sink: &mut Sink) -> Checked<Option<Age>> {
    let written = match fields.get(key) {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Object(written)) => written,
        Some(_) => return Err(sink.error(misspelt(key, found.span))),
    };
    let is_known = |name: &String| matches!(name.as_str(), "count" | "period");
    let count = written.get("count").and_then(Value::as_u64);
    let period = written.get("period").and_then(Value::as_str);
    let (Some(count), Some(word), true) = (count, period, written.keys().all(is_known)) else {
        return Err(sink.error(misspelt(key, found.span)));
    };
    let Some((_, period)) = PERIODS.into_iter().find(|(known, _)| *known == word) else {
        let words = PERIODS.map(|(word, _)| word);
        let diagnostic = invalid(Some(found.span), format!("`period` cannot be `{word}`")).suggest(word, words);
        return Err(sink.error(diagnostic.help(format!("it can be {}", any_of(words)))));
    };
    Ok(Some(Age { count, period }))
}

fn misspelt(key: &str, span: Span) -> Diagnostic {
    let diagnostic = invalid(Some(span), format!("`{key}` needs a whole number as `count` and a word as `period`"));
    diagnostic.help(format!("write `{key}: {{ count: 12, period: hour }}`"))
}
