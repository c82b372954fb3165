//! What a package consists of: a hash of every file, and one of all.

use std::collections::BTreeMap;
use std::io;

use crate::host::Host;

/// A file of a package has at most so many bytes: it is read whole, to be hashed.
const MAX_BYTES: u64 = 256 * 1024 * 1024;

/// So many digits of a file's hash are kept. They only say which files differ: whether any does is decided by the hash of
/// the whole package, which is complete.
const FILE_DIGITS: usize = 16;

/// The files of a package, without the folder in which it lies. Hidden files are no part of it, and are never read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackageContents {
    /// Over the paths and the complete hashes of all files; in hexadecimal digits.
    pub hash: String,
    /// The beginning of each file's hash, by its path within the package.
    pub files: BTreeMap<String, String>,
}

/// How the files of a package differ from those that are locked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContentsChange {
    /// One line a file: `changed macros/star.sql`.
    pub lines: Vec<String>,
}

impl PackageContents {
    /// Reads all files of the package in a folder.
    ///
    /// # Errors
    ///
    /// Returns an error if a file cannot be read, has more than 256 MiB, or a link leads out of the project.
    pub fn read(host: &dyn Host, folder: &str) -> io::Result<PackageContents> {
        let prefix = format!("{folder}/");
        let mut whole = blake3::Hasher::new();
        let mut files = BTreeMap::new();
        for path in host.files_below(folder)? {
            let bytes = host.read_bytes(&path, MAX_BYTES + 1)?;
            if u64::try_from(bytes.len()).is_ok_and(|length| length > MAX_BYTES) {
                return Err(io::Error::new(io::ErrorKind::InvalidData, format!("`{path}` has more than 256 MiB")));
            }
            let hash = blake3::hash(&bytes);
            let below = path.strip_prefix(&prefix).unwrap_or(&path);
            // A length before each name: two lists of files never have the same bytes.
            whole.update(&below.len().to_le_bytes()).update(below.as_bytes()).update(hash.as_bytes());
            let digits = hash.to_hex().chars().take(FILE_DIGITS).collect();
            files.insert(below.to_owned(), digits);
        }
        Ok(PackageContents { hash: whole.finalize().to_hex().to_string(), files })
    }

    /// How these files differ from the locked ones. Returns `None` if they do not.
    pub fn change_since(&self, locked: &PackageContents) -> Option<ContentsChange> {
        if self.hash == locked.hash {
            return None;
        }
        let mut lines = Vec::new();
        for (path, hash) in &self.files {
            match locked.files.get(path) {
                None => lines.push(format!("added   {path}")),
                Some(other) if other != hash => lines.push(format!("changed {path}")),
                Some(_) => {}
            }
        }
        let gone = locked.files.keys().filter(|path| !self.files.contains_key(*path));
        lines.extend(gone.map(|path| format!("removed {path}")));
        Some(ContentsChange { lines })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::MemoryHost;

    #[test]
    fn a_package_is_its_files_wherever_it_lies() {
        let contents = |files: &[(&str, &str)], folder| {
            PackageContents::read(&MemoryHost::with_files(files.iter().copied()), folder).unwrap()
        };
        let first = contents(&[("p/a.sql", "a"), ("p/m/b.sql", "b"), ("q/x", "x")], "p");
        assert_eq!(
            first,
            contents(&[("dbt_packages/p/a.sql", "a"), ("dbt_packages/p/m/b.sql", "b")], "dbt_packages/p")
        );
        assert_eq!(first.change_since(&first), None);
        let second = contents(&[("p/a.sql", "changed"), ("p/c.sql", "c")], "p");
        let change = second.change_since(&first).unwrap();
        assert_eq!(change.lines, ["changed a.sql", "added   c.sql", "removed m/b.sql"]);
        let renamed = contents(&[("p/am/b.sql", "b"), ("p/.sql", "a")], "p");
        assert_ne!(renamed.hash, first.hash);
    }
}
