//! An object that arrives in parts: a hidden file that gets its name when it is complete.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use futures::FutureExt;
use object_store::path::Path;
use object_store::{MultipartUpload, PutPayload, PutResult, Result, UploadPart};

use super::blocking;
use super::error::failed;
use super::folder::{Publish, StagedPut, SyncedFolder};

use crate::locked::Locked;

#[derive(Debug)]
pub(super) struct SyncedUpload {
    folder: Arc<SyncedFolder>,
    location: Path,
    /// Gone when the upload is complete or aborted.
    staged: Option<StagedPut>,
    file: Arc<Locked<File>>,
    /// How many bytes the parts have, and how many of them were written.
    promised: u64,
    written: Arc<AtomicU64>,
}

impl SyncedUpload {
    /// Blocks.
    pub fn start(folder: Arc<SyncedFolder>, location: Path) -> Result<SyncedUpload> {
        let (file, staged) = folder.stage(folder.place(&location))?;
        let file = Arc::new(Locked::new(file));
        Ok(SyncedUpload { folder, location, staged: Some(staged), file, promised: 0, written: Arc::default() })
    }

    fn over(&self) -> object_store::Error {
        failed(&self.folder.place(&self.location), io::Error::other("the upload is over"))
    }
}

#[async_trait]
impl MultipartUpload for SyncedUpload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        let offset = self.promised;
        let length = data.content_length() as u64;
        self.promised += length;
        let file = Arc::clone(&self.file);
        let written = Arc::clone(&self.written);
        let folder = Arc::clone(&self.folder);
        let location = self.location.clone();
        blocking(move || {
            let mut file = file.lock();
            let sought = file.seek(SeekFrom::Start(offset));
            let wrote = sought.and_then(|_| data.iter().try_for_each(|bytes| file.write_all(bytes)));
            wrote.map_err(|error| failed(&folder.place(&location), error))?;
            written.fetch_add(length, Ordering::Relaxed);
            Ok(())
        })
        .boxed()
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let staged = self.staged.take().ok_or_else(|| self.over())?;
        let folder = Arc::clone(&self.folder);
        let location = self.location.clone();
        let file = Arc::clone(&self.file);
        let promised = self.promised;
        let written = Arc::clone(&self.written);
        blocking(move || {
            let file = file.lock();
            if written.load(Ordering::Relaxed) != promised {
                folder.discard(&staged);
                let error = io::Error::new(io::ErrorKind::UnexpectedEof, "a part of the upload was not written");
                return Err(failed(&folder.place(&location), error));
            }
            folder.publish(&file, staged, Publish::Over)
        })
        .await
    }

    async fn abort(&mut self) -> Result<()> {
        let staged = self.staged.take().ok_or_else(|| self.over())?;
        let folder = Arc::clone(&self.folder);
        blocking(move || {
            folder.discard(&staged);
            Ok(())
        })
        .await
    }
}

impl Drop for SyncedUpload {
    fn drop(&mut self) {
        // Right here, since a runtime that shuts down would not come to it any more.
        if let Some(staged) = self.staged.take() {
            self.folder.discard(&staged);
        }
    }
}
