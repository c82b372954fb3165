//! Which byte of a text was typed where, into macros and blocks: found by rendering once more, with marks in the templates.
//!
//! The engine tells of what a template prints itself, and not of what a macro or a block gives it: that is a text by then. So where
//! an error lies in such a text, the template is rendered again from texts with a mark before every piece: before what is copied,
//! and before every expression. A mark is made of characters that Unicode sets aside for a program's own use. The marks are taken
//! off again, and the map that they give is used only if what remains is, byte for byte, the text that was rendered before: a
//! template that looks at its own text, and so at the marks, keeps the coarse map.

use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use super::rewrite::RewrittenText;
use super::source_map::{MapPiece, PieceKind};
use super::token::{Token, TokenKind, tokens};
use crate::span::{FileId, Span};

/// What stands around the number of a mark; those of references are others.
const OPENS: char = '\u{FDD2}';
const CLOSES: char = '\u{FDD3}';

/// What is typed at a mark.
#[derive(Debug, Clone, Copy)]
struct MarkedPiece {
    typed: Span,
    kind: PieceKind,
}

/// All marks, by their numbers.
#[derive(Debug, Default)]
pub(super) struct Tracer {
    marks: Mutex<Vec<MarkedPiece>>,
}

impl Tracer {
    /// The text with its marks.
    pub fn marked(&self, rewritten: &RewrittenText, file: FileId) -> String {
        let text = rewritten.text.as_str();
        let mut marked = String::with_capacity(text.len() * 2);
        let mut copied = 0;
        for MarkPlace { at, typed, kind } in places(text) {
            let number = self.add(MarkedPiece { typed: Span::new(file, rewritten.original(typed)), kind });
            marked.push_str(text.get(copied..at).unwrap_or_default());
            marked.push_str(&format!("{OPENS}{number}{CLOSES}"));
            copied = at;
        }
        marked.push_str(text.get(copied..).unwrap_or_default());
        marked
    }

    fn add(&self, piece: MarkedPiece) -> usize {
        let mut marks = self.marks.lock().unwrap_or_else(PoisonError::into_inner);
        marks.push(piece);
        marks.len() - 1
    }

    /// The rendered text without its marks, and the pieces that they begin.
    pub fn unmarked(&self, rendered: &str) -> UnmarkedText {
        let marks = self.marks.lock().unwrap_or_else(PoisonError::into_inner);
        let mut parts = rendered.split(OPENS);
        let mut text = parts.next().unwrap_or_default().to_owned();
        let mut pieces: Vec<MapPiece> = Vec::new();
        for part in parts {
            let Some((number, rest)) = part.split_once(CLOSES) else {
                text.push_str(part);
                continue;
            };
            if let Some(MarkedPiece { typed, kind }) = number.parse().ok().and_then(|number: usize| marks.get(number)) {
                let rendered_start = text.len();
                pieces.push(MapPiece {
                    rendered_start,
                    rendered_end: rendered_start + rest.len(),
                    typed: *typed,
                    kind: *kind,
                });
            }
            text.push_str(rest);
        }
        UnmarkedText { text, pieces }
    }
}

/// A rendered text without marks.
pub(super) struct UnmarkedText {
    pub text: String,
    pub pieces: Vec<MapPiece>,
}

/// Where a mark is put, and what is typed there.
struct MarkPlace {
    at: usize,
    typed: Range<usize>,
    kind: PieceKind,
}

/// Where marks stand. None is put where it would keep blanks that a `-` of a tag takes away: a mark of copied text stands before
/// its first letter, and one of an expression that trims stands behind the last letter before it.
fn places(text: &str) -> Vec<MarkPlace> {
    let tokens = tokens(text);
    let mut places = Vec::new();
    let mut copied_from = Some(0);
    for (index, token) in tokens.iter().enumerate() {
        match token.kind {
            TokenKind::Open => {
                let chunk = copied_from.take().map(|start| start..token.start);
                if let Some(chunk) = &chunk {
                    places.extend(copied(text, chunk.clone()));
                }
                places.extend(expression(text, tokens.get(index..).unwrap_or_default(), chunk));
            }
            // What stands in a raw block is no template.
            TokenKind::Close => {
                let is_raw =
                    index >= 2 && tokens.get(index - 1).is_some_and(|word| text.get(word.range()) == Some("raw"));
                copied_from = (!is_raw).then_some(token.end);
            }
            TokenKind::Word | TokenKind::Text | TokenKind::Mark(_) => {}
        }
    }
    if let Some(start) = copied_from {
        places.extend(copied(text, start..text.len()));
    }
    places
}

/// The parts of a chunk between comments.
fn copied(text: &str, chunk: Range<usize>) -> Vec<MarkPlace> {
    let mut found = Vec::new();
    let mut start = chunk.start;
    while start < chunk.end {
        let rest = text.get(start..chunk.end).unwrap_or_default();
        let comment = rest.find("{#").map_or(rest.len(), |at| at);
        let part = rest.get(..comment).unwrap_or_default();
        let blanks = part.len() - part.trim_start().len();
        if blanks < part.len() {
            let typed = start + blanks..start + part.len();
            found.push(MarkPlace { at: typed.start, typed, kind: PieceKind::Raw });
        }
        let end = rest.get(comment..).and_then(|rest| rest.find("#}")).map_or(rest.len(), |end| comment + end + 2);
        start += end.max(1);
    }
    found
}

/// The expression whose tag begins with the first of these tokens, behind the copied text `before`.
fn expression(text: &str, tokens: &[Token], before: Option<Range<usize>>) -> Option<MarkPlace> {
    let open = tokens.first()?;
    let inside = tokens.get(1..tokens.iter().position(|token| token.kind == TokenKind::Close)?)?;
    if text.get(open.range()) != Some("{{") {
        return None;
    }
    let trims = text.as_bytes().get(open.end) == Some(&b'-');
    let at = match before {
        Some(before) if trims => before.start + text.get(before.clone())?.trim_end().len(),
        _ => open.start,
    };
    Some(MarkPlace { at, typed: inside.first()?.start..inside.last()?.end, kind: PieceKind::Expression })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_stand_where_no_tag_trims() {
        let text = "{% macro m(x) -%}\n  a {{ x }} b {# c #} d\n{{- x -}} {% raw %}{{ y }}{% endraw %}{% endmacro %}";
        let mut shown = text.to_owned();
        for place in places(text).into_iter().rev() {
            shown.insert(place.at, '@');
        }
        assert_eq!(
            shown,
            "{% macro m(x) -%}\n  @a @{{ x }} @b {# c #} @d@\n{{- x -}} {% raw %}{{ y }}{% endraw %}{% endmacro %}"
        );
    }
}
