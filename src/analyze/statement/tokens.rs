//! What can be said of a text before it is parsed: how deep it nests, and numbers that run into words.

use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Location, Token, TokenWithSpan};

/// Deeper nesting of parentheses, CASE and NOT is refused.
const MAX_NESTING: usize = 128;

/// Deeper nesting of queries is refused: each of them costs the planner much more stack than an expression does.
const MAX_QUERIES: usize = 40;

/// The first place that nests too deep. The parser would meet its own limit inside of an attempt, take that for a
/// wrong guess, and say something else, after trying each level around it twice.
pub(in crate::analyze) fn too_deep(tokens: &[TokenWithSpan]) -> Option<Location> {
    let mut words = tokens.iter().filter(|token| !matches!(token.token, Token::Whitespace(_))).peekable();
    // One entry for each level that is open: whether it is a query.
    let mut open: Vec<bool> = Vec::new();
    let mut queries = 0;
    let mut negations = 0;
    while let Some(token) = words.next() {
        let is_not = keyword(token) == Some(Keyword::NOT);
        let signs = matches!(token.token, Token::Plus | Token::Minus | Token::Tilde);
        negations = if is_not || signs { negations + 1 } else { 0 };
        match &token.token {
            Token::LParen | Token::LBracket => {
                let inner = words.peek().and_then(|next| keyword(next));
                let is_query = matches!(inner, Some(Keyword::SELECT | Keyword::WITH | Keyword::VALUES));
                queries += usize::from(is_query);
                open.push(is_query);
            }
            Token::RParen | Token::RBracket => queries -= usize::from(open.pop() == Some(true)),
            Token::Word(_) => match keyword(token) {
                Some(Keyword::CASE) => open.push(false),
                // A column may be called `end`: only what opened is closed.
                Some(Keyword::END) if open.last() == Some(&false) => {
                    open.pop();
                }
                _ => {}
            },
            _ => {}
        }
        if open.len() + negations > MAX_NESTING || queries > MAX_QUERIES {
            return Some(token.span.start);
        }
    }
    None
}

/// A word that is not in quotes. None if it is none that SQL knows.
fn keyword(token: &TokenWithSpan) -> Option<Keyword> {
    match &token.token {
        Token::Word(word) if word.quote_style.is_none() => Some(word.keyword),
        _ => None,
    }
}

/// A word right behind a number: `1_000` would be a 1 that is called `_000`.
pub(in crate::analyze) fn trailing_junk(tokens: &[TokenWithSpan]) -> Option<Location> {
    tokens.windows(2).find_map(|pair| match pair {
        [number, word] if matches!((&number.token, &word.token), (Token::Number(..), Token::Word(_))) => {
            Some(word.span.start)
        }
        _ => None,
    })
}
