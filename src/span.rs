//! Where something stands in a file: every fact that can be wrong carries one of these.

use std::ops::Range;
use std::sync::{Arc, OnceLock};

/// One file that was read. Small and copyable; [`SourceFiles`] knows its path and text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(u32);

/// A range of bytes of one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    pub file: FileId,
    pub start: u32,
    pub end: u32,
}

impl Span {
    /// `range` is clamped to what fits a `u32`: files of 4 GiB are refused when they are read.
    pub fn new(file: FileId, range: Range<usize>) -> Span {
        let clamp = |offset: usize| u32::try_from(offset).unwrap_or(u32::MAX);
        Span { file, start: clamp(range.start), end: clamp(range.end.max(range.start)) }
    }

    /// The byte range in the file.
    pub fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// Where a part of a rendered text was typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TracedSpan {
    pub span: Span,
    /// The expression of the template that gave it, if it was typed elsewhere: in a macro or in a block.
    pub called_at: Option<Span>,
    /// Where a macro puts what it was given by the call at `span`.
    pub used_at: Option<Span>,
}

impl From<Span> for TracedSpan {
    fn from(span: Span) -> TracedSpan {
        TracedSpan { span, called_at: None, used_at: None }
    }
}

/// A value and the place where its author wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spanned<T> {
    pub value: T,
    pub span: Span,
}

impl<T> Spanned<T> {
    pub fn new(value: T, span: Span) -> Spanned<T> {
        Spanned { value, span }
    }

    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Spanned<U> {
        Spanned { value: change(self.value), span: self.span }
    }

    pub fn as_ref(&self) -> Spanned<&T> {
        Spanned { value: &self.value, span: self.span }
    }
}

/// A line and a column, both from 1, the column in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    pub line: usize,
    pub column: usize,
}

#[derive(Debug, Clone)]
struct SourceFile {
    path: String,
    text: Arc<str>,
    find_hidden: FindHidden,
    /// The text as it may be shown, made for the first message that shows a part of it.
    shown: OnceLock<Arc<str>>,
}

/// The ranges of bytes of a text that must not be shown.
type FindHidden = fn(&str) -> Vec<Range<usize>>;

impl SourceFile {
    fn shown(&self) -> &str {
        self.shown.get_or_init(|| {
            let hidden = (self.find_hidden)(&self.text);
            if hidden.is_empty() { Arc::clone(&self.text) } else { starred(&self.text, &hidden).into() }
        })
    }
}

/// Every file that the author wrote and karat read, by [`FileId`].
#[derive(Debug, Clone, Default)]
pub struct SourceFiles {
    files: Vec<SourceFile>,
}

impl SourceFiles {
    /// `path` is relative to the project and uses `/`.
    pub fn add(&mut self, path: impl Into<String>, text: impl Into<Arc<str>>) -> FileId {
        self.add_hiding(path, text, |_| Vec::new())
    }

    /// Like [`SourceFiles::add`]; what stands in the ranges of bytes that `find_hidden` finds is never shown.
    pub fn add_hiding(
        &mut self,
        path: impl Into<String>,
        text: impl Into<Arc<str>>,
        find_hidden: FindHidden,
    ) -> FileId {
        let id = FileId(u32::try_from(self.files.len()).expect("fewer than four billion files were read"));
        self.files.push(SourceFile { path: path.into(), text: text.into(), find_hidden, shown: OnceLock::new() });
        id
    }

    pub fn path(&self, file: FileId) -> &str {
        self.files.get(file.0 as usize).map_or("", |found| &found.path)
    }

    pub fn text(&self, file: FileId) -> &str {
        self.files.get(file.0 as usize).map_or("", |found| &found.text)
    }

    /// The text of a file, for a holder that outlives these files.
    pub fn shared_text(&self, file: FileId) -> Arc<str> {
        self.files.get(file.0 as usize).map_or_else(|| "".into(), |found| Arc::clone(&found.text))
    }

    /// The text as it may be shown to anybody, byte for byte as long as the text itself.
    pub fn shown(&self, file: FileId) -> &str {
        self.files.get(file.0 as usize).map_or("", SourceFile::shown)
    }

    /// Returns the text under `span`; an empty one if the span does not lie on character borders.
    pub fn slice(&self, span: Span) -> &str {
        self.text(span.file).get(span.range()).unwrap_or("")
    }

    pub fn ids(&self) -> impl Iterator<Item = FileId> + '_ {
        (0..self.files.len()).map(|index| FileId(index as u32))
    }

    /// The file that was added under this path.
    pub fn find(&self, path: &str) -> Option<FileId> {
        self.ids().find(|id| self.path(*id) == path)
    }

    /// Where `offset` is, for people.
    pub fn position(&self, file: FileId, offset: usize) -> Position {
        let text = self.text(file);
        let before = text.get(..offset.min(text.len())).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Position {
            line: before.bytes().filter(|byte| *byte == b'\n').count() + 1,
            column: before.get(line_start..).unwrap_or("").chars().count() + 1,
        }
    }

    /// The byte offset of a line and column, both from 1, the column in characters; clamped to the text.
    pub fn offset(&self, file: FileId, position: Position) -> usize {
        offset_of(self.text(file), position)
    }
}

/// The text with a star for every byte that must not be shown; blanks and line ends stay.
fn starred(text: &str, hidden: &[Range<usize>]) -> String {
    let mut is_hidden = vec![false; text.len()];
    for range in hidden {
        is_hidden.get_mut(range.clone()).unwrap_or_default().fill(true);
    }
    let mut shown = String::with_capacity(text.len());
    for (offset, letter) in text.char_indices() {
        if letter.is_whitespace() || is_hidden.get(offset) != Some(&true) {
            shown.push(letter);
        } else {
            shown.extend(std::iter::repeat_n('*', letter.len_utf8()));
        }
    }
    shown
}

/// The byte offset in `text` of a line and column that count from 1, the column in characters; clamped to the text.
pub fn offset_of(text: &str, position: Position) -> usize {
    let mut start = 0;
    for _ in 1..position.line {
        match text.get(start..).and_then(|rest| rest.find('\n')) {
            Some(newline) => start += newline + 1,
            None => return text.len(),
        }
    }
    let line = text.get(start..).unwrap_or("").split('\n').next().unwrap_or("");
    let within = line.char_indices().nth(position.column.saturating_sub(1)).map_or(line.len(), |(offset, _)| offset);
    start + within
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_and_offsets_are_inverse_and_count_characters() {
        let mut files = SourceFiles::default();
        let file = files.add("a.sql", "select 'ä', b\nfrom t\n");
        let offset = files.text(file).find('b').unwrap();
        assert_eq!(files.position(file, offset), Position { line: 1, column: 13 });
        assert_eq!(files.offset(file, Position { line: 1, column: 13 }), offset);
        assert_eq!(files.position(file, 16), Position { line: 2, column: 2 });
        assert_eq!(files.offset(file, Position { line: 9, column: 9 }), files.text(file).len());
    }
}
