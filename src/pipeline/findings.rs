//! Slices that are not what a full refresh makes, as diagnostics: where the cause stands, and the rows that differ.

use std::collections::BTreeSet;

use super::load::Compiled;
use crate::diag::{Code, Diagnostic};
use crate::figures::counted;
use crate::name::ModelName;
use crate::shown::row_table;
use crate::span::Span;
use crate::table::SliceKey;
use crate::template::Reference;
use crate::template::ReferenceName;
use crate::verify::{DifferenceCause, Different, Finding, OneSided, RowDifference, Verified};

/// How many slices are named.
const MOST_NAMED: usize = 5;

/// One diagnostic for each finding of a model.
pub(crate) fn verification_diagnostics(compiled: &Compiled, report: &Verified) -> Vec<Diagnostic> {
    let told = |finding: &Finding| match finding {
        Finding::ChangedExternally(slices) => changed_externally(compiled, &report.model, slices),
        Finding::Missing(slices) => missing(compiled, &report.model, slices),
        Finding::Unrecorded(slices) => unrecorded(compiled, &report.model, slices),
        Finding::NotAsRecorded { stored, recorded } => not_as_recorded(compiled, &report.model, *stored, *recorded),
        Finding::Different(different) => match &different.verdict {
            DifferenceCause::Windows { scans, in_table } => {
                untrue(compiled, &report.model, different, scans, *in_table)
            }
            DifferenceCause::OtherFiles | DifferenceCause::OtherRows => changed(compiled, report, different),
        },
    };
    report.findings.iter().map(told).collect()
}

fn changed_externally(compiled: &Compiled, model: &ModelName, slices: &BTreeSet<SliceKey>) -> Diagnostic {
    let all: Vec<SliceKey> = slices.iter().copied().collect();
    let message = format!("something other than karat changed {} of `{model}`", counted(all.len(), "slice"));
    let diagnostic = Diagnostic::error(Code::NotVerified, message).at(first_line(compiled, model));
    diagnostic.note(named(&all)).help("`karat run` rebuilds them")
}

fn missing(compiled: &Compiled, model: &ModelName, slices: &BTreeSet<SliceKey>) -> Diagnostic {
    let all: Vec<SliceKey> = slices.iter().copied().collect();
    let message =
        format!("`{model}` has no rows in {}, but a full refresh has some there", counted(all.len(), "slice"));
    let diagnostic = Diagnostic::error(Code::NotVerified, message).at(first_line(compiled, model));
    diagnostic.note(named(&all)).help(format!("build it whole: `karat run --full-refresh --select {model}`"))
}

fn unrecorded(compiled: &Compiled, model: &ModelName, slices: &BTreeSet<SliceKey>) -> Diagnostic {
    let all: Vec<SliceKey> = slices.iter().copied().collect();
    let message = format!("`{model}` has rows in {} without a record", counted(all.len(), "slice"));
    let diagnostic = Diagnostic::error(Code::NotVerified, message).at(first_line(compiled, model));
    diagnostic.note(named(&all)).help(format!("build it whole: `karat run --full-refresh --select {model}`"))
}

fn not_as_recorded(compiled: &Compiled, model: &ModelName, stored: u64, recorded: u64) -> Diagnostic {
    let rows = |count: u64| counted(usize::try_from(count).unwrap_or(usize::MAX), "row");
    let message = format!("the files of `{model}` do not hold the rows that karat wrote");
    let diagnostic = Diagnostic::error(Code::NotVerified, message).at(first_line(compiled, model));
    diagnostic
        .note(format!("they hold {}, and {} were recorded", rows(stored), rows(recorded)))
        .help("find out what changed the files; `karat restore` brings an earlier version back")
        .help(format!(
            "`karat run --full-refresh --select {model}` rebuilds it from what its inputs have now: whatever only the table knew is then gone"
        ))
}

fn changed(compiled: &Compiled, report: &Verified, different: &Different) -> Diagnostic {
    let (model, slices) = (&report.model, counted(different.slices.len(), "slice"));
    let has = if different.slices.len() == 1 { "has other rows when it is" } else { "have other rows when they are" };
    let (message, helps) = match different.verdict {
        DifferenceCause::OtherFiles => (
            format!("the files of {slices} of `{model}` do not hold the rows that karat wrote"),
            vec![format!(
                "rebuild it: `karat run --full-refresh --select {model}`, and find out what changed the files"
            )],
        ),
        DifferenceCause::OtherRows | DifferenceCause::Windows { .. } => {
            let undecided =
                "check whether its inputs determine its rows: `limit` and `row_number()` over equal values do not";
            let windows = "`karat verify --windows` says whether a lookback or lookahead is too short";
            let helps = if report.trusted { vec![windows, undecided] } else { vec![undecided] };
            let message = format!("{slices} of `{model}` {has} built again");
            (message, helps.into_iter().map(str::to_owned).collect())
        }
    };
    let diagnostic = Diagnostic::error(Code::NotVerified, message).at(first_line(compiled, model));
    let diagnostic = with_rows(diagnostic, different, "only in the table", "built again");
    helps.into_iter().fold(diagnostic, Diagnostic::help)
}

fn untrue(
    compiled: &Compiled,
    model: &ModelName,
    different: &Different,
    scans: &[ReferenceName],
    in_table: bool,
) -> Diagnostic {
    let first = different.shown;
    let references = references(compiled, model, scans);
    let message = match (references.is_empty(), references.len()) {
        (true, _) => format!("what `{model}` computes for `{first}` alone is not what a full refresh produces"),
        (_, 1) => format!("a window of `{model}` is too small: `{first}` has other rows than in a full refresh"),
        _ => format!("windows of `{model}` are too small: `{first}` has other rows than in a full refresh"),
    };
    let mut diagnostic = Diagnostic::error(Code::UntrueWindow, message);
    for reference in &references {
        let window = reference.window.map(|window| window.to_string()).unwrap_or_default();
        diagnostic = diagnostic.labelled(reference.span, format!("declared: {window}"));
    }
    if references.is_empty() {
        diagnostic = diagnostic.at(first_line(compiled, model)).help(
            "the part in `{% if is_incremental() %}` must not leave out rows that the slice depends on: give \
             the reference a lookback instead",
        );
    } else {
        diagnostic = diagnostic.help("declare as much as the model reads, then rebuild it with `--full-refresh`");
        diagnostic = diagnostic.help("or leave the window out: then all rows are read, which is always right");
    }
    let left = if in_table { "only in the table" } else { "only if the slice is built alone" };
    with_rows(diagnostic, different, left, "in a full refresh")
}

/// The calls in the model's own text that declare the windows of these scans; for a scan inside a view that it reads,
/// every call with a window.
fn references<'c>(compiled: &'c Compiled, model: &ModelName, scans: &[ReferenceName]) -> Vec<&'c Reference> {
    let Some(rendered) = compiled.loaded.rendered.models.get(model) else { return Vec::new() };
    let text = rendered.sliced.as_ref().unwrap_or(&rendered.full);
    let declared: Vec<&Reference> = text.references.iter().filter(|reference| reference.window.is_some()).collect();
    let named: Vec<&Reference> = declared.iter().copied().filter(|reference| scans.contains(&reference.name)).collect();
    // A window may be declared in a view that the model reads: then its own calls are the next best place to look.
    match (scans.is_empty(), named.is_empty()) {
        (true, _) => Vec::new(),
        (false, true) => declared,
        (false, false) => named,
    }
}

/// Adds how many rows each side has, and some that only one has.
fn with_rows(diagnostic: Diagnostic, different: &Different, left: &str, way: &str) -> Diagnostic {
    let first = different.shown;
    let (table, refresh) = different.rows;
    let rows = |count: u64| counted(usize::try_from(count).unwrap_or(usize::MAX), "row");
    let counts = format!("`{first}` has {} in the table, and {} {way}", rows(table), rows(refresh));
    let mut diagnostic = diagnostic.note(counts);
    if let Some(RowDifference { left: of_left, right }) = &different.difference {
        for (title, side) in [(left.to_owned(), of_left), (format!("only {way}"), right)] {
            diagnostic = side_by_side(diagnostic, &title, side);
        }
    }
    if different.slices.len() > 1 { diagnostic.note(named(&different.slices)) } else { diagnostic }
}

fn side_by_side(diagnostic: Diagnostic, title: &str, side: &OneSided) -> Diagnostic {
    let shown: usize = side.rows.iter().map(arrow::array::RecordBatch::num_rows).sum();
    let Ok(table) = row_table(&side.schema, &side.rows) else { return diagnostic };
    if shown == 0 {
        return diagnostic;
    }
    let count = counted(usize::try_from(side.count).unwrap_or(usize::MAX), "row");
    let first = if side.count > shown as u64 { format!(", the first {shown}") } else { String::new() };
    diagnostic.note(format!("{title}: {count}{first}\n{}", table.trim_end()))
}

/// `2023-05-01, 2023-05-02 and 3 more`.
fn named(slices: &[SliceKey]) -> String {
    let names: Vec<String> = slices.iter().take(MOST_NAMED).map(ToString::to_string).collect();
    let more = match slices.len().saturating_sub(MOST_NAMED) {
        0 => String::new(),
        count => format!(" and {count} more"),
    };
    format!("the slices are {}{more}", names.join(", "))
}

fn first_line(compiled: &Compiled, model: &ModelName) -> Span {
    let file = compiled.typed.get(model).map(|model| model.file).expect("a model that was verified is typed");
    let end = compiled.loaded.files.text(file).lines().next().map_or(0, str::len);
    Span::new(file, 0..end)
}
