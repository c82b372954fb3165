//! The folder of fetched packages, as it is changed: what is new is complete before it gets its name.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// What is not finished lies here, below the packages, where its name hides it from every reader of the project.
const UNFINISHED: &str = ".karat-deps";
/// Where a repository is checked out.
const CHECKOUT: &str = "checkout";
/// Where the package that is replaced waits for its end.
const REPLACED: &str = "replaced";

/// The folder of fetched packages, held by this process alone.
#[derive(Debug)]
pub struct PackageFolder {
    folder: PathBuf,
    /// Relative to the project.
    name: String,
    /// While it is open, no other process has the folder. The system lets go of it however this process ends.
    lock: Option<fs::File>,
}

impl PackageFolder {
    /// Opens the folder of that name in a project, which is made if it is not there, and removes what an interrupted command
    /// has left in it.
    ///
    /// # Errors
    ///
    /// Returns an error if it cannot be made, lies outside of the project, or another process is at work in it.
    pub fn open(root: &Path, name: &str) -> io::Result<PackageFolder> {
        let root = fs::canonicalize(root)?;
        let plain = Path::new(name).components().all(|part| matches!(part, std::path::Component::Normal(_)));
        if !plain || name.is_empty() {
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, format!("`{name}` leads out of the project")));
        }
        fs::create_dir_all(root.join(name))?;
        let folder = fs::canonicalize(root.join(name))?;
        if !folder.starts_with(&root) {
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, format!("`{name}` leads out of the project")));
        }
        let lock = lock(&folder)?;
        let opened = PackageFolder { folder, name: name.to_owned(), lock };
        opened.tidy()?;
        fs::create_dir(opened.folder.join(UNFINISHED))?;
        Ok(opened)
    }

    /// A folder for unfinished work.
    pub fn unfinished(&self) -> PathBuf {
        self.folder.join(UNFINISHED)
    }

    /// The name of the folder, still to be made, in which a repository is checked out.
    pub fn checkout_name(&self) -> io::Result<&'static str> {
        remove(&self.unfinished().join(CHECKOUT))?;
        Ok(CHECKOUT)
    }

    /// The path, relative to the project, of a part of what was checked out.
    pub fn checked_out(&self, subdirectory: Option<&str>) -> String {
        let whole = format!("{}/{UNFINISHED}/{CHECKOUT}", self.name);
        subdirectory.map_or_else(|| whole.clone(), |part| format!("{whole}/{part}"))
    }

    /// Takes git's own files out of what was checked out, and refuses links that lead out of the package.
    ///
    /// # Errors
    ///
    /// Returns an error if there is no such subdirectory, or one that names the first such link.
    pub fn clean_checkout(&self, subdirectory: Option<&str>) -> io::Result<()> {
        let checkout = self.unfinished().join(CHECKOUT);
        remove(&checkout.join(".git"))?;
        let whole = fs::canonicalize(&checkout)?;
        let package = fs::canonicalize(subdirectory.map_or_else(|| checkout.clone(), |part| checkout.join(part)));
        let package = package.ok().filter(|package| package.is_dir() && package.starts_with(&whole));
        let Some(package) = package else {
            let message = format!("it has no folder `{}`", subdirectory.unwrap_or_default());
            return Err(io::Error::new(io::ErrorKind::NotFound, message));
        };
        check_links(&package, &package)
    }

    /// Gives what was checked out its name among the packages. What has had the name before is replaced as a whole.
    ///
    /// # Errors
    ///
    /// Returns an error if a folder cannot be renamed; then what was there is there again.
    pub fn install(&self, subdirectory: Option<&str>, package: &str) -> io::Result<()> {
        let new = self.unfinished().join(CHECKOUT);
        let new = subdirectory.map_or_else(|| new.clone(), |part| new.join(part));
        let target = self.folder.join(package);
        let replaced = self.unfinished().join(REPLACED);
        remove(&replaced)?;
        let had_one = fs::symlink_metadata(&target).is_ok();
        if had_one {
            fs::rename(&target, &replaced)?;
        }
        if let Err(error) = fs::rename(&new, &target) {
            if had_one {
                fs::rename(&replaced, &target)?;
            }
            return Err(error);
        }
        remove(&replaced)
    }

    fn tidy(&self) -> io::Result<()> {
        remove(&self.folder.join(UNFINISHED))
    }
}

impl Drop for PackageFolder {
    fn drop(&mut self) {
        // What cannot be removed now is removed by the next one that opens the folder.
        let _removed = self.tidy();
        // A folder without packages is nothing that anybody asked for; one with packages stays.
        let _removed = fs::remove_dir(&self.folder);
        // A program that another thread starts at this moment has the open file too, until it is running: closing it is not enough.
        if let Some(lock) = &self.lock {
            let _unlocked = lock.unlock();
        }
    }
}

/// Writes a file of the project in one step: readers find the old text or the new one.
///
/// # Errors
///
/// Returns an error if the file cannot be written; then the old text is there.
pub fn write_project_file(root: &Path, name: &str, text: &str) -> io::Result<()> {
    let unfinished = root.join(format!(".{name}.unfinished"));
    let written = fs::File::create(&unfinished).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()
    });
    let done = written.and_then(|()| fs::rename(&unfinished, root.join(name)));
    if done.is_err() {
        let _removed = fs::remove_file(&unfinished);
    }
    done
}

/// Takes the folder for this process.
#[cfg(unix)]
fn lock(folder: &Path) -> io::Result<Option<fs::File>> {
    let opened = fs::File::open(folder)?;
    match opened.try_lock() {
        Ok(()) => Ok(Some(opened)),
        Err(fs::TryLockError::WouldBlock) => {
            let message = "another `karat deps` is at work in it";
            Err(io::Error::new(io::ErrorKind::ResourceBusy, message))
        }
        Err(fs::TryLockError::Error(error)) => Err(error),
    }
}

/// Elsewhere a folder cannot be locked.
#[cfg(not(unix))]
fn lock(_folder: &Path) -> io::Result<Option<fs::File>> {
    Ok(None)
}

/// Removes a file, a link or a folder with all that is in it. What is not there is removed already.
fn remove(path: &Path) -> io::Result<()> {
    let removed = match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

fn check_links(root: &Path, folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        let kind = entry.file_type()?;
        if kind.is_symlink() {
            let leads_in = fs::canonicalize(&path).is_ok_and(|found| found.starts_with(root));
            if !leads_in {
                let shown = path.strip_prefix(root).unwrap_or(&path).display().to_string();
                let message = format!("the link `{shown}` leads out of the package");
                return Err(io::Error::new(io::ErrorKind::PermissionDenied, message));
            }
        } else if kind.is_dir() {
            check_links(root, &path)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_unfinished_never_has_the_name_of_a_package() {
        let root = tempfile::tempdir().unwrap();
        let left = root.path().join("dbt_packages/.karat-deps/checkout/half");
        fs::create_dir_all(&left).unwrap();
        let folder = PackageFolder::open(root.path(), "dbt_packages").unwrap();
        assert!(!left.exists(), "what an interrupted command has left is gone");
        #[cfg(unix)]
        assert!(PackageFolder::open(root.path(), "dbt_packages").unwrap_err().to_string().contains("another"));
        for text in ["one", "two"] {
            let name = folder.checkout_name().unwrap();
            let part = folder.unfinished().join(name).join("part");
            fs::create_dir_all(&part).unwrap();
            fs::write(part.join("a.sql"), text).unwrap();
            folder.install(Some("part"), "p").unwrap();
            assert_eq!(fs::read_to_string(root.path().join("dbt_packages/p/a.sql")).unwrap(), text);
        }
        drop(folder);
        let names = fs::read_dir(root.path().join("dbt_packages")).unwrap().map(|entry| entry.unwrap().file_name());
        assert_eq!(names.collect::<Vec<_>>(), ["p"]);
        assert!(PackageFolder::open(root.path(), "../x").is_err());
    }

    #[cfg(unix)]
    #[test]
    fn a_link_out_of_the_package_is_refused() {
        let root = tempfile::tempdir().unwrap();
        let folder = PackageFolder::open(root.path(), "dbt_packages").unwrap();
        let checkout = folder.unfinished().join(folder.checkout_name().unwrap());
        fs::create_dir_all(checkout.join("a")).unwrap();
        std::os::unix::fs::symlink("..", checkout.join("a/up")).unwrap();
        folder.clean_checkout(None).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", checkout.join("a/out")).unwrap();
        assert_eq!(folder.clean_checkout(None).unwrap_err().to_string(), "the link `a/out` leads out of the package");
    }
}
