//! The engine's errors as diagnostics that point into the author's file, through the source map.

use std::collections::BTreeSet;
use std::ops::{ControlFlow, Range};

use datafusion::common::{DataFusionError, SchemaError};
use sqlparser::ast::{Expr, Spanned as _, Visit, Visitor};

use super::find;
use super::functions::CLOCK;
use super::literal_fault::LiteralFault;
use super::message::{KnownNames, reads_the_clock, shape};
use super::planner::{NotParsed, ParsedStatement};
use super::references::without_catalogs;
use super::statement::{self, RefusedClause, SyntaxRemedy};
use super::wording::lower_first;
use crate::diag::{CALLED_HERE, Code, Diagnostic, Reported, Sink, USED_HERE, nearest};
use crate::span::{FileId, Position, Span, TracedSpan, offset_of};
use crate::template::RenderedSql;

/// The text that an error speaks of.
#[derive(Clone, Copy)]
pub(crate) struct SqlPlace<'a> {
    pub sql: &'a RenderedSql,
    /// The whole of the author's file: where nothing finer is known.
    pub whole: Span,
}

fn position(line: u64, column: u64) -> Position {
    Position { line: line as usize, column: column as usize }
}

impl<'a> SqlPlace<'a> {
    pub fn new(sql: &'a RenderedSql, file: FileId) -> SqlPlace<'a> {
        SqlPlace { sql, whole: Span::new(file, 0..0) }
    }

    /// From a line and column of the rendered SQL to what was typed.
    fn span(self, start: Position, end: Option<Position>) -> TracedSpan {
        let from = offset_of(&self.sql.text, start);
        let to = end.map_or(from, |end| offset_of(&self.sql.text, end));
        // Without an end, the word at the place is what is meant.
        let to = if to > from { to } else { word_end(&self.sql.text, from) };
        self.sql.map.traced(from..to)
    }

    /// Within what a macro gave, its line with the fault: the call alone does not show it.
    fn line_of_a_macro(self, start: Position) -> Option<String> {
        let text = &self.sql.text;
        let from = offset_of(text, start);
        let made = self.sql.map.made_around(&(from..word_end(text, from)))?;
        let before = text.get(made.start..from)?.rfind('\n').map_or(made.start, |newline| made.start + newline + 1);
        let end = text.get(from..made.end)?.find('\n').map_or(made.end, |newline| from + newline);
        Some(format!("the call gives this line: `{}`", text.get(before..end)?.trim()))
    }

    /// What the engine has marked, in lines and columns from 1.
    fn span_of_engine(self, span: &datafusion::common::Span) -> TracedSpan {
        self.span(position(span.start.line, span.start.column), Some(position(span.end.line, span.end.column)))
    }

    /// What the parser has marked; its places begin at 1, and 0 says that it has none.
    pub(super) fn span_of_parser(self, span: &sqlparser::tokenizer::Span) -> TracedSpan {
        self.span(position(span.start.line, span.start.column), Some(position(span.end.line, span.end.column)))
    }

    fn span_of_bytes(self, range: Range<usize>) -> TracedSpan {
        self.sql.map.traced(range)
    }
}

/// An error that has no place of its own lies on the first line of the model.
fn first_line(place: SqlPlace<'_>) -> TracedSpan {
    let text = &place.sql.text;
    let start = text.len() - text.trim_start().len();
    let end = text.get(start..).and_then(|rest| rest.find('\n')).map_or(text.len(), |newline| start + newline);
    place.span_of_bytes(start..end.max(start))
}

/// The word that the statement begins with.
fn first_word(place: SqlPlace<'_>) -> Option<Range<usize>> {
    let start = statement::first_word(&place.sql.text)?;
    let start = offset_of(&place.sql.text, start);
    Some(start..word_end(&place.sql.text, start))
}

fn word_end(text: &str, start: usize) -> usize {
    let rest = text.get(start..).unwrap_or("");
    let letters = rest.find(|letter: char| !letter.is_alphanumeric() && letter != '_').unwrap_or(rest.len());
    start + letters.max(rest.chars().next().map_or(0, char::len_utf8))
}

/// Says why a text is no SELECT.
pub(crate) fn not_parsed(error: &NotParsed, place: SqlPlace<'_>, sink: &mut Sink) -> Reported {
    let diagnostic = match error {
        NotParsed::Syntax(text) => syntax(text, place),
        NotParsed::Empty => Diagnostic::error(Code::NotASelect, "there is no SQL")
            .at(place.whole)
            .help("write one SELECT; for a file that is not ready, set `config(enabled=false)`"),
        NotParsed::Several => Diagnostic::error(Code::NotASelect, "there is more than one statement")
            .traced(
                statement::second_statement(&place.sql.text)
                    .map_or_else(|| first_line(place), |start| place.span(start, None)),
            )
            .help("a model is one SELECT, without `;` in the middle"),
        NotParsed::NotASelect(what) => {
            let word = first_word(place);
            let span = word.map_or_else(|| first_line(place), |word| place.span_of_bytes(word));
            Diagnostic::error(Code::NotASelect, format!("this is {what}"))
                .traced(span)
                .help("write one SELECT: karat makes the table of it")
        }
        NotParsed::Refused(refusals) => return refused(refusals, place, sink),
    };
    sink.error(diagnostic)
}

/// The parser's error: where it stopped, or where what it missed the end of begins.
fn syntax(text: &str, place: SqlPlace<'_>) -> Diagnostic {
    let (message, position) = split_position(text);
    let message = message.trim_start_matches("sql parser error: ");
    let sql = &place.sql.text;
    let open = || statement::open_at_the_end(sql);
    let stopped = position.or_else(open).map_or_else(|| first_line(place), |start| place.span(start, None));
    let error = |message: &str| Diagnostic::error(Code::InvalidSql, message);
    match statement::of_syntax(sql, message, position) {
        None => error(&lower_first(message)).traced(stopped),
        Some(SyntaxRemedy::Here(help)) => error(&lower_first(message)).traced(stopped).help(help),
        Some(SyntaxRemedy::NeverClosed { opening, closing, at }) => {
            let opened = place.span(at, None);
            let diagnostic = error(&format!("`{opening}` is never closed")).traced(opened);
            let diagnostic = match position {
                Some(_) if stopped.span != opened.span => {
                    diagnostic.labelled(stopped.span, format!("`{closing}` should stand before this"))
                }
                _ => diagnostic,
            };
            diagnostic.help(format!("close it with `{closing}`"))
        }
        Some(SyntaxRemedy::OpenText) => {
            let start = position.map_or(0, |start| offset_of(sql, start));
            let length = sql.get(start..).and_then(|rest| rest.lines().next()).unwrap_or_default().trim_end().len();
            error("the text that begins with `'` never ends")
                .traced(place.span_of_bytes(start..start + length.max(1)))
                .help("close it with `'`; an apostrophe within a text is written twice: `'it''s'`")
        }
    }
}

fn refused(refusals: &[RefusedClause], place: SqlPlace<'_>, sink: &mut Sink) -> Reported {
    let mut reported = None;
    for RefusedClause { message, help, span } in refusals {
        let at = match span.start.line {
            0 => first_line(place),
            _ => place.span_of_parser(span),
        };
        reported = Some(sink.error(Diagnostic::error(Code::UnsupportedSql, message).traced(at).help(help)));
    }
    reported.expect("a statement is refused for a reason")
}

/// Says every error that planning found.
pub(crate) fn not_planned(
    error: &DataFusionError,
    parsed: &ParsedStatement,
    place: SqlPlace<'_>,
    names: KnownNames<'_>,
    sink: &mut Sink,
) -> Reported {
    let mut errors = Vec::new();
    collect(error, &mut errors);
    let mut reported = None;
    for error in errors {
        let diagnostic = one(error, parsed, place, names);
        let start =
            error.diagnostic().and_then(|found| found.span).map(|span| position(span.start.line, span.start.column));
        // The place in the macro shows its line.
        let is_traced = diagnostic.labels.iter().any(|label| [CALLED_HERE, USED_HERE].contains(&label.text.as_str()));
        let diagnostic = match start.filter(|_| !is_traced).and_then(|start| place.line_of_a_macro(start)) {
            Some(line) => diagnostic.note(line),
            None => diagnostic,
        };
        reported = Some(sink.error(diagnostic));
    }
    reported.unwrap_or_else(|| {
        let message = error.strip_backtrace();
        let message = without_catalogs(&message);
        sink.error(Diagnostic::error(Code::InvalidPlan, message).traced(first_line(place)))
    })
}

fn collect<'a>(error: &'a DataFusionError, found: &mut Vec<&'a DataFusionError>) {
    match error {
        DataFusionError::Collection(errors) => errors.iter().for_each(|error| collect(error, found)),
        other => found.push(other),
    }
}

fn one(error: &DataFusionError, parsed: &ParsedStatement, place: SqlPlace<'_>, names: KnownNames<'_>) -> Diagnostic {
    let root = error.find_root();
    if let DataFusionError::SchemaError(schema_error, _) = root {
        return schema(schema_error, error, parsed, place);
    }
    if let DataFusionError::External(external) = root
        && let Some(fault) = external.downcast_ref::<LiteralFault>()
    {
        let at = fault.place(parsed.statement()).map(|span| place.span_of_parser(&span));
        return fault.diagnostic().traced(at.unwrap_or_else(|| guess(&fault.to_string(), parsed, place)));
    }
    let Some(found) = error.diagnostic() else {
        let (message, position) = split_position(&without_catalogs(&root.message()));
        let span = position.map_or_else(|| guess(&message, parsed, place), |start| place.span(start, None));
        return shape(&message, parsed, names).traced(span);
    };
    let message = without_catalogs(&found.message);
    if let Some(diagnostic) = unequal_sides(&message, found, place) {
        return diagnostic;
    }
    let primary = found.span.as_ref().map_or_else(
        || guess(&message, parsed, place),
        |span| {
            let whole = find::mixing(span, &message, parsed);
            whole.map_or_else(|| place.span_of_engine(span), |whole| place.span_of_parser(&whole))
        },
    );
    let mut diagnostic = shape(&message, parsed, names).traced(primary);
    // The engine's guess at another function is often far-fetched, and karat makes its own.
    let of_function = [Code::VolatileFunction, Code::UnknownFunction].contains(&diagnostic.code);
    let notes = found.notes.iter().filter(|_| !of_function);
    for note in notes.collect::<Vec<_>>() {
        diagnostic = match &note.span {
            Some(at) => diagnostic.labelled(place.span_of_engine(at).span, without_catalogs(&note.message)),
            None => diagnostic.note(without_catalogs(&note.message)),
        };
    }
    if diagnostic.helps.is_empty() {
        for help in &found.helps {
            diagnostic = diagnostic.help(lower_first(&without_catalogs(&help.message)));
        }
    }
    diagnostic
}

/// Two sides of a UNION with different numbers of columns: the last one is what the author looks at.
fn unequal_sides(message: &str, found: &datafusion::common::Diagnostic, place: SqlPlace<'_>) -> Option<Diagnostic> {
    if !message.contains("queries have different number of columns") {
        return None;
    }
    let mut sides =
        found.notes.iter().rev().filter_map(|note| Some((note.span.as_ref()?, first_number(&note.message)?)));
    let (last, columns) = sides.next()?;
    let shown = |columns: usize| if columns == 1 { "1 column".to_owned() } else { format!("{columns} columns") };
    let mut diagnostic = Diagnostic::error(Code::InvalidPlan, "the sides of a UNION have different numbers of columns");
    diagnostic = diagnostic.labelled(place.span_of_engine(last).span, shown(columns));
    for (side, columns) in sides {
        diagnostic = diagnostic.labelled(place.span_of_engine(side).span, shown(columns));
    }
    Some(diagnostic.help("select the same columns on both sides, with `null as name` for those that one has not"))
}

fn first_number(text: &str) -> Option<usize> {
    text.split(|letter: char| !letter.is_ascii_digit()).find(|digits| !digits.is_empty())?.parse().ok()
}

fn schema(error: &SchemaError, outer: &DataFusionError, parsed: &ParsedStatement, place: SqlPlace<'_>) -> Diagnostic {
    match error {
        SchemaError::FieldNotFound { field, valid_fields } => {
            let span = diagnosed(outer, place).unwrap_or_else(|| find_name(&field.name, parsed, place));
            // Without parentheses it stands where a column could stand.
            if CLOCK.contains(&field.name.to_lowercase().as_str()) {
                return reads_the_clock(&field.name).traced(span);
            }
            let known: Vec<&str> = valid_fields.iter().map(|column| column.name.as_str()).collect();
            let diagnostic = Diagnostic::error(
                Code::UnknownColumn,
                format!("no column is called `{}`", without_catalogs(&field.flat_name())),
            )
            .traced(span);
            let differs_in_case =
                known.iter().find(|name| **name != field.name && name.eq_ignore_ascii_case(&field.name));
            if let Some(name) = differs_in_case {
                let note = format!("an unquoted name is folded to lower case, but the column is called `{name}`");
                return diagnostic.note(note).help(format!("write it in quotes: `\"{name}\"`"));
            }
            if let Some(expression) = find::named_so(&field.name, parsed) {
                let message = format!("`{}` is the name of another column of the same SELECT", field.name);
                let shown = expression.to_string();
                let repeated = match shown.len() {
                    0..=60 => format!("repeat its expression here, `({shown})`,"),
                    _ => "repeat its expression here,".to_owned(),
                };
                return diagnostic.note(message).help(format!("{repeated} or put it into a CTE and select from that"));
            }
            if field.name.eq_ignore_ascii_case("all") {
                return diagnostic.help("name the columns to order by: `order by 1, 2`");
            }
            match nearest(&field.name, known.iter().copied()) {
                None if place.sql.text.contains(&format!("\"{}\"", field.name)) => {
                    diagnostic.help(format!("a text stands in single quotes: `'{}'`", field.name))
                }
                Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
                None if known.is_empty() => diagnostic,
                None => diagnostic.help(format!("the columns are {}", listed(&known))),
            }
        }
        SchemaError::AmbiguousReference { field } => {
            Diagnostic::error(Code::InvalidPlan, format!("the column `{}` may be one of several", field.name))
                .traced(diagnosed(outer, place).unwrap_or_else(|| find_name(&field.name, parsed, place)))
                .help("say which one: put the table's alias before it, as in `a.column`")
        }
        SchemaError::DuplicateQualifiedField { name, .. } | SchemaError::DuplicateUnqualifiedField { name } => {
            Diagnostic::error(Code::InvalidPlan, format!("two columns are called `{name}`"))
                .traced(find_name(name, parsed, place))
                .help("give one of them another name with `as`")
        }
    }
}

fn diagnosed(error: &DataFusionError, place: SqlPlace<'_>) -> Option<TracedSpan> {
    let span = error.diagnostic()?.span?;
    Some(place.span_of_engine(&span))
}

fn is_of_word(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

fn listed(names: &[&str]) -> String {
    let distinct: BTreeSet<&str> = names.iter().copied().collect();
    let mut names: Vec<&str> = names.to_vec();
    if distinct.len() < names.len() {
        let mut seen = BTreeSet::new();
        names.retain(|name| seen.insert(*name));
    }
    let shown: Vec<String> = names.iter().take(12).map(|name| format!("`{name}`")).collect();
    let more = names.len().saturating_sub(shown.len());
    if more > 0 { format!("{} and {more} more", shown.join(", ")) } else { shown.join(", ") }
}

/// Where a name stands in the SQL: the first expression or alias that is this identifier.
fn find_name(name: &str, parsed: &ParsedStatement, place: SqlPlace<'_>) -> TracedSpan {
    struct Find<'n> {
        name: &'n str,
        found: Option<sqlparser::tokenizer::Span>,
    }
    impl Visitor for Find<'_> {
        type Break = ();

        fn pre_visit_expr(&mut self, expression: &Expr) -> ControlFlow<()> {
            let last = match expression {
                Expr::Identifier(identifier) => Some(identifier),
                Expr::CompoundIdentifier(parts) => parts.last(),
                _ => None,
            };
            match last.filter(|identifier| identifier.value.eq_ignore_ascii_case(self.name)) {
                Some(_) => {
                    self.found = Some(expression.span());
                    ControlFlow::Break(())
                }
                None => ControlFlow::Continue(()),
            }
        }
    }
    let mut finder = Find { name, found: None };
    let _stopped = parsed.statement().visit(&mut finder);
    match finder.found {
        Some(span) if span.start.line > 0 => place.span_of_parser(&span),
        _ => find_word(name, place),
    }
}

/// The first place where `name` stands as a word of its own.
pub(super) fn find_word(name: &str, place: SqlPlace<'_>) -> TracedSpan {
    let text = &place.sql.text;
    let (shown, sought) = (text.to_ascii_lowercase(), name.to_ascii_lowercase());
    let found = shown.match_indices(&sought).map(|(start, _)| start).find(|start| {
        // `id` is not found in `user_id`.
        let before = text.get(..*start).and_then(|before| before.chars().next_back());
        let after = text.get(start + name.len()..).and_then(|after| after.chars().next());
        !name.is_empty() && !before.is_some_and(is_of_word) && !after.is_some_and(is_of_word)
    });
    found.map_or_else(|| first_line(place), |start| place.span_of_bytes(start..start + name.len()))
}

/// An error without a place often quotes a name: of a function or a column.
fn guess(message: &str, parsed: &ParsedStatement, place: SqlPlace<'_>) -> TracedSpan {
    if message.contains("non-boolean predicate")
        && let Some(condition) = find::condition(parsed)
    {
        return place.span_of_parser(&condition);
    }
    // The text that the message is about may be a literal.
    if let Some(literal) = quoted(message).find_map(|text| find::literal(text, parsed)) {
        return place.span_of_parser(&literal);
    }
    if let Some(word) = message.to_lowercase().strip_prefix("unsupported sql type ") {
        return find_word(word.split('(').next().unwrap_or(word), place);
    }
    let called = message.split('\'').nth(1).or_else(|| message.split('`').nth(1));
    let function = called.and_then(|called| called.split(['(', ' ']).next()).filter(|word| !word.is_empty());
    match function {
        Some(word) if place.sql.text.to_ascii_lowercase().contains(&word.to_ascii_lowercase()) => {
            find_word(word, place)
        }
        Some(word) => find_name(word, parsed, place),
        None => first_line(place),
    }
}

/// What stands in quotes in a message, whatever the quotes are.
fn quoted(message: &str) -> impl Iterator<Item = &str> {
    ['`', '"', '\''].into_iter().flat_map(|quote| message.split(quote).skip(1).step_by(2))
}

/// Takes `at Line: 3, Column: 7` off the end of a message.
fn split_position(text: &str) -> (String, Option<Position>) {
    let Some((message, place)) = text.rsplit_once(" at Line: ") else {
        return (text.to_owned(), None);
    };
    let mut numbers = place.split(", Column: ").map(|number| {
        let digits: String = number.chars().take_while(char::is_ascii_digit).collect();
        digits.parse::<usize>().ok()
    });
    match (numbers.next().flatten(), numbers.next().flatten()) {
        (Some(line), Some(column)) => (message.to_owned(), Some(Position { line, column })),
        _ => (text.to_owned(), None),
    }
}
