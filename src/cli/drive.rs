//! The one runtime of the process, and waiting on it for work or for a signal to stop.

use std::convert::Infallible;
use std::time::Duration;

use serde_json::json;
use tokio::runtime::{Builder, Runtime};

use super::exit::Exit;
use crate::diag::{Code, Diagnostic};
use crate::locked::Locked;
use crate::parallel::cores;
use crate::pipeline::Lake;
use crate::span::SourceFiles;
use crate::terminal::{Console, Tone};

/// How long a stopped run waits for its threads, and then for the removal of what they have left.
const GRACE: Duration = Duration::from_secs(5);

/// So long a store may be away before anybody is told, and so often it is looked at.
const QUIET: Duration = Duration::from_secs(3);
const LOOKS: Duration = Duration::from_millis(500);

/// Of a thread that computes: expressions are as deep as their rows of operators are long.
const WORKER_STACK: usize = 32 * 1024 * 1024;

/// Made when the first work is waited for: many commands wait for none.
#[derive(Debug, Default)]
pub(crate) struct Runtimes(Locked<Option<Driven>>);

/// A runtime, and what it hears of the wish that the process ends. From the first wait on no signal ends the process by
/// itself, so those that come between two waits are kept for the next.
#[derive(Debug)]
struct Driven {
    runtime: Runtime,
    stops: Stops,
}

impl Runtimes {
    /// Waits for work on a lake, or for a signal to stop: then the work is dropped, which cancels it. Either way what it has
    /// abandoned is removed.
    pub fn wait<T>(&self, console: &Console<'_>, lake: &Lake, work: impl Future<Output = T>) -> Result<T, Exit> {
        let Driven { runtime, mut stops } = self.driven(console)?;
        let done = runtime.block_on(async {
            tokio::select! {
                // The signal is listened for before the work begins.
                biased;
                () = stops.next() => None,
                done = work => Some(done),
                never = report_waiting(console, lake) => match never {},
            }
        });
        if let Some(done) = done {
            runtime.block_on(sweep(lake));
            *self.0.lock() = Some(Driven { runtime, stops });
            return Ok(done);
        }
        // The work was dropped by the `select` above, which cancels it at its next await.
        // Threads that still write must have ended before what they wrote can be removed.
        runtime.shutdown_timeout(GRACE);
        started(console, &mut Builder::new_current_thread())?.block_on(sweep(lake));
        console.say("interrupted", "stopped; nothing half-built is visible", json!({}));
        Err(Exit::Interrupted)
    }

    /// The runtime of an earlier wait, or a new one.
    fn driven(&self, console: &Console<'_>) -> Result<Driven, Exit> {
        if let Some(driven) = self.0.lock().take() {
            return Ok(driven);
        }
        // Listening comes first: a signal between the start of the threads and the first wait must not end the process.
        let mut builder = Builder::new_multi_thread();
        let runtime = started(console, builder.worker_threads(cores()).thread_stack_size(WORKER_STACK))?;
        let stops = runtime.block_on(async { Stops::listen() });
        Ok(Driven { runtime, stops })
    }
}

fn started(console: &Console<'_>, builder: &mut Builder) -> Result<Runtime, Exit> {
    builder.enable_all().build().map_err(|error| {
        let diagnostic = Diagnostic::error(Code::RunFailed, format!("no threads could be started: {error}"));
        console.diagnostics(&[diagnostic], &SourceFiles::default());
        Exit::Unavailable
    })
}

/// Says that a store does not answer, once for each time that it is away; whoever waits may think that the command hangs.
async fn report_waiting(console: &Console<'_>, lake: &Lake) -> Infallible {
    let mut reported = None;
    loop {
        tokio::time::sleep(LOOKS).await;
        let Some(away) = lake.away().filter(|away| away.since.elapsed() >= QUIET) else { continue };
        if reported.replace(away.since) == Some(away.since) {
            continue;
        }
        let error = console.without_secrets(&away.error);
        let seconds = away.patience.as_secs();
        let word = console.paint(Tone::Warn, "waiting");
        let text = format!("  {word}    for {}: {error}; tried again for {seconds} s (`retry_for`)", lake.server());
        let facts = json!({"for": lake.server(), "error": error, "seconds": seconds});
        console.say("waiting", &text, facts);
    }
}

/// How somebody says that the process shall end: by Ctrl-C, as service managers and schedulers do, or by closing the
/// terminal.
#[cfg(unix)]
#[derive(Debug)]
struct Stops(Vec<tokio::signal::unix::Signal>);

#[cfg(unix)]
impl Stops {
    /// Hears of every signal from now on. Within a runtime.
    fn listen() -> Stops {
        use tokio::signal::unix::SignalKind;
        Stops::of([SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()])
    }

    fn of(kinds: impl IntoIterator<Item = tokio::signal::unix::SignalKind>) -> Stops {
        let heard = kinds.into_iter().filter_map(|kind| {
            let heard = tokio::signal::unix::signal(kind);
            heard.inspect_err(|error| tracing::info!(%error, "a signal ends this command without order")).ok()
        });
        Stops(heard.collect())
    }

    /// Waits for one that nobody has waited for yet.
    async fn next(&mut self) {
        std::future::poll_fn(|context| {
            let is_heard = self.0.iter_mut().any(|signal| signal.poll_recv(context).is_ready());
            if is_heard { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
        })
        .await;
    }
}

#[cfg(not(unix))]
#[derive(Debug)]
struct Stops;

#[cfg(not(unix))]
impl Stops {
    fn listen() -> Stops {
        Stops
    }

    async fn next(&mut self) {
        let _heard_or_not = tokio::signal::ctrl_c().await;
    }
}

async fn sweep(lake: &Lake) {
    if tokio::time::timeout(GRACE, lake.sweep()).await.is_err() {
        tracing::info!("not everything that was abandoned could be removed in time");
    }
}

#[cfg(all(test, unix))]
mod tests {
    use tokio::signal::unix::SignalKind;

    use super::*;

    #[test]
    fn a_signal_between_two_waits_is_heard_by_the_next() {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        // One that no command listens for: other tests of this process run meanwhile.
        let mut stops = runtime.block_on(async { Stops::of([SignalKind::user_defined2()]) });
        let stopped = |stops: &mut Stops, wait: Duration| {
            runtime.block_on(async { tokio::time::timeout(wait, stops.next()).await.is_ok() })
        };
        assert!(!stopped(&mut stops, Duration::from_millis(1)));
        let process = std::process::id().to_string();
        assert!(std::process::Command::new("kill").args(["-USR2", &process]).status().unwrap().success());
        assert!(stopped(&mut stops, Duration::from_secs(60)));
        assert!(!stopped(&mut stops, Duration::from_millis(1)), "each is heard once");
    }
}
