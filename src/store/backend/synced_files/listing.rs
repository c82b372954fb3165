//! The objects below a folder, sorted by their keys. Blocks.

use std::fs::{self, DirEntry, Metadata};
use std::io;
use std::path::Path as FilePath;

use chrono::{DateTime, Utc};
use object_store::path::Path;
use object_store::{ListResult, ObjectMeta, Result};

use super::error::failed;

/// All objects below `folder`, whose key is `prefix`, and behind `offset`. Those up to the offset are not even looked at.
pub(super) fn list(folder: &FilePath, prefix: &Path, offset: Option<&Path>) -> Result<Vec<ObjectMeta>> {
    let mut found = Vec::new();
    let mut folders = vec![(folder.to_path_buf(), prefix.clone())];
    while let Some((folder, key)) = folders.pop() {
        for (entry, key) in entries(&folder, &key)? {
            let is_behind = offset.is_none_or(|offset| key > *offset);
            let holds_more = may_hold_more(&key, offset);
            if !is_behind && !holds_more {
                continue;
            }
            match kind(&entry)? {
                Some(EntryKind::Folder) if holds_more => folders.push((entry.path(), key)),
                Some(EntryKind::File) if is_behind => found.extend(object(&entry, key)?),
                Some(_) | None => {}
            }
        }
    }
    found.sort_unstable_by(|one, other| one.location.cmp(&other.location));
    Ok(found)
}

/// The objects right in `folder`, and the folders in it.
pub(super) fn list_one_level(folder: &FilePath, prefix: &Path) -> Result<ListResult> {
    let mut objects = Vec::new();
    let mut common_prefixes = Vec::new();
    for (entry, key) in entries(folder, prefix)? {
        match kind(&entry)? {
            Some(EntryKind::Folder) => common_prefixes.push(key),
            Some(EntryKind::File) => objects.extend(object(&entry, key)?),
            None => {}
        }
    }
    objects.sort_unstable_by(|one, other| one.location.cmp(&other.location));
    common_prefixes.sort_unstable();
    Ok(ListResult { common_prefixes, objects })
}

/// What the file system knows of a file, as an object store says it.
pub(super) fn object_meta(location: Path, metadata: &Metadata) -> ObjectMeta {
    let modified = metadata.modified().map(DateTime::<Utc>::from).unwrap_or_default();
    let file = file_number(metadata);
    let time = modified.timestamp_micros();
    let size = metadata.len();
    let e_tag = Some(format!("{file:x}-{time:x}-{size:x}"));
    ObjectMeta { location, last_modified: modified, size, e_tag, version: None }
}

#[cfg(unix)]
fn file_number(metadata: &Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(metadata)
}

#[cfg(not(unix))]
fn file_number(_metadata: &Metadata) -> u64 {
    0
}

/// Whether keys below the folder `key` can be behind the offset.
fn may_hold_more(key: &Path, offset: Option<&Path>) -> bool {
    let below = format!("{key}/");
    offset.is_none_or(|offset| *below > *offset.as_ref() || offset.as_ref().starts_with(&below))
}

/// What stands in a folder with its keys, hidden names left out. A folder that is not there holds nothing.
fn entries(folder: &FilePath, prefix: &Path) -> Result<Vec<(DirEntry, Path)>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if is_gone(&error) => return Ok(Vec::new()),
        Err(error) => return Err(failed(folder, error)),
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|error| failed(folder, error))?;
        let name = entry.file_name();
        let Some(name) = name.to_str() else {
            let error = io::Error::new(io::ErrorKind::InvalidData, "the name is not UTF-8");
            return Err(failed(&entry.path(), error));
        };
        if !name.starts_with('.') {
            let key = if prefix.is_root() { Path::parse(name)? } else { Path::parse(format!("{prefix}/{name}"))? };
            found.push((entry, key));
        }
    }
    Ok(found)
}

#[derive(Clone, Copy)]
enum EntryKind {
    Folder,
    File,
}

/// Nothing for what vanished meanwhile, for links to nothing, and for what is neither file nor folder.
fn kind(entry: &DirEntry) -> Result<Option<EntryKind>> {
    // The folder itself says it, except of links.
    let found = match entry.file_type() {
        Ok(found) if found.is_symlink() => fs::metadata(entry.path()).map(|metadata| metadata.file_type()),
        found => found,
    };
    match found {
        Ok(found) if found.is_dir() => Ok(Some(EntryKind::Folder)),
        Ok(found) if found.is_file() => Ok(Some(EntryKind::File)),
        Ok(_) => Ok(None),
        Err(error) if is_gone(&error) => Ok(None),
        Err(error) => Err(failed(&entry.path(), error)),
    }
}

fn object(entry: &DirEntry, key: Path) -> Result<Option<ObjectMeta>> {
    match fs::metadata(entry.path()) {
        Ok(metadata) => Ok(Some(object_meta(key, &metadata))),
        Err(error) if is_gone(&error) => Ok(None),
        Err(error) => Err(failed(&entry.path(), error)),
    }
}

fn is_gone(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}
