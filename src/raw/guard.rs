//! Keeps panics of a library that meets damaged bytes to the one file that it was reading.

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

thread_local! {
    /// Whether a panic of this thread is caught and told as an error.
    static IS_GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// Makes the process pass over the message of a panic that [`guarded`] turns into an error.
static HOOK: Once = Once::new();

/// The work panicked.
#[derive(Debug)]
pub(crate) struct Panicked;

/// Runs work that may panic on damaged bytes. Whatever it was working on must not be used after a panic.
pub(crate) fn guarded<T>(work: impl FnOnce() -> T) -> Result<T, Panicked> {
    HOOK.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |about| {
            if !IS_GUARDED.get() {
                before(about);
            }
        }));
    });
    let was_guarded = IS_GUARDED.replace(true);
    let done = panic::catch_unwind(AssertUnwindSafe(work));
    IS_GUARDED.set(was_guarded);
    done.map_err(|_| Panicked)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_error() {
        assert_eq!(guarded(|| 7).unwrap(), 7);
        assert!(guarded(|| Vec::<u8>::with_capacity(usize::MAX)).is_err());
    }
}
