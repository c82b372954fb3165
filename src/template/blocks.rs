//! Statement tags that belong together: `{% if %}` and its `{% endif %}`.

use super::token::{Token, TokenKind};

/// A `{% … %}`, by the places of its tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct StatementTag<'a> {
    pub word: &'a str,
    /// The places of its braces among the tokens.
    pub open: usize,
    pub close: usize,
}

/// A block that was opened and closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct StatementBlock<'a> {
    pub begin: StatementTag<'a>,
    pub end: StatementTag<'a>,
    /// Whether it has an `{% else %}` of its own.
    pub has_else: bool,
}

/// Why blocks do not fit together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BlockFault<'a> {
    NeverClosed(StatementTag<'a>),
    /// The end of another block than the one that is open.
    Mismatched {
        open: StatementTag<'a>,
        found: StatementTag<'a>,
    },
    /// An end or an `else` where no block is open.
    NotOpen(StatementTag<'a>),
}

/// The blocks of a text, in the order of their ends.
#[derive(Debug, Default)]
pub(super) struct StatementBlocks<'a> {
    pub closed: Vec<StatementBlock<'a>>,
    pub fault: Option<BlockFault<'a>>,
}

const BLOCKS: [&str; 8] = ["if", "for", "macro", "call", "filter", "with", "block", "autoescape"];

/// Matches ends with beginnings, up to the first that does not fit.
pub(super) fn blocks<'a>(text: &'a str, tokens: &[Token]) -> StatementBlocks<'a> {
    let mut found = StatementBlocks::default();
    let mut open: Vec<(StatementTag<'a>, bool)> = Vec::new();
    for tag in statement_tags(text, tokens) {
        match tag.word {
            "else" | "elif" => match open.last_mut() {
                Some((block, has_else)) if matches!(block.word, "if" | "for") => *has_else |= tag.word == "else",
                Some((block, _)) => return found.with(BlockFault::Mismatched { open: *block, found: tag }),
                None => return found.with(BlockFault::NotOpen(tag)),
            },
            "set" if is_assignment(tokens, tag) => {}
            word if word == "set" || BLOCKS.contains(&word) => open.push((tag, false)),
            word => {
                let Some(closed) = word.strip_prefix("end").filter(|word| *word == "set" || BLOCKS.contains(word))
                else {
                    continue;
                };
                match open.pop() {
                    Some((begin, has_else)) if begin.word == closed => {
                        found.closed.push(StatementBlock { begin, end: tag, has_else });
                    }
                    Some((begin, _)) => return found.with(BlockFault::Mismatched { open: begin, found: tag }),
                    None => return found.with(BlockFault::NotOpen(tag)),
                }
            }
        }
    }
    match open.pop() {
        Some((tag, _)) => found.with(BlockFault::NeverClosed(tag)),
        None => found,
    }
}

impl<'a> StatementBlocks<'a> {
    fn with(self, fault: BlockFault<'a>) -> StatementBlocks<'a> {
        StatementBlocks { fault: Some(fault), ..self }
    }
}

fn statement_tags<'a>(text: &'a str, tokens: &[Token]) -> Vec<StatementTag<'a>> {
    let mut tags = Vec::new();
    let mut begun: Option<(usize, &'a str)> = None;
    for (place, token) in tokens.iter().enumerate() {
        match token.kind {
            TokenKind::Open => {
                let is_statement = text.get(token.range()) == Some("{%");
                let word = tokens.get(place + 1).filter(|next| next.kind == TokenKind::Word);
                begun = word.filter(|_| is_statement).and_then(|word| Some((place, text.get(word.range())?)));
            }
            TokenKind::Close => {
                if let Some((open, word)) = begun.take() {
                    tags.push(StatementTag { word, open, close: place });
                }
            }
            TokenKind::Word | TokenKind::Text | TokenKind::Mark(_) => {}
        }
    }
    tags
}

/// `{% set x = 1 %}` has no end, unlike `{% set x %}`.
fn is_assignment(tokens: &[Token], tag: StatementTag<'_>) -> bool {
    let mut depth = 0_usize;
    tokens.get(tag.open..tag.close).unwrap_or_default().iter().any(|token| {
        match token.kind {
            TokenKind::Mark(b'(' | b'[') => depth += 1,
            TokenKind::Mark(b')' | b']') => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth == 0 && token.is(b'=')
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::token::tokens;

    fn fault(text: &str) -> String {
        match blocks(text, &tokens(text)).fault {
            Some(BlockFault::NeverClosed(tag)) => format!("{} never closed", tag.word),
            Some(BlockFault::Mismatched { open, found }) => format!("{} in {}", found.word, open.word),
            Some(BlockFault::NotOpen(tag)) => format!("{} not open", tag.word),
            None => String::new(),
        }
    }

    #[test]
    fn blocks_fit_together_or_the_first_fault_is_found() {
        assert_eq!(fault("{% if a %}{% for b in c %}{% else %}{% endfor %}{% elif d %}{% else %}{% endif %}"), "");
        assert_eq!(fault("{% set a = f(b=1) %}{% set c %}x{% endset %}{% set d | upper %}{% endset %}"), "");
        assert_eq!(fault("{% if a %}{% for b in c %}{% endif %}"), "endif in for");
        assert_eq!(fault("{% if a %}\nx"), "if never closed");
        assert_eq!(fault("x {% endif %}"), "endif not open");
        assert_eq!(fault("{% macro a() %}{% else %}{% endmacro %}"), "else in macro");
    }
}
