//! How two states of a table differ, as text for a terminal and as Markdown for a pull request.

use std::io::{self, Write};

use super::report::{CountedRows, DiffState, TableDiff};
use crate::figures::{counted, grouped};
use crate::shown::{ReportOutput, TextTable, visible};

/// A heading with rows below it.
struct DiffSection {
    heading: String,
    table: TextTable,
}

impl TableDiff {
    /// Writes the difference.
    ///
    /// # Errors
    ///
    /// Returns an error of the writer.
    pub fn write(&self, format: ReportOutput, out: &mut dyn Write) -> io::Result<()> {
        match format {
            ReportOutput::Json => writeln!(out, "{}", self.to_json()),
            ReportOutput::Text => {
                writeln!(out, "{}", self.title())?;
                writeln!(out, "{}", self.summary())?;
                for section in self.sections() {
                    write!(out, "\n{}:\n{}", section.heading, section.table.aligned())?;
                }
                Ok(())
            }
            ReportOutput::Markdown => {
                writeln!(out, "### {}\n", self.title())?;
                writeln!(out, "{}", self.summary())?;
                for section in self.sections() {
                    write!(out, "\n**{}**\n\n{}", section.heading, section.table.markdown())?;
                }
                Ok(())
            }
        }
    }

    fn title(&self) -> String {
        let name = if self.from.table == self.to.table { String::new() } else { format!(" {}", self.from.table) };
        format!("{}: from{name} {} to {}", self.to.table, self.from.in_words(), self.to.in_words())
    }

    fn summary(&self) -> String {
        let total = self.rows.total;
        let by = match (self.rows.key.as_slice(), &self.rows.key_fault) {
            ([], Some(fault)) => format!("; compared as whole rows, because {fault}"),
            ([], None) => "; compared as whole rows, because no key is known".to_owned(),
            (key, _) => format!("; compared by {}", key.join(", ")),
        };
        if self.is_same() {
            return format!("no difference in {}{by}", rows(total.to));
        }
        let mut parts = vec![format!("{} added", grouped(total.added)), format!("{} removed", grouped(total.removed))];
        if !self.rows.key.is_empty() {
            parts.push(format!("{} changed", grouped(total.changed)));
        }
        format!("{} before, {} now: {}{by}", rows(total.from), grouped(total.to), parts.join(", "))
    }

    /// What differs, and nothing else.
    fn sections(&self) -> Vec<DiffSection> {
        let found = &self.rows;
        let mut sections = Vec::new();
        let mut columns = TextTable::new(&["column", "before", "now"]);
        for change in &self.columns {
            let side = |side: &Option<String>| side.clone().unwrap_or_else(|| "-".to_owned());
            columns.push(vec![change.column.clone(), side(&change.from), side(&change.to)]);
        }
        sections.push(DiffSection { heading: "columns".to_owned(), table: columns });
        let mut changed = TextTable::new(&["column", "changed rows"]).with_numbers_from(1);
        for (column, count) in &found.changed_columns {
            changed.push(vec![column.clone(), grouped(*count)]);
        }
        sections.push(DiffSection { heading: "changed columns".to_owned(), table: changed });
        if found.is_sliced {
            let of =
                format!("{} of {} differ", grouped(found.slices.len() as u64), counted(found.slice_count, "slice"));
            sections.push(DiffSection { heading: of, table: self.slices() });
        }
        sections.push(DiffSection { heading: "changed values".to_owned(), table: self.values() });
        let shown: Vec<&str> = found.columns.iter().map(String::as_str).collect();
        for (heading, samples) in [("added rows", &found.added), ("removed rows", &found.removed)] {
            let mut table = TextTable::new(&shown);
            samples.iter().for_each(|row| table.push(row.0.iter().map(shown_value).collect()));
            sections.push(DiffSection { heading: heading.to_owned(), table });
        }
        sections.retain(|section| !section.table.is_empty());
        sections
    }

    fn slices(&self) -> TextTable {
        let mut headings = vec!["slice", "before", "now", "added", "removed"];
        if !self.rows.key.is_empty() {
            headings.push("changed");
        }
        let mut table = TextTable::new(&headings).with_numbers_from(1);
        for found in &self.rows.slices {
            let CountedRows { from, to, added, removed, changed } = found.rows;
            let mut cells = vec![found.slice.clone().unwrap_or_else(|| "without a time".to_owned())];
            cells.extend([from, to, added, removed].map(grouped));
            if !self.rows.key.is_empty() {
                cells.push(grouped(changed));
            }
            table.push(cells);
        }
        table
    }

    fn values(&self) -> TextTable {
        let mut headings: Vec<&str> = self.rows.key.iter().map(String::as_str).collect();
        headings.extend(["column", "before", "now"]);
        let mut table = TextTable::new(&headings);
        for change in &self.rows.values {
            let mut cells: Vec<String> = change.key.iter().map(shown_value).collect();
            cells.push(change.column.clone());
            cells.extend([&change.from, &change.to].map(shown_value));
            table.push(cells);
        }
        table
    }
}

impl DiffState {
    fn in_words(&self) -> String {
        let release = self.release.map(|number| format!(" (release {number})")).unwrap_or_default();
        format!("version {}{release} in `{}`", self.version, self.target)
    }
}

fn rows(count: u64) -> String {
    counted(usize::try_from(count).unwrap_or(usize::MAX), "row")
}

fn shown_value(value: &Option<String>) -> String {
    value.as_ref().map_or_else(|| "null".to_owned(), |text| visible(text, true))
}
