//! Which reference a table in the SQL is.
//!
//! Each `ref()` and `source()` may have a window of its own, so two references to one table must be told apart; but to
//! the author, both are the same table of the same name. So the second renders to the same name with a mark behind it,
//! made of characters that Unicode sets aside for a program's own use. The marks are taken off the text as soon as it
//! is rendered, and where they stood is kept.

use std::collections::BTreeMap;
use std::fmt;

use crate::name::TableName;

/// What stands around the number in a mark: noncharacters, which no text has that is interchanged.
const OPENS: char = '\u{FDD0}';
const CLOSES: char = '\u{FDD1}';

/// A table, and which of the text's references to it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReferenceName {
    pub table: TableName,
    /// From 1, in the order of the calls.
    pub nth: u32,
}

impl ReferenceName {
    /// The only reference to a table, or the first.
    pub fn first(table: TableName) -> ReferenceName {
        ReferenceName { table, nth: 1 }
    }

    /// What stands behind the table's name in the rendered text until it is taken off; empty for the first.
    pub(super) fn mark(&self) -> String {
        if self.nth == 1 { String::new() } else { format!("{OPENS}{}{CLOSES}", self.nth) }
    }
}

impl fmt::Display for ReferenceName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.table)?;
        if self.nth == 1 { Ok(()) } else { write!(formatter, " (reference {})", self.nth) }
    }
}

/// Where references stand in a text: which it is, by the byte behind the table's name. A first one is not kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReferencePlaces(BTreeMap<usize, u32>);

impl ReferencePlaces {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Which reference the table is whose name ends before this byte.
    pub fn nth_before(&self, end: usize) -> u32 {
        self.0.get(&end).copied().unwrap_or(1)
    }
}

/// A text without its marks.
#[derive(Debug)]
pub(super) struct Unmarked {
    pub text: String,
    pub places: ReferencePlaces,
    /// The marks in the text as it was, in order.
    cuts: Vec<MarkCut>,
}

#[derive(Debug)]
struct MarkCut {
    start: usize,
    length: usize,
    /// The lengths of those before it.
    before: usize,
}

impl Unmarked {
    /// Takes the marks off.
    pub fn of(marked: String) -> Unmarked {
        if !marked.contains(OPENS) {
            return Unmarked { text: marked, places: ReferencePlaces::default(), cuts: Vec::new() };
        }
        let mut text = String::with_capacity(marked.len());
        let mut places = BTreeMap::new();
        let mut cuts = Vec::new();
        let mut done = 0;
        while let Some(found) = marked.get(done..).and_then(next_mark) {
            let start = done + found.start;
            text.push_str(marked.get(done..start).unwrap_or_default());
            done = start + found.length;
            cuts.push(MarkCut { start, length: found.length, before: start - text.len() });
            // A name in quotes has its mark within them.
            let closing = usize::from(marked.get(done..).is_some_and(|rest| rest.starts_with('"')));
            places.insert(text.len() + closing, found.nth);
        }
        text.push_str(marked.get(done..).unwrap_or_default());
        Unmarked { text, places: ReferencePlaces(places), cuts }
    }

    /// Where a byte of the marked text stands now.
    pub fn moved(&self, offset: usize) -> usize {
        // The marks that begin before the offset are gone; an offset inside of one stands where the mark stood.
        let next = self.cuts.partition_point(|cut| cut.start < offset);
        let last = next.checked_sub(1).and_then(|index| self.cuts.get(index));
        offset - last.map_or(0, |cut| cut.before + cut.length.min(offset - cut.start))
    }
}

struct FoundMark {
    start: usize,
    length: usize,
    nth: u32,
}

fn next_mark(text: &str) -> Option<FoundMark> {
    text.match_indices(OPENS).find_map(|(start, _)| {
        let number = text.get(start + OPENS.len_utf8()..)?;
        let end = number.find(CLOSES)?;
        let nth = number.get(..end)?.parse().ok()?;
        Some(FoundMark { start, length: OPENS.len_utf8() + end + CLOSES.len_utf8(), nth })
    })
}

/// A message of a template as people may read it.
pub(super) fn without_marks(text: String) -> String {
    Unmarked::of(text).text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_leave_the_text_and_their_places_stay() {
        let marked = format!("a.t{OPENS}2{CLOSES} x, a.\"T{OPENS}13{CLOSES}\" where {OPENS}{CLOSES}");
        let unmarked = Unmarked::of(marked.clone());
        assert_eq!(unmarked.text, format!("a.t x, a.\"T\" where {OPENS}{CLOSES}"));
        assert_eq!((unmarked.places.nth_before(3), unmarked.places.nth_before(2)), (2, 1));
        assert_eq!(unmarked.places.nth_before(unmarked.text.find(" where").unwrap()), 13);
        for word in ["x", "where"] {
            assert_eq!(unmarked.moved(marked.find(word).unwrap()), unmarked.text.find(word).unwrap());
        }
        assert_eq!(unmarked.moved(3), 3);
        assert_eq!(unmarked.moved(3 + OPENS.len_utf8()), 3);
    }
}
