//! The real host: the only place of the front half that touches files, environment and clock.

use std::collections::BTreeMap;
use std::fs::{self, Metadata};
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::SystemTime;

use chrono::{DateTime, Utc};

use super::Host;

/// Models, macros and YAML are small; what is larger is a mistake, and would only cost memory.
const MAX_FILE_BYTES: u64 = 16 * 1024 * 1024;

/// How deep folders may be nested: a guard against links that lead in a circle.
const MAX_DEPTH: usize = 64;

/// This machine: the files below a project's folder, the environment that is given, and the clock.
#[derive(Debug, Clone)]
pub struct OsHost {
    root: PathBuf,
    folder: PathBuf,
    variables: BTreeMap<String, String>,
    logical_time: DateTime<Utc>,
    /// The file of the program that asks.
    program: Option<PathBuf>,
    /// Folders of the project by their relative paths, as they are called without links. To find that out takes one call of the
    /// system for each part of a path: for a thousand models in one folder, that would be a fifth of the time of `karat ls`.
    real_folders: Arc<RwLock<BTreeMap<PathBuf, Arc<Path>>>>,
}

/// What lies at a path of the project, and its path without links.
struct Found {
    path: PathBuf,
    metadata: Metadata,
}

impl OsHost {
    /// A host whose project lies in `root`, for a command that was typed in `folder` with this environment.
    pub fn new(root: impl Into<PathBuf>, folder: impl Into<PathBuf>, variables: BTreeMap<String, String>) -> OsHost {
        let logical_time = Utc::now();
        let real_folders = Arc::default();
        OsHost { root: root.into(), folder: folder.into(), variables, logical_time, program: None, real_folders }
    }

    /// The same for the program in this file.
    #[must_use]
    pub fn of_program(self, program: Option<PathBuf>) -> OsHost {
        OsHost { program, ..self }
    }

    /// The same with another time for templates than that of the clock.
    #[must_use]
    pub fn at(self, logical_time: Option<DateTime<Utc>>) -> OsHost {
        OsHost { logical_time: logical_time.unwrap_or(self.logical_time), ..self }
    }

    /// The project's folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The bytes that are free for us on the disk of this folder. Returns `None` where that cannot be asked.
    #[cfg(unix)]
    pub fn free_bytes(folder: &Path) -> Option<u64> {
        let disk = rustix::fs::statvfs(folder).ok()?;
        Some(disk.f_bavail.saturating_mul(disk.f_frsize))
    }

    /// The bytes that are free for us on the disk of this folder. Returns `None` where that cannot be asked.
    #[cfg(not(unix))]
    pub fn free_bytes(_folder: &Path) -> Option<u64> {
        None
    }

    /// Looks at a path. Refuses paths that lead out of the project, through `..`, through an absolute path or through a link.
    fn inside(&self, path: &str) -> io::Result<Found> {
        let relative = Path::new(path);
        let plain = relative.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
        if !plain {
            return Err(outside(path));
        }
        // Only the project's folder itself has no name here.
        if let (Some(folder), Some(name)) = (relative.parent(), relative.file_name()) {
            let path = self.real_folder(folder)?.join(name);
            let metadata = fs::symlink_metadata(&path)?;
            if !metadata.is_symlink() {
                return Ok(Found { path, metadata });
            }
        }
        let path = self.without_links(relative)?;
        let metadata = fs::metadata(&path)?;
        Ok(Found { path, metadata })
    }

    /// A folder of the project without links, which must not lead out of the project.
    fn real_folder(&self, relative: &Path) -> io::Result<Arc<Path>> {
        let known = self.real_folders.read().unwrap_or_else(PoisonError::into_inner).get(relative).cloned();
        if let Some(known) = known {
            return Ok(known);
        }
        let real: Arc<Path> = self.without_links(relative)?.into();
        let mut folders = self.real_folders.write().unwrap_or_else(PoisonError::into_inner);
        folders.insert(relative.to_owned(), Arc::clone(&real));
        Ok(real)
    }

    fn without_links(&self, relative: &Path) -> io::Result<PathBuf> {
        let found = fs::canonicalize(self.root.join(relative))?;
        // Both paths without links: on some systems even the temporary folder is one.
        if found.starts_with(fs::canonicalize(&self.root)?) {
            Ok(found)
        } else {
            Err(outside(&relative.to_string_lossy()))
        }
    }

    fn walk(&self, folder: &str, depth: usize, found: &mut Vec<String>) -> io::Result<()> {
        if depth > MAX_DEPTH {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("`{folder}` is nested too deeply")));
        }
        for entry in fs::read_dir(self.inside(folder)?.path)? {
            let entry = entry?;
            let name = entry.file_name();
            let Some(name) = name.to_str() else {
                let shown = name.to_string_lossy().into_owned();
                return Err(io::Error::new(io::ErrorKind::InvalidData, format!("`{folder}/{shown}` is not UTF-8")));
            };
            // Editors and version control keep theirs there.
            if name.starts_with('.') {
                continue;
            }
            let path = format!("{folder}/{name}");
            // The listing tells folders from files; only a link has to be looked at.
            let kind = entry.file_type()?;
            // A FIFO or a socket would never end: reading it is refused by its name.
            if kind.is_dir() || kind.is_symlink() && self.inside(&path)?.metadata.is_dir() {
                self.walk(&path, depth + 1, found)?;
            } else {
                found.push(path);
            }
        }
        Ok(())
    }
}

impl Host for OsHost {
    fn read(&self, path: &str) -> io::Result<String> {
        let found = self.inside(path)?;
        read_bounded(&found.path, &found.metadata)
    }

    fn read_bytes(&self, path: &str, limit: u64) -> io::Result<Vec<u8>> {
        let found = self.inside(path)?;
        check_regular(&found.metadata)?;
        let mut bytes = Vec::new();
        // However large the file is, no more than this is read into memory.
        fs::File::open(found.path)?.take(limit).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn files_below(&self, folder: &str) -> io::Result<Vec<String>> {
        let folder = folder.trim_end_matches('/');
        if !self.root.join(folder).exists() {
            return Ok(Vec::new());
        }
        let mut found = Vec::new();
        self.walk(folder, 0, &mut found)?;
        found.sort();
        Ok(found)
    }

    fn folders_in(&self, folder: &str) -> io::Result<Vec<String>> {
        let folder = folder.trim_end_matches('/');
        if !self.root.join(folder).exists() {
            return Ok(Vec::new());
        }
        let mut found = Vec::new();
        for entry in fs::read_dir(self.inside(folder)?.path)? {
            let name = entry?.file_name();
            let Some(name) = name.to_str().filter(|name| !name.starts_with('.')) else { continue };
            let path = format!("{folder}/{name}");
            // A link that leads out of the project is no folder of it.
            if self.inside(&path).is_ok_and(|found| found.metadata.is_dir()) {
                found.push(path);
            }
        }
        found.sort();
        Ok(found)
    }

    fn exists(&self, path: &str) -> bool {
        self.inside(path).is_ok_and(|found| found.metadata.is_file())
    }

    fn variables(&self) -> &BTreeMap<String, String> {
        &self.variables
    }

    fn current_folder(&self) -> &Path {
        &self.folder
    }

    fn user_file(&self, path: &Path) -> io::Result<String> {
        read_bounded(path, &fs::metadata(path)?)
    }

    fn logical_time(&self) -> DateTime<Utc> {
        self.logical_time
    }

    fn now(&self) -> DateTime<Utc> {
        Utc::now()
    }

    fn program(&self) -> Option<String> {
        let path = self.program.as_ref()?;
        let metadata = fs::metadata(path).ok()?;
        let changed = metadata.modified().ok()?.duration_since(SystemTime::UNIX_EPOCH).ok()?;
        Some(format!("{} {} {} {}", env!("CARGO_PKG_VERSION"), metadata.len(), changed.as_nanos(), path.display()))
    }

    fn git_revision(&self) -> Option<String> {
        let asked =
            Command::new("git").args(["rev-parse", "--verify", "HEAD"]).current_dir(&self.root).output().ok()?;
        let revision = String::from_utf8(asked.stdout).ok()?.trim().to_owned();
        (asked.status.success() && !revision.is_empty()).then_some(revision)
    }
}

/// What is no regular file might never end.
fn check_regular(metadata: &Metadata) -> io::Result<()> {
    if metadata.is_file() {
        return Ok(());
    }
    let message = "it is not a regular file: a FIFO, a socket or a device is never read";
    Err(io::Error::new(io::ErrorKind::InvalidData, message))
}

fn read_bounded(path: &Path, metadata: &Metadata) -> io::Result<String> {
    check_regular(metadata)?;
    if metadata.len() > MAX_FILE_BYTES {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "the file has more than 16 MiB"));
    }
    fs::read_to_string(path)
}

fn outside(path: &str) -> io::Error {
    io::Error::new(io::ErrorKind::PermissionDenied, format!("`{path}` leads out of the project"))
}
