//! From an error of the template engine to a diagnostic with the right places.

use std::ops::Range;

use minijinja::{Error, ErrorKind};

use super::function::{self, CallFailure};
use super::render::Render;
use super::syntax_fault;
use crate::diag::{Code, Diagnostic, nearest};
use crate::span::Span;

/// Finds the file and place for a template's name and a range in it.
type Locate<'a> = &'a dyn Fn(&str, Range<usize>) -> Option<Span>;

/// The template cannot be parsed.
pub(super) fn syntax(error: &Error, text: &str, span: Span) -> Diagnostic {
    if let Some(explained) = syntax_fault::explain(text, span.file) {
        return explained;
    }
    let message = error.detail().unwrap_or("the template cannot be parsed").to_owned();
    Diagnostic::error(Code::TemplateSyntax, message).at(span)
}

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
            None if detail.is_empty() => Diagnostic::error(Code::TemplateError, kind.to_string()),
            None => Diagnostic::error(Code::TemplateError, detail),
        },
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

/// The engine says "filter x is unknown".
fn unknown_word(what: &str, detail: &str) -> Diagnostic {
    let name = detail.trim_start_matches(what).trim_end_matches("is unknown").trim();
    Diagnostic::error(Code::TemplateError, format!("no {what} is called `{name}`"))
}

fn unknown_function(name: &str, render: &Render) -> Diagnostic {
    if PACKAGES.contains(&name) {
        let message = format!("the package `{name}` is not here");
        return Diagnostic::error(Code::UnknownMacro, message)
            .help(format!("put a copy of it into `dbt_packages/{name}`: karat fetches nothing by itself"));
    }
    let package = render.package();
    let known = function::names().chain(render.facts().library.names(&package));
    Diagnostic::error(Code::UnknownMacro, format!("no macro or function is called `{name}`")).suggest(name, known)
}

fn undefined_name(name: &str, render: &Render) -> Diagnostic {
    let diagnostic = Diagnostic::error(Code::TemplateError, format!("`{name}` is undefined"));
    let vars = &render.facts().vars;
    if vars.contains_key(name) {
        return diagnostic.help(format!("use `var('{name}')`"));
    }
    let package = render.package();
    if PACKAGES.contains(&name) {
        return diagnostic.help(format!("it is a package: put its files into `dbt_packages/{name}`"));
    }
    match nearest(name, function::names().chain(render.facts().library.names(&package))) {
        Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
        None => diagnostic,
    }
}
