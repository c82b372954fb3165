//! Buckets, objects and uploads in parts, in memory.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};

/// An object, or a part of one that is uploaded.
#[derive(Debug, Clone)]
pub(super) struct Object {
    pub(super) bytes: Arc<Vec<u8>>,
    /// With quotes. The same bytes have the same tag, as in S3.
    pub(super) tag: String,
    pub(super) modified: DateTime<Utc>,
    /// Headers that came with it and go with it, such as `content-type`.
    pub(super) attributes: Vec<(String, String)>,
}

impl Object {
    pub(super) fn new(bytes: Vec<u8>, attributes: Vec<(String, String)>) -> Object {
        let hash = blake3::hash(&bytes).to_hex();
        let tag = format!("\"{}\"", hash.chars().take(32).collect::<String>());
        Object { bytes: Arc::new(bytes), tag, modified: Utc::now(), attributes }
    }
}

/// An upload in parts that has begun.
#[derive(Debug)]
pub(super) struct Upload {
    pub(super) parts: BTreeMap<usize, Object>,
    pub(super) attributes: Vec<(String, String)>,
}

#[derive(Debug, Default)]
pub(super) struct Objects {
    buckets: BTreeMap<String, BTreeMap<String, Object>>,
    pub(super) uploads: BTreeMap<String, Upload>,
    uploads_begun: usize,
}

/// What a list shall hold.
#[derive(Debug)]
pub(super) struct Asked<'a> {
    pub(super) prefix: &'a str,
    /// What has it behind the prefix is a folder.
    pub(super) delimiter: Option<&'a str>,
    /// Only keys and folders after this one.
    pub(super) after: &'a str,
    pub(super) most: usize,
}

/// A page of a list.
#[derive(Debug, Default)]
pub(super) struct Page {
    pub(super) objects: Vec<(String, Object)>,
    pub(super) folders: Vec<String>,
    /// The last of all when more follows.
    pub(super) next: Option<String>,
}

impl Objects {
    pub(super) fn create_bucket(&mut self, bucket: &str) {
        self.buckets.entry(bucket.to_owned()).or_default();
    }

    pub(super) fn has_bucket(&self, bucket: &str) -> bool {
        self.buckets.contains_key(bucket)
    }

    pub(super) fn get(&self, bucket: &str, key: &str) -> Option<&Object> {
        self.buckets.get(bucket)?.get(key)
    }

    pub(super) fn put(&mut self, bucket: &str, key: &str, bytes: Vec<u8>) {
        self.insert(bucket, key, Object::new(bytes, Vec::new()));
    }

    pub(super) fn insert(&mut self, bucket: &str, key: &str, object: Object) {
        self.buckets.get_mut(bucket).expect("the bucket was looked for").insert(key.to_owned(), object);
    }

    pub(super) fn delete(&mut self, bucket: &str, key: &str) {
        if let Some(objects) = self.buckets.get_mut(bucket) {
            objects.remove(key);
        }
    }

    pub(super) fn keys(&self, bucket: &str, prefix: &str) -> Vec<String> {
        self.buckets[bucket].keys().filter(|key| key.starts_with(prefix)).cloned().collect()
    }

    pub(super) fn open_uploads(&self) -> usize {
        self.uploads.len()
    }

    pub(super) fn age(&mut self, bucket: &str, by: Duration) {
        for object in self.buckets.get_mut(bucket).unwrap().values_mut() {
            object.modified -= by;
        }
    }

    /// Begins an upload, and names it.
    pub(super) fn begin_upload(&mut self, attributes: Vec<(String, String)>) -> String {
        self.uploads_begun += 1;
        let name = format!("upload-{}", self.uploads_begun);
        self.uploads.insert(name.clone(), Upload { parts: BTreeMap::new(), attributes });
        name
    }

    pub(super) fn list(&self, bucket: &str, asked: &Asked<'_>) -> Page {
        let Asked { prefix, after, most, .. } = *asked;
        let mut page = Page::default();
        let mut last = String::new();
        for (key, object) in &self.buckets[bucket] {
            let Some(rest) = key.strip_prefix(prefix) else { continue };
            let delimiter = asked.delimiter.filter(|delimiter| !delimiter.is_empty());
            let parts = delimiter.and_then(|delimiter| Some((rest.split_once(delimiter)?.0, delimiter)));
            let folder = parts.map(|(name, delimiter)| format!("{prefix}{name}{delimiter}"));
            let name = folder.clone().unwrap_or_else(|| key.clone());
            let is_before = name.as_str() <= after || name == last;
            if is_before {
                continue;
            }
            if page.objects.len() + page.folders.len() == most {
                page.next = Some(last);
                break;
            }
            last.clone_from(&name);
            match folder {
                Some(folder) => page.folders.push(folder),
                None => page.objects.push((name, object.clone())),
            }
        }
        page
    }
}
