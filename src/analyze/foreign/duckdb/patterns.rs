//! Patterns: `like`, in which a backslash is a letter, and regular expressions of RE2.

use sqlparser::ast::{Expr, Value};

use super::super::{call, literal};
use super::NotRewritten;

const FULL_OR_PART: &str =
    "write `regexp_matches(a, '…')` for a part of the text, or `regexp_full_match(a, '…')` for all of it";

/// A pattern of `like` in which a backslash stands for itself.
pub(in crate::analyze::foreign) fn of_like(pattern: &Expr) -> Expr {
    match literal(pattern) {
        Some(Value::SingleQuotedString(text)) if text.contains('\\') => quoted(&text.replace('\\', "\\\\")),
        Some(_) => pattern.clone(),
        None => call("replace", [pattern.clone(), quoted("\\"), quoted("\\\\")]),
    }
}

/// A pattern of `~` that means the same whether all of a text must match or a part: versions of DuckDB differ.
pub(super) fn anchored(pattern: &Expr) -> Result<Expr, NotRewritten> {
    let text = text_of(pattern)?;
    let is_anchored = text.starts_with('^') && text.ends_with('$') && !text.ends_with("\\$") && !text.contains('|');
    if !is_anchored {
        let message = "`~` matches a part of a text in some versions of DuckDB, and the whole in others";
        return Err(NotRewritten::new(message, FULL_OR_PART));
    }
    Ok(quoted(&in_postgresql_words(&text)?))
}

/// A pattern as PostgreSQL writes it.
pub(in crate::analyze::foreign) fn part(pattern: &Expr) -> Result<Expr, NotRewritten> {
    Ok(quoted(&in_postgresql_words(&text_of(pattern)?)?))
}

/// A pattern that all of a text must match.
pub(in crate::analyze::foreign) fn whole(pattern: &Expr) -> Result<Expr, NotRewritten> {
    Ok(quoted(&format!("^(?:{})$", in_postgresql_words(&text_of(pattern)?)?)))
}

/// A pattern as a group of its own, for what it matches in all.
pub(in crate::analyze::foreign) fn as_group(pattern: &Expr) -> Result<Expr, NotRewritten> {
    Ok(quoted(&format!("({})", in_postgresql_words(&text_of(pattern)?)?)))
}

/// What stands in the place of a match: `\0` is all of it.
pub(super) fn replacement(text: &Expr) -> Result<Expr, NotRewritten> {
    match literal(text) {
        Some(Value::SingleQuotedString(text)) if !text.contains("\\&") => Ok(quoted(&text.replace("\\0", "\\&"))),
        _ => Err(NotRewritten::new(
            "a replacement that is not a plain literal is not supported",
            "write it as a literal",
        )),
    }
}

fn text_of(pattern: &Expr) -> Result<String, NotRewritten> {
    match literal(pattern) {
        Some(Value::SingleQuotedString(text) | Value::EscapedStringLiteral(text)) => Ok(text.clone()),
        _ => {
            let message = "a regular expression that is not a literal is not supported";
            Err(NotRewritten::new(message, "write the pattern as a literal"))
        }
    }
}

/// RE2's classes know ASCII alone, and its dot matches no line end.
fn in_postgresql_words(pattern: &str) -> Result<String, NotRewritten> {
    let mut written = String::with_capacity(pattern.len());
    let mut letters = pattern.chars().peekable();
    let mut within_class = false;
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => {
                let escaped = letters.next().unwrap_or('\\');
                written.push_str(&escape(escaped, within_class)?);
            }
            '[' if !within_class => {
                within_class = true;
                written.push('[');
                if letters.next_if_eq(&'^').is_some() {
                    written.push('^');
                }
                if letters.next_if_eq(&']').is_some() {
                    written.push(']');
                }
            }
            '[' => return Err(unlike("[")),
            ']' => {
                within_class = false;
                written.push(']');
            }
            '.' if !within_class => written.push_str("[^\\n]"),
            '(' if !within_class => {
                written.push('(');
                if letters.next_if_eq(&'?').is_some() {
                    match letters.next() {
                        Some(':') => written.push_str("?:"),
                        Some('i') if written == "(" && letters.next_if_eq(&')').is_some() => written.push_str("?i)"),
                        _ => return Err(unlike("(?")),
                    }
                }
            }
            other => written.push(other),
        }
    }
    Ok(written)
}

fn escape(escaped: char, within_class: bool) -> Result<String, NotRewritten> {
    let class = match escaped {
        'd' => Some("0-9"),
        'w' => Some("0-9A-Za-z_"),
        's' => Some("\\t\\n\\f\\r "),
        _ => None,
    };
    let other_class = match escaped {
        'D' => Some("0-9"),
        'W' => Some("0-9A-Za-z_"),
        'S' => Some("\\t\\n\\f\\r "),
        _ => None,
    };
    Ok(match (class, other_class) {
        (Some(class), _) if within_class => class.to_owned(),
        (Some(class), _) => format!("[{class}]"),
        (None, Some(class)) if !within_class => format!("[^{class}]"),
        _ if escaped.is_ascii_punctuation() || matches!(escaped, 't' | 'n' | 'r' | 'f') => format!("\\{escaped}"),
        _ => return Err(unlike(&format!("\\{escaped}"))),
    })
}

fn unlike(part: &str) -> NotRewritten {
    let message = format!("`{part}` in a regular expression is not supported in this dialect");
    NotRewritten::new(message, "write out what it matches: `[0-9]`, `[A-Za-z]`")
}

fn quoted(text: &str) -> Expr {
    Expr::value(Value::SingleQuotedString(text.to_owned()))
}
