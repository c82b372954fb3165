//! Writes into a template what the template engine does not tell: where each call stands, and which lists may change.
//!
//! A function of a template learns nothing about the place of its call. So before parsing, each call that must know
//! its place gets a first argument that names it, and every place that comes back is moved to where it was typed.

use std::collections::BTreeSet;
use std::ops::Range;

use super::call_place::{CallPlace, arguments};
use super::definition::{MacroDefinition, ParameterPlace};
use super::operators::rewritten_operators;
use super::token::{ScannedText, Token, TokenKind};
use crate::text_edit::TextEdit;

/// The function that makes the literals of `{% set %}` changeable.
pub(super) const MUTABLE: &str = "__mutable";
/// The function that takes imported macros.
pub(super) const LOAD: &str = "__load";
/// What a macro of the project is called inside its own file, so that its plain name means the same everywhere.
pub(super) const MACRO_PREFIX: &str = "m__";
/// Functions of karat that must know where they are called.
const PLACED: [&str; 4] = ["ref", "source", "config", "var"];

/// Which macros there are.
pub(super) trait MacroNames {
    /// Whether a plain name means a macro in a template of this package.
    fn sees(&self, package: &str, name: &str) -> bool;

    /// Whether a package has a macro of this name.
    fn has(&self, package: &str, name: &str) -> bool;
}

/// Which macros a template may call: those calls get their place.
#[derive(Clone, Copy)]
pub(super) struct Callables<'a> {
    pub names: &'a dyn MacroNames,
    pub package: &'a str,
}

impl Callables<'_> {
    fn is_macro(self, name: &str) -> bool {
        self.names.sees(self.package, name)
    }
}

#[derive(Debug, Clone, Copy)]
pub(super) enum TemplateKind<'a> {
    Text,
    /// With the macros that it defines.
    MacroFile(&'a [MacroDefinition]),
}

/// A template ready for the engine.
#[derive(Debug)]
pub(super) struct RewrittenText {
    pub text: String,
    /// The names that a `{% set %}` gives.
    pub assigned: BTreeSet<String>,
    /// Sorted; offsets of the original.
    insertions: Vec<Insertion>,
}

#[derive(Debug)]
struct Insertion {
    /// Where it was put, in the original.
    at: usize,
    /// How much of the original it stands for.
    cut: usize,
    /// Where it begins in the rewritten text.
    begins: usize,
    length: usize,
}

impl RewrittenText {
    /// The place in the original for a place in the rewritten text.
    pub fn original(&self, range: Range<usize>) -> Range<usize> {
        self.original_offset(range.start)..self.original_offset(range.end)
    }

    fn original_offset(&self, offset: usize) -> usize {
        // The last insertion that begins at or before the offset. Behind it, every byte has moved by as much; within it, a byte
        // belongs to the place where the insertion was put.
        let before = self.insertions.partition_point(|insertion| insertion.begins <= offset);
        match before.checked_sub(1).and_then(|last| self.insertions.get(last)) {
            Some(last) if offset < last.begins + last.length => last.at,
            Some(last) => last.at + last.cut + offset.saturating_sub(last.begins + last.length),
            None => offset,
        }
    }
}

/// The names that a text calls as they are written, and those that it gives to `adapter.dispatch()`.
pub(super) fn called_names<'a>(scanned: &ScannedText<'a>) -> impl Iterator<Item = &'a str> {
    let ScannedText { text, tokens } = scanned;
    tokens.iter().enumerate().filter(|(_, token)| token.is(b'(')).filter_map(|(paren, _)| {
        let name = tokens.get(paren.checked_sub(1)?).filter(|name| name.kind == TokenKind::Word)?;
        let word = text.get(name.range())?;
        // What stands behind a bar is a filter.
        let is_filter = paren.checked_sub(2).and_then(|before| tokens.get(before)).is_some_and(|token| token.is(b'|'));
        match tokens.get(paren + 1) {
            Some(dispatched) if word == "dispatch" && dispatched.kind == TokenKind::Text => {
                text.get(dispatched.start + 1..dispatched.end - 1)
            }
            Some(_) | None => (!is_filter).then_some(word),
        }
    })
}

/// Writes places and changeable literals into a text.
pub(super) fn rewrite(scanned: &ScannedText<'_>, kind: TemplateKind<'_>, callables: &Callables<'_>) -> RewrittenText {
    let ScannedText { text, tokens } = scanned;
    let named = named(scanned);
    // Names that the text gives to something of its own: a call of them is left alone.
    let is_local = |keyword: &str| keyword != "macro" || matches!(kind, TemplateKind::Text);
    let local = named.iter().filter(|(keyword, _)| is_local(keyword)).map(|(_, name)| *name).collect();
    let writer = Writer { text, partners: partners(tokens), local, tokens };
    // Of pieces at one place, operators hold what the others write.
    let mut pieces = rewritten_operators(text, tokens, &writer.partners);
    pieces.extend(writer.places(callables));
    pieces.extend(writer.literals());
    if let TemplateKind::MacroFile(definitions) = kind {
        // Jinja has neither `varargs` nor `kwargs` of its own accord, so parameters for them are written in where the body reads them.
        for definition in definitions {
            match definition.first_dependent() {
                Some(first) => pieces.extend(computed_defaults(text, definition, first)),
                None => {
                    let hidden = definition.end_of_parameters.map(|end| (end, definition.hidden_parameters()));
                    let hidden = hidden.filter(|(_, parameters)| !parameters.is_empty());
                    pieces.extend(hidden.map(|(end, parameters)| TextEdit::before(end, parameters)));
                }
            }
            pieces.push(TextEdit::before(definition.name.start, format!("{MACRO_PREFIX}{}", definition.prefix)));
        }
    }
    // The sort is stable: of two pieces at one place the one that was found first comes first.
    pieces.sort_by_key(|piece| piece.at);
    let assigned = named.iter().filter(|(keyword, _)| *keyword == "set").map(|(_, name)| (*name).to_owned());
    put_in(text, pieces, assigned.collect())
}

/// Writes `f(a, b=a, c=1) %}` as `f(a, b, c) %}{% set b = b if b is defined else (a) %}{% set c = c if c is defined else (1) %}`: each
/// default stays where it is, for its place and for what else is written into it.
fn computed_defaults(text: &str, definition: &MacroDefinition, first: usize) -> Vec<TextEdit> {
    let name = |place: &ParameterPlace| text.get(place.name.clone()).unwrap_or_default().to_owned();
    let given = |name: &str| format!(") %}}{{% set {name} = {name} if {name} is defined else (");
    let Some((begin, later)) = definition.places.get(first..).and_then(<[ParameterPlace]>::split_first) else {
        return Vec::new();
    };
    let Some(equals) = begin.equals.clone() else { return Vec::new() };
    // Behind a parameter with a default every other one needs one too: an attribute that is not there is undefined.
    let has_default = definition.places.iter().take(first).any(|place| place.equals.is_some());
    let unset = if has_default { "={}.unset" } else { "" };
    let names: String = later.iter().map(|place| format!(", {}{unset}", name(place))).collect();
    let opening = format!("{unset}{names}{}{}", definition.hidden_parameters(), given(&name(begin)));
    let mut pieces = vec![TextEdit::instead(equals, &opening)];
    for place in later {
        let end = place.equals.as_ref().map_or(place.name.end, |equals| equals.end);
        let opening = if place.equals.is_some() { given(&name(place)) } else { String::new() };
        pieces.push(TextEdit::instead(place.begins..end, &opening));
    }
    pieces
}

fn put_in(text: &str, pieces: Vec<TextEdit>, assigned: BTreeSet<String>) -> RewrittenText {
    let mut rewritten = String::with_capacity(text.len() + pieces.iter().map(|piece| piece.text.len()).sum::<usize>());
    let mut insertions = Vec::with_capacity(pieces.len());
    let mut copied = 0;
    for TextEdit { at, cut, text: piece } in pieces {
        rewritten.push_str(text.get(copied..at).unwrap_or(""));
        copied = at + cut;
        insertions.push(Insertion { at, cut, begins: rewritten.len(), length: piece.len() });
        rewritten.push_str(&piece);
    }
    rewritten.push_str(text.get(copied..).unwrap_or(""));
    RewrittenText { text: rewritten, assigned, insertions }
}

/// For each opening mark the index of the token that closes it.
fn partners(tokens: &[Token]) -> Vec<Option<usize>> {
    let mut partners = vec![None; tokens.len()];
    let mut open = Vec::new();
    for (index, token) in tokens.iter().enumerate() {
        match token.kind {
            // A bracket never reaches beyond its tag: one that is left open is a fault that the parser reports.
            TokenKind::Open | TokenKind::Close => open.clear(),
            TokenKind::Mark(b'(' | b'[' | b'{') => open.push(index),
            TokenKind::Mark(b')' | b']' | b'}') => {
                if let Some(partner) = open.pop().and_then(|begin| partners.get_mut(begin)) {
                    *partner = Some(index);
                }
            }
            TokenKind::Mark(_) | TokenKind::Word | TokenKind::Text => {}
        }
    }
    partners
}

/// The keyword and the name of every tag that gives one: `{% set x … %}`, `{% for x … %}`, `{% macro x … %}`.
fn named<'a>(scanned: &ScannedText<'a>) -> Vec<(&'a str, &'a str)> {
    let ScannedText { text, tokens } = scanned;
    let opened = tokens.iter().enumerate().filter(|(_, token)| token.kind == TokenKind::Open);
    let words = opened.filter_map(|(open, _)| Some((tokens.get(open + 1)?, tokens.get(open + 2)?)));
    let words = words.filter(|(keyword, name)| keyword.kind == TokenKind::Word && name.kind == TokenKind::Word);
    let texts = words.filter_map(|(keyword, name)| Some((text.get(keyword.range())?, text.get(name.range())?)));
    texts.filter(|(keyword, _)| matches!(*keyword, "set" | "for" | "macro")).collect()
}

/// Where a call begins and its parenthesis opens, among the tokens.
struct PlacedCall {
    begin: usize,
    paren: usize,
}

struct Writer<'a> {
    text: &'a str,
    tokens: &'a [Token],
    partners: Vec<Option<usize>>,
    local: BTreeSet<&'a str>,
}

impl Writer<'_> {
    fn token(&self, index: usize) -> Option<Token> {
        self.tokens.get(index).copied()
    }

    fn word(&self, index: usize) -> Option<&str> {
        let token = self.token(index).filter(|token| token.kind == TokenKind::Word)?;
        self.text.get(token.range())
    }

    fn is(&self, index: usize, mark: u8) -> bool {
        self.token(index).is_some_and(|token| token.is(mark))
    }

    /// The token that closes the mark at `index`.
    fn partner(&self, index: usize) -> Option<usize> {
        self.partners.get(index).copied().flatten()
    }

    /// The argument that names its place, for every call that needs it.
    fn places(&self, callables: &Callables<'_>) -> Vec<TextEdit> {
        let parens = self.tokens.iter().enumerate().filter(|(_, token)| token.is(b'(')).map(|(paren, _)| paren);
        let calls = parens.filter_map(|paren| {
            let call = self.placed_call(paren, callables)?;
            let begin = self.token(call.begin)?;
            let open = self.token(call.paren)?;
            let closing = self.partner(call.paren)?;
            let end = self.token(closing)?;
            let comma = if self.is(call.paren + 1, b')') { "" } else { ", " };
            // Of calls of macros nobody asks where their arguments stand.
            let inside = self.tokens.get(call.paren + 1..closing).unwrap_or_default();
            let is_own = self.word(call.paren.checked_sub(1)?).is_some_and(|word| PLACED.contains(&word));
            let arguments = if is_own { arguments(self.text, inside) } else { Vec::new() };
            let place = CallPlace { whole: begin.start..end.end, arguments };
            Some(TextEdit::before(open.end, format!("\"{}\"{comma}", place.written())))
        });
        calls.collect()
    }

    /// The call that must know its place, if what is called in front of this parenthesis makes it one.
    fn placed_call(&self, paren: usize, callables: &Callables<'_>) -> Option<PlacedCall> {
        let name = paren.checked_sub(1)?;
        let word = self.word(name)?;
        let is_method = name.checked_sub(1).is_some_and(|before| self.is(before, b'.'));
        let begin = if is_method { name.checked_sub(2)? } else { name };
        // A word behind a dot is a method of something else, one behind a bar a filter, and one behind `macro` is being defined.
        let is_other =
            |before: usize| self.is(before, b'.') || self.is(before, b'|') || self.word(before) == Some("macro");
        if begin.checked_sub(1).is_some_and(is_other) {
            return None;
        }
        if !is_method {
            // A macro's name that the text gives to something of its own means that, as in Python.
            let is_placed = (PLACED.contains(&word) || callables.is_macro(word)) && !self.local.contains(word);
            return is_placed.then_some(PlacedCall { begin, paren });
        }
        let owner = self.word(begin)?;
        // `adapter.dispatch('name')(arguments)`: the call that needs its place is the second one.
        if owner == "adapter" && word == "dispatch" {
            let second = self.partner(paren)? + 1;
            return self.is(second, b'(').then_some(PlacedCall { begin, paren: second });
        }
        let is_placed = (owner == "exceptions" && word == "warn")
            || (owner == "builtins" && PLACED.contains(&word))
            || callables.names.has(owner, word);
        is_placed.then_some(PlacedCall { begin, paren })
    }

    /// The call around each list and dict that gets a name or is given away: in a `set`, a `do` or a `return()`.
    fn literals(&self) -> Vec<TextEdit> {
        let mut pieces = Vec::new();
        let mut in_set = false;
        for (index, token) in self.tokens.iter().enumerate() {
            match token.kind {
                // No other literal could be reached a second time.
                TokenKind::Open => in_set = matches!(self.word(index + 1), Some("set" | "do" | "return")),
                TokenKind::Mark(b'[' | b'{') if in_set && !self.is_subscript(index) => {
                    if let Some(end) = self.partner(index).and_then(|end| self.token(end)) {
                        pieces.push(TextEdit::before(token.start, format!("{MUTABLE}(")));
                        pieces.push(TextEdit::before(end.end, ")".to_owned()));
                    }
                }
                TokenKind::Close | TokenKind::Mark(_) | TokenKind::Word | TokenKind::Text => {}
            }
        }
        pieces
    }

    /// Whether the bracket at `index` stands behind a value: `x[0]`, not `[0]`.
    fn is_subscript(&self, index: usize) -> bool {
        const OPERATORS: [&str; 7] = ["and", "else", "if", "in", "is", "not", "or"];
        let Some(before) = index.checked_sub(1).and_then(|before| self.token(before)) else {
            return false;
        };
        match before.kind {
            TokenKind::Word => !self.text.get(before.range()).is_some_and(|word| OPERATORS.contains(&word)),
            TokenKind::Text | TokenKind::Mark(b')' | b']' | b'}') => true,
            TokenKind::Open | TokenKind::Close | TokenKind::Mark(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::definition::macro_definitions;
    use crate::template::macros::Library;

    fn rewritten(text: &str, kind: TemplateKind<'_>) -> RewrittenText {
        let library = Library::of_text("notes", "{% macro cents(x) %}{% endmacro %}");
        rewrite(&ScannedText::of(text), kind, &library.callables("notes"))
    }

    #[test]
    fn calls_name_their_place_and_nothing_else_changes() {
        let check = |text: &str| rewritten(text, TemplateKind::Text).text.replace('\u{1}', "@");
        assert_eq!(check("{{ ref('a') }}"), "{{ ref(\"@3:11;7:10:7:10:\", 'a') }}");
        assert_eq!(check("{{ config(a=1) }}"), "{{ config(\"@3:14;10:11:12:13:a\", a=1) }}");
        assert_eq!(check("{{ config() }}"), "{{ config(\"@3:11\") }}");
        assert_eq!(check("{{ notes.cents(1) }}"), "{{ notes.cents(\"@3:17\", 1) }}");
        assert_eq!(check("{{ adapter.dispatch('x')(1) }}"), "{{ adapter.dispatch('x')(\"@3:27\", 1) }}");
        for left_alone in [
            "ref('a')",
            "{{ x.ref('a') }}",
            "{{ preref('a') }}",
            "{{ x | cents(1) }}",
            "{% set cents = 1 %}{{ cents(1) }}",
        ] {
            assert_eq!(check(left_alone), left_alone);
        }
    }

    #[test]
    fn lists_of_a_set_can_change_and_subscripts_stay() {
        let text = rewritten("{% set x = [a[0], {}] if [] else y %}{{ [1] }}", TemplateKind::Text).text;
        assert_eq!(text, "{% set x = __mutable([a[0], __mutable({})]) if __mutable([]) else y %}{{ [1] }}");
    }

    #[test]
    fn macros_of_a_macro_file_get_a_name_of_their_own() {
        let text = "{%- macro cents(x) %}{{ cents(x) }}{% endmacro %}";
        let text = rewritten(text, TemplateKind::MacroFile(&macro_definitions(text))).text;
        assert_eq!(text.replace('\u{1}', "@"), "{%- macro m__cents(x) %}{{ cents(\"@24:32\", x) }}{% endmacro %}");
    }

    #[test]
    fn a_default_that_reads_another_parameter_is_computed_in_the_body() {
        let check = |text: &str| rewritten(text, TemplateKind::MacroFile(&macro_definitions(text))).text;
        assert_eq!(
            check("{%- macro f(a, b=a['x'], c = 'a', d) -%}{{ kwargs }}{% endmacro %}"),
            "{%- macro m__f(a, b, c, d, kwargs={}) %}{% set b = b if b is defined else (a['x']) %}{% set c = c if c is defined else ( 'a') \
             -%}{{ kwargs }}{% endmacro %}"
        );
        assert_eq!(
            check("{% macro f(a=1, b=a, c='a') %}{% endmacro %}"),
            "{% macro m__f(a=1, b={}.unset, c={}.unset) %}{% set b = b if b is defined else (a) %}{% set c = c if c is defined else ('a') \
             %}{% endmacro %}"
        );
        for plain in ["{% macro f(a, b=x.a, c='a') %}{% endmacro %}", "{% macro f(a) %}{{ a }}{% endmacro %}"] {
            assert_eq!(check(plain), plain.replace("macro f", "macro m__f"));
        }
    }

    #[test]
    fn every_place_leads_back_to_what_was_typed() {
        let text = "{% set x = [1] %}a {{ ref('a') }} b {{ ref('b', 1) }} c";
        let rewritten = rewritten(text, TemplateKind::Text);
        for word in ["a {{", "ref('b'", "b {{", "1) }}", " c"] {
            let typed = text.find(word).unwrap();
            let letter = word.chars().next().unwrap();
            let moved = rewritten.text.match_indices(letter).map(|(at, _)| at);
            assert!(moved.into_iter().any(|at| rewritten.original(at..at + 1) == (typed..typed + 1)), "{word}");
        }
    }
}
