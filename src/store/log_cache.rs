//! A view of a store for reading logs: what a log holds never changes, so each of its objects is read once and whole.
//!
//! A snapshot is put together from several passes over the same commits and the same checkpoint. Without this, each
//! pass would ask the store again.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{BoxStream, StreamExt};
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetRange, GetResult, GetResultPayload, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

use crate::locked::Locked;

/// Objects above this size are read by ranges, as they are asked for.
const LARGEST: u64 = 32 << 20;

#[derive(Debug)]
pub(super) struct LogCache {
    inner: Arc<dyn ObjectStore>,
    kept: Locked<BTreeMap<Path, (ObjectMeta, Bytes)>>,
    /// Objects that are damaged, and that a log can be read without.
    passed_over: Locked<BTreeSet<Path>>,
}

impl LogCache {
    pub fn new(inner: Arc<dyn ObjectStore>) -> LogCache {
        LogCache { inner, kept: Locked::default(), passed_over: Locked::default() }
    }

    /// Forgets the log of a table: it was read.
    pub fn forget(&self, folder: &Path) {
        self.lock().retain(|path, _| !path.prefix_matches(folder));
    }

    /// From now on this object is not there, until it is written anew.
    pub fn pass_over(&self, path: Path) {
        self.lock_passed_over().insert(path);
    }

    pub fn is_passed_over(&self, path: &Path) -> bool {
        self.lock_passed_over().contains(path)
    }

    fn lock_passed_over(&self) -> std::sync::MutexGuard<'_, BTreeSet<Path>> {
        self.passed_over.lock()
    }

    /// A list without the objects that are passed over.
    fn without_passed_over(
        &self,
        listed: BoxStream<'static, Result<ObjectMeta>>,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        let hidden = self.lock_passed_over().clone();
        if hidden.is_empty() {
            return listed;
        }
        let is_there =
            move |meta: &Result<ObjectMeta>| meta.as_ref().is_ok_and(|meta| !hidden.contains(&meta.location));
        listed.filter(move |meta| futures::future::ready(meta.is_err() || is_there(meta))).boxed()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<Path, (ObjectMeta, Bytes)>> {
        self.kept.lock()
    }
}

/// Whether an object never changes once it is there.
fn is_fixed(path: &Path) -> bool {
    let name = path.filename().unwrap_or_default();
    path.as_ref().contains("/_delta_log/") && (name.ends_with(".json") || name.ends_with(".parquet"))
}

fn answer(meta: ObjectMeta, bytes: &Bytes, range: Option<&GetRange>) -> Result<GetResult> {
    let whole = 0..bytes.len() as u64;
    let range = match range {
        None => whole,
        Some(range) => range
            .as_range(whole.end)
            .map_err(|error| object_store::Error::Generic { store: "log", source: Box::new(error) })?,
    };
    let place = |border: u64| usize::try_from(border).unwrap_or(bytes.len());
    let part = bytes.slice(place(range.start)..place(range.end));
    let payload = GetResultPayload::Stream(futures::stream::once(async move { Ok(part) }).boxed());
    Ok(GetResult { payload, meta, range, attributes: Default::default() })
}

impl fmt::Display for LogCache {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "LogCache({})", self.inner)
    }
}

#[async_trait]
impl ObjectStore for LogCache {
    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        if self.is_passed_over(location) {
            let source = "it is damaged and is ignored".into();
            return Err(object_store::Error::NotFound { path: location.to_string(), source });
        }
        if options.head || !is_fixed(location) {
            return self.inner.get_opts(location, options).await;
        }
        let kept = self.lock().get(location).cloned();
        if let Some((meta, bytes)) = kept {
            return answer(meta, &bytes, options.range.as_ref());
        }
        // Nothing is locked while the store is waited for: two readers may fetch the same object, and get the same
        // bytes.
        let found = self.inner.get_opts(location, GetOptions::default()).await?;
        // The body of this answer is dropped unread.
        if found.meta.size > LARGEST {
            return self.inner.get_opts(location, options).await;
        }
        let meta = found.meta.clone();
        let bytes = found.bytes().await?;
        self.lock().insert(location.clone(), (meta.clone(), bytes.clone()));
        answer(meta, &bytes, options.range.as_ref())
    }

    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        let put = self.inner.put_opts(location, payload, options).await;
        if put.is_ok() {
            self.lock_passed_over().remove(location);
        }
        put
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(location, options).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.without_passed_over(self.inner.list(prefix))
    }

    fn list_with_offset(&self, prefix: Option<&Path>, offset: &Path) -> BoxStream<'static, Result<ObjectMeta>> {
        self.without_passed_over(self.inner.list_with_offset(prefix, offset))
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}
