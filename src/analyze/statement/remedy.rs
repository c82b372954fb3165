//! What to write where the parser stopped: its messages say what it expected, and not what was meant.

use sqlparser::tokenizer::{Location, Token, Tokenizer};

use super::Dialect;
use crate::diag::nearest;
use crate::project::SqlDialect;
use crate::span::Position;

/// Words that a SELECT is made of: what stands where the parser stopped may be one of them, misspelt.
const WORDS: [&str; 25] = [
    "select",
    "from",
    "where",
    "group",
    "order",
    "having",
    "limit",
    "offset",
    "join",
    "left",
    "right",
    "inner",
    "union",
    "with",
    "case",
    "when",
    "then",
    "else",
    "between",
    "qualify",
    "partition",
    "over",
    "distinct",
    "values",
    "null",
];

/// A word of the text with its place.
struct SqlWord {
    /// In lower case; a text in quotes keeps them.
    text: String,
    start: Location,
    is_text: bool,
}

/// What to do about a syntax error.
pub(in crate::analyze) enum SyntaxRemedy {
    /// Something to write where the parser stopped.
    Here(String),
    /// What begins at a place never ends; the parser stopped where it should have ended.
    NeverClosed { opening: &'static str, closing: &'static str, at: Position },
    /// The text that begins where the parser stopped never ends.
    OpenText,
}

fn never_closed(opening: &'static str, closing: &'static str, at: Location) -> SyntaxRemedy {
    let at = Position { line: at.line as usize, column: at.column as usize };
    SyntaxRemedy::NeverClosed { opening, closing, at }
}

/// The remedy for a syntax error at a place; `None` if there is nothing to say beyond the parser's own words.
pub(in crate::analyze) fn of_syntax(sql: &str, message: &str, at: Option<Position>) -> Option<SyntaxRemedy> {
    if message.contains("Unterminated string literal") {
        return Some(SyntaxRemedy::OpenText);
    }
    let pieces = pieces(sql)?;
    let place = at.and_then(|at| {
        pieces.iter().position(|piece| (piece.start.line as usize, piece.start.column as usize) == (at.line, at.column))
    });
    let found = place.map_or(pieces.len(), |place| place);
    let word = |steps: usize| {
        let index = found.checked_sub(steps)?;
        pieces.get(index)
    };
    let text = |steps: usize| word(steps).map_or("", |piece| piece.text.as_str());
    let is_text = |steps: usize| word(steps).is_some_and(|piece| piece.is_text);
    if ["expected: )", "Expected: )"].iter().any(|words| message.contains(words))
        // Only where none of the text closes it: else something within does not belong there.
        && unclosed(&pieces, pieces.len()).is_some()
        && let Some(open) = unclosed(&pieces, found)
    {
        return Some(never_closed("(", ")", open));
    }
    if let Some(open) = open_case(&pieces, found) {
        return Some(never_closed("case", "end", open));
    }
    if let Some(help) = of_words(text(0), text(1)) {
        return Some(SyntaxRemedy::Here(help.to_owned()));
    }
    if is_text(1) && is_text(2) || is_text(0) && is_text(1) {
        return Some(SyntaxRemedy::Here("join texts with `||`".to_owned()));
    }
    if pieces.iter().take(found).any(|piece| piece.text == "asof") {
        return Some(SyntaxRemedy::Here(
            "join on the newest row: `row_number() over (partition by … order by … desc)`".to_owned(),
        ));
    }
    if text(0) == ")" && unclosed(&pieces, found).is_none() {
        return Some(SyntaxRemedy::Here("no `(` is open here: leave the `)` out".to_owned()));
    }
    let misspelt = [0, 1].into_iter().find_map(|steps| {
        let known = WORDS.contains(&text(steps)) || is_text(steps);
        nearest(text(steps), WORDS).filter(|_| !known && text(steps).len() > 3)
    });
    misspelt.map(|word| SyntaxRemedy::Here(format!("did you mean `{word}`?")))
}

fn of_words(found: &str, before: &str) -> Option<&'static str> {
    Some(match (before, found) {
        ("symmetric", _) => "write `between least(a, b) and greatest(a, b)`",
        (_, "exclude") => "leave `exclude` out: take the row's own value off the result, or join the rows",
        (_, "percent") => "compare the row's place with a part of the rows: `percent_rank() over (order by …) < 0.5`",
        ("using", "sample") | (_, "sample") => {
            "write a condition that is the same in each run, as `where id % 100 = 0`"
        }
        (_, "using") => "leave `using` out, or write `join … using (column)`",
        (_, "table") => "write `select * from …`",
        (_, "pivot") => "write `sum(x) filter (where k = 'a') as a` for each column",
        (_, "unpivot") => "write one SELECT for each column, with `union all` between them",
        ("isnull", _) => "write `is null`",
        (",", "," | "from") => "leave out one of the commas",
        (_, "partition") | ("partition", _) => "write `partition by`",
        ("order", _) | (_, "order") => "write `order by`",
        ("group", _) | (_, "group") => "write `group by`",
        (_, "from") => "something is missing before `from`: a column, or the end of an expression",
        (_, "where") => "there is one WHERE, right after FROM and its joins: put more conditions to it with `and`",
        (_, word) if word.starts_with('_') => "write the number without `_`, or a space between the two",
        _ => return None,
    })
}

/// The last `case` without an `end` before a word.
fn open_case(pieces: &[SqlWord], found: usize) -> Option<Location> {
    let mut open = Vec::new();
    for piece in pieces.iter().take(found) {
        match piece.text.as_str() {
            "case" => open.push(piece.start),
            "end" => drop(open.pop()),
            _ => {}
        }
    }
    // Within a CASE that is closed later, something else is wrong.
    let is_closed = pieces.iter().skip(found).any(|piece| piece.text == "end");
    open.pop().filter(|_| !is_closed)
}

/// Where a statement stops in the middle: the parenthesis that is open.
pub(in crate::analyze) fn open_at_the_end(sql: &str) -> Option<Position> {
    let pieces = pieces(sql)?;
    let open = unclosed(&pieces, pieces.len())?;
    Some(Position { line: open.line as usize, column: open.column as usize })
}

/// The last parenthesis that is open before a piece.
fn unclosed(pieces: &[SqlWord], found: usize) -> Option<Location> {
    let mut open = Vec::new();
    for piece in pieces.iter().take(found) {
        match piece.text.as_str() {
            "(" => open.push(piece.start),
            ")" => drop(open.pop()),
            _ => {}
        }
    }
    open.pop()
}

fn pieces(sql: &str) -> Option<Vec<SqlWord>> {
    let dialect = Dialect::for_text(sql, SqlDialect::default());
    let tokens = Tokenizer::new(&dialect, sql).tokenize_with_location().ok()?;
    let pieces = tokens.into_iter().filter(|token| !matches!(token.token, Token::Whitespace(_) | Token::EOF));
    let piece = |token: sqlparser::tokenizer::TokenWithSpan| SqlWord {
        is_text: matches!(token.token, Token::SingleQuotedString(_)),
        start: token.span.start,
        text: token.token.to_string().to_lowercase(),
    };
    Some(pieces.map(piece).collect())
}

/// The word that begins the statement.
pub(in crate::analyze) fn first_word(sql: &str) -> Option<Position> {
    let pieces = pieces(sql)?;
    let first = pieces.iter().find(|piece| piece.text != ";")?;
    Some(Position { line: first.start.line as usize, column: first.start.column as usize })
}

/// The word that begins the second statement.
pub(in crate::analyze) fn second_statement(sql: &str) -> Option<Position> {
    let pieces = pieces(sql)?;
    let first = pieces.iter().position(|piece| piece.text != ";")?;
    let end = pieces.iter().skip(first).position(|piece| piece.text == ";")? + first;
    let second = pieces.iter().skip(end).find(|piece| piece.text != ";")?;
    Some(Position { line: second.start.line as usize, column: second.start.column as usize })
}
