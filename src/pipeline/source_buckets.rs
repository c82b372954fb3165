//! The buckets of sources, opened with what the user's profile and environment allow.

use std::sync::Arc;
use std::time::Duration;

use object_store::ObjectStore;

use crate::diag::{Code, Diagnostic, Sink};
use crate::host::Host;
use crate::project::{self, BucketLocation, LakeLocation, Profile, Target};
use crate::span::Spanned;
use crate::store::{Watch, open_bucket};

/// Opens a bucket with files of sources, by the rules of the target's lake: at its endpoint and with its credentials. If the lake is a
/// folder, the bucket is one of AWS or of the endpoint that the user's environment names. Sends nothing yet.
///
/// # Errors
///
/// Returns an error if the user's profile or environment does not allow it.
pub(super) fn open_source_bucket(
    host: &dyn Host,
    target: &Target,
    bucket: Spanned<&str>,
) -> Result<Arc<dyn ObjectStore>, Box<Diagnostic>> {
    let location = match &target.lake {
        LakeLocation::Bucket(lake) => lake.beside(bucket.value),
        LakeLocation::Folder(_) => BucketLocation::of_environment(&bucket),
    };
    let mut sink = Sink::default();
    let profile = Profile::of_user(host, &mut sink).map_err(|_reported| {
        let first = sink.take().into_iter().next();
        Box::new(first.unwrap_or_else(|| Diagnostic::error(Code::InvalidConfig, "the profile cannot be read")))
    })?;
    let access = project::access(&location, &profile, host.variables()).map_err(Box::new)?;
    let watch = Watch::new(Duration::from_secs(u64::from(target.storage.retry_seconds)));
    open_bucket(&access, &target.storage, watch).map_err(|error| {
        Box::new(Diagnostic::error(Code::Storage, format!("the bucket `{}` cannot be opened: {error}", bucket.value)))
    })
}
