//! The files of a source: as they are listed, and what is known of each since it was read.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{SliceKey, SliceRows};

/// A file of a source, as it was listed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SourceEntry {
    pub path: String,
    pub size: u64,
    /// Microseconds since 1970.
    pub modified: i64,
}

/// What a source's location matches, pinned for a whole run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SourceListing {
    /// In order of their paths.
    pub entries: Vec<SourceEntry>,
    /// Changes when a file comes, goes, or changes its size or time.
    pub digest: String,
    /// Whether the rows of a file that is gone stay.
    pub keeps_missing: bool,
}

/// What is known of source files, by their path.
pub(crate) type SourceFacts = BTreeMap<String, SourceFileFacts>;

/// What is known of a source file since it was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SourceFileFacts {
    pub size: u64,
    /// Microseconds since 1970.
    pub modified: i64,
    pub records: u64,
    pub quarantined: u64,
    /// Per date or timestamp column the smallest and largest value, as days or microseconds since 1970; nothing
    /// if all are null.
    pub ranges: BTreeMap<String, Option<(i64, i64)>>,
    /// The rows that came from it, slice by slice; nothing if nobody has looked.
    #[serde(default)]
    pub slices: Option<FileSlices>,
    /// It is not there any more, and its rows stayed.
    #[serde(default)]
    pub gone: bool,
}

/// The rows of one source file in each slice of a table.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "Vec<WrittenSlice>", into = "Vec<WrittenSlice>")]
pub(crate) struct FileSlices(pub BTreeMap<SliceKey, SliceRows>);

/// Slice, number of its rows, hash of its rows.
type WrittenSlice = (String, u64, String);

impl From<FileSlices> for Vec<WrittenSlice> {
    fn from(slices: FileSlices) -> Vec<WrittenSlice> {
        slices.0.iter().map(|(slice, rows)| (slice.to_string(), rows.rows, format!("{:032x}", rows.hash))).collect()
    }
}

impl TryFrom<Vec<WrittenSlice>> for FileSlices {
    type Error = String;

    fn try_from(written: Vec<WrittenSlice>) -> Result<FileSlices, String> {
        let read = |(slice, rows, hash): WrittenSlice| {
            let key = SliceKey::parse(&slice).ok_or_else(|| format!("`{slice}` is no slice"))?;
            let hash = u128::from_str_radix(&hash, 16).map_err(|error| error.to_string())?;
            Ok((key, SliceRows { rows, hash }))
        };
        written.into_iter().map(read).collect::<Result<_, String>>().map(FileSlices)
    }
}

impl SourceFileFacts {
    /// Whether the file is as it was when it was read.
    pub fn is_as(&self, entry: &SourceEntry) -> bool {
        self.size == entry.size && self.modified == entry.modified
    }

    /// The slices that hold rows of the file.
    pub fn slices(&self) -> impl Iterator<Item = SliceKey> {
        let slices = self.slices.iter().flat_map(|slices| &slices.0);
        slices.filter(|(_, rows)| rows.rows > 0).map(|(slice, _)| *slice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_are_read_back_and_older_ones_know_no_slices() {
        let day = SliceKey::parse("2023-05-03").unwrap();
        let slices =
            BTreeMap::from([(day, SliceRows { rows: 3, hash: u128::MAX }), (SliceKey::Timeless, SliceRows::default())]);
        let facts = SourceFileFacts {
            size: 1,
            modified: 2,
            records: 3,
            quarantined: 0,
            ranges: BTreeMap::new(),
            slices: Some(FileSlices(slices)),
            gone: true,
        };
        let text = serde_json::to_string(&facts).unwrap();
        assert_eq!(serde_json::from_str::<SourceFileFacts>(&text).unwrap(), facts);
        assert_eq!(facts.slices().collect::<Vec<_>>(), [day]);
        let older = r#"{"size":1,"modified":2,"records":3,"quarantined":0,"ranges":{}}"#;
        let older: SourceFileFacts = serde_json::from_str(older).unwrap();
        assert_eq!((older.slices, older.gone), (None, false));
        assert!(serde_json::from_str::<FileSlices>(r#"[["yesterday",1,"00"]]"#).is_err());
    }
}
