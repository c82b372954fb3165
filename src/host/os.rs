//! The real host: the only place of the front half that touches files, environment and clock.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};
use std::process::Command;

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
}

impl OsHost {
    /// A host whose project lies in `root`, for a command that was typed in `folder` with this environment.
    pub fn new(root: impl Into<PathBuf>, folder: impl Into<PathBuf>, variables: BTreeMap<String, String>) -> OsHost {
        OsHost { root: root.into(), folder: folder.into(), variables, logical_time: Utc::now() }
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

    /// Refuses paths that lead out of the project, through `..`, through an absolute path or through a link.
    fn inside(&self, path: &str) -> io::Result<PathBuf> {
        let relative = Path::new(path);
        let plain = relative.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
        if !plain {
            return Err(outside(path));
        }
        let found = fs::canonicalize(self.root.join(relative))?;
        // Both paths without links: on some systems even the temporary folder is one.
        if found.starts_with(fs::canonicalize(&self.root)?) { Ok(found) } else { Err(outside(path)) }
    }

    fn walk(&self, folder: &str, depth: usize, found: &mut Vec<String>) -> io::Result<()> {
        if depth > MAX_DEPTH {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("`{folder}` is nested too deeply")));
        }
        for entry in fs::read_dir(self.inside(folder)?)? {
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
            // A FIFO or a socket would never end: reading it is refused by its name.
            if fs::metadata(self.inside(&path)?)?.is_dir() {
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
        read_bounded(&self.inside(path)?)
    }

    fn read_bytes(&self, path: &str, limit: u64) -> io::Result<Vec<u8>> {
        let path = self.inside(path)?;
        check_regular(&path)?;
        let mut bytes = Vec::new();
        // However large the file is, no more than this is read into memory.
        fs::File::open(path)?.take(limit).read_to_end(&mut bytes)?;
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
        for entry in fs::read_dir(self.inside(folder)?)? {
            let name = entry?.file_name();
            let Some(name) = name.to_str().filter(|name| !name.starts_with('.')) else { continue };
            let path = format!("{folder}/{name}");
            // A link that leads out of the project is no folder of it.
            if self.inside(&path).is_ok_and(|found| found.is_dir()) {
                found.push(path);
            }
        }
        found.sort();
        Ok(found)
    }

    fn exists(&self, path: &str) -> bool {
        self.inside(path).is_ok_and(|found| found.is_file())
    }

    fn variables(&self) -> &BTreeMap<String, String> {
        &self.variables
    }

    fn current_folder(&self) -> &Path {
        &self.folder
    }

    fn user_file(&self, path: &Path) -> io::Result<String> {
        read_bounded(path)
    }

    fn logical_time(&self) -> DateTime<Utc> {
        self.logical_time
    }

    fn now(&self) -> DateTime<Utc> {
        Utc::now()
    }

    fn git_revision(&self) -> Option<String> {
        let asked =
            Command::new("git").args(["rev-parse", "--verify", "HEAD"]).current_dir(&self.root).output().ok()?;
        let revision = String::from_utf8(asked.stdout).ok()?.trim().to_owned();
        (asked.status.success() && !revision.is_empty()).then_some(revision)
    }
}

/// Returns the size of a file. What is no regular file might never end.
fn check_regular(path: &Path) -> io::Result<u64> {
    let metadata = fs::metadata(path)?;
    if !metadata.is_file() {
        let message = "it is not a regular file: a FIFO, a socket or a device is never read";
        return Err(io::Error::new(io::ErrorKind::InvalidData, message));
    }
    Ok(metadata.len())
}

fn read_bounded(path: &Path) -> io::Result<String> {
    if check_regular(path)? > MAX_FILE_BYTES {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "the file has more than 16 MiB"));
    }
    fs::read_to_string(path)
}

fn outside(path: &str) -> io::Error {
    io::Error::new(io::ErrorKind::PermissionDenied, format!("`{path}` leads out of the project"))
}
