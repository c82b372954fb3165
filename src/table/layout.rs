//! How a table's rows are cut into slices, and which files hold the rows of a slice.

use std::collections::BTreeMap;

use super::{DataFile, PartitionValues, SliceKey};
use crate::day::{Grain, parse_stored};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SliceLayout {
    /// One slice: the table is not cut by time.
    Whole,
    /// Each file holds rows of one slice, which its partition tells.
    ByFile { event_time: String, grain: Grain },
    /// A file may hold rows of many slices.
    Shared,
}

impl SliceLayout {
    /// Whether the table is cut into slices by time.
    pub fn is_sliced(&self) -> bool {
        *self != SliceLayout::Whole
    }

    /// Whether a file may hold rows of many slices.
    pub fn shares_files(&self) -> bool {
        *self == SliceLayout::Shared
    }

    /// Whether each file holds rows of one slice of time.
    pub fn has_files_of_slices(&self) -> bool {
        matches!(self, SliceLayout::ByFile { .. })
    }

    /// The slice that files of this partition belong to. Returns `None` if they may belong to many.
    pub fn slice_of(&self, partition: &PartitionValues) -> Option<SliceKey> {
        match self {
            SliceLayout::Whole => Some(SliceKey::All),
            SliceLayout::ByFile { event_time, grain } => {
                let value = partition.value(event_time).and_then(parse_stored);
                Some(value.map_or(SliceKey::NullTime, |time| SliceKey::At(grain.floor(time))))
            }
            SliceLayout::Shared => None,
        }
    }

    /// The slice that a commit of another writer has touched by files of this partition. Returns `None` if it may be
    /// any. What a commit says of a file that is gone need not have the file's partition (Delta protocol, "Remove
    /// File").
    pub(super) fn slice_touched(&self, partition: &PartitionValues) -> Option<SliceKey> {
        match self {
            SliceLayout::ByFile { event_time, .. } if partition.get(event_time).is_none() => None,
            SliceLayout::ByFile { .. } | SliceLayout::Whole | SliceLayout::Shared => self.slice_of(partition),
        }
    }

    /// The digests of the files that hold each slice.
    pub fn digests<'f>(&self, files: impl IntoIterator<Item = &'f DataFile>) -> FileDigests {
        let mut groups: BTreeMap<Option<SliceKey>, Vec<&DataFile>> = BTreeMap::new();
        for file in files {
            groups.entry(self.slice_of(&file.partition)).or_default().push(file);
        }
        let mut digests =
            FileDigests { by_slice: BTreeMap::new(), all: (*self == SliceLayout::Shared).then(|| digest(Vec::new())) };
        for (slice, files) in groups {
            match slice {
                Some(slice) => {
                    digests.by_slice.insert(slice, digest(files));
                }
                None => digests.all = Some(digest(files)),
            }
        }
        digests
    }
}

/// The digest of a set of files: the first half of a hash, so that no set comes out as `CHANGED_EXTERNALLY`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct FileDigest(pub(super) u128);

impl FileDigest {
    /// Stands in a ledger for files that karat did not write: what something else has changed stays known as changed,
    /// whatever happens to its files later.
    pub const CHANGED_EXTERNALLY: FileDigest = FileDigest(0);
}

/// Digests of sets of files: a difference that karat did not make shows that something else has written.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct FileDigests {
    by_slice: BTreeMap<SliceKey, FileDigest>,
    /// Where files are shared by slices, all of them are each slice's.
    all: Option<FileDigest>,
}

impl FileDigests {
    pub fn of(&self, slice: SliceKey) -> FileDigest {
        let found = self.all.or_else(|| self.by_slice.get(&slice).copied());
        found.unwrap_or_else(|| digest(Vec::new()))
    }

    /// The slices that have files of their own.
    pub fn slices(&self) -> impl Iterator<Item = SliceKey> {
        self.by_slice.keys().copied()
    }
}

/// The digest of a set of files, which have unique names and are never written twice.
fn digest(mut files: Vec<&DataFile>) -> FileDigest {
    files.sort_by(|left, right| left.path.cmp(&right.path));
    let mut hasher = blake3::Hasher::new();
    for file in files {
        hasher.update(file.path.as_bytes());
        hasher.update(&[0]);
        hasher.update(&file.bytes.to_le_bytes());
    }
    let mut first = [0; 16];
    first.iter_mut().zip(hasher.finalize().as_bytes()).for_each(|(to, from)| *to = *from);
    FileDigest(u128::from_be_bytes(first))
}
