//! How the values of a declared column converted: counted in each block, added up for each file.

/// So many characters of a value are shown as an example.
const SHOWN_CHARACTERS: usize = 60;

/// How the values of one column converted. Nulls are neither.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct ColumnTally {
    pub(crate) converted: u64,
    pub(crate) rescued: u64,
    /// The first value that did not convert, `None` if all of them did.
    pub(crate) first: Option<RescuedValue>,
}

/// A value that did not convert.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RescuedValue {
    /// The physical line, from 1, where its record starts.
    pub(crate) line: u64,
    /// Its text; a long one is cut, and says so.
    pub(crate) text: String,
}

impl RescuedValue {
    pub(crate) fn new(line: u64, text: &str) -> Self {
        let mut shown: String = text.chars().take(SHOWN_CHARACTERS).collect();
        if shown.len() < text.len() {
            shown.push('…');
        }
        Self { line, text: shown }
    }
}

impl ColumnTally {
    /// Adds the counts of the same column elsewhere in the file.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.converted += other.converted;
        self.rescued += other.rescued;
        self.first = match (self.first.take(), &other.first) {
            (Some(first), Some(other)) => Some(first.min(other.clone())),
            (first, other) => first.or_else(|| other.clone()),
        };
    }

    /// Counts a value that did not convert.
    pub(super) fn rescue(&mut self, line: u64, text: &str) {
        self.rescued += 1;
        if self.first.as_ref().is_none_or(|first| line < first.line) {
            self.first = Some(RescuedValue::new(line, text));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_value_of_a_file_is_its_example_whatever_block_comes_first() {
        let mut late = ColumnTally { converted: 1, ..ColumnTally::default() };
        late.rescue(9, "x");
        late.rescue(7, &"é".repeat(61));
        let mut early = ColumnTally::default();
        early.rescue(2, "y");
        let mut all = late.clone();
        all.merge(&early);
        early.merge(&late);
        assert_eq!(all, early);
        assert_eq!(all, ColumnTally { converted: 1, rescued: 3, first: Some(RescuedValue::new(2, "y")) });
        assert_eq!(late.first.unwrap().text, format!("{}…", "é".repeat(60)));
    }
}
