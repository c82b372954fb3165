//! Work whose parts do not depend on each other, spread over the cores of the machine.

use std::cell::Cell;
use std::num::NonZero;
use std::panic::resume_unwind;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// The stack of a thread that plans SQL, in bytes. Long rows of operators are deep trees, and what plans them goes down to
/// their ends.
pub(crate) const DEEP_STACK: usize = 256 * 1024 * 1024;

thread_local! {
    /// Whether this thread has a deep stack.
    static IS_DEEP: Cell<bool> = const { Cell::new(false) };
}

/// Does work that plans SQL, on a thread with room for it: on this one, if it has.
#[cfg(any(test, feature = "engine"))]
pub(crate) fn on_a_deep_stack<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    if IS_DEEP.get() {
        return work();
    }
    thread::scope(|scope| {
        let thread = thread::Builder::new().name("karat".to_owned()).stack_size(DEEP_STACK);
        let deep = || {
            IS_DEEP.set(true);
            work()
        };
        let thread = thread.spawn_scoped(scope, deep).expect("the system can start a thread");
        thread.join().unwrap_or_else(|panic| resume_unwind(panic))
    })
}

/// Threads that can run at once. The system is asked once: it reads the limits of a container from several files.
pub(crate) fn cores() -> usize {
    static CORES: OnceLock<usize> = OnceLock::new();
    *CORES.get_or_init(|| thread::available_parallelism().map_or(1, NonZero::get))
}

/// Does the work for every item, and gives the results in the order of the items. The calling thread takes part.
#[cfg(any(test, feature = "engine"))]
pub(crate) fn in_parallel<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    in_parallel_from(1, items, work)
}

/// Like [`in_parallel`], for short pieces of work: a thread is started for so many of them, since less work than that costs
/// more to hand over than to do.
pub(crate) fn in_parallel_from<T: Sync, R: Send>(
    for_a_thread: usize,
    items: &[T],
    work: impl Fn(&T) -> R + Sync,
) -> Vec<R> {
    let workers = cores().min(items.len().div_ceil(for_a_thread));
    if workers <= 1 {
        return items.iter().map(work).collect();
    }
    let next = AtomicUsize::new(0);
    // Each worker takes the next item that nobody has: one long piece of work delays no other.
    let take = || {
        let mut done = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(index) else { return done };
            done.push((index, work(item)));
        }
    };
    let mut done = thread::scope(|scope| {
        let deep = || {
            IS_DEEP.set(true);
            take()
        };
        let start = |_| thread::Builder::new().stack_size(DEEP_STACK).spawn_scoped(scope, deep);
        // A system that starts no more threads leaves more work for those that there are.
        let started: Vec<_> = (1..workers).map_while(|worker| start(worker).ok()).collect();
        let mut done = take();
        for worker in started {
            done.extend(worker.join().unwrap_or_else(|panic| resume_unwind(panic)));
        }
        done
    });
    done.sort_unstable_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_have_the_order_of_the_items() {
        for count in [0_usize, 1, 2, 1000] {
            let items: Vec<usize> = (0..count).collect();
            let doubled: Vec<usize> = items.iter().map(|item| item * 2).collect();
            assert_eq!(in_parallel(&items, |item| item * 2), doubled);
        }
    }

    #[test]
    #[should_panic(expected = "the fourth")]
    fn a_panic_of_one_part_is_one_of_the_whole() {
        in_parallel(&[1, 2, 3, 4], |item| assert!(*item != 4, "the fourth"));
    }
}
