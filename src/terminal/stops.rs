//! How somebody says that the process shall end.

/// How somebody says that the process shall end: by Ctrl-C, as service managers and schedulers do, or by closing the
/// terminal.
#[cfg(unix)]
#[derive(Debug)]
pub(crate) struct Stops(Vec<tokio::signal::unix::Signal>);

#[cfg(unix)]
impl Stops {
    /// Hears of every signal from now on. Within a runtime.
    pub fn listen() -> Stops {
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
    pub async fn next(&mut self) {
        std::future::poll_fn(|context| {
            let is_heard = self.0.iter_mut().any(|signal| signal.poll_recv(context).is_ready());
            if is_heard { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
        })
        .await;
    }
}

#[cfg(not(unix))]
#[derive(Debug)]
pub(crate) struct Stops;

#[cfg(not(unix))]
impl Stops {
    pub fn listen() -> Stops {
        Stops
    }

    pub async fn next(&mut self) {
        let _heard_or_not = tokio::signal::ctrl_c().await;
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::time::Duration;

    use tokio::runtime::Builder;
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
