//! Filters and tests of Jinja2 and dbt that the template engine does not have, or has otherwise.

use minijinja::value::{Kwargs, ValueKind};
use minijinja::{Environment, Error, ErrorKind, Value};

use super::function::{json_text, list};

/// How wide a text may be padded to.
const WIDEST: usize = 10_000;

/// Makes them known.
pub(super) fn add_to(environment: &mut Environment<'_>) {
    // What dbt's filters for types do in a text: they only matter where YAML takes a value from a template.
    for filter in ["as_bool", "as_native", "as_number", "as_text"] {
        environment.add_filter(filter, Value::clone);
    }
    environment.add_filter("list", list);
    environment.add_filter("center", center);
    environment.add_filter("truncate", truncate);
    environment.add_filter("wordcount", |text: &Value| text.to_string().split_whitespace().count());
    environment.add_filter("striptags", minijinja_contrib::filters::striptags);
    environment.add_filter("tojson", tojson);
    environment.add_filter("forceescape", |text: &Value| text.to_string());
    environment.add_test("callable", |value: &Value| value.kind() == ValueKind::Plain && value.as_object().is_some());
}

/// In the middle of this many characters.
fn center(text: &Value, width: Option<usize>) -> String {
    let text = text.to_string();
    let missing = width.unwrap_or(80).min(WIDEST).saturating_sub(text.chars().count());
    let left = missing / 2 + (missing & width.unwrap_or(80) & 1);
    format!("{}{text}{}", " ".repeat(left), " ".repeat(missing - left))
}

/// The beginning of a text that is longer than `length`; a little longer is not cut.
fn truncate(
    text: &Value,
    length: Option<usize>,
    killwords: Option<bool>,
    end: Option<String>,
    options: Kwargs,
) -> Result<String, Error> {
    let text = text.to_string();
    let length = length.or(options.get("length")?).unwrap_or(255);
    let killwords = killwords.or(options.get("killwords")?).unwrap_or(false);
    let end = end.or(options.get("end")?).unwrap_or_else(|| "...".to_owned());
    let leeway = options.get::<Option<usize>>("leeway")?.unwrap_or(5);
    if text.chars().count() <= length.saturating_add(leeway) {
        return Ok(text);
    }
    let kept: String = text.chars().take(length.saturating_sub(end.chars().count())).collect();
    let whole_words = kept.rsplit_once(' ').map_or(kept.as_str(), |(words, _)| words);
    Ok(format!("{}{end}", if killwords { kept.as_str() } else { whole_words }))
}

/// As JSON with sorted keys, and nothing that means something in HTML.
fn tojson(value: &Value, _indent: Option<Value>) -> Result<String, Error> {
    let text = json_text(value, true).ok_or_else(|| {
        Error::new(ErrorKind::BadSerialization, format!("{} cannot be written as JSON", value.kind()))
    })?;
    let escapes = [('<', "\\u003c"), ('>', "\\u003e"), ('&', "\\u0026"), ('\'', "\\u0027")];
    Ok(escapes.into_iter().fold(text, |text, (letter, escape)| text.replace(letter, escape)))
}
