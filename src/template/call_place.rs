//! Where a call and its arguments stand: written into the call as its first argument, because the engine does not tell.

use std::ops::Range;

use super::token::{Token, TokenKind};

/// What begins the argument that names a place.
const MARK: char = '\u{1}';

/// Where a call stands, to be written into it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CallPlace {
    pub whole: Range<usize>,
    /// Empty for calls of which nobody asks it.
    pub arguments: Vec<ArgumentPlace>,
}

/// Where an argument stands, or an entry of the dict that is the only argument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ArgumentPlace {
    /// `None` if it is given by its position.
    pub name: Option<String>,
    /// Where the name stands; of an argument without one, the same as `value`.
    pub key: Range<usize>,
    pub value: Range<usize>,
}

impl CallPlace {
    /// The argument as it stands in the rewritten template.
    pub fn written(&self) -> String {
        let mut text = format!("{MARK}{}:{}", self.whole.start, self.whole.end);
        for ArgumentPlace { name, key, value } in &self.arguments {
            let name = name.as_deref().unwrap_or_default();
            text.push_str(&format!(";{}:{}:{}:{}:{name}", key.start, key.end, value.start, value.end));
        }
        text
    }
}

/// A place that was written into a call, as the call finds it. Its arguments are read when somebody asks where they stand:
/// mostly nobody does.
#[derive(Debug, Clone)]
pub(super) struct ReadPlace<'a> {
    pub whole: Range<usize>,
    /// As [`CallPlace::written`] writes them, each behind a `;`.
    arguments: &'a str,
}

impl<'a> ReadPlace<'a> {
    /// The place that an argument names. Returns `None` if it is not the one that was written in.
    pub fn read(argument: &'a str) -> Option<Self> {
        let text = argument.strip_prefix(MARK)?;
        let (whole, arguments) = text.split_once(';').unwrap_or((text, ""));
        let (start, end) = whole.split_once(':')?;
        Some(Self { whole: start.parse().ok()?..end.parse().ok()?, arguments })
    }

    /// Where the arguments stand, in their order.
    pub fn arguments(&self) -> impl Iterator<Item = ArgumentPlace> + use<'a> {
        let written = self.arguments.split(';').filter(|part| !part.is_empty());
        written.filter_map(|part| {
            let mut fields = part.splitn(5, ':');
            let mut offset = || fields.next()?.parse::<usize>().ok();
            let key = offset()?..offset()?;
            let value = offset()?..offset()?;
            let name = fields.next().filter(|name| !name.is_empty()).map(str::to_owned);
            Some(ArgumentPlace { name, key, value })
        })
    }

    /// Where the argument with this name stands.
    pub fn named(&self, name: &str) -> Option<ArgumentPlace> {
        self.arguments().find(|argument| argument.name.as_deref() == Some(name))
    }
}

/// The arguments between two parentheses: `inside` are the tokens between them.
pub(super) fn arguments(text: &str, inside: &[Token]) -> Vec<ArgumentPlace> {
    if let [open, entries @ .., close] = inside
        && open.is(b'{')
        && close.is(b'}')
    {
        return separated(entries).filter_map(|entry| entry_of_dict(text, entry)).collect();
    }
    separated(inside).filter_map(|argument| argument_of_call(text, argument)).collect()
}

/// Parts between the commas that stand in no bracket.
fn separated(tokens: &[Token]) -> impl Iterator<Item = &[Token]> {
    let mut depth = 0_usize;
    tokens.split(move |token| {
        match token.kind {
            TokenKind::Mark(b'(' | b'[' | b'{') => depth += 1,
            TokenKind::Mark(b')' | b']' | b'}') => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth == 0 && token.is(b',')
    })
}

fn entry_of_dict(text: &str, entry: &[Token]) -> Option<ArgumentPlace> {
    let [key, colon, value @ ..] = entry else { return None };
    let is_name = key.kind == TokenKind::Text && colon.is(b':');
    let name = text.get(key.start + 1..key.end - 1).filter(|name| is_name && is_plain(name))?;
    Some(ArgumentPlace { name: Some(name.to_owned()), key: key.range(), value: extent(value)? })
}

fn argument_of_call(text: &str, argument: &[Token]) -> Option<ArgumentPlace> {
    if let [name, equals, value @ ..] = argument
        && name.kind == TokenKind::Word
        && equals.is(b'=')
        && !value.first().is_some_and(|next| next.is(b'='))
    {
        let key = text.get(name.range())?.to_owned();
        return Some(ArgumentPlace { name: Some(key), key: name.range(), value: extent(value)? });
    }
    let value = extent(argument)?;
    Some(ArgumentPlace { name: None, key: value.clone(), value })
}

/// Whether a name can stand in the written place.
fn is_plain(name: &str) -> bool {
    name.bytes().all(|letter| letter.is_ascii_alphanumeric() || matches!(letter, b'_' | b'-' | b'+'))
}

fn extent(tokens: &[Token]) -> Option<Range<usize>> {
    Some(tokens.first()?.start..tokens.last()?.end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::token::tokens;

    fn places(text: &str) -> String {
        let tokens = tokens(text);
        let found = arguments(text, &tokens[3..tokens.len() - 2]);
        let place = CallPlace { whole: 3..9, arguments: found };
        let written = place.written();
        let read = ReadPlace::read(&written).unwrap();
        assert_eq!(CallPlace { whole: read.whole.clone(), arguments: read.arguments().collect() }, place);
        let slice = |range: &Range<usize>| text.get(range.clone()).unwrap();
        let shown = place.arguments.iter().map(|found| format!("{}={}", slice(&found.key), slice(&found.value)));
        shown.collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn each_argument_has_a_place_of_its_own() {
        assert_eq!(places("{{ f('a', b, c=[1, 2], d = x == y) }}"), "'a'='a'; b=b; c=[1, 2]; d=x == y");
        assert_eq!(places("{{ f({'a': 1, \"b\": {'c': 2}}) }}"), "'a'=1; \"b\"={'c': 2}");
        assert_eq!(places("{{ f() }}"), "");
        assert!(ReadPlace::read("a text").is_none());
    }
}
