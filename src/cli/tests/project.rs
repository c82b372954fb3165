//! A small project in a folder that is gone with the test, over a store in memory that a test may disturb.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use object_store::ObjectStore;
use object_store::memory::InMemory;

use crate::cli::{Storage, World, run_to};
use crate::store::Patience;

/// Three models, one on top of the other: a table cut by files, one that shares files, and one number.
pub(super) struct Project {
    folder: tempfile::TempDir,
    pub store: Arc<dyn ObjectStore>,
}

const FILES: [(&str, &str); 6] = [
    ("project.yml", "name: shop\nmodels:\n  +schema: shop\n"),
    (
        "models/sources.yml",
        "sources:\n  - name: raw\n    tables:\n      - name: orders\n        location: data/*.csv\n        \
         columns:\n          - { name: day, type: date }\n          - { name: amount, type: integer }\n",
    ),
    (
        "models/orders.sql",
        "{{ config(materialized='incremental', event_time='day', partition_by='day', batch_size='day') }}\n\
         select day, amount from {{ source('raw', 'orders') }}\n",
    ),
    (
        "models/daily.sql",
        "{{ config(materialized='incremental', event_time='day', batch_size='day') }}\n\
         select day, sum(amount) as amount from {{ ref('orders') }} group by day\n",
    ),
    ("models/total.sql", "{{ config(materialized='table') }}\nselect sum(amount) as amount from {{ ref('daily') }}\n"),
    ("data/1.csv", "day,amount\n2023-05-01,10\n2023-05-02,20\nbad\n"),
];

/// What a command line answered.
pub(super) struct Answer {
    pub code: u8,
    pub out: String,
    pub talk: String,
}

/// Waiting is short where nobody waits for a real store.
pub(super) fn hasty() -> Patience {
    let milliseconds = Duration::from_millis;
    Patience {
        tries: 6,
        first_wait: milliseconds(2),
        longest_wait: milliseconds(20),
        longest_try: milliseconds(2000),
        in_all: milliseconds(60_000),
    }
}

impl Project {
    pub fn new() -> Project {
        let project = Project { folder: tempfile::tempdir().unwrap(), store: Arc::new(InMemory::new()) };
        FILES.iter().for_each(|(path, text)| project.write(path, text));
        project
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
        let wrap = move |_local: Arc<dyn ObjectStore>| Arc::clone(&store);
        let world = World {
            folder: self.path().to_owned(),
            variables: BTreeMap::new(),
            terminal: false,
            width: 100,
            storage: Storage::disturbed(Arc::new(wrap), hasty()),
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
