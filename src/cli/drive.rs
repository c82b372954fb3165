//! The one runtime of the process, and waiting on it for work or for a signal to stop.

use std::sync::Mutex;
use std::time::Duration;

use serde_json::json;
use tokio::runtime::{Builder, Runtime};

use super::app::App;
use super::exit::Exit;
use super::machine;
use crate::diag::{Code, Diagnostic};
use crate::span::SourceFiles;
use crate::store::Lake;

/// How long a stopped run waits for its threads, and then for the removal of what they have left.
const GRACE: Duration = Duration::from_secs(5);

/// Of a thread that computes: expressions are as deep as their rows of operators are long.
const WORKER_STACK: usize = 32 * 1024 * 1024;

/// Made when the first work is waited for: many commands wait for none.
#[derive(Debug, Default)]
pub(crate) struct Runtimes(Mutex<Option<Runtime>>);

impl App<'_> {
    /// Waits for work on a lake, or for a signal to stop: then the work is dropped, which cancels it. Either way what it has
    /// abandoned is removed.
    pub fn wait<T>(&self, lake: &Lake, work: impl Future<Output = T>) -> Result<T, Exit> {
        let runtime = self.runtimes.0.lock().expect("no thread panics while it waits").take();
        let runtime = match runtime {
            Some(runtime) => runtime,
            None => self.runtime(
                Builder::new_multi_thread().worker_threads(machine::cores()).thread_stack_size(WORKER_STACK),
            )?,
        };
        let done = runtime.block_on(async {
            tokio::select! {
                // The signal is listened for before the work begins.
                biased;
                () = stop() => None,
                done = work => Some(done),
            }
        });
        if let Some(done) = done {
            runtime.block_on(sweep(lake));
            *self.runtimes.0.lock().expect("no thread panics while it waits") = Some(runtime);
            return Ok(done);
        }
        // Threads that still write must have ended before what they wrote can be removed.
        runtime.shutdown_timeout(GRACE);
        self.runtime(&mut Builder::new_current_thread())?.block_on(sweep(lake));
        self.console.say("interrupted", "stopped; nothing half-built is visible", json!({}));
        Err(Exit::Interrupted)
    }

    fn runtime(&self, builder: &mut Builder) -> Result<Runtime, Exit> {
        builder.enable_all().build().map_err(|error| {
            let diagnostic = Diagnostic::error(Code::RunFailed, format!("no threads could be started: {error}"));
            self.fail(diagnostic, &SourceFiles::default(), Exit::Unavailable)
        })
    }
}

/// Waits until somebody wants the process to end: by Ctrl-C, as service managers and schedulers do, or by closing the
/// terminal.
#[cfg(unix)]
async fn stop() {
    use tokio::signal::unix::{SignalKind, signal};
    match (signal(SignalKind::terminate()), signal(SignalKind::hangup())) {
        (Ok(mut terminate), Ok(mut hangup)) => tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        },
        (Err(error), _) | (_, Err(error)) => {
            tracing::info!(%error, "only Ctrl-C stops this command in good order");
            let _heard_or_not = tokio::signal::ctrl_c().await;
        }
    }
}

#[cfg(not(unix))]
async fn stop() {
    let _heard_or_not = tokio::signal::ctrl_c().await;
}

async fn sweep(lake: &Lake) {
    if tokio::time::timeout(GRACE, lake.sweep()).await.is_err() {
        tracing::info!("not everything that was abandoned could be removed in time");
    }
}
