//! Macros as a text defines them: their names, their parameters, and whether they take more than those.

use std::ops::Range;

use super::own_tags::{TEST_PREFIX, TESTS};
use super::token::{Token, TokenKind, tokens};

/// The name that holds the positional arguments for which a macro has no parameter, as in Jinja2.
pub(super) const VARARGS: &str = "varargs";
/// The name that holds the keyword arguments for which a macro has no parameter, as in Jinja2.
pub(super) const KWARGS: &str = "kwargs";

/// One `{% macro name(parameters) %}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct MacroDefinition {
    /// Where the name stands.
    pub name: Range<usize>,
    /// What belongs before the name, because the tag says what the macro is.
    pub prefix: &'static str,
    pub parameters: Vec<String>,
    /// Where each parameter stands, and its default.
    pub places: Vec<ParameterPlace>,
    /// Where the list of parameters ends. `None` if it never does: the parser reports that.
    pub end_of_parameters: Option<usize>,
    /// Whether its text mentions `varargs`, which makes it take any number of arguments.
    pub takes_varargs: bool,
    /// Whether its text mentions `kwargs`, which makes it take arguments of any name.
    pub takes_kwargs: bool,
}

/// A parameter in the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ParameterPlace {
    /// The comma before it, or its beginning if it is the first.
    pub begins: usize,
    /// Its name.
    pub name: Range<usize>,
    /// The sign before its default. `None` if it has no default.
    pub equals: Option<Range<usize>>,
    /// The words of its default that are names of their own.
    pub mentioned: Vec<String>,
}

impl MacroDefinition {
    /// The first parameter whose default reads another one. Jinja2 knows those that stand before it; the engine computes defaults before any
    /// of them has its name.
    pub fn first_dependent(&self) -> Option<usize> {
        let reads = |place: &ParameterPlace| place.mentioned.iter().any(|word| self.parameters.contains(word));
        self.places.iter().position(reads)
    }

    /// The parameters that the engine must be given besides those that were written.
    pub fn hidden_parameters(&self) -> String {
        let mut written = String::new();
        for (is_taken, name, default) in [(self.takes_varargs, VARARGS, "[]"), (self.takes_kwargs, KWARGS, "{}")] {
            if is_taken {
                let comma = if self.parameters.is_empty() && written.is_empty() { "" } else { ", " };
                written.push_str(&format!("{comma}{name}={default}"));
            }
        }
        written
    }
}

/// The macros that a text defines, in their order.
pub(super) fn macro_definitions(text: &str) -> Vec<MacroDefinition> {
    let found = tokens(text);
    let mut definitions = Vec::new();
    for (index, window) in found.windows(3).enumerate() {
        let [open, keyword, name] = window else { continue };
        if open.kind != TokenKind::Open || name.kind != TokenKind::Word {
            continue;
        }
        let rest = found.get(index + 3..).unwrap_or_default();
        if is_word(text, *keyword, "macro") {
            definitions.push(definition(text, *name, rest));
        } else if TESTS.iter().any(|word| is_word(text, *keyword, word)) {
            definitions.push(MacroDefinition { prefix: TEST_PREFIX, ..definition(text, *name, rest) });
        }
    }
    definitions
}

/// Reads on behind the name of a macro.
fn definition(text: &str, name: Token, rest: &[Token]) -> MacroDefinition {
    let mut parameters = Vec::new();
    let mut places: Vec<ParameterPlace> = Vec::new();
    let mut last = name;
    let mut end_of_parameters = None;
    let mut depth = 0_usize;
    let mut begins_parameter = false;
    let mut body = rest;
    for (index, token) in rest.iter().enumerate() {
        match token.kind {
            TokenKind::Mark(b'(' | b'[' | b'{') => depth += 1,
            TokenKind::Mark(b')' | b']' | b'}') => depth = depth.saturating_sub(1),
            TokenKind::Word if begins_parameter => {
                parameters.extend(text.get(token.range()).map(str::to_owned));
                let begins = if last.is(b',') { last.start } else { token.start };
                places.push(ParameterPlace { begins, name: token.range(), equals: None, mentioned: Vec::new() });
            }
            TokenKind::Mark(b'=') if depth == 1 => {
                let current = places.last_mut().filter(|place| place.equals.is_none());
                current.into_iter().for_each(|place| place.equals = Some(token.range()));
            }
            TokenKind::Word if !last.is(b'.') => {
                let word = text.get(token.range()).unwrap_or_default().to_owned();
                places.last_mut().into_iter().for_each(|place| place.mentioned.push(word.clone()));
            }
            TokenKind::Mark(_) | TokenKind::Word | TokenKind::Text | TokenKind::Open | TokenKind::Close => {}
        }
        if depth == 0 {
            end_of_parameters = token.is(b')').then_some(token.start);
            body = rest.get(index + 1..).unwrap_or_default();
            break;
        }
        begins_parameter = depth == 1 && (token.is(b'(') || token.is(b','));
        last = *token;
    }
    let end = body.windows(2).position(|window| match window {
        [open, keyword] => {
            let is_end = ["endmacro", "endtest", "enddata_test"].iter().any(|word| is_word(text, *keyword, word));
            open.kind == TokenKind::Open && is_end
        }
        _ => false,
    });
    let body = body.get(..end.unwrap_or(body.len())).unwrap_or_default();
    let takes = |word: &str| !parameters.iter().any(|parameter| parameter == word) && mentions(text, body, word);
    MacroDefinition {
        name: name.range(),
        prefix: "",
        takes_varargs: takes(VARARGS),
        takes_kwargs: takes(KWARGS),
        parameters,
        places,
        end_of_parameters,
    }
}

/// Whether a word stands there as a name of its own, not as an attribute.
fn mentions(text: &str, tokens: &[Token], word: &str) -> bool {
    let mut is_attribute = false;
    for token in tokens {
        if !is_attribute && is_word(text, *token, word) {
            return true;
        }
        is_attribute = token.is(b'.');
    }
    false
}

fn is_word(text: &str, token: Token, word: &str) -> bool {
    token.kind == TokenKind::Word && text.get(token.range()) == Some(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn only(text: &str) -> MacroDefinition {
        let [definition] = &macro_definitions(text)[..] else { panic!("{text}") };
        definition.clone()
    }

    #[test]
    fn parameters_are_read_with_their_defaults() {
        let found = only("{% macro pick(first, second=[1, (2)], third='a)') -%}{{ first }}{%- endmacro %}");
        assert_eq!(found.parameters, ["first", "second", "third"]);
        assert_eq!((found.takes_varargs, found.takes_kwargs), (false, false));
        assert_eq!(found.hidden_parameters(), "");
        assert_eq!(only("{% macro none() %}{% endmacro %}").parameters, Vec::<String>::new());
        assert_eq!(only("{% macro open(a, b").end_of_parameters, None);
    }

    #[test]
    fn only_the_macros_own_text_says_that_it_takes_more() {
        let found = macro_definitions(
            "{% macro a(x) %}{{ varargs }}{% endmacro %}{% macro b() %}{{ kwargs.x }}{% endmacro %}
             {% macro c(varargs) %}{{ varargs }}{{ x.kwargs }}{{ 'kwargs' }}{% endmacro %}{{ varargs }}",
        );
        let hidden: Vec<String> = found.iter().map(MacroDefinition::hidden_parameters).collect();
        assert_eq!(hidden, [", varargs=[]", "kwargs={}", ""]);
        let both = only("{% macro d() %}{{ kwargs }}{{ varargs }}{% endmacro %}");
        assert_eq!(both.hidden_parameters(), "varargs=[], kwargs={}");
    }
}
