//! A host for tests: files from a map, an environment of its own, a clock that stands still.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use chrono::{DateTime, Utc};

use super::Host;

/// A world of its own: files in memory, and an environment that is given.
#[derive(Debug, Clone, Default)]
pub struct MemoryHost {
    files: BTreeMap<String, String>,
    variables: BTreeMap<String, String>,
    user_files: BTreeMap<String, String>,
}

impl MemoryHost {
    /// A host that has these files: path and text.
    pub fn with_files<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> MemoryHost {
        let files = files.into_iter().map(|(path, text)| (path.to_owned(), text.to_owned())).collect();
        MemoryHost { files, ..MemoryHost::default() }
    }

    /// The same host with one more environment variable.
    pub fn and_variable(mut self, name: &str, value: &str) -> MemoryHost {
        self.variables.insert(name.to_owned(), value.to_owned());
        self
    }

    /// The same host with one more file of the user's.
    pub fn and_user_file(mut self, path: &str, text: &str) -> MemoryHost {
        self.user_files.insert(path.to_owned(), text.to_owned());
        self
    }
}

impl Host for MemoryHost {
    fn read(&self, path: &str) -> io::Result<String> {
        self.files.get(path).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn files_below(&self, folder: &str) -> io::Result<Vec<String>> {
        let prefix = format!("{}/", folder.trim_end_matches('/'));
        Ok(self.files.keys().filter(|path| path.starts_with(&prefix)).cloned().collect())
    }

    fn exists(&self, path: &str) -> bool {
        self.files.contains_key(path)
    }

    fn variables(&self) -> &BTreeMap<String, String> {
        &self.variables
    }

    fn current_folder(&self) -> &Path {
        Path::new("/")
    }

    fn user_file(&self, path: &Path) -> io::Result<String> {
        path.to_str().and_then(|path| self.user_files.get(path)).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn now(&self) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH
    }
}
