//! One data file of a table, and what its statistics tell.

use chrono::NaiveDateTime;
use serde_json::Value;

use super::{PartitionValues, SharedText};
use crate::day::parse_stored;

/// One data file of a table.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct DataFile {
    /// Relative to the table's folder, decoded.
    pub path: SharedText,
    pub partition: PartitionValues,
    pub bytes: u64,
    pub rows: Option<u64>,
    /// Delta's statistics, as JSON text.
    pub stats: Option<SharedText>,
}

impl DataFile {
    fn statistics(&self) -> Option<Value> {
        serde_json::from_str(self.stats.as_deref()?).ok()
    }

    /// The first and the last text that a column has in the file: of long ones only the beginning, the last one rounded up.
    /// Returns `None` if statistics do not tell.
    pub fn texts(&self, column: &str) -> Option<(String, String)> {
        let stats = self.statistics()?;
        Some((bound(&stats, "minValues", column)?.to_owned(), bound(&stats, "maxValues", column)?.to_owned()))
    }

    /// The first and the last time that a column has in the file. Returns `None` if statistics do not tell.
    pub fn times(&self, column: &str) -> Option<(NaiveDateTime, NaiveDateTime)> {
        let stats = self.statistics()?;
        let first = parse_stored(bound(&stats, "minValues", column)?)?;
        let last = parse_stored(bound(&stats, "maxValues", column)?)?;
        Some((first, last))
    }

    /// Whether a column may be null in the file: it is not only if statistics say so.
    pub fn may_be_null(&self, column: &str) -> bool {
        self.statistics().and_then(|stats| stats.get("nullCount")?.get(column)?.as_u64()) != Some(0)
    }

    /// Whether the file has a column of this name in any case, by its statistics: those that karat writes count the nulls of
    /// each.
    pub fn holds(&self, name: &str) -> bool {
        let stats = self.statistics();
        let counted = stats.as_ref().and_then(|stats| stats.get("nullCount")?.as_object());
        counted.is_some_and(|counted| counted.keys().any(|column| column.eq_ignore_ascii_case(name)))
    }

    /// The number of rows that Delta's statistics tell.
    pub fn rows_of(stats: &str) -> Option<u64> {
        // Most writers put it first, and there are many files.
        if let Some((number, _)) = stats.strip_prefix(r#"{"numRecords":"#).and_then(|rest| rest.split_once([',', '}']))
            && let Ok(rows) = number.parse()
        {
            return Some(rows);
        }
        #[derive(serde::Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct RowCount {
            num_records: Option<u64>,
        }
        serde_json::from_str::<RowCount>(stats).ok()?.num_records
    }
}

fn bound<'s>(stats: &'s Value, which: &str, column: &str) -> Option<&'s str> {
    stats.get(which)?.get(column)?.as_str()
}
