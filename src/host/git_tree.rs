//! A project as it was at a revision of its git repository, read from git's objects: nothing is checked out.
//!
//! Files that git does not track and submodules are no part of it. Packages are read as they lie in the project's folder, if
//! the revision does not have them.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;

use super::Host;
use super::git::{GitBlob, GitFault, GitObjects};

/// Where `karat deps` and dbt put packages, which few projects keep in git.
const PACKAGE_FOLDERS: [&str; 2] = ["dbt_packages/", "packages/"];

/// The world, with the files of a project as they were at a revision.
pub struct GitHost {
    under: Arc<dyn Host>,
    objects: GitObjects,
    /// Small files, which are read at once.
    texts: BTreeMap<String, Vec<u8>>,
}

impl GitHost {
    /// Finds the files of the project in `root` as they were at a revision, in git's own words: `main`, `v1.2`, `HEAD~3`.
    ///
    /// # Errors
    ///
    /// Returns why git cannot tell.
    pub fn at(root: &Path, revision: &str, under: Arc<dyn Host>) -> Result<GitHost, GitFault> {
        let objects = GitObjects::at(root, revision)?;
        let texts = objects.small_files()?;
        Ok(GitHost { under, objects, texts })
    }

    fn is_tracked_below(&self, folder: &str) -> bool {
        self.objects.files.range(folder.to_owned()..).next().is_some_and(|(path, _)| path.starts_with(folder))
    }

    /// Whether a path lies in a folder of packages that the revision knows nothing of.
    fn is_untracked_package(&self, path: &str) -> bool {
        let folder = PACKAGE_FOLDERS.iter().find(|folder| path.starts_with(**folder) || **folder == format!("{path}/"));
        folder.is_some_and(|folder| !self.is_tracked_below(folder))
    }

    fn bytes(&self, path: &str) -> io::Result<Vec<u8>> {
        match (self.texts.get(path), self.objects.files.get(path)) {
            (Some(bytes), _) => Ok(bytes.clone()),
            (None, Some(GitBlob { id, .. })) => self.objects.read(id),
            (None, None) => Err(io::ErrorKind::NotFound.into()),
        }
    }
}

impl Host for GitHost {
    fn read(&self, path: &str) -> io::Result<String> {
        if self.is_untracked_package(path) {
            return self.under.read(path);
        }
        let bytes = self.bytes(path)?;
        String::from_utf8(bytes).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "the file is not UTF-8"))
    }

    fn read_bytes(&self, path: &str, limit: u64) -> io::Result<Vec<u8>> {
        if self.is_untracked_package(path) {
            return self.under.read_bytes(path, limit);
        }
        let mut bytes = self.bytes(path)?;
        bytes.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        Ok(bytes)
    }

    fn files_below(&self, folder: &str) -> io::Result<Vec<String>> {
        let prefix = format!("{}/", folder.trim_end_matches('/'));
        if self.is_untracked_package(&prefix) {
            return self.under.files_below(folder);
        }
        let below = self.objects.files.range(prefix.clone()..).take_while(|(path, _)| path.starts_with(&prefix));
        let is_shown = |path: &&String| {
            path.strip_prefix(&prefix).is_some_and(|rest| rest.split('/').all(|part| !part.starts_with('.')))
        };
        Ok(below.map(|(path, _)| path).filter(is_shown).cloned().collect())
    }

    fn exists(&self, path: &str) -> bool {
        if self.is_untracked_package(path) { self.under.exists(path) } else { self.objects.files.contains_key(path) }
    }

    surroundings_of!(under);

    fn git_revision(&self) -> Option<String> {
        Some(self.objects.commit.clone())
    }
}
