//! A host for tests: files from a map, an environment of its own, a clock that stands still.

use std::collections::BTreeMap;
use std::io;

use chrono::{DateTime, Utc};

use super::Host;

#[derive(Debug, Clone, Default)]
pub struct MemoryHost {
    files: BTreeMap<String, String>,
    variables: BTreeMap<String, String>,
}

impl MemoryHost {
    /// A host that has these files: path and text.
    pub fn with_files<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> MemoryHost {
        let files = files.into_iter().map(|(path, text)| (path.to_owned(), text.to_owned())).collect();
        MemoryHost { files, variables: BTreeMap::new() }
    }

    /// The same host with one more environment variable.
    pub fn and_variable(mut self, name: &str, value: &str) -> MemoryHost {
        self.variables.insert(name.to_owned(), value.to_owned());
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

    fn variable(&self, name: &str) -> Option<String> {
        self.variables.get(name).cloned()
    }

    fn now(&self) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH
    }
}
