//! Files that a version of a table names and that are not there as they were written.

use std::collections::BTreeMap;

use super::Lake;
use super::error::StoreError;
use crate::name::TableName;
use crate::table::TableState;

/// What is wrong with the files of a table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct LostFiles {
    /// By their names in the table's folder, sorted.
    pub gone: Vec<String>,
    pub other_size: Vec<OtherSize>,
}

/// A file that was cut off, or in whose place another one lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OtherSize {
    pub name: String,
    /// In bytes, as it was written.
    pub written: u64,
    /// In bytes, as it is.
    pub found: u64,
}

impl LostFiles {
    pub fn is_empty(&self) -> bool {
        self.gone.is_empty() && self.other_size.is_empty()
    }

    fn of(state: &TableState, sizes: &BTreeMap<String, u64>) -> LostFiles {
        let mut lost = LostFiles::default();
        // A path with an address leads out of the table's folder.
        for file in state.files.iter().filter(|file| !file.path.contains("://")) {
            match sizes.get(file.path.as_str()) {
                None => lost.gone.push(file.path.to_string()),
                Some(found) if *found != file.bytes => {
                    let name = file.path.to_string();
                    lost.other_size.push(OtherSize { name, written: file.bytes, found: *found });
                }
                Some(_) => {}
            }
        }
        lost
    }
}

impl Lake {
    /// Compares the list of a table's folder with the files of a version. Nothing is opened: bytes that changed without
    /// a change of the size are not found.
    pub async fn lost_files(&self, name: &TableName, state: &TableState) -> Result<LostFiles, StoreError> {
        let log = self.log(name)?;
        let listed = log.list("").await?;
        let sizes = listed.iter().filter_map(|meta| Some((log.name_of(&meta.location)?, meta.size))).collect();
        Ok(LostFiles::of(state, &sizes))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::table::{DataFile, PartitionValues};

    #[test]
    fn files_are_compared_by_name_and_size() {
        let file = |path: &str, bytes: u64| DataFile {
            path: path.into(),
            partition: PartitionValues::from_iter([("day", None::<&str>)]),
            bytes,
            rows: None,
            stats: None,
        };
        let files = vec![file("a", 1), file("b", 2), file("c", 3), file("s3://elsewhere/d", 4)];
        let state = TableState { files: Arc::new(files), ..TableState::empty() };
        let sizes = BTreeMap::from([("a".to_owned(), 1), ("b".to_owned(), 0), ("old".to_owned(), 9)]);
        let lost = LostFiles::of(&state, &sizes);
        assert_eq!(lost.gone, ["c"]);
        assert_eq!(lost.other_size, [OtherSize { name: "b".to_owned(), written: 2, found: 0 }]);
    }
}
