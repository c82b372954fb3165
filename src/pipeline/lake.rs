//! The lake of a target: a folder or a bucket, opened with what the user's profile and environment allow.

use std::sync::Arc;
use std::time::Duration;

use object_store::ObjectStore;

use super::load::Loaded;
use super::storage::Storage;
use crate::diag::{Code, Diagnostic, Sink};
use crate::failure::{Failure, storage};
use crate::project::{self, BucketAccess, BucketLocation, LakeLocation, Profile, Secret};
use crate::store::{Committer, Lake, Leftovers, RetryPolicy, SyncedFiles, Uploads, Watch, open_bucket};

/// Who writes to a lake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Writers {
    /// Any number of runs at the same time.
    #[default]
    Many,
    /// One run at a time, as the user promises.
    Single,
    /// Nothing is written: not even the lake's folder is made.
    Nobody,
}

impl Writers {
    /// Those of a command that writes: one at a time where the user promises it.
    pub(crate) fn promised(is_single: bool) -> Self {
        if is_single { Self::Single } else { Self::Many }
    }
}

/// A store, and what finds in it what killed runs have left.
struct OpenedStore {
    store: Arc<dyn ObjectStore>,
    leftovers: Option<Arc<dyn Leftovers>>,
    /// What its requests meet, if it is a bucket.
    watch: Option<Watch>,
    /// What messages call it, if it is a bucket.
    remote: Option<String>,
}

/// How a lake is opened.
pub(crate) struct LakeOpener<'o> {
    pub loaded: &'o Loaded,
    pub storage: &'o Storage,
    pub writers: Writers,
    /// Hears what must be shown nowhere, before anything that could show it.
    pub hide: &'o dyn Fn(&[Secret]),
}

impl LakeOpener<'_> {
    /// Opens the target's lake. Reads nothing of it.
    ///
    /// # Errors
    ///
    /// Returns an error if the user's profile is wrong, credentials are missing, or the lake's folder cannot be made.
    pub fn open(&self) -> Result<Lake, Vec<Failure>> {
        let target = &self.loaded.project.target;
        let opened = match &target.lake {
            LakeLocation::Folder(folder) => self.folder(folder)?,
            LakeLocation::Bucket(location) => self.bucket(location)?,
        };
        // A disk answers or is gone; a server may be back in a minute.
        let usual = if opened.remote.is_some() { RetryPolicy::of(&target.storage) } else { RetryPolicy::of_disk() };
        let is_single = self.writers == Writers::Single;
        let committer = Committer::new(self.storage.patience(usual), target.storage.checkpoint_every, is_single);
        let committer = Committer { maker: Some(self.loaded.maker()), ..committer };
        let store = self.storage.wrapped(opened.store);
        let lake = Lake::open(target.lake.to_string(), store, committer, opened.remote);
        Ok(lake.with_leftovers(opened.leftovers).with_watch(opened.watch))
    }

    fn folder(&self, folder: &str) -> Result<OpenedStore, Vec<Failure>> {
        if self.loaded.project.sources.values().any(|source| source.bucket().is_some()) {
            // What opens these buckets later must not be shown either.
            self.profile().map_err(|said| said.into_iter().map(Failure::Project).collect::<Vec<_>>())?;
        }
        let files = SyncedFiles::new(self.loaded.workspace.root.join(folder.trim_start_matches("./")));
        // Else each table would say it once more.
        if self.writers != Writers::Nobody
            && let Err(error) = files.prepare()
        {
            let message = format!("the lake `{folder}` cannot be made: {error}");
            return Err(vec![storage(message, &error)]);
        }
        Ok(OpenedStore { store: Arc::new(files.clone()), leftovers: Some(Arc::new(files)), watch: None, remote: None })
    }

    fn bucket(&self, location: &BucketLocation) -> Result<OpenedStore, Vec<Failure>> {
        let target = &self.loaded.project.target;
        let access =
            self.access(location).map_err(|said| said.into_iter().map(Failure::Project).collect::<Vec<_>>())?;
        let server = access.endpoint.as_ref().map_or_else(|| access.region.clone(), ToString::to_string);
        let watch = Watch::new(Duration::from_secs(u64::from(target.storage.retry_seconds)));
        let opened = open_bucket(&access, &target.storage, watch.clone());
        let store = opened.map_err(|error| {
            let message = format!("the lake `{}` cannot be opened: {error}", target.lake);
            vec![Failure::Project(Diagnostic::error(Code::Storage, message).at(location.span))]
        })?;
        let uploads = Uploads::new(access, target.storage);
        let remote = Some(format!("{} at {server}", target.lake));
        Ok(OpenedStore { store, leftovers: Some(Arc::new(uploads)), watch: Some(watch), remote })
    }

    /// What opens a bucket, by the user's profile and the environment.
    fn access(&self, location: &BucketLocation) -> Result<BucketAccess, Vec<Diagnostic>> {
        let profile = self.profile()?;
        project::access(location, &profile, self.loaded.host().variables()).map_err(|diagnostic| vec![diagnostic])
    }

    /// The user's profile, whose secrets are hidden before anything is worked out: errors may quote what they were made from.
    fn profile(&self) -> Result<Profile, Vec<Diagnostic>> {
        let mut sink = Sink::default();
        let profile = Profile::of_user(self.loaded.host(), &mut sink).map_err(|_reported| sink.take())?;
        let secrets: Vec<Secret> = profile.secrets().cloned().collect();
        (self.hide)(&secrets);
        Ok(profile)
    }
}
