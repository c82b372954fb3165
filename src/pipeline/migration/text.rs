//! A migration as people read it: what must be edited first, grouped by what is wrong.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::{Migration, Running};
use crate::diag::{Code, Diagnostic};
use crate::figures::counted;
use crate::span::SourceFiles;

/// So many places of one message are listed; of the others there is only the number.
const PLACES: usize = 5;

pub(super) fn describe(migration: &Migration) -> String {
    let mut text = String::new();
    section(&mut text, "must be edited", &migration.must_be_edited, &migration.files);
    edits(&mut text, migration);
    section(&mut text, "differs from dbt", &migration.differs, &migration.files);
    match migration.running {
        Some(running) => runs(&mut text, running),
        None => text.push_str("what runs as it is can be said once these are corrected\n"),
    }
    text
}

fn section(text: &mut String, title: &str, found: &[Diagnostic], files: &SourceFiles) {
    if found.is_empty() {
        return;
    }
    let _ = writeln!(text, "{title}: {}", counted(found.len(), "finding"));
    let mut by_code: BTreeMap<Code, Vec<&Diagnostic>> = BTreeMap::new();
    for diagnostic in found {
        by_code.entry(diagnostic.code).or_default().push(diagnostic);
    }
    for (code, found) in by_code {
        let _ = writeln!(text, "  {}: {} [{code}]", counted(found.len(), "finding"), code.summary());
        for same in by_message(&found) {
            message(text, &same, files);
        }
    }
    text.push('\n');
}

/// Those that say the same, in the order of the first of each.
fn by_message<'d>(found: &[&'d Diagnostic]) -> Vec<Vec<&'d Diagnostic>> {
    let mut all: Vec<Vec<&Diagnostic>> = Vec::new();
    for diagnostic in found {
        let same = |group: &&mut Vec<&Diagnostic>| {
            group.first().is_some_and(|first| first.message == diagnostic.message && first.helps == diagnostic.helps)
        };
        match all.iter_mut().find(same) {
            Some(group) => group.push(diagnostic),
            None => all.push(vec![diagnostic]),
        }
    }
    all
}

fn message(text: &mut String, same: &[&Diagnostic], files: &SourceFiles) {
    let Some(first) = same.first() else { return };
    let _ = writeln!(text, "    {}", first.message);
    for help in &first.helps {
        let _ = writeln!(text, "      help: {help}");
    }
    let places: Vec<String> = same.iter().filter_map(|one| place(one, files)).collect();
    for place in places.iter().take(PLACES) {
        let _ = writeln!(text, "      {place}");
    }
    if let Some(more) = places.len().checked_sub(PLACES).filter(|more| *more > 0) {
        let _ = writeln!(text, "      and {}", counted(more, "more place"));
    }
}

/// `models/a.sql:3:14`.
fn place(diagnostic: &Diagnostic, files: &SourceFiles) -> Option<String> {
    let span = diagnostic.labels.first()?.span;
    let at = files.position(span.file, span.range().start);
    Some(format!("{}:{}:{}", files.path(span.file), at.line, at.column))
}

fn edits(text: &mut String, migration: &Migration) {
    let count: usize = migration.edited().map(|(_, file)| file.edits.len()).sum();
    if count == 0 {
        return;
    }
    let _ = writeln!(text, "certain edits: {}", counted(count, "place"));
    for (path, file) in migration.edited() {
        for edit in &file.edits {
            let _ = writeln!(text, "  {path}:{}\n    - {}\n    + {}", edit.line, edit.from, edit.to);
        }
    }
    text.push('\n');
}

fn runs(text: &mut String, running: Running) {
    let Running { models, all_models, seeds, sources, tests } = running;
    let parts = [(seeds, "seed"), (sources, "source"), (tests, "data test")];
    let parts = parts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| counted(*count, what));
    let parts: String = parts.map(|part| format!(", {part}")).collect();
    let _ = writeln!(text, "runs as it is: {models} of {}{parts}", counted(all_models, "model"));
}
