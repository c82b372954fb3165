//! A folder on a disk: everything that changes it is on the disk when it returns. Blocks.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path as FilePath, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use object_store::path::Path;
use object_store::{PutPayload, PutResult, Result};

use super::disk::Disk;
use super::error::{failed, missing, taken};
use super::listing::object_meta;

use crate::locked::Locked;

/// How often a folder is made again that others remove because it is empty.
const PATIENCE: u32 = 64;

#[derive(Debug)]
pub(super) struct SyncedFolder {
    root: PathBuf,
    disk: Box<dyn Disk>,
    /// Keeps the temporary names of processes apart.
    session: u64,
    temporaries: AtomicU64,
    /// Folders whose own names are known to be on the disk. One that exists may have been made a moment ago by a
    /// process that has not come to its sync yet, so being there is not enough.
    durable: Locked<BTreeSet<PathBuf>>,
}

/// A file under a hidden name, beside the name that it is meant for.
#[derive(Debug)]
pub(super) struct StagedPut {
    temporary: PathBuf,
    target: PathBuf,
}

/// What becomes of an object that stands at the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Publish {
    /// It stays, and the put fails.
    IfAbsent,
    Over,
}

impl SyncedFolder {
    pub fn new(root: PathBuf, disk: Box<dyn Disk>) -> SyncedFolder {
        // A temporary name is only ever taken if it is free, so that a poor number costs nothing but another try.
        let session = getrandom::u64().unwrap_or_else(|_| u64::from(std::process::id()));
        SyncedFolder { root, disk, session, temporaries: AtomicU64::new(0), durable: Locked::default() }
    }

    pub fn root(&self) -> &FilePath {
        &self.root
    }

    /// Where the object lies: the parts of its key are the names of folders and file as they are.
    pub fn place(&self, location: &Path) -> PathBuf {
        let mut place = self.root.clone();
        place.extend(location.parts().map(|part| part.as_ref().to_owned()));
        place
    }

    /// Opens a new file under a hidden name in the folder of the target, which is made if need be.
    pub fn stage(&self, target: PathBuf) -> Result<(File, StagedPut)> {
        let folder = target.parent().unwrap_or(&self.root).to_path_buf();
        let mut tries = 0;
        loop {
            tries += 1;
            let number = self.temporaries.fetch_add(1, Ordering::Relaxed);
            let temporary = folder.join(format!(".{:016x}-{number}.tmp", self.session));
            match self.create_folder(&folder).and_then(|()| self.disk.create_file(&temporary)) {
                Ok(file) => return Ok((file, StagedPut { temporary, target })),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && tries < PATIENCE => {}
                // A delete elsewhere emptied a folder and took it away.
                Err(error) if error.kind() == io::ErrorKind::NotFound && tries < PATIENCE => self.forget(&folder),
                Err(error) => return Err(failed(&target, error)),
            }
        }
    }

    /// Gives a file that was written whole its name. It appears whole or not at all, and it stays.
    pub fn publish(&self, file: &File, staged: StagedPut, how: Publish) -> Result<PutResult> {
        let published = self.name(file, &staged, how);
        if published.is_err() {
            self.discard(&staged);
        }
        published
    }

    fn name(&self, file: &File, staged: &StagedPut, how: Publish) -> Result<PutResult> {
        let StagedPut { temporary, target } = staged;
        self.disk.sync_file(file, temporary).map_err(|error| failed(target, error))?;
        let named = match how {
            Publish::Over => self.disk.rename(temporary, target),
            Publish::IfAbsent => self.disk.link(temporary, target).and_then(|()| self.disk.remove_file(temporary)),
        };
        let exists =
            how == Publish::IfAbsent && matches!(&named, Err(error) if error.kind() == io::ErrorKind::AlreadyExists);
        if named.is_ok() || exists {
            // That something exists is an answer to build on as well: it must not be gone after a power loss.
            let folder = target.parent().unwrap_or(&self.root);
            match self.disk.sync_folder(folder) {
                // The object was removed meanwhile, and its folder with it: there is nothing left to lose.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                synced => synced.map_err(|error| failed(folder, error))?,
            }
        }
        named.map_err(|error| if exists { taken(target, error) } else { failed(target, error) })?;
        let metadata = file.metadata().map_err(|error| failed(target, error))?;
        Ok(PutResult { e_tag: object_meta(Path::default(), &metadata).e_tag, version: None })
    }

    /// Removes a file that was never given its name. Best effort: what stays is hidden.
    pub fn discard(&self, staged: &StagedPut) {
        let _stays_hidden = self.disk.remove_file(&staged.temporary);
        self.remove_empty_folders(&staged.target);
    }

    pub fn put(&self, location: &Path, payload: &PutPayload, how: Publish) -> Result<PutResult> {
        let (mut file, staged) = self.stage(self.place(location))?;
        match payload.iter().try_for_each(|bytes| file.write_all(bytes)) {
            Ok(()) => self.publish(&file, staged, how),
            Err(error) => {
                self.discard(&staged);
                Err(failed(&staged.target, error))
            }
        }
    }

    /// Removes an object, and the folders that it leaves empty. An object that is back after a power loss is an orphan
    /// without effect, so nothing is synced.
    pub fn delete(&self, location: &Path) -> Result<()> {
        let place = self.place(location);
        self.disk.remove_file(&place).map_err(|error| missing(&place, error))?;
        self.remove_empty_folders(&place);
        Ok(())
    }

    /// Gives an object a second name. Objects never change in place, so both may share the bytes.
    pub fn copy(&self, from: &Path, to: &Path, how: Publish) -> Result<()> {
        let from = self.place(from);
        let to = self.place(to);
        let file = File::open(&from).map_err(|error| missing(&from, error))?;
        let metadata = file.metadata().map_err(|error| missing(&from, error))?;
        if metadata.is_dir() {
            return Err(missing(&from, io::ErrorKind::IsADirectory.into()));
        }
        // The temporary name is found free by making the file, which the link then takes the place of.
        let (_, staged) = self.stage(to)?;
        let linked = self.disk.remove_file(&staged.temporary).and_then(|()| self.disk.link(&from, &staged.temporary));
        if let Err(error) = linked {
            self.discard(&staged);
            return Err(failed(&staged.target, error));
        }
        let temporary = staged.temporary.clone();
        let published = self.publish(&file, staged, how).map(|_| ());
        // Renaming one name of a file to another name of the same file does nothing, and leaves both.
        let _usually_gone = self.disk.remove_file(&temporary);
        published
    }

    /// Makes the root, and those above it.
    pub fn prepare(&self) -> io::Result<()> {
        self.create_folder(&self.root)
    }

    fn create_folder(&self, folder: &FilePath) -> io::Result<()> {
        if self.durable.lock().contains(folder) {
            return Ok(());
        }
        let is_below = folder.starts_with(&self.root) && folder != self.root;
        if !is_below && (folder.as_os_str().is_empty() || folder.is_dir()) {
            // A folder of the user's, which may not even be readable.
            return Ok(());
        }
        if let Some(parent) = folder.parent() {
            self.create_folder(parent)?;
        }
        match self.disk.create_folder(folder) {
            // Somebody made it before, unless a file is in its place.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                if !fs::metadata(folder)?.is_dir() {
                    return Err(io::Error::new(io::ErrorKind::NotADirectory, "a file is where a folder must be"));
                }
            }
            made => made?,
        }
        if let Some(parent) = folder.parent() {
            self.disk.sync_folder(parent)?;
        }
        self.durable.lock().insert(folder.to_path_buf());
        Ok(())
    }

    fn remove_empty_folders(&self, place: &FilePath) {
        for folder in
            place.ancestors().skip(1).take_while(|folder| folder.starts_with(&self.root) && *folder != self.root)
        {
            // Fails, as it should, while the folder holds other files.
            if self.disk.remove_folder(folder).is_err() {
                return;
            }
            self.forget(folder);
        }
    }

    /// The folder and those above it may be gone.
    fn forget(&self, folder: &FilePath) {
        let mut durable = self.durable.lock();
        for folder in folder.ancestors() {
            durable.remove(folder);
        }
    }
}
