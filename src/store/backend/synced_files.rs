//! A local folder as an object store: what it acknowledged survives a power loss.

mod disk;
mod error;
mod folder;
mod leftovers;
mod listing;
#[cfg(test)]
mod tests;
mod upload;

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt, TryFutureExt, stream};
use object_store::path::Path;
use object_store::{
    Attributes, CopyMode, CopyOptions, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload,
    ObjectMeta, ObjectStore, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

use disk::{Disk, OsDisk};
use error::{failed, missing};
use folder::{Publish, SyncedFolder};
use listing::{list, list_one_level, object_meta};
use upload::SyncedUpload;

/// How many files are removed at the same time.
const REMOVALS: usize = 8;

/// Objects as files of a folder that need not be there yet. The parts of a key are the names of folders and file.
#[derive(Debug, Clone)]
pub(crate) struct SyncedFiles {
    folder: Arc<SyncedFolder>,
}

impl SyncedFiles {
    pub fn new(root: impl Into<PathBuf>) -> SyncedFiles {
        SyncedFiles::on(root.into(), Box::new(OsDisk))
    }

    fn on(root: PathBuf, disk: Box<dyn Disk>) -> SyncedFiles {
        SyncedFiles { folder: Arc::new(SyncedFolder::new(root, disk)) }
    }

    pub fn root(&self) -> &FilePath {
        self.folder.root()
    }

    /// Makes the folder itself, and those above it. Blocks.
    pub fn prepare(&self) -> io::Result<()> {
        self.folder.prepare()
    }

    fn unsupported(&self, operation: &str) -> object_store::Error {
        object_store::Error::NotImplemented { operation: operation.to_owned(), implementer: self.to_string() }
    }

    fn listed(&self, prefix: Option<&Path>, offset: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let prefix = prefix.cloned().unwrap_or_default();
        let offset = offset.cloned();
        let folder = self.folder.place(&prefix);
        blocking(move || list(&folder, &prefix, offset.as_ref()))
            .map_ok(|found| stream::iter(found.into_iter().map(Ok)))
            .try_flatten_stream()
            .boxed()
    }
}

impl fmt::Display for SyncedFiles {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.root().display())
    }
}

#[async_trait]
impl ObjectStore for SyncedFiles {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        let how = match options.mode {
            PutMode::Create => Publish::IfAbsent,
            PutMode::Overwrite => Publish::Over,
            PutMode::Update(_) => return Err(self.unsupported("an update of a known version")),
        };
        if !options.attributes.is_empty() {
            return Err(self.unsupported("attributes of objects"));
        }
        let folder = Arc::clone(&self.folder);
        let location = location.clone();
        blocking(move || folder.put(&location, &payload, how)).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        if !options.attributes.is_empty() {
            return Err(self.unsupported("attributes of objects"));
        }
        let folder = Arc::clone(&self.folder);
        let location = location.clone();
        let upload = blocking(move || SyncedUpload::start(folder, location)).await?;
        Ok(Box::new(upload))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let path = self.folder.place(location);
        let location = location.clone();
        blocking(move || get(path, location, &options)).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        let path = self.folder.place(location);
        let ranges = ranges.to_vec();
        blocking(move || {
            let mut file = File::open(&path).map_err(|error| missing(&path, error))?;
            ranges.into_iter().map(|range| read_range(&mut file, range).map_err(|error| failed(&path, error))).collect()
        })
        .await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let folder = Arc::clone(&self.folder);
        locations
            .map(move |location| {
                let folder = Arc::clone(&folder);
                blocking(move || {
                    let location = location?;
                    folder.delete(&location)?;
                    Ok(location)
                })
            })
            .buffered(REMOVALS)
            .boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.listed(prefix, None)
    }

    fn list_with_offset(&self, prefix: Option<&Path>, offset: &Path) -> BoxStream<'static, Result<ObjectMeta>> {
        self.listed(prefix, Some(offset))
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let prefix = prefix.cloned().unwrap_or_default();
        let folder = self.folder.place(&prefix);
        blocking(move || list_one_level(&folder, &prefix)).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        let how = match options.mode {
            CopyMode::Create => Publish::IfAbsent,
            CopyMode::Overwrite => Publish::Over,
        };
        let folder = Arc::clone(&self.folder);
        let from = from.clone();
        let to = to.clone();
        blocking(move || folder.copy(&from, &to, how)).await
    }
}

fn get(path: PathBuf, location: Path, options: &GetOptions) -> Result<GetResult> {
    // Whether an object is there can be known without the right to read it.
    let file = if options.head { None } else { Some(File::open(&path).map_err(|error| missing(&path, error))?) };
    let metadata = file.as_ref().map_or_else(|| fs::metadata(&path), File::metadata);
    let metadata = metadata.map_err(|error| missing(&path, error))?;
    if metadata.is_dir() {
        return Err(missing(&path, io::ErrorKind::IsADirectory.into()));
    }
    let meta = object_meta(location, &metadata);
    options.check_preconditions(&meta)?;
    let invalid = |reason: String| failed(&path, io::Error::new(io::ErrorKind::InvalidInput, reason));
    let range = match &options.range {
        Some(range) => range.as_range(meta.size).map_err(|error| invalid(error.to_string()))?,
        None => 0..meta.size,
    };
    let payload = match file {
        Some(file) => GetResultPayload::File(file, path),
        None => GetResultPayload::Stream(stream::empty().boxed()),
    };
    Ok(GetResult { payload, meta, range, attributes: Attributes::default() })
}

fn read_range(file: &mut File, range: Range<u64>) -> io::Result<Bytes> {
    let wanted = range.end.saturating_sub(range.start);
    file.seek(SeekFrom::Start(range.start))?;
    let there = wanted.min(file.metadata()?.len());
    let mut bytes = Vec::with_capacity(usize::try_from(there).unwrap_or_default());
    file.take(wanted).read_to_end(&mut bytes)?;
    if bytes.len() as u64 == wanted {
        Ok(bytes.into())
    } else {
        Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the file ends before the range that was requested"))
    }
}

/// Does what blocks on a thread that may be blocked, or here if no runtime would mind.
async fn blocking<T: Send + 'static>(deed: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    match tokio::runtime::Handle::try_current() {
        Ok(runtime) => runtime.spawn_blocking(deed).await?,
        Err(_) => deed(),
    }
}
