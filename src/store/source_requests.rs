//! Requests for files of sources: threads that wait for them, and how they fail.

use std::future::Future;
use std::io;
use std::sync::{OnceLock, mpsc};
use std::{error, fmt};

use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;

use super::io_error;

/// Threads that wait for answers; what they bring is decoded elsewhere.
const WAITING_THREADS: usize = 2;

/// A request for an object, or for a list of them, failed.
#[derive(Debug)]
pub(crate) struct ObjectFault {
    pub text: String,
    /// Whether the object is another one than when it was listed.
    pub has_changed: bool,
}

impl fmt::Display for ObjectFault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl error::Error for ObjectFault {}

impl ObjectFault {
    /// What a store has answered.
    pub(super) fn of_store(error: &object_store::Error) -> io::Error {
        // The client has a word for what is forbidden to be read, and none where a list is forbidden.
        let is_forbidden = error.to_string().contains("403 Forbidden");
        let error = io_error(error);
        let kind = if is_forbidden { io::ErrorKind::PermissionDenied } else { error.kind() };
        io::Error::new(kind, Self { text: error.to_string(), has_changed: false })
    }

    pub(super) fn changed(text: &str) -> io::Error {
        io::Error::other(Self { text: text.to_owned(), has_changed: true })
    }
}

/// Threads of their own that send requests: readers of sources are not asynchronous, and wait on threads of the engine.
#[derive(Default)]
pub(super) struct Requester(OnceLock<Runtime>);

impl Requester {
    fn runtime(&self) -> io::Result<&Runtime> {
        if let Some(runtime) = self.0.get() {
            return Ok(runtime);
        }
        let made = Builder::new_multi_thread().worker_threads(WAITING_THREADS).enable_all().build()?;
        // Of two that are made at once, one is dropped, which nobody has given anything to do.
        if let Err(second) = self.0.set(made) {
            second.shutdown_background();
        }
        self.0.get().ok_or_else(|| io::Error::other("no thread can be started"))
    }

    /// Begins a request.
    pub fn begin<T: Send + 'static>(
        &self,
        request: impl Future<Output = T> + Send + 'static,
    ) -> io::Result<JoinHandle<T>> {
        Ok(self.runtime()?.spawn(request))
    }

    /// Waits for a request.
    pub fn wait<T: Send + 'static>(&self, request: impl Future<Output = T> + Send + 'static) -> io::Result<T> {
        let (sender, receiver) = mpsc::sync_channel(1);
        self.begin(async move {
            // Nobody waits any more if the reader has gone.
            let _ = sender.send(request.await);
        })?;
        receiver.recv().map_err(|_| io::Error::other("the request was cancelled"))
    }
}

impl Drop for Requester {
    fn drop(&mut self) {
        // The last reader may end on a thread of another runtime, which must not wait for the threads of this one.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}
