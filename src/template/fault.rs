//! From an error of the template engine to a diagnostic with the right places.

use std::ops::Range;

use minijinja::{Error, ErrorKind};

use super::function::{self, CallFailure};
use super::macros::Library;
use super::render::Render;
use super::syntax_fault;
use crate::diag::{Code, Diagnostic, all_of, nearest};
use crate::span::{SourceFiles, Span};

/// Finds the file and place for a template's name and a range in it.
type Locate<'a> = &'a dyn Fn(&str, Range<usize>) -> Option<Span>;

/// The template cannot be parsed.
pub(super) fn syntax(error: &Error, text: &str, span: Span) -> Diagnostic {
    if let Some(explained) = syntax_fault::explain(text, span.file) {
        return explained;
    }
    let message = error.detail().unwrap_or("the template cannot be parsed").to_owned();
    let diagnostic = Diagnostic::error(Code::TemplateSyntax, message.clone()).at(span);
    if let Some(tag) = message.strip_prefix("unknown statement ") {
        let message = format!("no tag is called `{tag}`");
        let diagnostic = Diagnostic::error(Code::TemplateSyntax, message).at(span);
        return match nearest(tag, TAGS) {
            Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
            None => diagnostic.help(format!("the tags are {}", all_of(TAGS))),
        };
    }
    let before = text.get(..span.range().start).unwrap_or_default().trim_end();
    match text.get(span.range()) {
        Some("if") if before.ends_with("else") => diagnostic.help("write `{% elif … %}`"),
        // Where the engine expects the end of the tag, something between two values is missing.
        Some(_) if message.contains("expected end of variable block") => {
            diagnostic.help("end the expression with `}}` here, or join two values with `~`")
        }
        Some(_) if message.contains("expected `,`") || message.contains("expected ,") => {
            diagnostic.help("put a `,` between two arguments")
        }
        _ => diagnostic,
    }
}

/// The tags that begin something.
const TAGS: [&str; 13] =
    ["if", "for", "set", "macro", "call", "do", "filter", "raw", "test", "snapshot", "docs", "elif", "else"];

/// The template failed while it was rendered.
pub(super) fn runtime(error: &Error, render: &Render, locate: Locate<'_>) -> Diagnostic {
    let chain = chain(error);
    let innermost = chain.last().copied().unwrap_or(error);
    let place = |error: &&Error| locate(error.name()?, error.range()?);
    let inner = chain.iter().rev().find_map(place);
    let outer = chain.iter().find_map(place);
    let mut diagnostic = match failure(innermost) {
        Some(failure) => {
            let mut diagnostic = Diagnostic::error(failure.code, failure.message.clone());
            diagnostic.helps.extend(failure.help.clone());
            diagnostic
        }
        None => described(innermost, render),
    };
    let fallback = Span::new(render.file, 0..0);
    diagnostic = diagnostic.at(inner.or(outer).unwrap_or(fallback));
    match (inner, outer) {
        (Some(inner), Some(outer)) if inner != outer => diagnostic.labelled(outer, "called here"),
        _ => diagnostic,
    }
}

/// The error and those that caused it, the outermost first.
fn chain(error: &Error) -> Vec<&Error> {
    std::iter::successors(Some(error), |error| std::error::Error::source(*error)?.downcast_ref::<Error>()).collect()
}

fn failure(error: &Error) -> Option<&CallFailure> {
    std::error::Error::source(error)?.downcast_ref()
}

/// What the engine itself has to say, in the words of a diagnostic.
fn described(error: &Error, render: &Render) -> Diagnostic {
    let detail = error.detail().unwrap_or("");
    let undefined = detail.split_once("` is undefined").and_then(|(before, _)| before.rsplit_once('`'));
    match error.kind() {
        ErrorKind::OutOfFuel => too_much("the template does not terminate"),
        ErrorKind::InvalidOperation if detail.contains("recursion limit") => {
            too_much("macros call each other endlessly")
        }
        ErrorKind::UnknownFunction => unknown_function(detail.trim_end_matches(" is unknown"), render),
        ErrorKind::UnknownFilter => unknown_word("filter", detail),
        ErrorKind::UnknownTest => unknown_word("test", detail),
        kind => match undefined {
            Some((_, name)) if kind == ErrorKind::UnknownMethod => unknown_function(name, render),
            Some((_, name)) if detail.contains("not callable") => unknown_function(name, render),
            Some((_, name)) => undefined_name(name, render),
            None if kind == ErrorKind::UndefinedError && detail.is_empty() => {
                Diagnostic::error(Code::TemplateError, UNDEFINED)
            }
            None if detail.is_empty() => Diagnostic::error(Code::TemplateError, kind.to_string()),
            None => Diagnostic::error(Code::TemplateError, detail),
        },
    }
}

/// What the engine says of a value of which it does not know the name.
const UNDEFINED: &str = "undefined value";

/// Names what the engine only points at: an undefined value by what was typed, and an unknown macro without its arguments.
pub(super) fn named(mut diagnostic: Diagnostic, files: &SourceFiles, library: &Library) -> Diagnostic {
    let Some(label) = diagnostic.labels.first_mut() else { return diagnostic };
    let typed = files.slice(label.span);
    if diagnostic.code == Code::UnknownMacro
        && let Some(length) = typed.find('(')
    {
        let start = label.span.range().start;
        label.span = Span::new(label.span.file, start..start + length);
    }
    if diagnostic.message != UNDEFINED || typed.is_empty() {
        return diagnostic;
    }
    diagnostic.message = format!("`{typed}` is undefined");
    match library.macro_with_parameter(label.span, typed) {
        Some(name) => diagnostic.help(format!("give `{name}()` a value for its parameter `{typed}`")),
        None => diagnostic.help(format!("give it a value, or write `{typed} | default('')`")),
    }
}

fn too_much(message: &str) -> Diagnostic {
    Diagnostic::error(Code::TemplateFuel, message)
        .help("look for a loop that is too long, or for a macro that calls itself")
}

/// Packages of the dbt hub that projects use most.
const PACKAGES: [&str; 14] = [
    "audit_helper",
    "codegen",
    "dbt_artifacts",
    "dbt_date",
    "dbt_expectations",
    "dbt_external_tables",
    "dbt_profiler",
    "dbt_project_evaluator",
    "dbt_utils",
    "elementary",
    "fivetran_utils",
    "re_data",
    "snowplow_utils",
    "spark_utils",
];

/// Filters by the names that people use, those of Jinja2 and dbt.
const FILTERS: [&str; 46] = [
    "abs",
    "as_bool",
    "as_native",
    "as_number",
    "as_text",
    "batch",
    "capitalize",
    "center",
    "default",
    "dictsort",
    "escape",
    "first",
    "float",
    "format",
    "groupby",
    "indent",
    "int",
    "items",
    "join",
    "last",
    "length",
    "list",
    "lower",
    "map",
    "max",
    "min",
    "reject",
    "rejectattr",
    "replace",
    "reverse",
    "round",
    "safe",
    "select",
    "selectattr",
    "sort",
    "string",
    "striptags",
    "sum",
    "title",
    "tojson",
    "trim",
    "truncate",
    "unique",
    "upper",
    "urlencode",
    "wordcount",
];

/// The same for tests: `x is defined`.
const TESTS: [&str; 22] = [
    "boolean",
    "callable",
    "defined",
    "divisibleby",
    "eq",
    "even",
    "false",
    "float",
    "in",
    "integer",
    "iterable",
    "lower",
    "mapping",
    "ne",
    "none",
    "number",
    "odd",
    "sameas",
    "sequence",
    "string",
    "true",
    "undefined",
];

/// The engine says "filter x is unknown".
fn unknown_word(what: &str, detail: &str) -> Diagnostic {
    let name = detail.trim_start_matches(what).trim_end_matches("is unknown").trim();
    let diagnostic = Diagnostic::error(Code::TemplateError, format!("no {what} is called `{name}`"));
    let known: &[&str] = if what == "filter" { &FILTERS } else { &TESTS };
    match nearest(name, known.iter().copied()) {
        Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
        None if function::names().any(|function| function == name) => {
            diagnostic.help(format!("it is a function: call it, `{name}(…)`"))
        }
        None => diagnostic.help(format!("write it as a macro: `{{% macro {name}(value) %}}`, and call that")),
    }
}

fn unknown_function(name: &str, render: &Render) -> Diagnostic {
    if PACKAGES.contains(&name) {
        let message = format!("the package `{name}` is not here");
        return Diagnostic::error(Code::UnknownMacro, message).help(format!(
            "list it in `packages.yml` and run `karat deps`, or put a copy of it into `dbt_packages/{name}`"
        ));
    }
    let package = render.package();
    let facts = render.facts();
    let known = function::names().chain(facts.library.names(&package));
    let diagnostic = Diagnostic::error(Code::UnknownMacro, format!("no macro or function is called `{name}`"));
    // What stands behind the fault of a file is not known by name.
    let broken = facts.broken_macros.keys().filter_map(|index| facts.library.files.get(*index));
    let mut naming = broken.filter(|file| file.text.contains(&format!("macro {name}(")));
    match naming.next() {
        Some(file) => diagnostic.help(format!("correct `{}`, which defines it and cannot be read", file.path)),
        None => diagnostic.suggest(name, known),
    }
}

fn undefined_name(name: &str, render: &Render) -> Diagnostic {
    let diagnostic = Diagnostic::error(Code::TemplateError, format!("`{name}` is undefined"));
    let vars = &render.facts().vars;
    if vars.contains_key(name) {
        return diagnostic.help(format!("use `var('{name}')`"));
    }
    let package = render.package();
    if PACKAGES.contains(&name) {
        return diagnostic.help(format!("it is a package: `karat deps` fetches what `packages.yml` lists, or put its files into `dbt_packages/{name}`"));
    }
    match nearest(name, function::names().chain(render.facts().library.names(&package))) {
        Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
        None => diagnostic,
    }
}
