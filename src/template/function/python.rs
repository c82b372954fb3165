//! Methods of Python's texts and lists that the template engine does not have, and operators that it cannot do.

use minijinja::value::{Kwargs, Tuple, ValueKind, from_args};
use minijinja::{Error, State, Value};

use super::{CallFailure, time};

/// How wide a text may be padded to.
const WIDEST: usize = 10_000;

/// A method of a text or a list, if Python has it and karat does.
pub(super) fn method(
    state: &State<'_, '_>,
    value: &Value,
    method: &str,
    arguments: &[Value],
) -> Option<Result<Value, Error>> {
    if let Some(text) = value.as_str() {
        return text_method(text, method, arguments);
    }
    match value.kind() {
        ValueKind::Seq | ValueKind::Iterable => list_method(state, value, method, arguments),
        _ => None,
    }
}

fn text_method(text: &str, method: &str, arguments: &[Value]) -> Option<Result<Value, Error>> {
    let first = arguments.first();
    let word = first.and_then(Value::as_str);
    Some(Ok(match method {
        "rsplit" => return Some(rsplit(text, arguments)),
        "zfill" => {
            let (sign, digits) = match text.strip_prefix(['-', '+']) {
                Some(digits) => text.split_at(text.len() - digits.len()),
                None => ("", text),
            };
            let width = width(first)?.saturating_sub(sign.len());
            Value::from(format!("{sign}{digits:0>width$}"))
        }
        "center" | "ljust" | "rjust" => return padded(text, method, arguments).map(Ok),
        "partition" => parts(text.split_once(word?), [text, "", ""], word?),
        "rpartition" => parts(text.rsplit_once(word?), ["", "", text], word?),
        "removeprefix" => Value::from(text.strip_prefix(word?).unwrap_or(text)),
        "removesuffix" => Value::from(text.strip_suffix(word?).unwrap_or(text)),
        "casefold" => Value::from(text.to_lowercase()),
        "swapcase" => text.chars().map(swapped).collect::<String>().into(),
        "isdigit" | "isdecimal" | "isnumeric" => {
            Value::from(!text.is_empty() && text.chars().all(|letter| letter.is_numeric()))
        }
        "isidentifier" => {
            let begins = text.starts_with(|letter: char| letter.is_alphabetic() || letter == '_');
            Value::from(begins && text.chars().all(|letter| letter.is_alphanumeric() || letter == '_'))
        }
        "istitle" => Value::from(!text.is_empty() && is_title(text)),
        "index" | "rindex" => {
            let found = if method == "index" { text.find(word?) } else { text.rfind(word?) };
            match found.and_then(|found| text.get(..found)) {
                Some(before) => Value::from(before.chars().count()),
                None => return Some(Err(CallFailure::new("the text does not have this part").into())),
            }
        }
        "encode" | "decode" => Value::from(text),
        "expandtabs" => Value::from(expanded(text, first.map_or(Some(8), Value::as_usize)?)),
        _ => return None,
    }))
}

/// Blanks up to the next stop for every tab.
fn expanded(text: &str, stop: usize) -> String {
    let stop = stop.clamp(1, 80);
    let mut column = 0;
    let mut result = String::new();
    for letter in text.chars() {
        let blanks = if letter == '\t' { stop - column % stop } else { 0 };
        result.push_str(&" ".repeat(blanks));
        result.extend(Some(letter).filter(|letter| *letter != '\t'));
        column = if letter == '\n' { 0 } else { column + blanks.max(1) };
    }
    result
}

fn is_title(text: &str) -> bool {
    let words = text.split(|letter: char| !letter.is_alphabetic()).filter(|word| !word.is_empty());
    words.into_iter().all(|word| {
        let mut letters = word.chars();
        letters.next().is_some_and(char::is_uppercase) && letters.all(|letter| !letter.is_uppercase())
    })
}

fn swapped(letter: char) -> char {
    let changed = if letter.is_uppercase() { letter.to_lowercase().next() } else { letter.to_uppercase().next() };
    changed.unwrap_or(letter)
}

fn width(given: Option<&Value>) -> Option<usize> {
    given.and_then(Value::as_usize).map(|width| width.min(WIDEST))
}

fn padded(text: &str, method: &str, arguments: &[Value]) -> Option<Value> {
    let width = width(arguments.first())?;
    let fill = arguments.get(1).and_then(Value::as_str).unwrap_or(" ");
    let missing = width.saturating_sub(text.chars().count());
    let left = match method {
        "ljust" => 0,
        "rjust" => missing,
        // Python puts the odd blank to the left only if the width is odd as well.
        _ => missing / 2 + (missing & width & 1),
    };
    Some(Value::from(format!("{}{text}{}", fill.repeat(left), fill.repeat(missing - left))))
}

fn parts(found: Option<(&str, &str)>, missing: [&str; 3], separator: &str) -> Value {
    let [before, middle, after] = match found {
        Some((before, after)) => [before, separator, after],
        None => missing,
    };
    Value::from(Tuple::new([before, middle, after].map(Value::from).into()))
}

fn rsplit(text: &str, arguments: &[Value]) -> Result<Value, Error> {
    let (given, named): (&[Value], Kwargs) = from_args(arguments)?;
    let separator = given.first().cloned().or_else(|| named.get::<Option<Value>>("sep").ok().flatten());
    let separator = separator.as_ref().and_then(Value::as_str);
    let limit = given.get(1).and_then(Value::as_i64).or_else(|| named.get::<Option<i64>>("maxsplit").ok().flatten());
    let limit = limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX - 1);
    let mut found: Vec<&str> = match separator {
        Some(separator) => text.rsplitn(limit + 1, separator).collect(),
        None => {
            let mut words = Vec::new();
            let mut rest = text.trim_end();
            while words.len() < limit && !rest.is_empty() {
                let start = rest.rfind(char::is_whitespace).map_or(0, |at| at + 1);
                words.push(rest.get(start..).unwrap_or_default().trim_start());
                rest = rest.get(..start).unwrap_or_default().trim_end();
            }
            words.extend(Some(rest).filter(|rest| !rest.is_empty()));
            words
        }
    };
    found.reverse();
    Ok(found.into_iter().map(Value::from).collect())
}

fn list_method(
    state: &State<'_, '_>,
    value: &Value,
    method: &str,
    arguments: &[Value],
) -> Option<Result<Value, Error>> {
    match (method, arguments) {
        ("index", [item, ..]) => {
            let place = value.try_iter().ok()?.position(|known| known == *item);
            let missing = || CallFailure::new(format!("{item} is not in the list")).into();
            Some(
                state
                    .consume_fuel(value.len().unwrap_or(0) as u64)
                    .and_then(|()| place.map(Value::from).ok_or_else(missing)),
            )
        }
        ("copy", []) => Some(Ok(value.try_iter().ok()?.collect())),
        _ => None,
    }
}

/// `left % right` where it was written: a format of Python, or a remainder.
pub(super) fn modulo(state: &mut State<'_, '_>, left: &Value, right: &Value) -> Result<Value, Error> {
    if left.as_str().is_none() {
        return engine_operator(state, "left % right", left, right);
    }
    let mut arguments = vec![left.clone()];
    match right.kind() {
        ValueKind::Map => {
            let pairs = right.as_object().and_then(|object| object.try_iter_pairs());
            let named = pairs.into_iter().flatten().map(|(name, value)| (name.to_string(), value));
            arguments.push(Value::from(named.collect::<Kwargs>()));
        }
        _ if right.is_tuple() => arguments.extend(right.try_iter()?),
        _ => arguments.push(right.clone()),
    }
    state.apply_filter("format", &arguments)
}

/// `left + right` and `left - right` in a template that works with dates.
pub(super) fn sum(state: &mut State<'_, '_>, left: &Value, right: &Value, is_minus: bool) -> Result<Value, Error> {
    if let Some(result) = time::arithmetic(left, right, is_minus) {
        return result;
    }
    engine_operator(state, if is_minus { "left - right" } else { "left + right" }, left, right)
}

/// What the engine itself makes of an operator.
fn engine_operator(state: &State<'_, '_>, expression: &str, left: &Value, right: &Value) -> Result<Value, Error> {
    let compiled = state.env().compile_expression(expression)?;
    compiled.eval(Value::from_pairs([("left", left.clone()), ("right", right.clone())]))
}
