//! Where the files of sources lie: in the project's folder, and in buckets of the target's store.

use std::fmt;
use std::io::{self, Read};
use std::sync::Arc;

use super::LocalBackend;
use super::source_bucket::{OpenBucket, SourceBuckets};
use super::source_object::{ObjectBlocks, ObjectName, ObjectText};
use crate::raw::{RawFile, RawKind, ReadAt};
use crate::table::SourceEntry;

/// Files of sources by their paths: those in the project's folder are relative to it, and those in buckets begin with `s3://`. Whoever
/// lists or reads blocks. Cheap to clone.
#[derive(Clone)]
pub(crate) struct SourceFolder {
    local: LocalBackend,
    buckets: Arc<SourceBuckets>,
}

impl SourceFolder {
    /// The project's folder, and what opens a bucket when the first of its objects is asked for.
    pub fn new(local: LocalBackend, open: OpenBucket) -> Self {
        Self { local, buckets: Arc::new(SourceBuckets::new(open)) }
    }

    /// The project's folder.
    pub fn local(&self) -> &LocalBackend {
        &self.local
    }

    /// Whether there may be a folder of this name. In a bucket, folders are but the beginnings of names: only a list tells.
    pub fn exists(&self, path: &str) -> bool {
        ObjectName::parse(path).is_some() || self.local.exists(path)
    }

    /// The files below a folder whose path `wanted` takes, sorted; hidden ones are left out.
    ///
    /// # Errors
    ///
    /// As [`LocalBackend::list`]. For objects, as [`SourceFolder::entry`].
    pub fn list(&self, folder: &str, wanted: &dyn Fn(&str) -> bool) -> io::Result<Vec<SourceEntry>> {
        match ObjectName::parse(folder) {
            Some(name) => self.buckets.open(name.bucket)?.list(name, wanted),
            None => self.local.list(folder, wanted),
        }
    }

    /// One file as a source entry.
    ///
    /// # Errors
    ///
    /// As [`LocalBackend::entry`]. For objects, with [`BucketRefused`](super::BucketRefused) or [`ObjectFault`](super::ObjectFault)
    /// inside, unless there is no such object.
    pub fn entry(&self, path: &str) -> io::Result<SourceEntry> {
        match ObjectName::parse(path) {
            Some(name) => self.buckets.open(name.bucket)?.entry(name),
            None => self.local.entry(path),
        }
    }

    /// Opens a file for reading from its beginning, as it was listed: a file of the folder that has grown since is read to its
    /// listed size, and an object that was replaced is an error.
    pub fn open(&self, entry: &SourceEntry) -> io::Result<Box<dyn Read + Send>> {
        match ObjectName::parse(&entry.path) {
            Some(name) => {
                let bucket = self.buckets.open(name.bucket)?;
                Ok(Box::new(ObjectText::new(bucket.object(name, entry)?)))
            }
            None => self.local.open(&entry.path, entry.size),
        }
    }

    /// A file for the readers of its kind. Nothing is opened yet.
    pub fn raw_file(&self, entry: &SourceEntry, kind: &RawKind) -> RawFile {
        let folder = self.clone();
        let listed = entry.clone();
        let path = entry.path.as_str();
        match kind {
            RawKind::Csv(_) | RawKind::JsonLines => {
                RawFile::new(path, entry.size, Box::new(move || folder.open(&listed)))
            }
            RawKind::Parquet => {
                RawFile::at_any_place(path, entry.size, Box::new(move || folder.open_at_any_place(&listed)))
            }
        }
    }

    /// Opens a file for reading at any place.
    pub fn open_at_any_place(&self, entry: &SourceEntry) -> io::Result<Box<dyn ReadAt>> {
        match ObjectName::parse(&entry.path) {
            Some(name) => {
                let bucket = self.buckets.open(name.bucket)?;
                Ok(Box::new(ObjectBlocks::new(bucket.object(name, entry)?)))
            }
            None => self.local.open_at_any_place(&entry.path),
        }
    }
}

impl fmt::Debug for SourceFolder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("SourceFolder").field("local", &self.local).finish_non_exhaustive()
    }
}
