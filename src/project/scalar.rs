//! A single YAML value: a text, and what YAML 1.2's core schema makes of it.

/// A text as written (without quotes) and what YAML's core schema makes of it.
#[derive(Debug, Clone)]
pub(crate) struct Scalar {
    pub(crate) text: String,
    pub(crate) typed: Typed,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Typed {
    Null,
    Bool(bool),
    Integer(i64),
    /// Always finite.
    Float(f64),
    Text,
}

impl Typed {
    /// What a text without quotes is.
    pub(crate) fn of(text: &str) -> Typed {
        match text {
            "" | "~" | "null" | "Null" | "NULL" => Typed::Null,
            "true" | "True" | "TRUE" => Typed::Bool(true),
            "false" | "False" | "FALSE" => Typed::Bool(false),
            _ => number(text).unwrap_or(Typed::Text),
        }
    }
}

/// An integer of digits alone: `from_str_radix` would also take a sign.
fn integer(digits: &str, base: u32) -> Option<Typed> {
    let is_plain = digits.chars().all(|digit| digit.is_digit(base));
    is_plain.then(|| i64::from_str_radix(digits, base).ok()).flatten().map(Typed::Integer)
}

/// A number that does not fit 64 bits stays a text: it is a name that happens to have only digits.
fn number(text: &str) -> Option<Typed> {
    if let Some(digits) = text.strip_prefix("0x") {
        return integer(digits, 16);
    }
    if let Some(digits) = text.strip_prefix("0o") {
        return integer(digits, 8);
    }
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if unsigned.chars().all(|letter| letter.is_ascii_digit()) {
        return text.parse().ok().map(Typed::Integer);
    }
    // `parse::<f64>` would take `inf`, `nan` and `infinity`, which are texts here.
    let begins_like_one = unsigned.starts_with(|letter: char| letter.is_ascii_digit() || letter == '.');
    let has_digit =
        unsigned.split(['e', 'E']).next().is_some_and(|mantissa| mantissa.contains(|l: char| l.is_ascii_digit()));
    let letters_fit =
        unsigned.chars().all(|letter| letter.is_ascii_digit() || matches!(letter, '.' | 'e' | 'E' | '+' | '-'));
    if !(begins_like_one && has_digit && letters_fit) {
        return None;
    }
    text.parse::<f64>().ok().filter(|value| value.is_finite()).map(Typed::Float)
}

#[cfg(test)]
mod tests {
    use super::Typed;

    #[test]
    fn a_text_without_quotes_is_typed_as_the_core_schema_says() {
        for (text, typed) in [
            ("", Typed::Null),
            ("~", Typed::Null),
            ("True", Typed::Bool(true)),
            ("yes", Typed::Text),
            ("-12", Typed::Integer(-12)),
            ("0x1F", Typed::Integer(31)),
            ("0o17", Typed::Integer(15)),
            ("1.50", Typed::Float(1.5)),
            (".5", Typed::Float(0.5)),
            ("1e3", Typed::Float(1000.0)),
            ("+1.", Typed::Float(1.0)),
            ("1e999", Typed::Text),
            (".inf", Typed::Text),
            ("infinity", Typed::Text),
            ("-", Typed::Text),
            (".", Typed::Text),
            ("1.2.3", Typed::Text),
            ("2023-05-01", Typed::Text),
            ("99999999999999999999", Typed::Text),
            ("5%", Typed::Text),
        ] {
            assert_eq!(Typed::of(text), typed, "{text}");
        }
    }
}
