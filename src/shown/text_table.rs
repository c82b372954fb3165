//! A table of texts: aligned for a terminal, or in Markdown.

use super::rows::{padded, width};

/// Headings, and rows of as many cells.
#[derive(Debug, Clone)]
pub(crate) struct TextTable {
    headings: Vec<String>,
    rows: Vec<Vec<String>>,
    /// From this column on, cells are numbers.
    numbers_from: usize,
}

impl TextTable {
    pub fn new(headings: &[&str]) -> Self {
        let headings = headings.iter().map(|heading| (*heading).to_owned()).collect();
        Self { headings, rows: Vec::new(), numbers_from: usize::MAX }
    }

    /// The columns from this one on are aligned to the right.
    pub fn with_numbers_from(self, first: usize) -> Self {
        Self { numbers_from: first, ..self }
    }

    pub fn push(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// With columns as wide as their longest cells, indented by two.
    pub fn aligned(&self) -> String {
        let lines = || std::iter::once(&self.headings).chain(&self.rows);
        let width_of = |index: usize| lines().filter_map(|cells| cells.get(index)).map(|cell| width(cell)).max();
        let widths: Vec<usize> = (0..self.headings.len()).map(|index| width_of(index).unwrap_or(0)).collect();
        let mut text = String::new();
        for cells in lines() {
            let cells = cells.iter().zip(&widths).enumerate();
            let cells = cells.map(|(index, (cell, width))| padded(cell, *width, index >= self.numbers_from));
            let line = cells.collect::<Vec<_>>().join("  ");
            text.push_str(&format!("  {}\n", line.trim_end()));
        }
        text
    }

    /// As a table of GitHub's Markdown.
    pub fn markdown(&self) -> String {
        let line = |cells: &[String]| {
            // A bar ends a cell, and a line end the table.
            let cells = cells.iter().map(|cell| cell.replace('\\', "\\\\").replace('|', "\\|").replace('\n', " "));
            format!("| {} |\n", cells.collect::<Vec<_>>().join(" | "))
        };
        let rule = (0..self.headings.len()).map(|index| if index >= self.numbers_from { "---:|" } else { "---|" });
        let mut text = line(&self.headings);
        text.push_str(&format!("|{}\n", rule.collect::<String>()));
        self.rows.iter().for_each(|cells| text.push_str(&line(cells)));
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_aligned_or_markdown() {
        let mut table = TextTable::new(&["name", "rows"]).with_numbers_from(1);
        table.push(vec!["a|b".to_owned(), "7".to_owned()]);
        table.push(vec!["c\\d".to_owned(), "1 000".to_owned()]);
        assert_eq!(table.aligned(), "  name   rows\n  a|b       7\n  c\\d   1 000\n");
        assert_eq!(table.markdown(), "| name | rows |\n|---|---:|\n| a\\|b | 7 |\n| c\\\\d | 1 000 |\n");
    }
}
