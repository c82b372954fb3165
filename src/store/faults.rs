//! A store that fails, lies, stalls or crashes on the calls that a plan names, for tests.

mod bad_store;
mod plan;
mod tests;
mod upload;

pub(crate) use bad_store::{BadStore, Flaw};
pub(crate) use plan::{Fault, FaultPlan, Operation};

use plan::Before;

use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures::stream::BoxStream;
use futures::{StreamExt, TryFutureExt, TryStreamExt, stream};
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    ObjectStoreExt, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use tokio::time::sleep;

use upload::FaultUpload;

use crate::locked::Locked;

/// When a caller gives up on a call that was done.
pub(crate) const HANG: Duration = Duration::from_secs(30);

/// When a caller gives up on a call that lands late.
pub(crate) const GIVES_UP: Duration = Duration::from_secs(5);

/// How long after that it lands.
pub(crate) const LANDS: Duration = Duration::from_secs(30);

/// How long things take that go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Waits {
    pub hang: Duration,
    pub gives_up: Duration,
    pub lands: Duration,
}

impl Default for Waits {
    fn default() -> Waits {
        Waits { hang: HANG, gives_up: GIVES_UP, lands: LANDS }
    }
}

impl Waits {
    /// For runs on a real clock.
    pub fn short() -> Waits {
        let milliseconds = Duration::from_millis;
        Waits { hang: milliseconds(4), gives_up: milliseconds(2), lands: milliseconds(4) }
    }
}

/// A process's way to a store: what goes wrong on it is planned, and what was asked for is on record.
#[derive(Debug)]
pub(crate) struct FaultStore {
    inner: Arc<dyn ObjectStore>,
    wire: Arc<Wire>,
}

/// A call that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Logged {
    /// Which of the processes that share the log made it, from 0.
    pub process: u64,
    pub operation: Operation,
    pub path: String,
    pub fault: Option<Fault>,
}

/// The calls of all processes in the order in which they were made.
#[derive(Debug, Default)]
struct CallLog {
    calls: Locked<Vec<Logged>>,
    processes: AtomicU64,
}

/// What is between a process and its store.
#[derive(Debug)]
pub(super) struct Wire {
    plan: FaultPlan,
    waits: Waits,
    process: u64,
    log: Arc<CallLog>,
    /// How many calls this process has made.
    made: AtomicU64,
    crashed: AtomicBool,
}

impl FaultStore {
    pub fn new(inner: Arc<dyn ObjectStore>, plan: FaultPlan) -> FaultStore {
        FaultStore::with_log(inner, plan, Arc::default())
    }

    /// Another process's way to the same store, with the same log: it lives on when this one crashes.
    pub fn another_process(&self, plan: FaultPlan) -> FaultStore {
        FaultStore::with_log(Arc::clone(&self.inner), plan, Arc::clone(&self.wire.log))
    }

    fn with_log(inner: Arc<dyn ObjectStore>, plan: FaultPlan, log: Arc<CallLog>) -> FaultStore {
        let process = log.processes.fetch_add(1, Ordering::SeqCst);
        FaultStore {
            inner,
            wire: Arc::new(Wire {
                plan,
                waits: Waits::default(),
                process,
                log,
                made: AtomicU64::new(0),
                crashed: AtomicBool::new(false),
            }),
        }
    }

    /// The same way, on which things take so long; before anything went over it.
    pub fn waiting(self, waits: Waits) -> FaultStore {
        let Wire { plan, process, log, .. } = self.wire.as_ref();
        let made = AtomicU64::new(0);
        let crashed = AtomicBool::new(false);
        let wire = Wire { plan: plan.clone(), waits, process: *process, log: Arc::clone(log), made, crashed };
        FaultStore { wire: Arc::new(wire), ..self }
    }

    /// How many calls of this process changed the store, or were to.
    pub fn writes(&self) -> u64 {
        self.log().iter().filter(|call| call.process == self.wire.process && call.operation.writes()).count() as u64
    }

    /// The calls of all processes that share the log.
    pub fn log(&self) -> Vec<Logged> {
        self.wire.log.calls.lock().clone()
    }

    /// How many calls this process made: every number below it can be planned to go wrong.
    pub fn calls(&self) -> u64 {
        self.wire.made.load(Ordering::SeqCst)
    }

    /// How many calls of one kind this process made.
    pub fn count(&self, operation: Operation) -> u64 {
        self.log().iter().filter(|call| call.process == self.wire.process && call.operation == operation).count() as u64
    }

    pub fn has_crashed(&self) -> bool {
        self.wire.crashed.load(Ordering::SeqCst)
    }
}

impl Wire {
    /// Puts a call on record and says what becomes of it.
    pub fn call(&self, operation: Operation, path: &str) -> Result<Option<Fault>> {
        let mut calls = self.log.calls.lock();
        self.alive()?;
        let number = self.made.fetch_add(1, Ordering::SeqCst);
        let before = Before { process: self.process, number, log: &calls };
        let fault = self.plan.fault(before, operation, path);
        calls.push(Logged { process: self.process, operation, path: path.to_owned(), fault });
        if fault == Some(Fault::Abort) {
            self.crashed.store(true, Ordering::SeqCst);
        }
        Ok(fault)
    }

    fn alive(&self) -> Result<()> {
        if self.crashed.load(Ordering::SeqCst) { Err(crashed()) } else { Ok(()) }
    }

    /// Does what was asked for, as far as the fault lets it.
    pub async fn carry_out<T: Send + 'static>(
        &self,
        fault: Option<Fault>,
        is_conditional: bool,
        deed: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<T> {
        match fault {
            None => deed.await,
            Some(Fault::FailBefore) => Err(broken(io::ErrorKind::ConnectionRefused, "the connection was refused")),
            Some(Fault::AppliedThenError | Fault::ShortRead) => {
                let _unheard = deed.await;
                Err(broken(io::ErrorKind::ConnectionReset, "the connection broke"))
            }
            Some(Fault::AppliedThenHang) => {
                let _unheard = deed.await;
                sleep(self.waits.hang).await;
                Err(timed_out())
            }
            Some(Fault::DropThenLandLate) => {
                let waits = self.waits;
                // The request is on its way whatever becomes of the process that sent it.
                tokio::spawn(async move {
                    sleep(waits.gives_up + waits.lands).await;
                    let _unheard = deed.await;
                });
                sleep(waits.gives_up).await;
                Err(timed_out())
            }
            Some(Fault::Status(status)) => Err(refused(status, is_conditional)),
            Some(Fault::Slow(duration)) => {
                sleep(duration).await;
                self.alive()?;
                deed.await
            }
            Some(Fault::Abort) => Err(crashed()),
            Some(Fault::AbortAfter) => {
                let _unheard = deed.await;
                self.crashed.store(true, Ordering::SeqCst);
                Err(crashed())
            }
        }
    }
}

fn broken(kind: io::ErrorKind, reason: &str) -> Error {
    Error::Generic { store: "faults", source: io::Error::new(kind, reason).into() }
}

fn crashed() -> Error {
    broken(io::ErrorKind::BrokenPipe, "the process is dead")
}

fn timed_out() -> Error {
    broken(io::ErrorKind::TimedOut, "the request timed out")
}

fn cut_short() -> Error {
    broken(io::ErrorKind::UnexpectedEof, "the answer broke off")
}

/// What the S3 client makes of a status, after its own tries.
fn refused(status: u16, is_conditional: bool) -> Error {
    let path = String::new();
    let source = format!("the server answered with status {status}").into();
    match status {
        409 | 412 if is_conditional => Error::AlreadyExists { path, source },
        412 => Error::Precondition { path, source },
        401 => Error::Unauthenticated { path, source },
        403 => Error::PermissionDenied { path, source },
        404 => Error::NotFound { path, source },
        _ => Error::Generic { store: "faults", source },
    }
}

/// The first half of what was asked for, then an error.
async fn half(result: GetResult) -> Result<GetResult> {
    let meta = result.meta.clone();
    let range = result.range.clone();
    let attributes = result.attributes.clone();
    let bytes = result.bytes().await?;
    let parts = [Ok(bytes.slice(..bytes.len() / 2)), Err(cut_short())];
    Ok(GetResult { payload: GetResultPayload::Stream(stream::iter(parts).boxed()), meta, range, attributes })
}

impl FaultStore {
    fn listed(
        &self,
        prefix: Option<&Path>,
        listing: BoxStream<'static, Result<ObjectMeta>>,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        let wire = Arc::clone(&self.wire);
        let path = prefix.map(Path::to_string).unwrap_or_default();
        let list = async move {
            let fault = wire.call(Operation::List, &path)?;
            if fault == Some(Fault::ShortRead) {
                let mut found: Vec<Result<ObjectMeta>> = listing.collect().await;
                found.truncate(found.len() / 2);
                found.push(Err(cut_short()));
                return Ok(found);
            }
            let found = wire.carry_out(fault, false, listing.try_collect::<Vec<_>>()).await?;
            Ok(found.into_iter().map(Ok).collect())
        };
        list.map_ok(stream::iter).try_flatten_stream().boxed()
    }
}

impl fmt::Display for FaultStore {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "faults({})", self.inner)
    }
}

#[async_trait]
impl ObjectStore for FaultStore {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        let is_conditional = options.mode != PutMode::Overwrite;
        let operation = if is_conditional { Operation::ConditionalPut } else { Operation::Put };
        let fault = self.wire.call(operation, location.as_ref())?;
        let inner = Arc::clone(&self.inner);
        let location = location.clone();
        let deed = async move { inner.put_opts(&location, payload, options).await };
        self.wire.carry_out(fault, is_conditional, deed).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        let fault = self.wire.call(Operation::UploadStart, location.as_ref())?;
        let inner = Arc::clone(&self.inner);
        let path = location.clone();
        let deed = async move { inner.put_multipart_opts(&path, options).await };
        let upload = self.wire.carry_out(fault, false, deed).await?;
        Ok(Box::new(FaultUpload::new(upload, Arc::clone(&self.wire), location.to_string())))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let operation = if options.head { Operation::Head } else { Operation::Get };
        let fault = self.wire.call(operation, location.as_ref())?;
        if fault == Some(Fault::ShortRead) && !options.head {
            return half(self.inner.get_opts(location, options).await?).await;
        }
        let inner = Arc::clone(&self.inner);
        let location = location.clone();
        let deed = async move { inner.get_opts(&location, options).await };
        self.wire.carry_out(fault, false, deed).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let wire = Arc::clone(&self.wire);
        let inner = Arc::clone(&self.inner);
        locations
            .then(move |location| {
                let wire = Arc::clone(&wire);
                let inner = Arc::clone(&inner);
                async move {
                    let location = location?;
                    let fault = wire.call(Operation::Delete, location.as_ref())?;
                    let deed = async move { inner.delete(&location).await.map(|()| location) };
                    wire.carry_out(fault, false, deed).await
                }
            })
            .boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.listed(prefix, self.inner.list(prefix))
    }

    fn list_with_offset(&self, prefix: Option<&Path>, offset: &Path) -> BoxStream<'static, Result<ObjectMeta>> {
        self.listed(prefix, self.inner.list_with_offset(prefix, offset))
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let prefix = prefix.cloned();
        let fault = self.wire.call(Operation::List, prefix.as_ref().map_or("", |prefix| prefix.as_ref()))?;
        let inner = Arc::clone(&self.inner);
        self.wire.carry_out(fault, false, async move { inner.list_with_delimiter(prefix.as_ref()).await }).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        let fault = self.wire.call(Operation::Copy, to.as_ref())?;
        let inner = Arc::clone(&self.inner);
        let from = from.clone();
        let to = to.clone();
        self.wire.carry_out(fault, false, async move { inner.copy_opts(&from, &to, options).await }).await
    }
}
