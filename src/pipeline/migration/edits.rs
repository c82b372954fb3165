//! Edits that are certain: a replacement that a diagnostic names, where the text is exactly what it replaces.

use std::collections::BTreeMap;

use crate::pipeline::compilation::Compilation;
use crate::pipeline::load::{Workspace, is_of_package};
use crate::span::{SourceFiles, Span};

/// A file as it is and as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EditedFile {
    /// What was read. If the file holds something else by the time it is written, it is left alone.
    pub original: String,
    pub text: String,
    pub edits: Vec<MadeEdit>,
}

/// One replacement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MadeEdit {
    /// From 1.
    pub line: usize,
    pub from: String,
    pub to: String,
}

/// A replacement and its place in the text as it was read.
struct Place {
    start: usize,
    end: usize,
    edit: MadeEdit,
}

/// Makes the edits that the diagnostics name. Returns whether there were any.
pub(super) fn apply(
    compilation: &Compilation,
    workspace: &Workspace,
    edited: &mut BTreeMap<String, EditedFile>,
) -> bool {
    let files = compilation.files();
    let mut by_path: BTreeMap<String, Vec<Place>> = BTreeMap::new();
    for diagnostic in compilation.diagnostics() {
        let (Some(replacement), Some(label)) = (&diagnostic.replacement, diagnostic.labels.first()) else { continue };
        let path = files.path(label.span.file);
        if is_of_package(path) {
            continue;
        }
        if let Some(place) = found_place(files, label.span, &replacement.from, &replacement.to) {
            by_path.entry(path.to_owned()).or_default().push(place);
        }
    }
    let mut is_changed = false;
    for (path, places) in by_path {
        is_changed |= edit_file(&path, places, workspace, edited);
    }
    is_changed
}

/// Where `from` stands in the text. Returns `None` if something else stands there, as inside the call of a macro.
fn found_place(files: &SourceFiles, span: Span, from: &str, to: &str) -> Option<Place> {
    let start = span.range().start;
    let end = start + from.len();
    let typed = files.text(span.file).get(start..end)?;
    let line = files.position(span.file, start).line;
    typed.eq_ignore_ascii_case(from).then(|| Place {
        start,
        end,
        edit: MadeEdit { line, from: typed.to_owned(), to: to.to_owned() },
    })
}

fn edit_file(
    path: &str,
    mut places: Vec<Place>,
    workspace: &Workspace,
    edited: &mut BTreeMap<String, EditedFile>,
) -> bool {
    let Ok(now) = edited.get(path).map_or_else(|| workspace.host.read(path), |file| Ok(file.text.clone())) else {
        return false;
    };
    // Places count from behind the mark with which some editors begin a file.
    let mark = now.len() - now.trim_start_matches('\u{feff}').len();
    places.sort_by_key(|place| place.start);
    places.dedup_by_key(|place| place.start);
    let mut text = String::new();
    let mut made = Vec::new();
    let mut copied = 0;
    for Place { start, end, edit } in places {
        let before = now.get(copied..start + mark);
        let is_there = now.get(start + mark..end + mark) == Some(edit.from.as_str());
        let Some(before) = before.filter(|_| is_there) else { continue };
        text.push_str(before);
        text.push_str(&edit.to);
        copied = end + mark;
        made.push(edit);
    }
    if made.is_empty() {
        return false;
    }
    text.push_str(now.get(copied..).unwrap_or_default());
    let file = edited.entry(path.to_owned()).or_insert_with(|| EditedFile {
        original: now,
        text: String::new(),
        edits: Vec::new(),
    });
    file.text = text;
    file.edits.extend(made);
    // No replacement has a line end, so lines are those of the file from the first edit to the last.
    file.edits.sort_by_key(|edit| edit.line);
    true
}
