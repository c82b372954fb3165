//! A store that counts what is asked of it, and sorts what it lists.

use std::fmt;
use std::ops::{Range, Sub};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt, TryFutureExt, TryStreamExt, stream};
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, OBJECT_STORE_COALESCE_DEFAULT, ObjectMeta,
    ObjectStore, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result, UploadPart,
};

/// How many objects one answer to a list request names; a list of more takes several requests.
const PAGE: u64 = 1000;

/// Counts requests as a store bills them. Repeated tries below are not seen.
#[derive(Debug)]
pub(crate) struct MeteredStore {
    inner: Arc<dyn ObjectStore>,
    meter: Arc<Meter>,
}

/// How many requests were made, by kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Requests {
    /// Puts that overwrite, parts of an upload, its beginning and its end, and copies.
    pub puts: u64,
    pub conditional_puts: u64,
    pub gets: u64,
    pub heads: u64,
    /// Pages of a thousand objects.
    pub lists: u64,
    /// Objects, not requests: a store may be able to remove many with one.
    pub deletes: u64,
}

#[derive(Debug, Default)]
struct Meter {
    puts: AtomicU64,
    conditional_puts: AtomicU64,
    gets: AtomicU64,
    heads: AtomicU64,
    lists: AtomicU64,
    deletes: AtomicU64,
}

impl Requests {
    pub fn total(&self) -> u64 {
        self.puts + self.conditional_puts + self.gets + self.heads + self.lists + self.deletes
    }
}

impl Sub for Requests {
    type Output = Requests;

    /// The requests since an earlier count.
    fn sub(self, earlier: Requests) -> Requests {
        Requests {
            puts: self.puts - earlier.puts,
            conditional_puts: self.conditional_puts - earlier.conditional_puts,
            gets: self.gets - earlier.gets,
            heads: self.heads - earlier.heads,
            lists: self.lists - earlier.lists,
            deletes: self.deletes - earlier.deletes,
        }
    }
}

impl fmt::Display for Requests {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kinds = [
            ("put", self.puts + self.conditional_puts),
            ("get", self.gets + self.heads),
            ("list", self.lists),
            ("delete", self.deletes),
        ];
        let said = |(kind, count): (&str, u64)| format!("{count} {kind}{}", if count == 1 { "" } else { "s" });
        write!(formatter, "{}", said(("request", self.total())))?;
        let kinds: Vec<String> = kinds.into_iter().filter(|(_, count)| *count > 0).map(said).collect();
        if kinds.is_empty() { Ok(()) } else { write!(formatter, ": {}", kinds.join(", ")) }
    }
}

impl MeteredStore {
    pub fn new(inner: Arc<dyn ObjectStore>) -> MeteredStore {
        MeteredStore { inner, meter: Arc::default() }
    }

    /// The requests so far.
    pub fn requests(&self) -> Requests {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Requests {
            puts: read(&self.meter.puts),
            conditional_puts: read(&self.meter.conditional_puts),
            gets: read(&self.meter.gets),
            heads: read(&self.meter.heads),
            lists: read(&self.meter.lists),
            deletes: read(&self.meter.deletes),
        }
    }

    /// Lists are read to their end, and sorted, before the first object is seen: readers of a log rely on the order.
    fn sorted(&self, listing: BoxStream<'static, Result<ObjectMeta>>) -> BoxStream<'static, Result<ObjectMeta>> {
        let meter = Arc::clone(&self.meter);
        let sorted = listing.try_collect::<Vec<_>>().inspect_err({
            let meter = Arc::clone(&meter);
            move |_| add(&meter.lists, 1)
        });
        let sorted = sorted.map_ok(move |mut found| {
            add(&meter.lists, (found.len() as u64).div_ceil(PAGE).max(1));
            if !found.is_sorted_by(|one, next| one.location <= next.location) {
                found.sort_unstable_by(|one, other| one.location.cmp(&other.location));
            }
            stream::iter(found.into_iter().map(Ok))
        });
        sorted.try_flatten_stream().boxed()
    }
}

fn add(count: &AtomicU64, requests: u64) {
    count.fetch_add(requests, Ordering::Relaxed);
}

/// How many requests ranges take: those that lie close together are read with one.
fn groups(ranges: &[Range<u64>]) -> u64 {
    let mut sorted: Vec<&Range<u64>> = ranges.iter().collect();
    sorted.sort_unstable_by_key(|range| range.start);
    // The client merges ranges that lie close together, so a request counts once for all of them.
    let mut groups = 0;
    let mut end = None::<u64>;
    for range in sorted {
        if end.is_none_or(|end| range.start > end.saturating_add(OBJECT_STORE_COALESCE_DEFAULT)) {
            groups += 1;
        }
        end = Some(end.map_or(range.end, |end| end.max(range.end)));
    }
    groups
}

impl fmt::Display for MeteredStore {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(formatter)
    }
}

#[async_trait]
impl ObjectStore for MeteredStore {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        let is_conditional = options.mode != PutMode::Overwrite;
        add(if is_conditional { &self.meter.conditional_puts } else { &self.meter.puts }, 1);
        self.inner.put_opts(location, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        add(&self.meter.puts, 1);
        let inner = self.inner.put_multipart_opts(location, options).await?;
        Ok(Box::new(MeteredUpload { inner, meter: Arc::clone(&self.meter) }))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        add(if options.head { &self.meter.heads } else { &self.meter.gets }, 1);
        self.inner.get_opts(location, options).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        add(&self.meter.gets, groups(ranges));
        self.inner.get_ranges(location, ranges).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let meter = Arc::clone(&self.meter);
        self.inner.delete_stream(locations.inspect_ok(move |_| add(&meter.deletes, 1)).boxed())
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.sorted(self.inner.list(prefix))
    }

    fn list_with_offset(&self, prefix: Option<&Path>, offset: &Path) -> BoxStream<'static, Result<ObjectMeta>> {
        self.sorted(self.inner.list_with_offset(prefix, offset))
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let mut found = self.inner.list_with_delimiter(prefix).await.inspect_err(|_| add(&self.meter.lists, 1))?;
        let entries = (found.objects.len() + found.common_prefixes.len()) as u64;
        add(&self.meter.lists, entries.div_ceil(PAGE).max(1));
        found.objects.sort_unstable_by(|one, other| one.location.cmp(&other.location));
        found.common_prefixes.sort_unstable();
        Ok(found)
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        add(&self.meter.puts, 1);
        self.inner.copy_opts(from, to, options).await
    }
}

#[derive(Debug)]
struct MeteredUpload {
    inner: Box<dyn MultipartUpload>,
    meter: Arc<Meter>,
}

#[async_trait]
impl MultipartUpload for MeteredUpload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        add(&self.meter.puts, 1);
        self.inner.put_part(data)
    }

    async fn complete(&mut self) -> Result<PutResult> {
        add(&self.meter.puts, 1);
        self.inner.complete().await
    }

    async fn abort(&mut self) -> Result<()> {
        add(&self.meter.deletes, 1);
        self.inner.abort().await
    }
}

#[cfg(test)]
mod tests {
    use object_store::ObjectStoreExt;
    use object_store::integration;
    use object_store::memory::InMemory;

    use super::*;

    fn store() -> MeteredStore {
        MeteredStore::new(Arc::new(InMemory::new()))
    }

    #[tokio::test]
    async fn a_metered_store_is_a_store() {
        let store = store();
        integration::put_get_delete_list(&store).await;
        integration::stream_get(&store).await;
    }

    #[tokio::test]
    async fn requests_are_counted_by_kind() {
        let store = store();
        let path = Path::from("a");
        store.put(&path, "x".into()).await.unwrap();
        let before = store.requests();
        store.put_opts(&path, "y".into(), PutMode::Create.into()).await.unwrap_err();
        store.get(&path).await.unwrap();
        store.head(&path).await.unwrap();
        let megabyte = OBJECT_STORE_COALESCE_DEFAULT;
        assert!(store.get_ranges(&path, &[0..1, 1..2, 3 * megabyte..4 * megabyte]).await.is_err());
        assert_eq!(store.list(None).count().await, 1);
        store.delete(&path).await.unwrap();
        let expected = Requests { puts: 0, conditional_puts: 1, gets: 3, heads: 1, lists: 1, deletes: 1 };
        assert_eq!(store.requests() - before, expected);
        assert_eq!(store.requests().to_string(), "8 requests: 2 puts, 4 gets, 1 list, 1 delete");
    }

    #[tokio::test]
    async fn parts_are_puts_and_no_request_is_said_plainly() {
        let store = store();
        assert_eq!(store.requests().to_string(), "0 requests");
        let mut upload = store.put_multipart(&Path::from("a")).await.unwrap();
        upload.put_part("part".into()).await.unwrap();
        upload.complete().await.unwrap();
        assert_eq!(store.requests().to_string(), "3 requests: 3 puts");
    }

    /// A store that lists in an order of its own.
    #[derive(Debug)]
    struct Unsorted(InMemory);

    impl fmt::Display for Unsorted {
        fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            self.0.fmt(formatter)
        }
    }

    #[async_trait]
    impl ObjectStore for Unsorted {
        async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
            self.0.put_opts(location, payload, options).await
        }

        async fn put_multipart_opts(
            &self,
            location: &Path,
            options: PutMultipartOptions,
        ) -> Result<Box<dyn MultipartUpload>> {
            self.0.put_multipart_opts(location, options).await
        }

        async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
            self.0.get_opts(location, options).await
        }

        fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
            self.0.delete_stream(locations)
        }

        fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
            let reversed = self.0.list(prefix).collect::<Vec<_>>();
            stream::once(reversed).flat_map(|found| stream::iter(found.into_iter().rev())).boxed()
        }

        async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
            self.0.list_with_delimiter(prefix).await
        }

        async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
            self.0.copy_opts(from, to, options).await
        }
    }

    #[tokio::test]
    async fn lists_are_sorted_and_counted_by_the_page() {
        let store = MeteredStore::new(Arc::new(Unsorted(InMemory::new())));
        for number in 0..1001 {
            store.put(&Path::from(format!("{number:04}")), "x".into()).await.unwrap();
        }
        let found: Vec<ObjectMeta> = store.list(None).try_collect().await.unwrap();
        assert!(found.is_sorted_by(|one, next| one.location < next.location));
        let found: Vec<ObjectMeta> = store.list_with_offset(None, &Path::from("0999")).try_collect().await.unwrap();
        assert_eq!(found.iter().map(|object| object.location.as_ref()).collect::<Vec<_>>(), ["1000"]);
        assert_eq!(store.requests().lists, 3);
    }
}
