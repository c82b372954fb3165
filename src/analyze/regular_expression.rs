//! Regular expressions as PostgreSQL reads them. The engine's have another dialect: its dot matches no line end, `\b` is
//! another thing, and `$1` in a replacement is a group. So a pattern is taken apart: what both read alike stays, what can be
//! said in the engine's words is translated, and everything else is refused.

use datafusion::common::tree_node::Transformed;
use datafusion::common::{DataFusionError, Result, ScalarValue};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{BinaryExpr, Expr, Operator, lit};
use regex_syntax::ast::{self, AssertionKind, Ast, ClassSet, Flag, FlagsItemKind, GroupKind, RepetitionKind};

use super::rewrite::shown;

/// Begins every pattern that was translated: a dot matches all letters. No author writes it so, and a view's pattern, which
/// is seen once more where the view is read, is known by it.
const TRANSLATED: &str = "(?s-R)";

/// A text of the engine as people may read it: with patterns as they would be written for it.
pub(crate) fn without_marks_of_patterns(text: &str) -> String {
    text.replace(TRANSLATED, "")
}

/// What a function asks of a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asks {
    /// Whether it matches.
    Whether,
    /// Where it matches, and how far.
    Where,
}

/// The call or comparison with a pattern of the engine's dialect.
pub(super) fn translated(expr: Expr) -> Result<Transformed<Expr>> {
    use Operator::{RegexIMatch, RegexMatch, RegexNotIMatch, RegexNotMatch};
    match expr {
        Expr::BinaryExpr(BinaryExpr { left, op, right })
            if matches!(op, RegexMatch | RegexIMatch | RegexNotMatch | RegexNotIMatch) =>
        {
            let right = Box::new(pattern(&right, Asks::Whether)?.unwrap_or(*right));
            Ok(Transformed::yes(Expr::BinaryExpr(BinaryExpr { left, op, right })))
        }
        Expr::ScalarFunction(call) => match call.func.name() {
            "regexp_like" => of_call(call, Asks::Whether, 2),
            "regexp_match" => of_call(call, Asks::Where, 2),
            "regexp_replace" | "regexp_count" => of_call(call, Asks::Where, 3),
            "regexp_instr" => of_call(call, Asks::Where, 4),
            _ => Ok(Transformed::no(Expr::ScalarFunction(call))),
        },
        other => Ok(Transformed::no(other)),
    }
}

fn of_call(mut call: ScalarFunction, asks: Asks, flags: usize) -> Result<Transformed<Expr>> {
    let name = call.func.name().to_owned();
    if let Some(flags) = call.args.get(flags) {
        check_flags(&name, flags)?;
    }
    let Some(found) = call.args.get(1).map(|argument| pattern(argument, asks)).transpose()?.flatten() else {
        return Ok(Transformed::no(Expr::ScalarFunction(call)));
    };
    if let Some(argument) = call.args.get_mut(1) {
        *argument = found;
    }
    if let ("regexp_replace", Some(argument)) = (name.as_str(), call.args.get_mut(2))
        && !matches!(argument, Expr::Literal(value, _) if value.is_null())
    {
        *argument = replacement(argument)?;
    }
    Ok(Transformed::yes(Expr::ScalarFunction(call)))
}

/// The pattern in the engine's dialect. Returns `None` if it is that already, or null.
fn pattern(expr: &Expr, asks: Asks) -> Result<Option<Expr>> {
    let text = match expr {
        Expr::Literal(value, _) if value.is_null() => return Ok(None),
        other => text(other, "the regular expression")?,
    };
    // A view was translated when it was planned, and its plan is seen again by the models that read it.
    if text.starts_with(TRANSLATED) {
        return Ok(None);
    }
    let pattern = translate(&text, asks)
        .map_err(|reason| refused(&format!("the regular expression `{text}` cannot be used: {reason}")))?;
    Ok(Some(lit(pattern)))
}

fn text(expr: &Expr, what: &str) -> Result<String> {
    match expr {
        Expr::Literal(ScalarValue::Utf8(Some(text)) | ScalarValue::Utf8View(Some(text)), _) => Ok(text.clone()),
        // The engine has cast it, when a view was planned that is seen again where it is read.
        Expr::Cast(cast) if matches!(*cast.expr, Expr::Literal(..)) => text(&cast.expr, what),
        other => {
            let message = format!("`{}`: {what} must be a literal text, because it is translated", shown(other));
            Err(refused(&message))
        }
    }
}

fn check_flags(name: &str, flags: &Expr) -> Result<()> {
    let flags = text(flags, "the text of the flags")?;
    let known = if name == "regexp_replace" { "gi" } else { "i" };
    match flags.chars().find(|flag| !known.contains(*flag)) {
        Some(flag) => Err(refused(&format!("`{name}` does not take the flag `{flag}`, only those in `{known}`"))),
        None => Ok(()),
    }
}

fn translate(pattern: &str, asks: Asks) -> std::result::Result<String, String> {
    let translated = in_other_words(pattern)?;
    let parsed = ast::parse::Parser::new().parse(&translated).map_err(|error| unreadable(error.kind()))?;
    let check = ast::visit(&parsed, DialectCheck { asks, greedy: false, lazy: false })?;
    // In PostgreSQL the first quantifier makes the whole expression greedy or not; the engine decides one by one. Whether
    // something matches does not depend on it, only where and how far.
    if check.greedy && check.lazy && asks == Asks::Where {
        return Err(
            "greedy and non-greedy quantifiers cannot be mixed, because PostgreSQL lets the first one decide: write all of them with `?`, or none"
                .to_owned()
        );
    }
    // `s`: a dot matches line ends too. `-R`: a line end is `\n` alone.
    let translated = format!("{TRANSLATED}{translated}");
    regex_syntax::parse(&translated).map_err(|_| {
        r"it is not a regular expression: write `\` before each letter that stands for itself".to_owned()
    })?;
    Ok(translated)
}

/// Why a pattern cannot be read, and what to write.
fn unreadable(kind: &ast::ErrorKind) -> String {
    use ast::ErrorKind::{
        ClassUnclosed, GroupUnclosed, GroupUnopened, RepetitionCountInvalid, RepetitionCountUnclosed,
        RepetitionMissing, UnsupportedBackreference, UnsupportedLookAround,
    };
    let remedy = match kind {
        GroupUnclosed => r"`\(` for a parenthesis of the text, or close the group with `)`",
        GroupUnopened => r"`\)` for a parenthesis of the text, or open the group with `(`",
        ClassUnclosed => r"`\[` for a bracket of the text, or close the class with `]`",
        RepetitionMissing => r"`\*`, `\+` or `\?` for a sign of the text",
        RepetitionCountInvalid | RepetitionCountUnclosed => r"`\{` for a brace of the text, or a number: `a{2,3}`",
        UnsupportedLookAround => {
            "a group around what is meant, as in `(regexp_match(a, 'before(meant)'))[1]`, or a second condition"
        }
        UnsupportedBackreference => "out what is repeated: a pattern has no back references",
        _ => r"`\` before each letter that stands for itself",
    };
    format!("{kind}: write {remedy}")
}

/// Escapes that are written otherwise, or mean something else.
fn in_other_words(pattern: &str) -> std::result::Result<String, String> {
    let mut translated = String::with_capacity(pattern.len());
    let mut letters = pattern.chars();
    while let Some(letter) = letters.next() {
        if letter != '\\' {
            translated.push(letter);
            continue;
        }
        let Some(escaped) = letters.next() else {
            return Err(r"it ends with a backslash: write `\\` for a backslash of the text".to_owned());
        };
        match escaped {
            'y' => translated.push_str(r"\b"),
            'Y' => translated.push_str(r"\B"),
            'm' => translated.push_str(r"\b{start}"),
            'M' => translated.push_str(r"\b{end}"),
            'Z' => translated.push_str(r"\z"),
            // The same letter means another thing in both dialects: a silent difference would be the worst.
            'b' => return Err(r"`\b` is a backspace in PostgreSQL: write `\y` for a word boundary".to_owned()),
            '1'..='9' => return Err("back references are not supported: write out what is repeated".to_owned()),
            'd' | 'D' | 's' | 'S' | 'w' | 'W' | 'A' | 'n' | 'r' | 't' | 'f' | 'v' => translated.extend(['\\', escaped]),
            other if !other.is_alphanumeric() => translated.extend(['\\', other]),
            other => {
                return Err(format!(
                    "`\\{other}` is not supported: write the letters themselves, or a class such as `[a-z]`"
                ));
            }
        }
    }
    Ok(translated)
}

/// Finds what the engine reads in another way than PostgreSQL.
struct DialectCheck {
    asks: Asks,
    greedy: bool,
    lazy: bool,
}

impl ast::Visitor for DialectCheck {
    type Output = DialectCheck;
    type Err = String;

    fn finish(self) -> std::result::Result<DialectCheck, String> {
        Ok(self)
    }

    fn visit_pre(&mut self, node: &Ast) -> std::result::Result<(), String> {
        match node {
            Ast::Flags(flags) => {
                // PostgreSQL reads such flags only as "embedded options" at the very beginning.
                let ignored = FlagsItemKind::Flag(Flag::CaseInsensitive);
                if flags.span.start.offset > 0 || !flags.flags.items.iter().all(|item| item.kind == ignored) {
                    return Err("flags stand at its beginning only: write `(?i)` there, and no other".to_owned());
                }
            }
            Ast::Group(group) => match &group.kind {
                GroupKind::CaptureIndex(_) => {}
                GroupKind::NonCapturing(flags) if flags.items.is_empty() => {}
                GroupKind::NonCapturing(_) => {
                    return Err("flags within it are not supported: write `(?i)` at its beginning".to_owned());
                }
                GroupKind::CaptureName { .. } => {
                    return Err("PostgreSQL's groups have no names: write `(…)`, and count them from 1".to_owned());
                }
            },
            Ast::Repetition(repetition) => {
                // `{3}` has no choice, so it is neither greedy nor lazy.
                let is_exact = matches!(&repetition.op.kind, RepetitionKind::Range(ast::RepetitionRange::Exactly(_)));
                self.greedy |= repetition.greedy && !is_exact;
                self.lazy |= !repetition.greedy;
                if matches!(&*repetition.ast, Ast::Repetition(_)) {
                    return Err("a quantifier follows another: write one, or parentheses between them".to_owned());
                }
                if matches!(&*repetition.ast, Ast::Assertion(assertion) if assertion.kind != AssertionKind::EndLine) {
                    return Err("a quantifier follows something empty: write it behind a letter or a group".to_owned());
                }
            }
            Ast::Alternation(alternation) if self.asks == Asks::Where => longest_first(&alternation.asts)?,
            Ast::ClassUnicode(_) => {
                return Err(
                    "classes of Unicode are not supported: write `[[:alpha:]]`, `[[:digit:]]` or `[[:space:]]`"
                        .to_owned(),
                );
            }
            _ => {}
        }
        Ok(())
    }

    fn visit_class_set_item_pre(&mut self, item: &ast::ClassSetItem) -> std::result::Result<(), String> {
        match item {
            ast::ClassSetItem::Bracketed(inner) if matches!(inner.kind, ClassSet::Item(_) | ClassSet::BinaryOp(_)) => {
                Err("brackets within brackets are letters in PostgreSQL: write `\\[`".to_owned())
            }
            _ => Ok(()),
        }
    }

    fn visit_class_set_binary_op_pre(&mut self, _: &ast::ClassSetBinaryOp) -> std::result::Result<(), String> {
        Err("`&&`, `--` and `~~` within brackets are letters in PostgreSQL: write each of them once".to_owned())
    }
}

/// PostgreSQL takes the longest of several alternatives, the engine the first: where texts begin alike, the longer one must
/// come first.
fn longest_first(alternatives: &[Ast]) -> std::result::Result<(), String> {
    // Only fixed texts are compared: of other alternatives it is not known here which one is longer.
    let texts: Vec<Option<String>> = alternatives.iter().map(literal).collect();
    for (place, later) in texts.iter().enumerate() {
        let Some(later) = later else { continue };
        let earlier =
            texts.iter().take(place).flatten().find(|earlier| later.starts_with(*earlier) && *earlier != later);
        if let Some(earlier) = earlier {
            return Err(format!("PostgreSQL takes the longest alternative: write `{later}` before `{earlier}`"));
        }
    }
    Ok(())
}

/// The text, if an alternative is nothing else.
fn literal(alternative: &Ast) -> Option<String> {
    match alternative {
        Ast::Literal(literal) => Some(literal.c.to_string()),
        Ast::Concat(concat) => concat.asts.iter().map(literal).collect(),
        Ast::Empty(_) => Some(String::new()),
        _ => None,
    }
}

/// A replacement in which `\1` and `\&` are groups, and a dollar sign is one.
fn replacement(expr: &Expr) -> Result<Expr> {
    let text = text(expr, "the replacement")?;
    let mut translated = String::with_capacity(text.len());
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match (letter, letters.peek().copied()) {
            // A dollar sign is an ordinary letter in PostgreSQL's replacements.
            ('$', _) => translated.push_str("$$"),
            ('\\', Some(digit @ '1'..='9')) => {
                translated.extend(["${", &digit.to_string(), "}"]);
                letters.next();
            }
            ('\\', Some('&')) => {
                translated.push_str("${0}");
                letters.next();
            }
            ('\\', Some('\\')) => {
                // The engine would take a digit behind it for a group.
                translated.push('\\');
                letters.next();
                if letters.peek().is_some_and(char::is_ascii_digit) {
                    return Err(refused(&format!(
                        "the replacement `{text}` cannot be used: a digit follows a backslash"
                    )));
                }
            }
            (other, _) => translated.push(other),
        }
    }
    Ok(lit(translated))
}

fn refused(message: &str) -> DataFusionError {
    DataFusionError::Plan(message.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whether(pattern: &str) -> std::result::Result<String, String> {
        translate(pattern, Asks::Whether).map(|text| text.trim_start_matches(TRANSLATED).to_owned())
    }

    #[test]
    fn what_both_read_alike_stays_and_what_differs_is_translated() {
        for same in
            [r"^\d+$", "a.b", "[[:alpha:]_]+", "(?i)abc", "(?:a|ab)+?", r"\.\$", "[]a]", "[^]]", "a{2,3}", "foo|foobar"]
        {
            assert_eq!(whether(same).as_deref(), Ok(same));
        }
        assert_eq!(whether(r"\yword\y").as_deref(), Ok(r"\bword\b"));
        assert_eq!(whether(r"\mword\M\Z").as_deref(), Ok(r"\b{start}word\b{end}\z"));
    }

    #[test]
    fn what_means_something_else_is_refused() {
        let refused = [
            r"\bword", "(", "[", "*a", "a**", "^*", r"(a)\1", "(?=a)", "(?<n>a)", "(?P<n>a)", "(?m)a", "a(?i)b",
            "(?s)a", r"\p{L}", "[a&&b]", "[a[b]]", r"\x41", "a\\", "(?i:a)",
        ];
        for pattern in refused {
            assert!(whether(pattern).is_err(), "{pattern}");
        }
        for pattern in ["foo|foobar", "(|a)b", "a+.*?b", "(a|b|ab)"] {
            assert!(translate(pattern, Asks::Where).is_err(), "{pattern}");
        }
        for pattern in ["foobar|foo", r"^\s+|\s+$", "a.*?b", "a{3}b+", "cat|dog"] {
            assert!(translate(pattern, Asks::Where).is_ok(), "{pattern}");
        }
    }

    #[test]
    fn a_replacement_has_groups_by_backslash_only() {
        let translated = |text: &str| match replacement(&lit(text)).unwrap() {
            Expr::Literal(ScalarValue::Utf8(Some(text)), _) => text,
            other => panic!("{other}"),
        };
        assert_eq!(translated(r"<\1-\&>"), "<${1}-${0}>");
        assert_eq!(translated("$1"), "$$1");
        assert_eq!(translated(r"\12"), "${1}2");
    }
}
