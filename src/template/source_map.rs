//! From a byte of SQL back to the byte that was typed.

use std::ops::Range;

use crate::span::{FileId, Span, TracedSpan};

/// Where every byte of a rendered text comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceMap {
    /// In the order of the rendered text, without overlaps.
    pieces: Vec<MapPiece>,
    /// The same, but of what expressions gave: where that was typed. Empty unless somebody asked.
    inner: Vec<MapPiece>,
    /// The place for a text that has no piece at all.
    fallback: Span,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct MapPiece {
    pub rendered_start: usize,
    pub rendered_end: usize,
    pub typed: Span,
    pub kind: PieceKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PieceKind {
    /// Text that was copied: it maps byte for byte.
    Raw,
    /// What an expression gave: it maps to the expression.
    Expression,
    /// Text that was copied and then changed, as by a filter: nobody can tell which byte is which.
    Changed,
}

impl MapPiece {
    /// What the part of this piece that was typed here became. Returns `None` if it was typed elsewhere.
    fn rendered(&self, typed: Span) -> Option<Range<usize>> {
        let own = self.typed.range();
        let asked = typed.range();
        let touches = own.start < asked.end.max(asked.start + 1) && asked.start < own.end;
        if self.typed.file != typed.file || !touches {
            return None;
        }
        Some(match self.kind {
            PieceKind::Expression | PieceKind::Changed => self.rendered_start..self.rendered_end,
            PieceKind::Raw => {
                let start = asked.start.max(own.start) - own.start;
                let end = asked.end.clamp(own.start, own.end) - own.start;
                self.rendered_start + start..self.rendered_start + end.max(start)
            }
        })
    }

    /// Where the rendered range, cut to this piece, was typed.
    fn typed(&self, rendered: &Range<usize>) -> Span {
        match self.kind {
            PieceKind::Expression | PieceKind::Changed => self.typed,
            PieceKind::Raw => {
                let start = rendered.start.clamp(self.rendered_start, self.rendered_end) - self.rendered_start;
                let end = rendered.end.clamp(self.rendered_start, self.rendered_end) - self.rendered_start;
                let base = self.typed.range().start;
                Span::new(self.typed.file, base + start..base + end)
            }
        }
    }
}

impl SourceMap {
    pub(super) fn new(file: FileId, pieces: Vec<MapPiece>) -> SourceMap {
        SourceMap { pieces, inner: Vec::new(), fallback: Span::new(file, 0..0) }
    }

    /// The map of a text that was not typed: all of it comes from one place.
    pub fn whole(span: Span) -> SourceMap {
        SourceMap { pieces: Vec::new(), inner: Vec::new(), fallback: span }
    }

    /// What was typed for these rendered bytes: raw text byte for byte, an expression as a whole.
    /// A range beyond the end means the end.
    pub fn span(&self, rendered: Range<usize>) -> Span {
        typed_in(&self.pieces, rendered).unwrap_or(self.fallback)
    }

    /// The same map, which also knows where was typed what expressions gave.
    pub(super) fn with_inner(self, inner: SourceMap) -> SourceMap {
        SourceMap { inner: inner.pieces, ..self }
    }

    /// Whether this place is an expression, so that what it gave was typed elsewhere.
    pub fn is_expression(&self, typed: Span) -> bool {
        self.pieces.iter().any(|piece| piece.kind == PieceKind::Expression && piece.typed == typed)
    }

    /// The same with the way there: what a macro gave was typed in the macro, and called in the template.
    pub fn traced(&self, rendered: Range<usize>) -> TracedSpan {
        let outer = self.span(rendered.clone());
        let made = piece_at(&self.pieces, rendered.start).filter(|piece| piece.kind == PieceKind::Expression);
        let inner = made.and_then(|made| {
            // What stands before the first piece within the expression has none.
            let first = piece_at(&self.inner, rendered.start)?;
            (first.rendered_start >= made.rendered_start && first.kind != PieceKind::Changed)
                .then(|| typed_in(&self.inner, rendered.clone()))?
        });
        match inner {
            Some(inner) if inner.file == outer.file && outer.start <= inner.start && inner.end <= outer.end => {
                outer.into()
            }
            // What passes through a macro unchanged is the matter of whoever calls it.
            Some(inner) if self.is_given(&rendered) => TracedSpan { used_at: Some(inner), ..outer.into() },
            Some(inner) => TracedSpan { called_at: Some(outer), ..inner.into() },
            None => outer.into(),
        }
    }

    /// Whether the range lies within what one expression of a macro gave.
    fn is_given(&self, rendered: &Range<usize>) -> bool {
        let piece = piece_at(&self.inner, rendered.start);
        piece.is_some_and(|piece| piece.kind == PieceKind::Expression && rendered.end <= piece.rendered_end)
    }

    /// What an expression gave, if the rendered range is a part of that and not all of it.
    pub fn made_around(&self, rendered: &Range<usize>) -> Option<Range<usize>> {
        let piece = piece_at(&self.pieces, rendered.start).filter(|piece| piece.kind == PieceKind::Expression)?;
        let made = piece.rendered_start..piece.rendered_end;
        let is_part = made.start <= rendered.start && rendered.end <= made.end && made.len() > rendered.len();
        is_part.then_some(made)
    }

    /// The bytes of the rendered text that were typed here, in their order: the way back of [`SourceMap::span`]. What is
    /// typed within a loop is rendered several times, and what lies within an expression gives all of what that gave.
    pub fn rendered(&self, typed: Span) -> Vec<Range<usize>> {
        self.pieces.iter().filter_map(|piece| piece.rendered(typed)).collect()
    }
}

/// Where the rendered range was typed.
fn typed_in(pieces: &[MapPiece], rendered: Range<usize>) -> Option<Span> {
    let first = piece_at(pieces, rendered.start)?;
    let start = first.typed(&rendered);
    let last = piece_at(pieces, rendered.end.saturating_sub(1).max(rendered.start)).unwrap_or(first);
    let end = last.typed(&rendered);
    Some(if start.file == end.file && end.end >= start.end { Span { end: end.end, ..start } } else { start })
}

/// The piece that holds this byte, or the last one before it.
fn piece_at(pieces: &[MapPiece], offset: usize) -> Option<&MapPiece> {
    let next = pieces.partition_point(|piece| piece.rendered_start <= offset);
    pieces.get(next.saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::span::SourceFiles;

    #[test]
    fn raw_text_maps_byte_for_byte_and_an_expression_as_a_whole() {
        let file = SourceFiles::default().add("a.sql", "select {{ x }} from t");
        let span = |range: Range<usize>| Span::new(file, range);
        let map = SourceMap::new(
            file,
            vec![
                MapPiece { rendered_start: 0, rendered_end: 7, typed: span(0..7), kind: PieceKind::Raw },
                MapPiece { rendered_start: 7, rendered_end: 12, typed: span(10..11), kind: PieceKind::Expression },
                MapPiece { rendered_start: 12, rendered_end: 19, typed: span(14..21), kind: PieceKind::Raw },
            ],
        );
        assert_eq!(map.span(2..4), span(2..4));
        assert_eq!(map.span(8..9), span(10..11));
        assert_eq!(map.span(13..15), span(15..17));
        assert_eq!(map.span(5..9), span(5..11));
        assert_eq!(map.span(5..14), span(5..16));
        assert_eq!(map.span(99..120), span(21..21));
        assert_eq!(SourceMap::new(file, Vec::new()).span(0..5), span(0..0));
        let rendered = |typed: Range<usize>| format!("{:?}", map.rendered(span(typed)));
        assert_eq!(rendered(2..4), "[2..4]");
        assert_eq!(rendered(10..10), "[7..12]");
        assert_eq!(rendered(5..16), "[5..7, 7..12, 12..14]");
        assert_eq!(rendered(8..9), "[]");
    }
}
