//! A lake in a folder of this machine: what is acknowledged was synced to the disk, file and folder.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::UNIX_EPOCH;

use super::Put;
use crate::partition_writer::{DataFile, Destination, SpillFile};

/// A folder, and deeds in it. Paths are relative to it and use `/`.
#[derive(Debug, Clone)]
pub(crate) struct LocalBackend {
    root: PathBuf,
}

/// A file of a source, as it was listed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SourceEntry {
    pub path: String,
    pub size: u64,
    /// Microseconds since 1970.
    pub modified: i64,
}

impl LocalBackend {
    pub fn new(root: PathBuf) -> LocalBackend {
        LocalBackend { root }
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    pub fn below(&self, relative: &str) -> LocalBackend {
        LocalBackend { root: self.root.join(relative) }
    }

    /// Makes the folder itself, and those above it.
    pub fn prepare(&self) -> io::Result<()> {
        create_folder(&self.root)
    }

    pub fn exists(&self, path: &str) -> bool {
        self.root.join(path).exists()
    }

    /// The whole of a file, or nothing if there is none.
    pub fn get(&self, path: &str) -> io::Result<Option<Vec<u8>>> {
        match fs::read(self.root.join(path)) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Puts `bytes` at `path` unless something stands there. The file appears whole or not at all: it is written and
    /// synced under another name, then linked, which fails if the name is taken.
    pub fn put_if_absent(&self, path: &str, bytes: &[u8], token: &str) -> io::Result<Put> {
        let target = self.root.join(path);
        let folder = target.parent().unwrap_or(&self.root);
        create_folder(folder)?;
        let name = target.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let temporary = folder.join(format!(".{name}.{token}.tmp"));
        let written = write_synced(&temporary, bytes);
        let linked = written.and_then(|()| fs::hard_link(&temporary, &target));
        let removed = fs::remove_file(&temporary);
        match linked {
            Ok(()) => removed.and_then(|()| sync_folder(folder)).map(|()| Put::Created),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(Put::Exists),
            Err(error) => Err(error),
        }
    }

    /// Removes files that no reader can have seen. Best effort: what stays is an orphan without effect.
    pub fn remove(&self, paths: impl IntoIterator<Item = String>) {
        for path in paths {
            let file = self.root.join(path);
            if fs::remove_file(&file).is_ok()
                && let Some(folder) = file.parent()
                && folder != self.root
            {
                // Fails, as it should, while the folder holds other files.
                let _still_used = fs::remove_dir(folder);
            }
        }
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
        create_folder(target.parent().unwrap_or(&self.root))?;
        fs::write(target, bytes)
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
                let metadata = fs::metadata(entry.path())?;
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
        create_folder(target.parent().unwrap_or(&self.root))?;
        Ok(Box::new(File::create(target)?))
    }
}

fn source_entry(path: String, metadata: &fs::Metadata) -> SourceEntry {
    let modified = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    let micros = modified.map_or(0, |since| i64::try_from(since.as_micros()).unwrap_or(i64::MAX));
    SourceEntry { path, size: metadata.len(), modified: micros }
}

fn create_folder(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    if let Some(parent) = folder.parent() {
        create_folder(parent)?;
    }
    match fs::create_dir(folder) {
        Ok(()) => folder.parent().map_or(Ok(()), sync_folder),
        // Another writer may have made it meanwhile; a file in its place is an error.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && folder.is_dir() => Ok(()),
        Err(error) => Err(error),
    }
}

fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    File::open(folder)?.sync_all()
}

/// Receives the files of one table's writer. What it created is known, so that an abandoned run leaves nothing.
#[derive(Debug)]
pub(crate) struct LocalDestination {
    backend: LocalBackend,
    created: Mutex<Created>,
}

#[derive(Debug, Default)]
struct Created {
    paths: Vec<String>,
    /// Set when nobody wants the files any more: threads that still write get an error instead of a new file.
    abandoned: bool,
}

impl LocalDestination {
    pub fn new(backend: LocalBackend) -> LocalDestination {
        LocalDestination { backend, created: Mutex::default() }
    }

    /// Removes everything that was created, and lets nothing more be created: nobody may refer to it.
    pub fn abandon(&self) {
        let mut created = self.created.lock().expect("no thread panics while it holds this lock");
        created.abandoned = true;
        self.backend.remove(std::mem::take(&mut created.paths));
    }

    /// Removes everything that was created, to write it another way.
    pub fn restart(&self) {
        let mut created = self.created.lock().expect("no thread panics while it holds this lock");
        self.backend.remove(std::mem::take(&mut created.paths));
    }
}

impl Destination for LocalDestination {
    fn create(&self, relative_path: &str) -> io::Result<Box<dyn DataFile>> {
        let mut created = self.created.lock().expect("no thread panics while it holds this lock");
        if created.abandoned {
            return Err(io::Error::new(io::ErrorKind::Interrupted, "the run was stopped"));
        }
        let target = self.backend.root.join(relative_path);
        create_folder(target.parent().unwrap_or(&self.backend.root))?;
        let file = OpenOptions::new().write(true).create_new(true).open(&target)?;
        created.paths.push(relative_path.to_owned());
        drop(created);
        Ok(Box::new(LocalFile { file, folder: target.parent().map(Path::to_path_buf) }))
    }

    fn spill(&self) -> io::Result<Box<dyn SpillFile>> {
        // A file without a name: it is gone when it is closed, however the process ends.
        tempfile::tempfile().map(|file| Box::new(file) as Box<dyn SpillFile>)
    }
}

struct LocalFile {
    file: File,
    folder: Option<PathBuf>,
}

impl Write for LocalFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl DataFile for LocalFile {
    fn finish(self: Box<Self>) -> io::Result<()> {
        self.file.sync_data()?;
        self.folder.as_deref().map_or(Ok(()), sync_folder)
    }
}
