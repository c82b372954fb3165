//! Files under hidden names that processes which were killed have left.

use std::fs;
use std::io;
use std::path::{Path as FilePath, PathBuf};

use async_trait::async_trait;
use object_store::Result;

use super::SyncedFiles;
use super::blocking;
use super::error::failed;
use super::listing::object_meta;
use crate::store::leftovers::{Leftover, Leftovers};

#[async_trait]
impl Leftovers for SyncedFiles {
    async fn list(&self) -> Result<Vec<Leftover>> {
        let root = self.root().to_path_buf();
        blocking(move || found(root)).await
    }

    async fn remove(&self, leftover: &Leftover) -> Result<()> {
        let place = self.root().join(&leftover.name);
        blocking(move || match fs::remove_file(&place) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed(&place, error)),
            Ok(()) | Err(_) => Ok(()),
        })
        .await
    }
}

/// Looks through all folders, but through no links: they may lead to what is not the lake's. Blocks.
fn found(root: PathBuf) -> Result<Vec<Leftover>> {
    let mut found = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(failed(&folder, error)),
        };
        for entry in entries {
            let entry = entry.map_err(|error| failed(&folder, error))?;
            let Ok(kind) = entry.file_type() else { continue };
            if kind.is_dir() {
                folders.push(entry.path());
            } else if kind.is_file() && entry.file_name().to_str().is_some_and(is_temporary) {
                found.extend(leftover(&root, &entry.path()));
            }
        }
    }
    found.sort_by(|left, right| left.name.cmp(&right.name));
    Ok(found)
}

fn leftover(root: &FilePath, place: &FilePath) -> Option<Leftover> {
    let name = place.strip_prefix(root).ok()?.to_str()?.to_owned();
    // It may have got its name meanwhile.
    let meta = object_meta(object_store::path::Path::default(), &fs::metadata(place).ok()?);
    let modified = meta.last_modified.timestamp_millis();
    Some(Leftover { name, id: String::new(), bytes: meta.size, modified })
}

/// Whether a name is one that files have here before they are complete.
fn is_temporary(name: &str) -> bool {
    let parts = || name.strip_prefix('.')?.strip_suffix(".tmp")?.split_once('-');
    parts().is_some_and(|(session, number)| {
        session.len() == 16
            && session.chars().all(|letter| letter.is_ascii_hexdigit())
            && !number.is_empty()
            && number.chars().all(|letter| letter.is_ascii_digit())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_karat_gives_are_leftovers() {
        assert!(is_temporary(".0123456789abcdef-0.tmp"));
        assert!(is_temporary(".0123456789abcdef-12.tmp"));
        for other in ["0123456789abcdef-0.tmp", ".0123456789abcdef-.tmp", ".note.tmp", ".part-0.tmp", ".tmp"] {
            assert!(!is_temporary(other), "{other}");
        }
    }
}
