//! A folder of this machine that is no lake: the project's, with the files of sources and what is compiled.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::time::UNIX_EPOCH;

use crate::table::SourceEntry;

/// A folder, and deeds in it. Paths are relative to it and use `/`.
#[derive(Debug, Clone)]
pub(crate) struct LocalBackend {
    root: PathBuf,
}

impl LocalBackend {
    pub fn new(root: PathBuf) -> LocalBackend {
        LocalBackend { root }
    }

    pub fn exists(&self, path: &str) -> bool {
        self.root.join(path).exists()
    }

    /// Removes the folder with all it holds; nothing to do if there is none.
    pub fn remove_all(&self) -> io::Result<()> {
        match fs::remove_dir_all(&self.root) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Writes a file whole, over what may stand there.
    pub fn write(&self, path: &str, bytes: &[u8]) -> io::Result<()> {
        let target = self.root.join(path);
        fs::create_dir_all(target.parent().unwrap_or(&self.root))?;
        fs::write(target, bytes)
    }

    /// Removes a file; nothing to do if it is gone.
    pub fn remove(&self, path: &str) -> io::Result<()> {
        match fs::remove_file(self.root.join(path)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// The files below a folder whose relative path `wanted` takes, sorted; hidden ones are left out.
    pub fn list(&self, folder: &str, wanted: &dyn Fn(&str) -> bool) -> io::Result<Vec<SourceEntry>> {
        let mut found = Vec::new();
        let mut folders = vec![folder.trim_end_matches('/').to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(self.root.join(&folder))? {
                let entry = entry?;
                let name = entry.file_name().to_string_lossy().into_owned();
                if name.starts_with('.') {
                    continue;
                }
                let path = if folder.is_empty() { name } else { format!("{folder}/{name}") };
                // What a link leads to is looked up by its path, which is slower.
                let is_link = entry.file_type()?.is_symlink();
                let metadata = if is_link { fs::metadata(entry.path())? } else { entry.metadata()? };
                if metadata.is_dir() {
                    folders.push(path);
                } else if wanted(&path) {
                    found.push(source_entry(path, &metadata));
                }
            }
        }
        found.sort();
        Ok(found)
    }

    /// One file as a source entry.
    pub fn entry(&self, path: &str) -> io::Result<SourceEntry> {
        Ok(source_entry(path.to_owned(), &fs::metadata(self.root.join(path))?))
    }

    /// Opens a file for reading, at most `size` bytes of it: a file that grows meanwhile is read as it was listed.
    pub fn open(&self, path: &str, size: u64) -> io::Result<Box<dyn Read + Send>> {
        let file = File::open(self.root.join(path))?;
        Ok(Box::new(file.take(size)))
    }

    /// A new file, over what may stand there.
    pub fn create(&self, path: &str) -> io::Result<Box<dyn Write + Send>> {
        let target = self.root.join(path);
        fs::create_dir_all(target.parent().unwrap_or(&self.root))?;
        Ok(Box::new(File::create(target)?))
    }
}

fn source_entry(path: String, metadata: &fs::Metadata) -> SourceEntry {
    let modified = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    let micros = modified.map_or(0, |since| i64::try_from(since.as_micros()).unwrap_or(i64::MAX));
    SourceEntry { path, size: metadata.len(), modified: micros }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_grows_is_read_as_it_was_listed() {
        let folder = tempfile::tempdir().unwrap();
        let backend = LocalBackend::new(folder.path().to_owned());
        fs::write(folder.path().join("a.csv"), "day\n1\n").unwrap();
        let listed = backend.entry("a.csv").unwrap();
        fs::write(folder.path().join("a.csv"), "day\n1\n2\n").unwrap();
        let mut text = String::new();
        backend.open(&listed.path, listed.size).unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "day\n1\n");
        assert_ne!(backend.entry("a.csv").unwrap(), listed, "the next run finds it changed");
    }
}
