//! Projects whose lake lies in a bucket, and what a test looks up there behind karat's back.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use serde_json::Value;

use crate::folder::{Folder, copy, repository};
use crate::minio::Minio;
use crate::object_stores::{blocking, builder};
use crate::scripted_s3::ScriptedS3;

/// All rows of the three tables, and how many records were set aside.
const SHOP_ROWS: &str = "select 'orders' as t, cast(day as text) as k, amount from {{ ref('orders') }} union all \
     select 'daily', cast(day as text), amount from {{ ref('daily') }} union all \
     select 'total', '', amount from {{ ref('total') }} union all \
     select 'quarantine', '', count(*) from shop.orders_quarantine order by 1, 2, 3";

/// The folder of a lake in its bucket.
pub(crate) const PREFIX: &str = "some/lake";

/// How patient a target is that waits for a server which fails at once.
pub(crate) const HASTY: &str = "timeout: 10, retries: 2, retry_for: 5";

impl Folder {
    /// Three models, one on top of the other: a table cut by files, one whose slices share files, and one number.
    pub(crate) fn with_shop() -> Folder {
        let folder = Folder::new();
        copy(&repository().join("tests/projects/shop"), folder.root());
        folder
    }

    /// The same project with its lake in a bucket. `settings` are further ones of the target.
    pub(crate) fn on_scripted(self, server: &ScriptedS3, bucket: &str, settings: &str) -> Folder {
        self.target(&server.endpoint(), bucket, settings);
        self.with_variables(server.variables())
    }

    pub(crate) fn on_minio(self, minio: &Minio, bucket: &str, settings: &str) -> Folder {
        self.target(&minio.endpoint, bucket, settings);
        self.with_variables(minio.variables())
    }

    fn target(&self, endpoint: &str, bucket: &str, settings: &str) {
        let text = fs::read_to_string(self.root().join("project.yml")).unwrap();
        let before = text.split("\ntargets:").next().unwrap().trim_end();
        let lake = format!("lake: \"s3://{bucket}/{PREFIX}\", endpoint: \"{endpoint}\"");
        let target = [lake.as_str(), settings].map(str::trim).join(", ");
        self.write("project.yml", format!("{before}\n\ntargets:\n  remote: {{ {target} }}\n"));
    }

    /// The rows of the shop as the newest release shows them.
    pub(crate) fn shop(&self) -> String {
        self.karat(&["query", SHOP_ROWS, "--output", "csv", "--limit", "0"]).out
    }

    /// The same of the tables as they are.
    pub(crate) fn live_shop(&self) -> String {
        self.karat(&["query", SHOP_ROWS, "--output", "csv", "--limit", "0", "--live"]).out
    }
}

/// What a bucket holds: by key the tag of its bytes.
pub(crate) fn listing(minio: &Minio, bucket: &str) -> BTreeMap<String, String> {
    let store = builder(&minio.endpoint, bucket, &minio.variables()).build().unwrap();
    let found: Vec<_> = blocking(store.list(None).try_collect()).unwrap();
    found.into_iter().map(|meta| (meta.location.to_string(), meta.e_tag.unwrap_or_default())).collect()
}

/// The objects of a bucket with what is in them.
pub(crate) fn contents(minio: &Minio, bucket: &str) -> BTreeMap<String, Vec<u8>> {
    let store = builder(&minio.endpoint, bucket, &minio.variables()).build().unwrap();
    blocking(async {
        let found: Vec<_> = store.list(None).try_collect().await.unwrap();
        let mut contents = BTreeMap::new();
        for meta in found {
            // The key as it is: a path made of text would get further escapes.
            let path = Path::parse(meta.location.as_ref()).unwrap();
            let bytes = store.get(&path).await.unwrap().bytes().await.unwrap();
            contents.insert(path.to_string(), bytes.to_vec());
        }
        contents
    })
}

/// The commits of a lake: by table the token of each version.
pub(crate) type Commits = BTreeMap<String, Vec<String>>;

/// Reads them from the objects. That no token occurs twice is checked.
pub(crate) fn commits(objects: &BTreeMap<String, Vec<u8>>) -> Commits {
    let (mut commits, mut tokens) = (Commits::new(), BTreeSet::new());
    for (key, bytes) in objects {
        let Some((table, name)) = key.split_once("/_delta_log/") else { continue };
        let Some(version) = name.strip_suffix(".json").and_then(|version| version.parse::<usize>().ok()) else {
            continue;
        };
        let text = std::str::from_utf8(bytes).unwrap();
        let info = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let token = info.filter_map(|action| Some(action["commitInfo"]["karat"]["token"].as_str()?.to_owned())).next();
        let token = token.expect(key);
        assert!(tokens.insert(token.clone()), "the token of {key} occurs twice");
        let versions = commits.entry(table.rsplit('/').next().unwrap().to_owned()).or_default();
        assert_eq!(versions.len(), version, "{key} does not follow the version before it");
        versions.push(token);
    }
    commits
}
