//! The versions of a table as rows.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray, TimestampSecondArray, UInt64Array};
use arrow::error::ArrowError;

use super::history::TableHistory;
use crate::store::PastVersion;
use crate::table::CommitNote;

impl TableHistory {
    /// The versions as rows. For people, what other writers say of themselves stands where karat tells why.
    ///
    /// # Errors
    ///
    /// Returns an error if the engine cannot put the columns together.
    pub fn rows(&self, for_people: bool) -> Result<RecordBatch, ArrowError> {
        let found = self;
        let versions = &found.history.versions;
        let note = |get: fn(&CommitNote) -> Option<String>| -> ArrayRef {
            Arc::new(versions.iter().map(|version| get(version.note.as_ref()?)).collect::<StringArray>())
        };
        let seconds = |version: &PastVersion| Some(version.timestamp?.div_euclid(1000));
        let times = versions.iter().map(seconds).collect::<TimestampSecondArray>().with_timezone("UTC");
        let numbers: ArrayRef =
            Arc::new(versions.iter().map(|version| Some(version.version.number())).collect::<UInt64Array>());
        let rows = versions.iter().map(|version| Some(version.note.as_ref()?.rows)).collect::<UInt64Array>();
        let states = versions.iter().map(|version| state(found, version)).collect::<StringArray>();
        let mut columns: Vec<(&str, ArrayRef, bool)> = vec![
            ("version", numbers, false),
            ("time", Arc::new(times), true),
            ("state", Arc::new(states), true),
            ("run", note(|note| Some(note.run.clone())), true),
            ("git", note(|note| Some(note.git.as_ref()?.chars().take(12).collect())), true),
            ("slices", note(|note| Some(note.slices.clone())), true),
            ("rows", Arc::new(rows), true),
        ];
        if for_people {
            let why = versions.iter().map(|version| Some(why(version))).collect::<StringArray>();
            columns.push(("why", Arc::new(why), true));
        } else {
            let text = |get: fn(&PastVersion) -> Option<&str>| -> ArrayRef {
                Arc::new(versions.iter().map(get).collect::<StringArray>())
            };
            columns.push(("why", note(|note| Some(note.why.clone())), true));
            columns.push(("operation", text(|version| version.operation.as_deref()), true));
            columns.push(("engine", text(|version| version.engine.as_deref()), true));
        }
        RecordBatch::try_from_iter_with_nullable(columns)
    }
}

/// Who sees the version: readers, the next run, or nobody any more.
fn state(found: &TableHistory, version: &PastVersion) -> Option<&'static str> {
    let newest = version.version == found.history.newest;
    let released = found.released == Some(version.version);
    match (newest, released, version.has_lost_files) {
        (true, true, false) => Some("newest, released"),
        (true, true, true) => Some("newest, released, files removed"),
        (true, false, false) => Some("newest"),
        (true, false, true) => Some("newest, files removed"),
        (false, true, false) => Some("released"),
        (false, true, true) => Some("released, files removed"),
        (false, false, true) => Some("files removed"),
        (false, false, false) => None,
    }
}

fn why(version: &PastVersion) -> String {
    if let Some(note) = &version.note {
        return note.why.clone();
    }
    let operation = version.operation.as_deref().unwrap_or("a change");
    format!("{operation} by {}", version.engine.as_deref().unwrap_or("another writer"))
}
