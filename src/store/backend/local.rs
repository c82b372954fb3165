//! A folder of this machine that is no lake: the project's, with the files of sources and what is compiled.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use crate::raw::ReadAt;
use crate::table::SourceEntry;

/// A folder, and deeds in it. Paths are relative to it and use `/`.
#[derive(Debug, Clone)]
pub(crate) struct LocalBackend {
    root: PathBuf,
    links: LinkPolicy,
}

/// Where links of files that are listed may lead.
#[derive(Clone)]
pub(crate) enum LinkPolicy {
    Anywhere,
    /// Within the folder, or into one of those that the user allows: asked for only where a link leads out.
    Within(Arc<dyn Fn() -> Vec<PathBuf> + Send + Sync>),
}

impl fmt::Debug for LinkPolicy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            LinkPolicy::Anywhere => "Anywhere",
            LinkPolicy::Within(_) => "Within",
        })
    }
}

/// A link leads out of the folder, to where the user has not allowed.
#[derive(Debug)]
pub(crate) struct LeadsOut {
    pub path: String,
    /// The folder to allow.
    pub folder: PathBuf,
}

impl fmt::Display for LeadsOut {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "the link `{}` leads out of the project, into `{}`", self.path, self.folder.display())
    }
}

impl std::error::Error for LeadsOut {}

impl LocalBackend {
    pub fn new(root: PathBuf) -> LocalBackend {
        LocalBackend { root, links: LinkPolicy::Anywhere }
    }

    /// The same folder, with a rule for the links in it.
    pub fn with_links(self, links: LinkPolicy) -> LocalBackend {
        LocalBackend { links, ..self }
    }

    /// The same folder, whose links may not lead out of it.
    pub fn within(self) -> LocalBackend {
        self.with_links(LinkPolicy::Within(Arc::new(Vec::new)))
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

    /// Writes a file in one step: whoever reads it finds what stood there before, or all of this.
    pub fn write_at_once(&self, path: &str, bytes: &[u8]) -> io::Result<()> {
        let target = self.root.join(path);
        let folder = target.parent().unwrap_or(&self.root);
        fs::create_dir_all(folder)?;
        let name = target.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let beside = folder.join(format!(".{name}.{}.tmp", std::process::id()));
        let written = fs::write(&beside, bytes).and_then(|()| fs::rename(&beside, &target));
        if written.is_err() {
            // What is left of it is of no use; why it could not be written matters more than whether it can be removed.
            let _ = fs::remove_file(&beside);
        }
        written
    }

    /// Writes behind what a file holds, in one piece; makes the file if it is not there.
    pub fn append(&self, path: &str, bytes: &[u8]) -> io::Result<()> {
        let target = self.root.join(path);
        fs::create_dir_all(target.parent().unwrap_or(&self.root))?;
        let mut file = fs::OpenOptions::new().append(true).create(true).open(target)?;
        file.write_all(bytes)
    }

    /// Puts another text in the place of one that was read, in one step: whoever reads the file finds the one or the other. What a link
    /// leads to is replaced, not the link.
    ///
    /// # Errors
    ///
    /// An error of kind `Other` if the file holds something else by now, and as [`LocalBackend::list`].
    pub fn replace(&self, path: &str, original: &str, text: &str) -> io::Result<()> {
        self.check_link(path)?;
        let target = fs::canonicalize(self.root.join(path))?;
        if fs::read(&target)? != original.as_bytes() {
            return Err(io::Error::other("it has changed since it was read"));
        }
        let folder = target.parent().unwrap_or(&self.root);
        let name = target.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let beside = folder.join(format!(".{name}.{}.tmp", std::process::id()));
        let written = fs::write(&beside, text)
            .and_then(|()| fs::set_permissions(&beside, fs::metadata(&target)?.permissions()))
            .and_then(|()| fs::rename(&beside, &target));
        if written.is_err() {
            // What is left of it is of no use; why it could not be written matters more than whether it can be removed.
            let _ = fs::remove_file(&beside);
        }
        written
    }

    /// Where a path of this folder is on this machine.
    pub fn path_of(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    /// Removes a file; nothing to do if it is gone.
    pub fn remove(&self, path: &str) -> io::Result<()> {
        match fs::remove_file(self.root.join(path)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// The files below a folder whose relative path `wanted` takes, sorted; hidden ones are left out.
    ///
    /// # Errors
    ///
    /// [`LeadsOut`] inside of an error of kind `PermissionDenied`, if a link leads where it may not.
    pub fn list(&self, folder: &str, wanted: &dyn Fn(&str) -> bool) -> io::Result<Vec<SourceEntry>> {
        let mut found = Vec::new();
        let folder = folder.trim_end_matches('/');
        self.check_link(folder)?;
        let mut folders = vec![folder.to_owned()];
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
                if is_link {
                    self.check_link(&path)?;
                }
                let metadata = if is_link { fs::metadata(entry.path())? } else { entry.metadata()? };
                if metadata.is_dir() {
                    folders.push(path);
                } else if wanted(&path) {
                    found.push(source_entry(path, &metadata)?);
                }
            }
        }
        found.sort();
        Ok(found)
    }

    /// Whether the links on the way to this path may be followed.
    fn check_link(&self, path: &str) -> io::Result<()> {
        let LinkPolicy::Within(granted) = &self.links else { return Ok(()) };
        let real = fs::canonicalize(self.root.join(path))?;
        if real.starts_with(fs::canonicalize(&self.root)?) {
            return Ok(());
        }
        let is_granted =
            granted().iter().filter_map(|folder| fs::canonicalize(folder).ok()).any(|folder| real.starts_with(folder));
        if is_granted {
            return Ok(());
        }
        let folder = if real.is_dir() { real.as_path() } else { real.parent().unwrap_or(&real) };
        let leads_out = LeadsOut { path: path.to_owned(), folder: folder.to_owned() };
        Err(io::Error::new(io::ErrorKind::PermissionDenied, leads_out))
    }

    /// One file as a source entry.
    ///
    /// # Errors
    ///
    /// As [`LocalBackend::list`].
    pub fn entry(&self, path: &str) -> io::Result<SourceEntry> {
        self.check_link(path)?;
        source_entry(path.to_owned(), &fs::metadata(self.root.join(path))?)
    }

    /// Opens a file for reading, at most `size` bytes of it: a file that grows meanwhile is read as it was listed.
    pub fn open(&self, path: &str, size: u64) -> io::Result<Box<dyn Read + Send>> {
        let file = File::open(self.root.join(path))?;
        Ok(Box::new(file.take(size)))
    }

    /// Opens a file for reading at any place.
    pub fn open_at_any_place(&self, path: &str) -> io::Result<Box<dyn ReadAt>> {
        Ok(Box::new(File::open(self.root.join(path))?))
    }

    /// A new file, over what may stand there.
    pub fn create(&self, path: &str) -> io::Result<Box<dyn Write + Send>> {
        let target = self.root.join(path);
        fs::create_dir_all(target.parent().unwrap_or(&self.root))?;
        Ok(Box::new(File::create(target)?))
    }
}

impl ReadAt for File {
    fn size(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    #[cfg(unix)]
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        std::os::unix::fs::FileExt::read_exact_at(self, buffer, offset)
    }

    #[cfg(windows)]
    fn read_at(&self, mut offset: u64, mut buffer: &mut [u8]) -> io::Result<()> {
        while !buffer.is_empty() {
            match std::os::windows::fs::FileExt::seek_read(self, buffer, offset)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                count => {
                    offset += count as u64;
                    (_, buffer) = buffer.split_at_mut(count);
                }
            }
        }
        Ok(())
    }
}

/// A file as it is listed. A FIFO, a socket or a device is refused: opening one may wait for ever.
fn source_entry(path: String, metadata: &fs::Metadata) -> io::Result<SourceEntry> {
    if !metadata.is_file() && !metadata.is_dir() {
        let message = format!("`{path}` is not a regular file; move it away");
        return Err(io::Error::new(io::ErrorKind::InvalidData, message));
    }
    let modified = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    let micros = modified.map_or(0, |since| i64::try_from(since.as_micros()).unwrap_or(i64::MAX));
    Ok(SourceEntry { path, size: metadata.len(), modified: micros, etag: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn what_is_not_a_regular_file_is_refused_by_its_name() {
        let here = tempfile::tempdir().unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(here.path().join("a.csv")).unwrap();
        std::os::unix::fs::symlink("/dev/zero", here.path().join("b.csv")).unwrap();
        let folder = LocalBackend::new(here.path().to_owned());
        let refused = |found: io::Result<Vec<SourceEntry>>| found.unwrap_err().to_string();
        assert_eq!(refused(folder.list("", &|path| path == "a.csv")), "`a.csv` is not a regular file; move it away");
        assert_eq!(refused(folder.entry("b.csv").map(|_| vec![])), "`b.csv` is not a regular file; move it away");
        assert_eq!(folder.list("", &|_| false).unwrap(), []);
        let host = crate::host::OsHost::new(here.path(), here.path(), std::collections::BTreeMap::new());
        let error = crate::host::Host::read(&host, "a.csv").unwrap_err().to_string();
        assert!(error.contains("not a regular file"), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn a_file_is_replaced_if_it_is_what_was_read_and_lies_in_the_folder() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let (here, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let path = here.path().join("a.sql");
        fs::write(&path, "old").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        fs::write(elsewhere.path().join("b.sql"), "old").unwrap();
        symlink(elsewhere.path().join("b.sql"), here.path().join("b.sql")).unwrap();
        symlink(&path, here.path().join("c.sql")).unwrap();
        let folder = LocalBackend::new(here.path().to_owned()).within();
        assert!(folder.replace("a.sql", "older", "new").unwrap_err().to_string().contains("has changed"));
        assert!(folder.replace("b.sql", "old", "new").unwrap_err().to_string().contains("leads out"));
        folder.replace("c.sql", "old", "new").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
        assert!(fs::symlink_metadata(here.path().join("c.sql")).unwrap().is_symlink());
        assert_eq!(fs::read_to_string(elsewhere.path().join("b.sql")).unwrap(), "old");
        assert_eq!(fs::read_dir(here.path()).unwrap().count(), 3);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_leads_out_only_where_the_user_allows_it() {
        let (here, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::write(elsewhere.path().join("a.csv"), "x\n").unwrap();
        fs::create_dir(here.path().join("data")).unwrap();
        std::os::unix::fs::symlink(elsewhere.path(), here.path().join("data/more")).unwrap();
        let listed = |granted: Vec<PathBuf>| {
            let policy = LinkPolicy::Within(Arc::new(move || granted.clone()));
            LocalBackend::new(here.path().to_owned()).with_links(policy).list("data", &|_| true)
        };
        let error = listed(vec![here.path().join("data")]).unwrap_err();
        let leads_out = error.get_ref().unwrap().downcast_ref::<LeadsOut>().unwrap();
        assert_eq!(leads_out.path, "data/more");
        assert_eq!(listed(vec![elsewhere.path().to_owned()]).unwrap().len(), 1);
    }

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
