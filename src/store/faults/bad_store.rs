//! Stores that do not keep what karat relies on.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt, stream};
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, ObjectStoreExt,
    PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

use super::plan::Operation;

use crate::locked::Locked;

/// What is wrong with a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// Each n-th conditional put overwrites what is there, and reports success.
    IgnoresConditionEvery(u32),
    /// A conditional put looks whether something is there, and then puts: two may look before either puts.
    LooksThenPuts,
    /// Conditional puts are not known.
    RefusesConditions,
    /// The credentials do not allow it.
    Denies(Operation),
    /// A get answers with what was put first.
    ReadsWhatWas,
    /// Lists leave out the last object.
    ListsLate,
}

#[derive(Debug)]
pub(crate) struct BadStore {
    inner: Arc<dyn ObjectStore>,
    flaw: Flaw,
    conditional_puts: AtomicU32,
    first_puts: Locked<BTreeMap<Path, PutPayload>>,
}

impl BadStore {
    pub fn new(inner: Arc<dyn ObjectStore>, flaw: Flaw) -> BadStore {
        BadStore { inner, flaw, conditional_puts: AtomicU32::new(0), first_puts: Locked::default() }
    }

    /// The same store after so many conditional puts: which ones are ignored depends on it.
    pub fn after(self, conditional_puts: u32) -> BadStore {
        BadStore { conditional_puts: AtomicU32::new(conditional_puts), ..self }
    }

    fn allows(&self, operation: Operation, path: &Path) -> Result<()> {
        if self.flaw == Flaw::Denies(operation) {
            let source = "access denied".into();
            return Err(Error::PermissionDenied { path: path.to_string(), source });
        }
        Ok(())
    }

    async fn put_if_absent(&self, location: &Path, payload: PutPayload) -> Result<PutResult> {
        self.allows(Operation::ConditionalPut, location)?;
        let number = self.conditional_puts.fetch_add(1, Ordering::SeqCst) + 1;
        let mode = match self.flaw {
            Flaw::RefusesConditions => {
                let operation = "a put with a condition".to_owned();
                return Err(Error::NotImplemented { operation, implementer: self.to_string() });
            }
            Flaw::IgnoresConditionEvery(nth) if number.is_multiple_of(nth) => PutMode::Overwrite,
            Flaw::LooksThenPuts if self.inner.head(location).await.is_err() => {
                tokio::task::yield_now().await;
                PutMode::Overwrite
            }
            _ => PutMode::Create,
        };
        self.inner.put_opts(location, payload, mode.into()).await
    }
}

impl fmt::Display for BadStore {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "bad({})", self.inner)
    }
}

#[async_trait]
impl ObjectStore for BadStore {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        if self.flaw == Flaw::ReadsWhatWas {
            self.first_puts.lock().entry(location.clone()).or_insert_with(|| payload.clone());
        }
        if options.mode == PutMode::Create {
            return self.put_if_absent(location, payload).await;
        }
        self.allows(Operation::Put, location)?;
        self.inner.put_opts(location, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.allows(Operation::UploadStart, location)?;
        self.inner.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.allows(if options.head { Operation::Head } else { Operation::Get }, location)?;
        let first = self.first_puts.lock().get(location).cloned();
        match first {
            Some(first) if !options.head => {
                let old = object_store::memory::InMemory::new();
                old.put(location, first).await?;
                old.get_opts(location, options).await
            }
            _ => self.inner.get_opts(location, options).await,
        }
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        match self.allows(Operation::Delete, &Path::default()) {
            Ok(()) => self.inner.delete_stream(locations),
            Err(_) => {
                let denied = |location: Path| Error::PermissionDenied {
                    path: location.to_string(),
                    source: "access denied".into(),
                };
                locations.and_then(move |location| futures::future::ready(Err(denied(location)))).boxed()
            }
        }
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        if let Err(error) = self.allows(Operation::List, &prefix.cloned().unwrap_or_default()) {
            return stream::once(futures::future::ready(Err(error))).boxed();
        }
        let found = self.inner.list(prefix);
        if self.flaw != Flaw::ListsLate {
            return found;
        }
        stream::once(found.collect::<Vec<_>>())
            .flat_map(|mut found| {
                found.pop();
                stream::iter(found)
            })
            .boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.allows(Operation::List, &prefix.cloned().unwrap_or_default())?;
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.allows(Operation::Copy, to)?;
        self.inner.copy_opts(from, to, options).await
    }
}
