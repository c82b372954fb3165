//! From `+tag:gold,path:models/silver` to a selector, and back.

use std::fmt;
use std::ops::Range;

use super::method::{self, Method, MethodRefusal};
use super::pattern::Pattern;
use crate::diag::nearest;
use crate::graph::Depth;

/// The method that names a selector of the project.
pub(super) const SELECTOR: &str = "selector";

/// Why a text is no selector, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SelectorError {
    pub message: String,
    pub range: Range<usize>,
    pub help: Option<String>,
}

/// A parsed selector: what any of its intersections selects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selector {
    pub(super) unions: Vec<Intersection>,
}

/// What all of its terms select.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Intersection {
    pub terms: Vec<Term>,
}

/// Nodes that match, and how far their relatives belong to them.
#[derive(Debug, Clone)]
pub(super) struct Term {
    /// `@`: all descendants, and everything that these need.
    pub with_needs: bool,
    pub parents: Option<Depth>,
    pub children: Option<Depth>,
    /// `None` if the method follows from the value.
    pub method: Option<&'static dyn Method>,
    /// What stands behind the dot of the method: `materialized` in `config.materialized:table`.
    pub argument: Option<String>,
    pub pattern: Pattern,
}

impl PartialEq for Term {
    fn eq(&self, other: &Term) -> bool {
        let name = |term: &Term| term.method.map(Method::name);
        (self.with_needs, self.parents, self.children, name(self), &self.argument, self.pattern.text())
            == (other.with_needs, other.parents, other.children, name(other), &other.argument, other.pattern.text())
    }
}

impl Eq for Term {}

impl Selector {
    pub(super) fn terms(&self) -> impl Iterator<Item = &Term> {
        self.unions.iter().flat_map(|part| &part.terms)
    }
}

impl Term {
    /// The selector of the project that it names.
    pub fn names_selector(&self) -> Option<&str> {
        self.method.filter(|method| method.name() == SELECTOR).map(|_| self.pattern.text())
    }

    /// The method that decides: the one that was named, or the one that the value looks like.
    pub fn method(&self) -> &'static dyn Method {
        self.method.unwrap_or_else(|| method::implied(self.pattern.text()))
    }
}

/// Parses one selector text: blanks unite, commas intersect.
pub fn parse(text: &str) -> Result<Selector, SelectorError> {
    let unions = pieces(text, 0, char::is_whitespace)
        .filter(|(_, part)| !part.is_empty())
        .map(|(start, part)| intersection(part, start))
        .collect::<Result<Vec<_>, _>>()?;
    if unions.is_empty() {
        return Err(SelectorError { message: "the selector is empty".into(), range: 0..text.len(), help: None });
    }
    Ok(Selector { unions })
}

/// The parts of `text` between separators, with their offsets.
fn pieces(text: &str, start: usize, is_separator: fn(char) -> bool) -> impl Iterator<Item = (usize, &str)> {
    let mut offset = start;
    text.split(is_separator).map(move |part| {
        let begin = offset;
        // Blanks may be longer than one byte, but only the part's own text is measured against the original.
        offset += part.len() + text_after(text, offset - start + part.len());
        (begin, part)
    })
}

/// The length of the character at `offset`.
fn text_after(text: &str, offset: usize) -> usize {
    text.get(offset..).and_then(|rest| rest.chars().next()).map_or(0, char::len_utf8)
}

fn intersection(text: &str, start: usize) -> Result<Intersection, SelectorError> {
    // The graph operators belong to a term, not to the intersection: `+a,b` is `(+a)` and `b`.
    let terms = pieces(text, start, |letter| letter == ',').map(|(begin, part)| term(part, begin));
    Ok(Intersection { terms: terms.collect::<Result<Vec<_>, _>>()? })
}

/// Errors of a term that begins at this byte of the selector.
struct TermFaults {
    start: usize,
}

impl TermFaults {
    /// An error at bytes of the term.
    fn at(&self, range: Range<usize>, message: String, help: Option<String>) -> SelectorError {
        SelectorError { message, range: self.start + range.start..self.start + range.end, help }
    }
}

fn term(text: &str, start: usize) -> Result<Term, SelectorError> {
    let faults = TermFaults { start };
    let (with_needs, rest) = text.strip_prefix('@').map_or((false, text), |rest| (true, rest));
    // A number before the only `+` is a name: `0+` selects it and its descendants.
    let (parents, rest) = leading_depth(rest).filter(|(_, name)| !name.is_empty()).unwrap_or((None, rest));
    let (children, rest) = trailing_depth(rest).unwrap_or((None, rest));
    if with_needs && (parents.is_some() || children.is_some()) {
        let help = "`@` already includes the descendants and everything they need".to_owned();
        return Err(faults.at(0..text.len(), "`@` and `+` cannot be combined".to_owned(), Some(help)));
    }
    // The rest is a part of the text, so its place is the difference of the two.
    let at = text.find(rest).unwrap_or(0);
    let (named, value) = rest.split_once(':').map_or((None, rest), |(method, value)| (Some(method), value));
    if value.is_empty() {
        let message = match named {
            Some(method) => format!("`{method}:` needs a value"),
            None => "the selector has no name".to_owned(),
        };
        return Err(faults.at(0..text.len(), message, None));
    }
    if value.contains(['+', '@']) {
        let message = format!("`{value}` is not a name");
        return Err(faults.at(at..at + rest.len(), message, Some("`+` and `@` go before or after a name".to_owned())));
    }
    let (method, argument) = match named {
        None => (None, None),
        Some(word) => named_method(word)
            .map(|(method, argument)| (Some(method), argument))
            .map_err(|refusal| faults.at(at..at + word.len(), refusal.message, Some(refusal.help)))?,
    };
    let value_range = at + rest.len() - value.len()..at + rest.len();
    if let Some(method) = method {
        let checked = method.check_value(value);
        checked.map_err(|refusal| faults.at(value_range.clone(), refusal.message, Some(refusal.help)))?;
    }
    let is_path = method.unwrap_or_else(|| method::implied(value)).is_path();
    let pattern = Pattern::parse(value, is_path).map_err(|message| faults.at(value_range, message, None))?;
    Ok(Term { with_needs, parents, children, method, argument, pattern })
}

/// `config.materialized` is the method `config` with the argument `materialized`.
fn named_method(word: &str) -> Result<(&'static dyn Method, Option<String>), MethodRefusal> {
    let (name, argument) = word.split_once('.').map_or((word, None), |(name, argument)| (name, Some(argument)));
    let Some(method) = method::find(name) else {
        let known: Vec<String> = method::names().map(|name| format!("`{name}:`")).collect();
        let help = match nearest(name, method::names()) {
            Some(near) => format!("did you mean `{near}:`?"),
            None => format!("the methods are {}", known.join(", ")),
        };
        return Err(MethodRefusal { message: format!("no selector method is called `{name}`"), help });
    };
    method.check(argument)?;
    Ok((method, argument.map(str::to_owned)))
}

/// `+x` and `2+x`.
fn leading_depth(text: &str) -> Option<(Option<Depth>, &str)> {
    let (count, rest) = text.split_once('+')?;
    Some((Some(depth(count)?), rest))
}

/// `x+` and `x+2`.
fn trailing_depth(text: &str) -> Option<(Option<Depth>, &str)> {
    let (rest, count) = text.rsplit_once('+')?;
    Some((Some(depth(count)?), rest))
}

fn depth(count: &str) -> Option<Depth> {
    if count.is_empty() {
        return Some(Depth::All);
    }
    let is_number = count.bytes().all(|digit| digit.is_ascii_digit());
    // More steps than fit 32 bits are more than any graph has.
    is_number.then(|| Depth::Steps(count.parse().unwrap_or(u32::MAX)))
}

impl fmt::Display for Selector {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_joined(formatter, &self.unions, " ")
    }
}

impl fmt::Display for Intersection {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_joined(formatter, &self.terms, ",")
    }
}

fn write_joined(formatter: &mut fmt::Formatter<'_>, items: &[impl fmt::Display], between: &str) -> fmt::Result {
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            formatter.write_str(between)?;
        }
        item.fmt(formatter)?;
    }
    Ok(())
}

impl fmt::Display for Term {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.with_needs {
            formatter.write_str("@")?;
        }
        match self.parents {
            Some(Depth::All) => formatter.write_str("+")?,
            Some(Depth::Steps(count)) => write!(formatter, "{count}+")?,
            None => {}
        }
        if let Some(method) = self.method {
            formatter.write_str(method.name())?;
            if let Some(argument) = &self.argument {
                write!(formatter, ".{argument}")?;
            }
            formatter.write_str(":")?;
        }
        formatter.write_str(self.pattern.text())?;
        match self.children {
            Some(Depth::All) => formatter.write_str("+"),
            Some(Depth::Steps(count)) => write!(formatter, "+{count}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn told(text: &str) -> String {
        let error = parse(text).unwrap_err();
        format!("{} at `{}`; {}", error.message, text.get(error.range).unwrap(), error.help.unwrap_or_default())
    }

    #[test]
    fn faults_name_the_part_that_is_wrong() {
        insta::assert_snapshot!(["", "a tags:gold", "x,materialized:table", "tag:", "a,,b", "@a+", "a+b", "tag:[a", "config.materialised:view", "config:view", "tag.x:y"]
            .map(told).join("\n"), @r"
        the selector is empty at ``; 
        no selector method is called `tags` at `tags`; did you mean `tag:`?
        no selector method is called `materialized` at `materialized`; the methods are `access:`, `config:`, `exposure:`, `file:`, `fqn:`, `group:`, `metric:`, `package:`, `path:`, `resource_type:`, `result:`, `saved_query:`, `selector:`, `semantic_model:`, `source:`, `source_status:`, `state:`, `tag:`, `test_name:`, `test_type:`, `unit_test:`, `version:`
        `tag:` needs a value at `tag:`; 
        the selector has no name at ``; 
        `@` and `+` cannot be combined at `@a+`; `@` already includes the descendants and everything they need
        `a+b` is not a name at `a+b`; `+` and `@` go before or after a name
        `[a` is not a pattern: unclosed character class; missing ']' at `[a`; 
        `config.` knows no `materialised` at `config.materialised`; did you mean `materialized`?
        `config:` needs the name of a config at `config`; write `config.materialized:table`
        `tag` takes no `.x` at `tag.x`; write `tag:` and the value
        ");
    }

    fn term_text() -> impl Strategy<Value = String> {
        let method = prop::sample::select(vec![
            "",
            "tag:",
            "path:",
            "fqn:",
            "source:",
            "config.materialized:",
            "config.meta.owner:",
            "file:",
            "package:",
            "resource_type:",
            "exposure:",
            "metric:",
            "group:",
            "access:",
            "semantic_model:",
            "saved_query:",
            "test_name:",
            "unit_test:",
            "selector:",
        ]);
        // A number before `+` is a depth, and is printed without zeros in front.
        let value = "[a-z0-9_*?./]{1,8}".prop_filter("zeros in front, or more than two parts", |value| {
            value.matches('.').count() < 2
                && !(value.starts_with('0') && value.len() > 1 && value.bytes().all(|byte| byte.is_ascii_digit()))
        });
        let depth = prop::option::of(prop::option::of(0_u32..20));
        (method, value, depth.clone(), depth, any::<bool>()).prop_map(|(method, value, before, after, needs)| {
            let count = |depth: Option<u32>| depth.map(|count| count.to_string()).unwrap_or_default();
            let before = before.map(|depth| format!("{}+", count(depth))).unwrap_or_default();
            let after = after.map(|depth| format!("+{}", count(depth))).unwrap_or_default();
            if needs { format!("@{method}{value}") } else { format!("{before}{method}{value}{after}") }
        })
    }

    proptest! {
        #[test]
        fn printing_undoes_parsing(unions in prop::collection::vec(prop::collection::vec(term_text(), 1..4), 1..4)) {
            let text = unions.iter().map(|terms| terms.join(",")).collect::<Vec<_>>().join(" ");
            let parsed = parse(&text).unwrap();
            prop_assert_eq!(parsed.to_string(), text);
            prop_assert_eq!(parse(&parsed.to_string()).unwrap(), parsed);
        }

        #[test]
        fn a_name_of_digits_is_a_name(number in 0_u32..1000) {
            let parsed = parse(&format!("{number}+")).unwrap();
            prop_assert_eq!(parsed.unions[0].terms[0].pattern.text(), number.to_string());
        }

        #[test]
        fn any_text_is_parsed_or_refused_in_place(text in "[a-z:@+,.*\\[\\] ä\u{3000}0-9]{0,20}") {
            if let Err(error) = parse(&text) {
                prop_assert!(text.get(error.range).is_some());
            }
        }
    }
}
