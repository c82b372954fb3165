//! What can be said of a text before it is parsed: how deep it nests, and numbers that run into words.

use std::collections::BTreeSet;

use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Location, Token, TokenWithSpan};

/// Deeper nesting of parentheses, CASE and NOT is refused.
const MAX_NESTING: usize = 128;

/// Deeper nesting of queries is refused: each of them costs the planner much more than an expression does.
const MAX_QUERIES: usize = 12;

/// More operators in a row, or more queries with UNION between them, are refused: both make a tree that is as deep as
/// the row is long, and planning goes down to its end.
const MAX_IN_A_ROW: usize = 1_000;

/// The first operator, or set operation, that is one too many in its row.
pub(in crate::analyze) fn too_long(tokens: &[TokenWithSpan]) -> Option<Location> {
    #[derive(Default, Clone, Copy)]
    struct OpenParenthesis {
        operators: usize,
        queries: usize,
    }
    let mut open = vec![OpenParenthesis::default()];
    for token in tokens {
        match &token.token {
            Token::LParen | Token::LBracket => open.push(OpenParenthesis::default()),
            // The outermost row stays, also where a parenthesis is closed that nothing opened.
            Token::RParen | Token::RBracket if open.len() > 1 => drop(open.pop()),
            _ => {}
        }
        let Some(row) = open.last_mut() else { continue };
        match &token.token {
            Token::Comma | Token::SemiColon => row.operators = 0,
            Token::Plus | Token::Minus | Token::Mul | Token::Div | Token::Mod | Token::StringConcat => {
                row.operators += 1
            }
            Token::Word(_) => match keyword(token) {
                Some(Keyword::AND | Keyword::OR) => row.operators += 1,
                Some(Keyword::UNION | Keyword::EXCEPT | Keyword::INTERSECT) => {
                    row.operators = 0;
                    row.queries += 1;
                }
                Some(Keyword::SELECT | Keyword::FROM | Keyword::WHERE | Keyword::WHEN | Keyword::THEN) => {
                    row.operators = 0;
                }
                _ => {}
            },
            _ => {}
        }
        if row.operators > MAX_IN_A_ROW || row.queries > MAX_IN_A_ROW {
            return Some(token.span.start);
        }
    }
    None
}

/// One level that is open.
#[derive(Clone, Copy)]
struct Level {
    is_query: bool,
    /// How much of the nesting it takes: a NOT before it costs the planner stack as well.
    weight: usize,
}

/// The first place that nests too deep. The parser would meet its own limit inside of an attempt, take that for a
/// wrong guess, and say something else, after trying each level around it twice.
pub(in crate::analyze) fn too_deep(tokens: &[TokenWithSpan]) -> Option<Location> {
    let mut words = tokens.iter().filter(|token| !matches!(token.token, Token::Whitespace(_))).peekable();
    let mut open: Vec<Level> = Vec::new();
    let mut nesting = 0;
    let mut queries = 0;
    // NOTs and signs right before the next level.
    let mut prefixes = 0;
    while let Some(token) = words.next() {
        let is_prefix = matches!(token.token, Token::Plus | Token::Minus | Token::Tilde);
        let inner = words.peek().and_then(|next| keyword(next));
        let is_query = matches!(inner, Some(Keyword::SELECT | Keyword::WITH | Keyword::VALUES));
        let opened = match &token.token {
            Token::LParen | Token::LBracket => Some(Level { is_query, weight: 1 + prefixes }),
            Token::Word(_) if keyword(token) == Some(Keyword::CASE) => Some(Level { is_query: false, weight: 1 }),
            _ => None,
        };
        let closes = match &token.token {
            Token::RParen | Token::RBracket => true,
            // A column may be called `end`: only what opened is closed.
            Token::Word(_) => keyword(token) == Some(Keyword::END) && open.last().is_some_and(|level| !level.is_query),
            _ => false,
        };
        if let Some(level) = opened {
            nesting += level.weight;
            queries += usize::from(level.is_query);
            open.push(level);
        }
        if let Some(level) = closes.then(|| open.pop()).flatten() {
            nesting -= level.weight;
            queries -= usize::from(level.is_query);
        }
        prefixes = if is_prefix || keyword(token) == Some(Keyword::NOT) { prefixes + 1 } else { 0 };
        if nesting + prefixes > MAX_NESTING || queries > MAX_QUERIES {
            return Some(token.span.start);
        }
    }
    None
}

/// Returns a word that is not in quotes. Returns `None` if SQL does not know it.
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

/// The tokens without `materialized` and `not materialized` before the query of a CTE, which change no row.
pub(in crate::analyze) fn without_hints(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let words: Vec<usize> = tokens
        .iter()
        .enumerate()
        .filter(|(_, token)| !matches!(token.token, Token::Whitespace(_)))
        .map(|(place, _)| place)
        .collect();
    let word = |place: &usize| tokens.get(*place).and_then(keyword);
    let opens = |place: &usize| tokens.get(*place).is_some_and(|token| token.token == Token::LParen);
    let mut hints = BTreeSet::new();
    for pieces in words.windows(4) {
        let [first, second, third, fourth] = pieces else { continue };
        if word(first) != Some(Keyword::AS) {
            continue;
        }
        match (word(second), word(third)) {
            (Some(Keyword::MATERIALIZED), _) if opens(third) => drop(hints.insert(*second)),
            (Some(Keyword::NOT), Some(Keyword::MATERIALIZED)) if opens(fourth) => hints.extend([*second, *third]),
            _ => {}
        }
    }
    if hints.is_empty() {
        return tokens;
    }
    tokens.into_iter().enumerate().filter(|(place, _)| !hints.contains(place)).map(|(_, token)| token).collect()
}
