//! Diagnostics for people, as rustc draws them (only user of annotate-snippets).

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use super::{Diagnostic, Role, Severity};
use crate::span::{FileId, SourceFiles};

/// Whether the text may use colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    Plain,
    Colour,
}

/// One diagnostic: the message, the places with their lines, the helps. Ends with a line break.
pub fn render(diagnostic: &Diagnostic, files: &SourceFiles, style: Style) -> String {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let title = level.primary_title(diagnostic.message.as_str()).id(diagnostic.code.word());
    let mut group = Group::with_title(title);
    for file in files_of(diagnostic) {
        group = group.element(snippet(diagnostic, files, file));
    }
    for note in &diagnostic.notes {
        group = group.element(Level::NOTE.message(note.as_str()));
    }
    for help in &diagnostic.helps {
        group = group.element(Level::HELP.message(help.as_str()));
    }
    let renderer = match style {
        Style::Plain => Renderer::plain(),
        Style::Colour => Renderer::styled(),
    };
    let text = renderer.render(&[group]).to_string();
    if !diagnostic.labels.is_empty() {
        return format!("{text}\n");
    }
    // Without a place there is nothing for the renderer's bar to stand beside.
    text.lines().filter(|line| !is_bar(line)).map(|line| format!("{line}\n")).collect()
}

fn is_bar(line: &str) -> bool {
    line.trim_end_matches("\u{1b}[0m").ends_with('|') && !line.contains('=')
}

/// The files that the labels point into, the primary one first.
fn files_of(diagnostic: &Diagnostic) -> Vec<FileId> {
    let mut found = Vec::new();
    for label in &diagnostic.labels {
        // In the order of the labels: the first is the place to look at.
        if !found.contains(&label.span.file) {
            found.push(label.span.file);
        }
    }
    found
}

fn snippet<'a>(
    diagnostic: &'a Diagnostic,
    files: &'a SourceFiles,
    file: FileId,
) -> Snippet<'a, annotate_snippets::Annotation<'a>> {
    let text = files.shown(file);
    let labels = diagnostic.labels.iter().filter(|label| label.span.file == file);
    let annotations = labels.map(|label| {
        let kind = match label.role {
            Role::Primary => AnnotationKind::Primary,
            Role::Context => AnnotationKind::Context,
        };
        let annotation = kind.span(on_characters(text, label.span.range()));
        if label.text.is_empty() { annotation } else { annotation.label(label.text.as_str()) }
    });
    Snippet::source(text).path(files.path(file)).annotations(annotations)
}

/// The renderer cuts the text at these offsets, so they are moved onto character borders inside it.
fn on_characters(text: &str, range: std::ops::Range<usize>) -> std::ops::Range<usize> {
    let start = text.floor_char_boundary(range.start.min(text.len()));
    start..text.ceil_char_boundary(range.end.min(text.len())).max(start)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::Code;
    use crate::span::Span;

    #[test]
    fn a_diagnostic_points_at_what_was_typed() {
        let mut files = SourceFiles::default();
        let file = files.add("models/daily.sql", "select 1\nfrom {{ ref('notez') }}\n");
        let diagnostic = Diagnostic::error(Code::UnknownRef, "no model is called `notez`")
            .at(Span::new(file, 21..28))
            .suggest("notez", ["notes"]);
        insta::assert_snapshot!(render(&diagnostic, &files, Style::Plain), @r"
        error[unknown-ref]: no model is called `notez`
         --> models/daily.sql:2:13
          |
        2 | from {{ ref('notez') }}
          |             ^^^^^^^
          |
          = help: did you mean `notes`?
        ");
    }
}
