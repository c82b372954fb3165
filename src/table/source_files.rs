//! The files of a source: as they are listed, and what is known of each since it was read.

use std::collections::BTreeMap;
use std::fmt;

use super::packed::{Packer, Unpacker};
use super::{SliceKey, SliceMap, SliceRows};
use crate::delta::PartitionValues;
use crate::figures::grouped;

/// A file of a source, as it was listed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SourceEntry {
    pub path: String,
    pub size: u64,
    /// Microseconds since 1970.
    pub modified: i64,
    /// What a store of objects tells contents apart by.
    pub etag: Option<Box<str>>,
}

/// What a source's location matches, pinned for a whole run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SourceListing {
    /// In order of their paths.
    pub entries: Vec<SourceEntry>,
    /// Changes when a file comes, goes, or is not [as it was](SourceEntry::identity).
    pub digest: String,
    /// Whether the rows of a file that is gone stay.
    pub keeps_missing: bool,
    /// The values of the columns by which a Delta table is cut, by the paths of its files.
    pub partitions: BTreeMap<String, PartitionValues>,
}

impl SourceEntry {
    /// What tells the file apart from what stood at its path before: the etag, or else the time. An object that was copied again has
    /// another time, and the same bytes.
    pub fn identity(&self) -> String {
        match &self.etag {
            Some(etag) => format!("{}\0{}\0etag {etag}", self.path, self.size),
            None => format!("{}\0{}\0{}", self.path, self.size, self.modified),
        }
    }
}

impl SourceListing {
    /// Whether a file of this path is there.
    pub fn has(&self, path: &str) -> bool {
        self.entries.binary_search_by(|entry| entry.path.as_str().cmp(path)).is_ok()
    }
}

/// What is known of a source file since it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SourceFileFacts {
    pub size: u64,
    /// Microseconds since 1970.
    pub modified: i64,
    /// What its store told its content apart by, if it is an object.
    pub etag: Option<Box<str>>,
    pub records: u64,
    pub quarantined: u64,
    /// Per date or timestamp column the smallest and largest value, as days or microseconds since 1970; nothing
    /// if all are null.
    pub ranges: BTreeMap<String, Option<(i64, i64)>>,
    /// The rows that came from it, slice by slice; `None` if nobody has looked.
    pub slices: Option<FileSlices>,
    /// It is not there any more, and its rows stayed.
    pub gone: bool,
    /// How its values converted.
    pub conversions: Conversions,
}

/// How the values of a file or of many converted, where the model reads them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Conversions {
    /// Rows in which at least one value did not convert.
    pub rescued_rows: u64,
    /// By declared column.
    pub columns: BTreeMap<String, Conversion>,
}

/// How the values of one column converted. Nulls are neither.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Conversion {
    pub converted: u64,
    /// These did not: they are null in their column, and their texts stand in `_rescued`.
    pub rescued: u64,
}

impl Conversions {
    /// Adds those of another file.
    pub fn add(&mut self, other: &Conversions) {
        self.rescued_rows += other.rescued_rows;
        for (column, other) in &other.columns {
            let sum = self.columns.entry(column.clone()).or_default();
            sum.converted += other.converted;
            sum.rescued += other.rescued;
        }
    }

    /// The columns with values that did not convert, with their number.
    pub fn rescued(&self) -> impl Iterator<Item = (&str, u64)> {
        let columns = self.columns.iter().filter(|(_, conversion)| conversion.rescued > 0);
        columns.map(|(column, conversion)| (column.as_str(), conversion.rescued))
    }
}

/// For people: ``2 rows with rescued values (`amount`: 2, `at`: 1)``.
impl fmt::Display for Conversions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = self.rescued().map(|(column, count)| format!("`{column}`: {}", grouped(count)));
        let columns = columns.collect::<Vec<_>>().join(", ");
        let rows = if self.rescued_rows == 1 { "row" } else { "rows" };
        write!(formatter, "{} {rows} with rescued values ({columns})", grouped(self.rescued_rows))
    }
}

/// The rows of one source file in each slice of a table.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct FileSlices(pub SliceMap<SliceRows>);

impl SourceFileFacts {
    pub(super) fn pack(&self, packer: &mut Packer) {
        packer.number(self.size);
        packer.signed(self.modified);
        packer.number(self.records);
        packer.number(self.quarantined);
        packer.many(self.ranges.iter(), |packer, (column, range)| {
            packer.text(column);
            packer.flag(range.is_some());
            if let Some((low, high)) = range {
                packer.signed(*low);
                packer.signed(*high);
            }
        });
        packer.flag(self.slices.is_some());
        if let Some(slices) = &self.slices {
            packer.many(slices.0.iter(), |packer, (slice, rows)| {
                packer.slice(*slice);
                packer.rows(*rows);
            });
        }
        packer.flag(self.gone);
        packer.number(self.conversions.rescued_rows);
        packer.many(self.conversions.columns.iter(), |packer, (column, conversion)| {
            packer.text(column);
            packer.number(conversion.converted);
            packer.number(conversion.rescued);
        });
        packer.text(self.etag.as_deref().unwrap_or_default());
    }

    /// Reads what [`SourceFileFacts::pack`] wrote. Before objects were files of sources, there were no etags.
    pub(super) fn unpacked(from: &mut Unpacker<'_>, has_etag: bool) -> Option<SourceFileFacts> {
        let size = from.number()?;
        let modified = from.signed()?;
        let records = from.number()?;
        let quarantined = from.number()?;
        let ranges = from.many(|from| {
            let column = from.text()?.to_owned();
            let range = if from.flag()? { Some((from.signed()?, from.signed()?)) } else { None };
            Some((column, range))
        })?;
        let slices = if from.flag()? { Some(from.many(|from| Some((from.slice()?, from.rows()?)))?) } else { None };
        let slices = slices.map(FileSlices);
        let gone = from.flag()?;
        let rescued_rows = from.number()?;
        let conversions = Conversions {
            rescued_rows,
            columns: from.many(|from| {
                let column = from.text()?.to_owned();
                Some((column, Conversion { converted: from.number()?, rescued: from.number()? }))
            })?,
        };
        let etag = if has_etag { from.text()? } else { "" };
        let etag = (!etag.is_empty()).then(|| etag.into());
        Some(SourceFileFacts { size, modified, etag, records, quarantined, ranges, slices, gone, conversions })
    }

    /// Whether the file is as it was when it was read.
    pub fn is_as(&self, entry: &SourceEntry) -> bool {
        let is_same = match (&self.etag, &entry.etag) {
            (Some(known), Some(listed)) => known == listed,
            (None, None) => self.modified == entry.modified,
            (Some(_), None) | (None, Some(_)) => false,
        };
        is_same && self.size == entry.size
    }

    /// The slices that hold rows of the file.
    pub fn slices(&self) -> impl Iterator<Item = SliceKey> {
        let slices = self.slices.iter().flat_map(|slices| &slices.0);
        slices.filter(|(_, rows)| rows.rows > 0).map(|(slice, _)| *slice)
    }
}
