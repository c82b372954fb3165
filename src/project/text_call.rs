//! Calls that YAML writes as text: `ref('orders', v=2)`, `source('raw', 'orders')`, `metric('revenue')`.

/// A call with arguments that are texts or numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TextCall {
    pub function: String,
    pub positional: Vec<String>,
    pub named: Vec<NamedText>,
}

/// An argument behind its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NamedText {
    pub name: String,
    pub value: String,
}

impl TextCall {
    /// Reads a text, which may stand in the braces of a template. Returns `None` if it is no such call.
    pub fn parse(text: &str) -> Option<TextCall> {
        let text = text.trim();
        let inner = text.strip_prefix("{{").and_then(|rest| rest.strip_suffix("}}")).unwrap_or(text).trim();
        let (function, rest) = inner.split_once('(')?;
        let function = function.trim();
        let mut rest = rest.strip_suffix(')')?.trim();
        if function.is_empty() || !function.chars().all(is_of_name) {
            return None;
        }
        let mut call = TextCall { function: function.to_owned(), positional: Vec::new(), named: Vec::new() };
        while !rest.is_empty() {
            let (name, after) = named(rest);
            let (value, after) = value(after)?;
            match name {
                Some(name) => call.named.push(NamedText { name: name.to_owned(), value }),
                None if call.named.is_empty() => call.positional.push(value),
                None => return None,
            }
            let after = after.trim_start();
            rest = match after.strip_prefix(',') {
                Some(next) => next.trim_start(),
                None if after.is_empty() => after,
                None => return None,
            };
        }
        Some(call)
    }

    /// The value of the first of these names that is given.
    pub fn argument(&self, names: &[&str]) -> Option<&str> {
        self.named.iter().find(|argument| names.contains(&argument.name.as_str())).map(|found| found.value.as_str())
    }
}

fn is_of_name(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '_'
}

/// The name before `=`, if there is one, and the rest.
fn named(text: &str) -> (Option<&str>, &str) {
    match text.split_once('=') {
        Some((name, rest)) if !name.trim().is_empty() && name.trim().chars().all(is_of_name) => {
            (Some(name.trim()), rest.trim_start())
        }
        Some(_) | None => (None, text),
    }
}

/// A text in quotes or a number, and what follows it.
fn value(text: &str) -> Option<(String, &str)> {
    if let Some(quote) = text.chars().next().filter(|first| matches!(first, '\'' | '"')) {
        let (value, rest) = text.get(1..)?.split_once(quote)?;
        return Some((value.to_owned(), rest));
    }
    let end = text.find(|letter: char| !(letter.is_ascii_digit() || letter == '.')).unwrap_or(text.len());
    let (number, rest) = text.split_at(end);
    (!number.is_empty()).then(|| (number.to_owned(), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Option<String> {
        let call = TextCall::parse(text)?;
        let named = call.named.iter().map(|argument| format!("{}={}", argument.name, argument.value));
        Some(format!("{}: {}", call.function, call.positional.into_iter().chain(named).collect::<Vec<_>>().join(" ")))
    }

    #[test]
    fn a_call_has_texts_and_numbers() {
        for (text, expected) in [
            ("ref('orders')", "ref: orders"),
            (" {{ ref(\"shop\", 'orders') }} ", "ref: shop orders"),
            ("ref('orders', v=2)", "ref: orders v=2"),
            ("ref('orders',version='1.5',)", "ref: orders version=1.5"),
            ("source ( 'raw' , 'a=b' )", "source: raw a=b"),
            ("metric()", "metric: "),
        ] {
            assert_eq!(shown(text).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn everything_else_is_none() {
        for text in
            ["", "orders", "ref(", "ref('orders'", "ref('a' 'b')", "ref(x)", "ref(v=1, 'a')", "a.b('c')", "('a')"]
        {
            assert_eq!(TextCall::parse(text), None, "{text}");
        }
    }
}
