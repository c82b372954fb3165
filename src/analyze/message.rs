//! What an error says: the engine's words in the project's style, with what to write instead.

use super::cast_fault::CastFault;
use super::find;
use super::foreign;
use super::functions::{CLOCK, Functions};
use super::planner::ParsedStatement;
use super::sub_queries;
use super::wording::{backticked, fact_and_remedy, lower_first, tidy};
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
    // The engine takes it for a function that gives rows.
    if let Some(call @ ("ref" | "source")) =
        message.strip_prefix("table function '").and_then(|rest| rest.split('\'').next())
    {
        let fact = format!("`{call}()` stands in the SQL, not in the template");
        let argument = find::table_call(call, parsed).unwrap_or_else(|| format!("{call}('…')"));
        return Diagnostic::error(Code::InvalidPlan, fact).help(format!("write `{{{{ {argument} }}}}`"));
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
    match fact_and_remedy(first) {
        Some((fact, remedy)) => Diagnostic::error(code, lower_first(&tidy(fact))).help(remedy),
        None => Diagnostic::error(code, lower_first(&tidy(first))),
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

/// What other engines call the time of day.
const CLOCKS_OF_OTHERS: [&str; 8] = [
    "clock_timestamp",
    "current_datetime",
    "get_current_timestamp",
    "getdate",
    "getutcdate",
    "sysdate",
    "sysdatetime",
    "systimestamp",
];

fn unknown_function(function: &str, parsed: &ParsedStatement, functions: &Functions) -> Diagnostic {
    let name = function.to_lowercase();
    if CLOCK.contains(&name.as_str()) || CLOCKS_OF_OTHERS.contains(&name.as_str()) {
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
    if let Some((_, text)) = message.split_once("Invalid input syntax for type interval: \"") {
        let text = text.split('"').next().unwrap_or(text);
        return Some(no_interval(text));
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
    if let Some((column, _)) = first.split_once(" must appear in GROUP BY clause") {
        let column = column.trim_matches(['\'', '`', '"']).rsplit('.').next().unwrap_or(column);
        let fact = format!("`{column}` is neither grouped nor aggregated");
        let help = format!("put it into `group by`, or say which of its values is meant: `max({column})`");
        return Some(Diagnostic::error(Code::InvalidPlan, fact).help(help));
    }
    if let Some(fault) = CastFault::of_engine(message) {
        return Some(Diagnostic::error(Code::WrongType, fault.message).help(fault.help));
    }
    if message.contains("expressions have incompatible types") {
        let help = "cast one side to the type of the other: `cast(… as bigint)`, `cast(… as text)`";
        return Some(Diagnostic::error(Code::WrongType, told()).help(help));
    }
    None
}

/// A text that is no interval, with the unit that was meant.
fn no_interval(text: &str) -> Diagnostic {
    const UNITS: [&str; 20] = [
        "second",
        "seconds",
        "minute",
        "minutes",
        "hour",
        "hours",
        "day",
        "days",
        "week",
        "weeks",
        "month",
        "months",
        "year",
        "years",
        "decade",
        "decades",
        "century",
        "centuries",
        "millisecond",
        "milliseconds",
    ];
    let diagnostic = Diagnostic::error(Code::WrongType, format!("the text `{text}` is no interval"));
    let is_unit = |word: &&str| word.starts_with(char::is_alphabetic) && !UNITS.contains(word);
    let wrong = text.split_whitespace().find(is_unit);
    match wrong.and_then(|word| Some((word, nearest(word, UNITS)?))) {
        Some((word, near)) => diagnostic.help(format!("did you mean `{}`?", text.replacen(word, near, 1))),
        None => diagnostic.help("write a number and a unit: `interval '7 days'`"),
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
