//! Buckets with files of sources: opened once each, listed by prefix.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::{error, fmt};

use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};

use super::source_object::{ObjectName, SourceObject};
use super::source_requests::{ObjectFault, Requester};
use crate::diag::Diagnostic;
use crate::locked::Locked;
use crate::table::SourceEntry;

/// Opens a bucket by its name, without asking it for anything.
pub(crate) type OpenBucket = Arc<dyn Fn(&str) -> Result<Arc<dyn ObjectStore>, Box<Diagnostic>> + Send + Sync>;

/// Other programs mark an empty folder with an object of this ending.
const FOLDER_MARK: &str = "_$folder$";

/// The user's profile or environment does not let this bucket be opened.
#[derive(Debug)]
pub(crate) struct BucketRefused(pub Box<Diagnostic>);

impl fmt::Display for BucketRefused {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0.message)
    }
}

impl error::Error for BucketRefused {}

/// The buckets that were opened. A bucket that cannot be opened is tried once.
pub(super) struct SourceBuckets {
    open: OpenBucket,
    opened: Locked<BTreeMap<String, Result<SourceBucket, Box<Diagnostic>>>>,
    requests: Arc<Requester>,
}

/// A bucket, whose callers may wait on any thread.
#[derive(Clone)]
pub(super) struct SourceBucket {
    store: Arc<dyn ObjectStore>,
    requests: Arc<Requester>,
}

impl SourceBuckets {
    pub fn new(open: OpenBucket) -> Self {
        Self { open, opened: Locked::default(), requests: Arc::default() }
    }

    pub fn open(&self, bucket: &str) -> io::Result<SourceBucket> {
        let mut opened = self.opened.lock();
        let found = opened.entry(bucket.to_owned()).or_insert_with(|| {
            (self.open)(bucket).map(|store| SourceBucket { store, requests: Arc::clone(&self.requests) })
        });
        found.clone().map_err(|diagnostic| io::Error::new(io::ErrorKind::PermissionDenied, BucketRefused(diagnostic)))
    }
}

impl SourceBucket {
    /// The objects below a folder whose path `wanted` takes, sorted.
    pub fn list(&self, folder: ObjectName<'_>, wanted: &dyn Fn(&str) -> bool) -> io::Result<Vec<SourceEntry>> {
        let prefix = (!folder.key.is_empty()).then(|| path(folder.key)).transpose()?;
        let store = Arc::clone(&self.store);
        let listed = self.requests.wait(async move { store.list(prefix.as_ref()).try_collect::<Vec<_>>().await })?;
        let listed = listed.map_err(|error| ObjectFault::of_store(&error))?;
        let mut entries = Vec::new();
        for object in listed {
            let key = object.location.as_ref();
            let below = key.strip_prefix(folder.key).unwrap_or(key);
            let is_hidden = below.split('/').any(|part| part.starts_with('.'));
            let path = folder.path_of(key);
            if !is_hidden && !is_folder_mark(&object) && wanted(&path) {
                entries.push(entry(path, &object));
            }
        }
        entries.sort();
        Ok(entries)
    }

    pub fn entry(&self, name: ObjectName<'_>) -> io::Result<SourceEntry> {
        let key = path(name.key)?;
        let store = Arc::clone(&self.store);
        let found = self.requests.wait(async move {
            match store.head(&key).await {
                // The answer to HEAD has no body that would tell a missing object from a missing bucket.
                Err(missing @ object_store::Error::NotFound { .. }) => {
                    store.list_with_delimiter(Some(&key)).await?;
                    Err(missing)
                }
                found => found,
            }
        })?;
        match found {
            Ok(object) => Ok(entry(name.path_of(name.key), &object)),
            Err(object_store::Error::NotFound { source, .. }) if !source.to_string().contains("NoSuchBucket") => {
                Err(io::Error::from(io::ErrorKind::NotFound))
            }
            Err(error) => Err(ObjectFault::of_store(&error)),
        }
    }

    /// An object as it was listed.
    pub fn object(&self, name: ObjectName<'_>, listed: &SourceEntry) -> io::Result<SourceObject> {
        Ok(SourceObject {
            store: Arc::clone(&self.store),
            requests: Arc::clone(&self.requests),
            path: path(name.key)?,
            size: listed.size,
            modified: listed.modified,
            etag: listed.etag.clone(),
        })
    }
}

/// The key as it is: a path made of text would get further escapes.
fn path(key: &str) -> io::Result<Path> {
    Path::parse(key).map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))
}

fn entry(path: String, object: &ObjectMeta) -> SourceEntry {
    // What has no etag is told apart by its version, if there are any, and else by its size and time.
    let etag = object.e_tag.clone().or_else(|| object.version.clone());
    let modified = object.last_modified.timestamp_micros();
    SourceEntry { path, size: object.size, modified, etag: etag.map(String::into_boxed_str) }
}

/// Whether an object only stands for a folder, which stores have none of. Its name ended with a `/` that the client leaves out.
fn is_folder_mark(object: &ObjectMeta) -> bool {
    let name = object.location.filename().unwrap_or_default();
    object.size == 0 && (!name.contains('.') || name.ends_with(FOLDER_MARK))
}
