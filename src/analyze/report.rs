//! The engine's errors as diagnostics that point into the author's file, through the source map.

use std::ops::{ControlFlow, Range};

use datafusion::common::{DataFusionError, SchemaError};
use sqlparser::ast::{Expr, Function, Select, SelectItem, Spanned as _, Visit, Visitor};

use super::foreign;
use super::functions::{CLOCK, Functions};
use super::planner::{NotParsed, ParsedStatement};
use super::references::without_catalogs;
use super::statement::{self, RefusedClause};
use super::sub_queries;
use crate::diag::{Code, Diagnostic, Reported, Sink, nearest};
use crate::span::{FileId, Position, Span, offset_of};
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
    fn span(self, start: Position, end: Option<Position>) -> Span {
        let from = offset_of(&self.sql.text, start);
        let to = end.map_or(from, |end| offset_of(&self.sql.text, end));
        // Without an end, the word at the place is what is meant.
        let to = if to > from { to } else { word_end(&self.sql.text, from) };
        self.sql.map.span(from..to)
    }

    /// What the engine has marked, in lines and columns from 1.
    fn span_of_engine(self, span: &datafusion::common::Span) -> Span {
        self.span(position(span.start.line, span.start.column), Some(position(span.end.line, span.end.column)))
    }

    /// What the parser has marked; its places begin at 1, and 0 says that it has none.
    fn span_of_parser(self, span: &sqlparser::tokenizer::Span) -> Span {
        self.span(position(span.start.line, span.start.column), Some(position(span.end.line, span.end.column)))
    }

    fn span_of_bytes(self, range: Range<usize>) -> Span {
        self.sql.map.span(range)
    }
}

/// An error that has no place of its own lies on the first line of the model.
fn first_line(place: SqlPlace<'_>) -> Span {
    let text = &place.sql.text;
    let start = text.len() - text.trim_start().len();
    let end = text.get(start..).and_then(|rest| rest.find('\n')).map_or(text.len(), |newline| start + newline);
    place.span_of_bytes(start..end.max(start))
}

fn word_end(text: &str, start: usize) -> usize {
    let rest = text.get(start..).unwrap_or("");
    let letters = rest.find(|letter: char| !letter.is_alphanumeric() && letter != '_').unwrap_or(rest.len());
    start + letters.max(rest.chars().next().map_or(0, char::len_utf8))
}

/// Says why a text is no SELECT.
pub(crate) fn not_parsed(error: &NotParsed, place: SqlPlace<'_>, sink: &mut Sink) -> Reported {
    let diagnostic = match error {
        NotParsed::Syntax(text) => {
            let (message, position) = split_position(text);
            let message = message.trim_start_matches("sql parser error: ");
            let span = position.map_or_else(|| first_line(place), |start| place.span(start, None));
            let diagnostic = Diagnostic::error(Code::InvalidSql, lower_first(message)).at(span);
            match statement::of_syntax(&place.sql.text, message, position) {
                Some(help) => diagnostic.help(help),
                None => diagnostic,
            }
        }
        NotParsed::Empty => Diagnostic::error(Code::NotASelect, "there is no SQL")
            .at(place.whole)
            .help("write one SELECT; for a file that is not ready, set `config(enabled=false)`"),
        NotParsed::Several => Diagnostic::error(Code::NotASelect, "there is more than one statement")
            .at(statement::second_statement(&place.sql.text)
                .map_or_else(|| first_line(place), |start| place.span(start, None)))
            .help("a model is one SELECT, without `;` in the middle"),
        NotParsed::NotASelect(what) => Diagnostic::error(Code::NotASelect, format!("this is {what}"))
            .at(first_line(place))
            .help("a model is one SELECT; karat writes the table"),
        NotParsed::Refused(refusals) => return refused(refusals, place, sink),
    };
    sink.error(diagnostic)
}

fn refused(refusals: &[RefusedClause], place: SqlPlace<'_>, sink: &mut Sink) -> Reported {
    let mut reported = None;
    for RefusedClause { message, help, span } in refusals {
        let at = match span.start.line {
            0 => first_line(place),
            _ => place.span_of_parser(span),
        };
        reported = Some(sink.error(Diagnostic::error(Code::UnsupportedSql, message).at(at).help(help)));
    }
    reported.expect("a statement is refused for a reason")
}

/// Says every error that planning found.
pub(crate) fn not_planned(
    error: &DataFusionError,
    parsed: &ParsedStatement,
    place: SqlPlace<'_>,
    functions: &Functions,
    sink: &mut Sink,
) -> Reported {
    let mut errors = Vec::new();
    collect(error, &mut errors);
    let mut reported = None;
    for error in errors {
        reported = Some(sink.error(one(error, parsed, place, functions)));
    }
    reported.unwrap_or_else(|| {
        let message = error.strip_backtrace();
        let message = without_catalogs(&message);
        sink.error(Diagnostic::error(Code::InvalidPlan, message).at(first_line(place)))
    })
}

fn collect<'a>(error: &'a DataFusionError, found: &mut Vec<&'a DataFusionError>) {
    match error {
        DataFusionError::Collection(errors) => errors.iter().for_each(|error| collect(error, found)),
        other => found.push(other),
    }
}

fn one(error: &DataFusionError, parsed: &ParsedStatement, place: SqlPlace<'_>, functions: &Functions) -> Diagnostic {
    let root = error.find_root();
    if let DataFusionError::SchemaError(schema_error, _) = root {
        return schema(schema_error, error, parsed, place);
    }
    let Some(found) = error.diagnostic() else {
        let (message, position) = split_position(&without_catalogs(&root.message()));
        let span = position.map_or_else(|| guess(&message, parsed, place), |start| place.span(start, None));
        return shape(&message, &Known { functions, parsed }).at(span);
    };
    let primary = found.span.as_ref().map_or_else(|| first_line(place), |span| place.span_of_engine(span));
    let known = Known { functions, parsed };
    let mut diagnostic = shape(&without_catalogs(&found.message), &known).at(primary);
    // The engine's guess at another function is often far-fetched, and karat makes its own.
    let of_function = [Code::VolatileFunction, Code::UnknownFunction].contains(&diagnostic.code);
    let notes = found.notes.iter().filter(|_| !of_function);
    for note in notes.collect::<Vec<_>>() {
        diagnostic = match &note.span {
            Some(at) => diagnostic.labelled(place.span_of_engine(at), without_catalogs(&note.message)),
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

/// What a message is looked up in.
struct Known<'a> {
    functions: &'a Functions,
    parsed: &'a ParsedStatement,
}

/// A message in the project's style: lower case, names in backticks, a code, and help where it is known.
fn shape(message: &str, Known { functions, parsed }: &Known<'_>) -> Diagnostic {
    let quoted = || message.split('\'').nth(1).unwrap_or("").to_owned();
    if message.starts_with("table '") {
        let table = quoted();
        return Diagnostic::error(Code::UnknownTable, format!("no table is called `{table}` here"))
            .help("name other models with `{{ ref('…') }}` and raw data with `{{ source('…', '…') }}`");
    }
    if let Some(rest) = message.strip_prefix("column '") {
        let column = rest.split('\'').next().unwrap_or(rest);
        let table = rest.split("in '").nth(1).and_then(|rest| rest.split('\'').next());
        let place = table.map(|table| format!(" in `{table}`")).unwrap_or_default();
        return Diagnostic::error(Code::UnknownColumn, format!("no column is called `{column}`{place}"));
    }
    if message.starts_with("Invalid function") {
        let function = quoted();
        if CLOCK.contains(&function.to_lowercase().as_str()) {
            return reads_the_clock(&format!("{function}()"));
        }
        if let Some(help) = foreign::remedy_of_random(&function.to_lowercase()) {
            let message = format!("`{function}()` would make the rows differ from run to run");
            return Diagnostic::error(Code::VolatileFunction, message).help(help);
        }
        let diagnostic = Diagnostic::error(Code::UnknownFunction, format!("no function is called `{function}`"));
        if let Some(help) = call_of(&function, parsed).and_then(|call| foreign::written_out(&call)) {
            return diagnostic.help(help);
        }
        if let Some(help) = foreign::portable(&function.to_lowercase()) {
            return diagnostic.help(help);
        }
        return diagnostic.suggest(&function, functions.names());
    }
    if let Some(function) = refused_by_signature(&backticked(message)) {
        let types = given_types(message);
        let takes = if types.is_empty() { "this".to_owned() } else { types.join(" and ") };
        return Diagnostic::error(Code::WrongType, format!("`{function}` does not take {takes}"))
            .help("cast the argument, or use another function");
    }
    if message.contains("must be aggregated to return at most one row") {
        let fact = "a subquery that gives one value may have several rows for a row of the outer query";
        return Diagnostic::error(Code::InvalidPlan, fact)
            .help("join the table, `left join … on …`, or write `(select max(…) from …)`, which is the same if there is one row");
    }
    if let Some(help) = sub_queries::help(message) {
        return Diagnostic::error(Code::InvalidPlan, tidy(message)).help(help);
    }
    let first = message.lines().next().unwrap_or(message).trim();
    let lowered = first.to_lowercase();
    let typed = ["coerc", "type", "cast", "boolean", "cannot infer"].iter().any(|word| lowered.contains(word));
    let code = if typed { Code::WrongType } else { Code::InvalidPlan };
    // What karat itself says ends with what to write.
    let tidied = tidy(first);
    match tidied.split_once(": write `") {
        Some((fact, remedy)) => Diagnostic::error(code, lower_first(fact)).help(format!("write `{remedy}")),
        None => Diagnostic::error(code, lower_first(&tidied)),
    }
}

/// The first call of a function in the statement.
fn call_of(name: &str, parsed: &ParsedStatement) -> Option<Function> {
    struct Find<'n>(&'n str);
    impl Visitor for Find<'_> {
        type Break = Function;

        fn pre_visit_expr(&mut self, expression: &Expr) -> ControlFlow<Function> {
            match expression {
                Expr::Function(function) if function.name.to_string().eq_ignore_ascii_case(self.0) => {
                    ControlFlow::Break(function.clone())
                }
                _ => ControlFlow::Continue(()),
            }
        }
    }
    match parsed.statement().visit(&mut Find(name)) {
        ControlFlow::Break(function) => Some(function),
        ControlFlow::Continue(()) => None,
    }
}

/// The function whose arguments the engine cannot take, if that is what it says.
fn refused_by_signature(message: &str) -> Option<String> {
    let is_refusal = ["failed to match any signature", "No function matches the given name and argument types"]
        .iter()
        .any(|words| message.contains(words));
    let rest = ["unction `", "a call to `"].iter().find_map(|marker| message.split_once(marker));
    rest.and_then(|(_, rest)| rest.split(['`', '(']).next()).filter(|_| is_refusal).map(str::to_owned)
}

/// The types that it was given, each once, as PostgreSQL calls them.
fn given_types(message: &str) -> Vec<String> {
    let mut found = Vec::new();
    for part in message.split("(DataType: ").skip(1) {
        // `Decimal128(2, 1)).,` ends at its own parenthesis.
        let end = part.find([')', ',']).unwrap_or(part.len());
        let name = match part.get(..end).unwrap_or_default() {
            "Utf8" | "LargeUtf8" | "Utf8View" => "text",
            "Boolean" => "boolean",
            "Int8" | "Int16" => "smallint",
            "Int32" => "integer",
            "Int64" | "UInt64" => "bigint",
            "Float32" => "real",
            "Float64" => "double precision",
            "Date32" => "date",
            other if other.starts_with("Decimal") => "decimal",
            other if other.starts_with("Timestamp") => "timestamp",
            other if other.starts_with("List") => "an array",
            _ => continue,
        };
        if !found.iter().any(|known| known == name) {
            found.push(name.to_owned());
        }
    }
    found
}

fn reads_the_clock(call: &str) -> Diagnostic {
    let message = format!("`{call}` would make the rows depend on when they are computed");
    let diagnostic = Diagnostic::error(Code::VolatileFunction, message)
        .help("pass the date as a variable: `{{ var('run_date') }}` with `--vars '{run_date: 2023-05-01}'`");
    // For PostgreSQL it is the time when the transaction began; for a run it is the one time that all its templates see.
    match call.to_lowercase().trim_end_matches("()") {
        "current_date" => diagnostic.replacing(call, "cast('{{ run_started_at.strftime(\"%Y-%m-%d\") }}' as date)"),
        "now" | "current_timestamp" => diagnostic.replacing(call, "{{ dbt.current_timestamp() }}"),
        _ => diagnostic,
    }
}

fn schema(error: &SchemaError, outer: &DataFusionError, parsed: &ParsedStatement, place: SqlPlace<'_>) -> Diagnostic {
    match error {
        SchemaError::FieldNotFound { field, valid_fields } => {
            let span = diagnosed(outer, place).unwrap_or_else(|| find_name(&field.name, parsed, place));
            // Without parentheses it stands where a column could stand.
            if CLOCK.contains(&field.name.to_lowercase().as_str()) {
                return reads_the_clock(&field.name).at(span);
            }
            let known: Vec<&str> = valid_fields.iter().map(|column| column.name.as_str()).collect();
            let diagnostic = Diagnostic::error(
                Code::UnknownColumn,
                format!("no column is called `{}`", without_catalogs(&field.flat_name())),
            )
            .at(span);
            let differs_in_case =
                known.iter().find(|name| **name != field.name && name.eq_ignore_ascii_case(&field.name));
            if let Some(name) = differs_in_case {
                let note = format!("an unquoted name is folded to lower case, but the column is called `{name}`");
                return diagnostic.note(note).help(format!("write it in quotes: `\"{name}\"`"));
            }
            if let Some(expression) = named_so(&field.name, parsed) {
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
                .at(diagnosed(outer, place).unwrap_or_else(|| find_name(&field.name, parsed, place)))
                .help("say which one: put the table's alias before it, as in `a.column`")
        }
        SchemaError::DuplicateQualifiedField { name, .. } | SchemaError::DuplicateUnqualifiedField { name } => {
            Diagnostic::error(Code::InvalidPlan, format!("two columns are called `{name}`"))
                .at(find_name(name, parsed, place))
                .help("give one of them another name with `as`")
        }
    }
}

/// The expression to which a SELECT list gives this name.
fn named_so(name: &str, parsed: &ParsedStatement) -> Option<Expr> {
    struct Find<'n>(&'n str);
    impl Visitor for Find<'_> {
        type Break = Expr;

        fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<Expr> {
            let given = select.projection.iter().find_map(|item| match item {
                SelectItem::ExprWithAlias { expr, alias } if alias.value.eq_ignore_ascii_case(self.0) => Some(expr),
                _ => None,
            });
            given.map_or(ControlFlow::Continue(()), |expr| ControlFlow::Break(expr.clone()))
        }
    }
    match parsed.statement().visit(&mut Find(name)) {
        ControlFlow::Break(expression) => Some(expression),
        ControlFlow::Continue(()) => None,
    }
}

fn diagnosed(error: &DataFusionError, place: SqlPlace<'_>) -> Option<Span> {
    let span = error.diagnostic()?.span?;
    Some(place.span_of_engine(&span))
}

fn is_of_word(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

fn listed(names: &[&str]) -> String {
    let shown: Vec<String> = names.iter().take(12).map(|name| format!("`{name}`")).collect();
    let more = names.len().saturating_sub(shown.len());
    if more > 0 { format!("{} and {more} more", shown.join(", ")) } else { shown.join(", ") }
}

/// Where a name stands in the SQL: the first expression or alias that is this identifier.
fn find_name(name: &str, parsed: &ParsedStatement, place: SqlPlace<'_>) -> Span {
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
pub(super) fn find_word(name: &str, place: SqlPlace<'_>) -> Span {
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
fn guess(message: &str, parsed: &ParsedStatement, place: SqlPlace<'_>) -> Span {
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

fn tidy(message: &str) -> String {
    let message = message.trim_end_matches('.');
    let prefixes = ["Error during planning: ", "Execution error: ", "This feature is not implemented: "];
    backticked(prefixes.iter().fold(message, |text, prefix| text.strip_prefix(prefix).unwrap_or(text)))
}

/// `'a'` as `` `a` ``; an apostrophe within a word stays.
fn backticked(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut letters = text.chars().peekable();
    let mut before = ' ';
    while let Some(letter) = letters.next() {
        let within = before.is_alphanumeric() && letters.peek().is_some_and(|next| next.is_alphanumeric());
        shown.push(if letter == '\'' && !within { '`' } else { letter });
        before = letter;
    }
    shown
}

fn lower_first(text: &str) -> String {
    let mut letters = text.chars();
    match letters.next() {
        // A word in capitals is SQL's, and stays.
        Some(first) if !letters.clone().next().is_some_and(char::is_uppercase) => {
            first.to_lowercase().chain(letters).collect()
        }
        _ => text.to_owned(),
    }
}
