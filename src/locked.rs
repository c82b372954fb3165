//! A value that threads take turns with.

use std::sync::{Mutex, MutexGuard};

/// A value behind a lock. It is held for a few statements that do not panic, and never while something is awaited.
#[derive(Debug, Default)]
pub(crate) struct Locked<T>(Mutex<T>);

impl<T> Locked<T> {
    pub fn new(value: T) -> Locked<T> {
        Locked(Mutex::new(value))
    }

    /// Waits until nobody else holds the value.
    pub fn lock(&self) -> MutexGuard<'_, T> {
        // A thread that panicked with the value in its hands has left it half done: to go on would be worse than to stop.
        self.0.lock().expect("no thread panics while it holds this lock")
    }

    /// Takes the value out, and leaves an empty one.
    pub fn take(&self) -> T
    where
        T: Default,
    {
        std::mem::take(&mut *self.lock())
    }
}
