//! What an error says: the engine's words in the project's style, with what to write instead.

use super::find;
use super::foreign;
use super::functions::{CLOCK, Functions};
use super::planner::ParsedStatement;
use super::sub_queries;
use crate::diag::{Code, Diagnostic, nearest};
use crate::name::TableName;
use crate::project::Project;

/// The names that an error may be about.
#[derive(Clone, Copy)]
pub(crate) struct KnownNames<'a> {
    pub functions: &'a Functions,
    pub project: &'a Project,
}

/// A message in the project's style: lower case, names in backticks, a code, and help where it is known.
pub(super) fn shape(message: &str, parsed: &ParsedStatement, names: KnownNames<'_>) -> Diagnostic {
    let quoted = || message.split('\'').nth(1).unwrap_or("").to_owned();
    if message.starts_with("table '") {
        return unknown_table(&quoted(), names.project);
    }
    if let Some(rest) = message.strip_prefix("column '") {
        let column = rest.split('\'').next().unwrap_or(rest);
        let table = rest.split("in '").nth(1).and_then(|rest| rest.split('\'').next());
        let place = table.map(|table| format!(" in `{table}`")).unwrap_or_default();
        return Diagnostic::error(Code::UnknownColumn, format!("no column is called `{column}`{place}"));
    }
    if message.starts_with("Invalid function") {
        return unknown_function(&quoted(), parsed, names.functions);
    }
    if let Some(function) = refused_by_signature(&backticked(message)) {
        let types = given_types(message);
        let takes = if types.is_empty() { "this".to_owned() } else { types.join(" and ") };
        return Diagnostic::error(Code::WrongType, format!("`{function}` does not take {takes}"))
            .help("cast the argument, or use another function");
    }
    if let Some(help) = sub_queries::help(message) {
        return Diagnostic::error(Code::InvalidPlan, tidy(message)).help(help);
    }
    if let Some(known) = of_known_text(message) {
        return known;
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

fn unknown_table(table: &str, project: &Project) -> Diagnostic {
    let diagnostic = Diagnostic::error(Code::UnknownTable, format!("no table is called `{table}` here"));
    let last = table.rsplit('.').next().unwrap_or(table);
    let model = project.models.keys().find(|model| model.as_str().eq_ignore_ascii_case(last));
    if let Some(model) = model {
        return diagnostic.help(format!("name the model with `{{{{ ref('{model}') }}}}`"));
    }
    let source = project.sources.keys().find(|source| source.table.eq_ignore_ascii_case(last));
    if let Some(TableName { schema, table }) = source {
        return diagnostic.help(format!("name the source with `{{{{ source('{schema}', '{table}') }}}}`"));
    }
    diagnostic.help("name other models with `{{ ref('…') }}` and raw data with `{{ source('…', '…') }}`")
}

fn unknown_function(function: &str, parsed: &ParsedStatement, functions: &Functions) -> Diagnostic {
    let name = function.to_lowercase();
    if CLOCK.contains(&name.as_str()) {
        return reads_the_clock(&format!("{function}()"));
    }
    if let Some(help) = foreign::remedy_of_random(&name) {
        let message = format!("`{function}()` would make the rows differ from run to run");
        return Diagnostic::error(Code::VolatileFunction, message).help(help);
    }
    let diagnostic = Diagnostic::error(Code::UnknownFunction, format!("no function is called `{function}`"));
    if let Some(help) = find::call_of(function, parsed).and_then(|call| foreign::written_out(&call)) {
        return diagnostic.help(help);
    }
    match foreign::portable(&name) {
        Some(help) => diagnostic.help(help),
        None => diagnostic.suggest(function, functions.names()),
    }
}

/// Faults that the engine tells in words of its own, and what to do about them.
fn of_known_text(message: &str) -> Option<Diagnostic> {
    const TYPES: [&str; 10] =
        ["integer", "bigint", "smallint", "text", "varchar", "boolean", "date", "timestamp", "decimal", "real"];
    let first = message.lines().next().unwrap_or(message);
    let told = || lower_first(&tidy(first));
    if message.contains("must be aggregated to return at most one row") {
        let fact = "a subquery that gives one value may have several rows for a row of the outer query";
        let help = "join the table, `left join … on …`, or write `(select max(…) from …)`, which is the same if there is one row";
        return Some(Diagnostic::error(Code::InvalidPlan, fact).help(help));
    }
    if message.contains("non-boolean predicate") {
        let help = "a condition is true or false: compare the value, as in `a > 0` or `a is not null`";
        return Some(Diagnostic::error(Code::WrongType, told()).help(help));
    }
    let type_name =
        ["unsupported SQL type ", "Unsupported SQL type "].iter().find_map(|words| first.strip_prefix(words));
    if let Some(word) = type_name {
        let diagnostic = Diagnostic::error(Code::WrongType, format!("no type is called `{word}`"));
        let all = "write `text`, `bigint`, `decimal(18, 2)`, `double precision`, `boolean`, `date` or `timestamp`";
        return Some(match nearest(&word.to_lowercase(), TYPES) {
            Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
            None => diagnostic.help(all),
        });
    }
    if message.contains("queries have different number of columns") {
        let help = "select the same columns on both sides, with `null as name` for those that one has not";
        return Some(Diagnostic::error(Code::InvalidPlan, told()).help(help));
    }
    if message.contains("expressions have incompatible types") {
        let help = "cast one side to the type of the other: `cast(… as bigint)`, `cast(… as text)`";
        return Some(Diagnostic::error(Code::WrongType, told()).help(help));
    }
    None
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

pub(super) fn reads_the_clock(call: &str) -> Diagnostic {
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

pub(super) fn lower_first(text: &str) -> String {
    let mut letters = text.chars();
    match letters.next() {
        // A word in capitals is SQL's, and stays.
        Some(first) if !letters.clone().next().is_some_and(char::is_uppercase) => {
            first.to_lowercase().chain(letters).collect()
        }
        _ => text.to_owned(),
    }
}
