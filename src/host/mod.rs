//! The world as the front half sees it: files, environment and the time, minus storage.

#![warn(missing_docs)]

/// All of [`Host`] that is no file of a project, as the host in a field has it: for hosts that only have other files.
macro_rules! surroundings_of {
    ($host:tt) => {
        fn variables(&self) -> &std::collections::BTreeMap<String, String> {
            self.$host.variables()
        }

        fn current_folder(&self) -> &std::path::Path {
            self.$host.current_folder()
        }

        fn user_file(&self, path: &std::path::Path) -> std::io::Result<String> {
            self.$host.user_file(path)
        }

        fn now(&self) -> chrono::DateTime<chrono::Utc> {
            self.$host.now()
        }

        fn logical_time(&self) -> chrono::DateTime<chrono::Utc> {
            self.$host.logical_time()
        }
    };
}

mod git;
mod git_tree;
mod memory;
mod os;
mod overlay;
mod package_folder;
mod without_project;

pub use git::{GitFault, GitRepository, commit_of, is_commit};
pub use git_tree::GitHost;
pub use memory::MemoryHost;
pub use os::OsHost;
pub use overlay::Overlay;
pub use package_folder::{PackageFolder, write_project_file};
pub use without_project::WithoutProject;

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use chrono::{DateTime, Utc};

/// Reads the project and asks for the time. Paths are relative to the project's folder and use `/`.
pub trait Host: Send + Sync {
    /// The text of a file, or `NotFound`, or `InvalidData` if it is not UTF-8.
    fn read(&self, path: &str) -> io::Result<String>;

    /// The first bytes of a file, which need not be UTF-8: all of them if it has at most `limit`.
    fn read_bytes(&self, path: &str, limit: u64) -> io::Result<Vec<u8>> {
        let mut bytes = self.read(path)?.into_bytes();
        bytes.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        Ok(bytes)
    }

    /// All files below a folder, sorted, hidden ones left out. A folder that does not exist has none.
    /// A link that leads out of the project is an error of kind `PermissionDenied`.
    fn files_below(&self, folder: &str) -> io::Result<Vec<String>>;

    /// The folders in a folder, sorted, hidden ones left out, without a look at what is in them. A folder that does not exist has none.
    fn folders_in(&self, folder: &str) -> io::Result<Vec<String>> {
        let prefix = format!("{}/", folder.trim_end_matches('/'));
        let below = self.files_below(folder)?;
        let names = below.iter().filter_map(|path| path.strip_prefix(&prefix)?.split_once('/').map(|(name, _)| name));
        let mut folders: Vec<String> = names.map(|name| format!("{prefix}{name}")).collect();
        folders.dedup();
        Ok(folders)
    }

    /// Whether there is a file at this path.
    fn exists(&self, path: &str) -> bool;

    /// The environment.
    fn variables(&self) -> &BTreeMap<String, String>;

    /// An environment variable.
    fn variable(&self, name: &str) -> Option<String> {
        self.variables().get(name).cloned()
    }

    /// The folder in which the command was typed: paths in the environment are relative to it.
    fn current_folder(&self) -> &Path;

    /// The text of a file that belongs to the user and to no project, such as the profile.
    fn user_file(&self, path: &Path) -> io::Result<String>;

    /// The time now.
    fn now(&self) -> DateTime<Utc>;

    /// The one time that all templates of a run see.
    fn logical_time(&self) -> DateTime<Utc> {
        self.now()
    }

    /// Which program this is: another text for every build of it. Returns `None` if that cannot be told.
    fn program(&self) -> Option<String> {
        None
    }

    /// The revision of the project that is checked out. Returns `None` if the project is not kept in git, or git is not
    /// here.
    fn git_revision(&self) -> Option<String> {
        None
    }
}
