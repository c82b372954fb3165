//! An upload in parts on a way where every part can go wrong.

use std::sync::Arc;

use async_trait::async_trait;
use futures::FutureExt;
use object_store::{MultipartUpload, PutPayload, PutResult, Result, UploadPart};
use tokio::sync::Mutex;

use super::plan::Operation;
use super::{Wire, crashed};

#[derive(Debug)]
pub(super) struct FaultUpload {
    /// Shared with the calls that land after the caller is gone.
    inner: Arc<Mutex<Box<dyn MultipartUpload>>>,
    wire: Arc<Wire>,
    path: String,
}

impl FaultUpload {
    pub fn new(inner: Box<dyn MultipartUpload>, wire: Arc<Wire>, path: String) -> FaultUpload {
        FaultUpload { inner: Arc::new(Mutex::new(inner)), wire, path }
    }
}

#[async_trait]
impl MultipartUpload for FaultUpload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        // The order of the calls is the order of the parts, whenever they are sent.
        let Ok(mut inner) = self.inner.try_lock() else { return futures::future::ready(Err(crashed())).boxed() };
        let part = inner.put_part(data);
        let wire = Arc::clone(&self.wire);
        let path = self.path.clone();
        async move {
            let fault = wire.call(Operation::UploadPart, &path)?;
            wire.carry_out(fault, false, part).await
        }
        .boxed()
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let fault = self.wire.call(Operation::UploadComplete, &self.path)?;
        let inner = Arc::clone(&self.inner);
        self.wire.carry_out(fault, false, async move { inner.lock().await.complete().await }).await
    }

    async fn abort(&mut self) -> Result<()> {
        let fault = self.wire.call(Operation::UploadAbort, &self.path)?;
        let inner = Arc::clone(&self.inner);
        self.wire.carry_out(fault, false, async move { inner.lock().await.abort().await }).await
    }
}
