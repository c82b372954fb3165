//! The world as the front half sees it: files, environment and the time, minus storage.

mod memory;
mod os;

pub use memory::MemoryHost;
pub use os::OsHost;

use std::io;

use chrono::{DateTime, Utc};

/// Reads the project and asks for the time. Paths are relative to the project's folder and use `/`.
pub trait Host: Send + Sync {
    /// The text of a file, or `NotFound`, or `InvalidData` if it is not UTF-8.
    fn read(&self, path: &str) -> io::Result<String>;

    /// All files below a folder, sorted, hidden ones left out. A folder that does not exist has none.
    /// A link that leads out of the project is an error of kind `PermissionDenied`.
    fn files_below(&self, folder: &str) -> io::Result<Vec<String>>;

    /// Whether there is a file at this path.
    fn exists(&self, path: &str) -> bool;

    /// An environment variable.
    fn variable(&self, name: &str) -> Option<String>;

    /// The time now.
    fn now(&self) -> DateTime<Utc>;
}
