//! The lake of a target: a folder or a bucket, opened with what the user's profile and environment allow.

use std::sync::Arc;
use std::time::Duration;

use object_store::ObjectStore;

use super::app::{App, Loaded};
use super::args::ProjectArgs;
use super::console::{Console, LogFormat, Manners};
use super::exit::Exit;
use super::world::World;
use crate::diag::{Code, Diagnostic, Sink};
use crate::host::Host;
use crate::project::{self, BucketAccess, BucketLocation, LakeLocation, Profile};
use crate::run::storage;
use crate::store::{Committer, Lake, Leftovers, Maker, Patience, SyncedFiles, Uploads, Watch, open_bucket};

/// Who writes to a lake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Writers {
    /// Any number of runs at the same time.
    #[default]
    Many,
    /// One run at a time, as the user promises.
    Single,
    /// This command only reads: not even the lake's folder is made.
    Nobody,
}

/// A store, and what finds in it what killed runs have left.
struct Opened {
    store: Arc<dyn ObjectStore>,
    leftovers: Option<Arc<dyn Leftovers>>,
    /// What its requests meet, if it is a bucket.
    watch: Option<Watch>,
}

impl Opened {
    fn folder(files: SyncedFiles) -> Opened {
        Opened { store: Arc::new(files.clone()), leftovers: Some(Arc::new(files)), watch: None }
    }
}

impl Loaded {
    /// The target and its lake, in words.
    pub fn place(&self) -> String {
        let target = &self.project.target;
        let endpoint = match &target.lake {
            LakeLocation::Bucket(bucket) => bucket.endpoint.as_ref().map(|endpoint| format!(" at {}", endpoint.value)),
            LakeLocation::Folder(_) => None,
        };
        format!("target `{}`, `{}`{}", target.name, target.lake, endpoint.unwrap_or_default())
    }

    /// Whose tables this project writes.
    pub fn maker(&self) -> Maker {
        Maker { project: self.project.name.value.clone(), target: self.project.target.name.clone() }
    }

    /// The target's lake.
    pub fn lake(&self, app: &App<'_>) -> Result<&Lake, Exit> {
        if let Some(lake) = self.lake.get() {
            return Ok(lake);
        }
        let lake = self.open_lake(app)?;
        Ok(self.lake.get_or_init(|| lake))
    }

    fn open_lake(&self, app: &App<'_>) -> Result<Lake, Exit> {
        let target = &self.project.target;
        let (opened, remote) = match &target.lake {
            LakeLocation::Folder(folder) => (self.folder(app, folder)?, None),
            LakeLocation::Bucket(location) => {
                let access = self.access(app, location)?;
                let server = access.endpoint.as_ref().map_or_else(|| access.region.clone(), ToString::to_string);
                (self.bucket(app, location, &access)?, Some(format!("{} at {server}", target.lake)))
            }
        };
        let is_single = self.writers == Writers::Single;
        let usual = if remote.is_some() { Patience::of(&target.storage) } else { Patience::of_disk() };
        let committer = Committer::new(app.world.storage.patience(usual), target.storage.checkpoint_every, is_single);
        let committer = Committer { maker: Some(self.maker()), ..committer };
        let store = app.world.storage.wrapped(opened.store);
        let lake = Lake::open(target.lake.to_string(), store, committer, remote);
        Ok(lake.with_leftovers(opened.leftovers).with_watch(opened.watch))
    }

    fn folder(&self, app: &App<'_>, folder: &str) -> Result<Opened, Exit> {
        let files = SyncedFiles::new(self.root.join(folder.trim_start_matches("./")));
        if self.writers == Writers::Nobody {
            return Ok(Opened::folder(files));
        }
        // Else each table would say it once more.
        if let Err(error) = files.prepare() {
            let message = format!("the lake `{folder}` cannot be made: {error}");
            return Err(app.report(self, &storage(message, &error)));
        }
        Ok(Opened::folder(files))
    }

    fn access(&self, app: &App<'_>, location: &BucketLocation) -> Result<BucketAccess, Exit> {
        app.bucket_access(&*self.host, location).map_err(|said| {
            app.console.diagnostics(&said, &self.files);
            Exit::Failed
        })
    }

    fn bucket(&self, app: &App<'_>, location: &BucketLocation, access: &BucketAccess) -> Result<Opened, Exit> {
        let watch = Watch::new(Duration::from_secs(u64::from(self.project.target.storage.retry_seconds)));
        let opened = open_bucket(access, &self.project.target.storage, watch.clone());
        let uploads = Uploads::new(access.clone(), self.project.target.storage);
        opened.map(|store| Opened { store, leftovers: Some(Arc::new(uploads)), watch: Some(watch) }).map_err(|error| {
            let message = format!("the lake `{}` cannot be opened: {error}", self.project.target.lake);
            app.fail(Diagnostic::error(Code::Storage, message).at(location.span), &self.files, Exit::Failed)
        })
    }
}

/// The store of the lake of the project in this folder, as every command opens it: object_store has a suite for its
/// implementations, which must hold for this one too.
#[doc(hidden)]
pub fn open_store(world: &World) -> Option<Arc<dyn ObjectStore>> {
    let (mut out, mut err) = (std::io::sink(), std::io::sink());
    let manners = Manners {
        quiet: true,
        format: LogFormat::Text,
        colour: false,
        data_colour: false,
        terminal: false,
        width: world.width,
    };
    let console = Console::new(&mut out, &mut err, manners);
    let app = App { console: &console, world, runtimes: Default::default() };
    let loaded = app.load(&ProjectArgs::default()).ok()?;
    loaded.lake(&app).ok().map(|lake| Arc::clone(lake.objects()))
}

impl App<'_> {
    /// What opens a bucket, by the user's profile and the environment.
    fn bucket_access(&self, host: &dyn Host, location: &BucketLocation) -> Result<BucketAccess, Vec<Diagnostic>> {
        let mut sink = Sink::default();
        let profile = Profile::of_user(host, &mut sink).map_err(|_reported| sink.take())?;
        self.console.hide(profile.secrets().cloned());
        project::access(location, &profile, host.variables()).map_err(|diagnostic| vec![diagnostic])
    }
}
