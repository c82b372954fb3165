//! A small project in a folder that is gone with the test, over a store in memory that a test may disturb.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures::TryStreamExt;
use object_store::memory::InMemory;
use object_store::{ObjectStore, ObjectStoreExt};

use crate::cli::{Storage, World, run_to};
use crate::store::RetryPolicy;

/// Three models, one on top of the other: a table cut by files, one that shares files, and one number.
pub(super) struct Project {
    folder: Arc<tempfile::TempDir>,
    pub store: Arc<dyn ObjectStore>,
}

/// The tests of the executable have the same project.
const SHOP: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/projects/shop");
const FILES: [&str; 6] =
    ["project.yml", "models/sources.yml", "models/orders.sql", "models/daily.sql", "models/total.sql", "data/1.csv"];

type Wrap = dyn Fn(Arc<dyn ObjectStore>) -> Arc<dyn ObjectStore> + Send + Sync;

/// What a command line answered.
pub(super) struct Answer {
    pub code: u8,
    pub out: String,
    pub talk: String,
}

/// Waiting is short where nobody waits for a real store.
pub(super) fn hasty() -> RetryPolicy {
    let milliseconds = Duration::from_millis;
    RetryPolicy {
        tries: 6,
        first_wait: milliseconds(2),
        longest_wait: milliseconds(20),
        longest_try: milliseconds(2000),
        in_all: milliseconds(60_000),
    }
}

impl Project {
    pub fn new() -> Project {
        let project = Project { folder: Arc::new(tempfile::tempdir().unwrap()), store: Arc::new(InMemory::new()) };
        FILES.iter().for_each(|path| project.write(path, &fs::read_to_string(Path::new(SHOP).join(path)).unwrap()));
        project
    }

    /// The same files over a copy of a store.
    pub fn with_store(&self, store: &Arc<dyn ObjectStore>) -> Project {
        let copy = InMemory::new();
        futures::executor::block_on(async {
            for object in store.list(None).try_collect::<Vec<_>>().await.unwrap() {
                let bytes = store.get(&object.location).await.unwrap().bytes().await.unwrap();
                copy.put(&object.location, bytes.into()).await.unwrap();
            }
        });
        Project { folder: Arc::clone(&self.folder), store: Arc::new(copy) }
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn write(&self, path: &str, text: &str) {
        let path = self.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Runs a command line whose lake is this store.
    pub fn karat_on(&self, store: &Arc<dyn ObjectStore>, words: &[&str]) -> Answer {
        let store = Arc::clone(store);
        self.karat_with(Arc::new(move |_local| Arc::clone(&store)), words)
    }

    /// Runs a command line whose lake is a folder of this machine.
    pub fn karat_on_disk(&self, words: &[&str]) -> Answer {
        self.karat_with(Arc::new(|local| local), words)
    }

    pub fn karat_with(&self, wrap: Arc<Wrap>, words: &[&str]) -> Answer {
        let world = World {
            folder: self.path().to_owned(),
            program: std::env::current_exe().ok(),
            variables: BTreeMap::new(),
            terminal: false,
            data_terminal: false,
            width: 100,
            storage: Storage::disturbed(wrap, hasty()),
        };
        let args: Vec<OsString> = std::iter::once("karat").chain(words.iter().copied()).map(OsString::from).collect();
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let code = run_to(args, world, &mut out, &mut err);
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Answer { code, out: text(out), talk: text(err) }
    }

    pub fn karat(&self, words: &[&str]) -> Answer {
        self.karat_on(&self.store, words)
    }

    /// The rows of all three tables as the newest release shows them, or as they are.
    pub fn rows(&self, live: bool) -> String {
        let sql = "select 'orders' as t, cast(day as text) as k, amount from {{ ref('orders') }} union all \
                   select 'daily', cast(day as text), amount from {{ ref('daily') }} union all \
                   select 'total', '', amount from {{ ref('total') }} order by 1, 2, 3";
        let mut words = vec!["query", sql, "--output", "csv", "--limit", "0"];
        words.extend(live.then_some("--live"));
        let answer = self.karat(&words);
        if answer.code == 0 { answer.out } else { answer.talk }
    }
}
