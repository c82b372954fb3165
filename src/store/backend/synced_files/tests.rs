//! What a folder as a store promises: the conformance suite of object stores, and what a power loss leaves.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io;
use std::path::{Path as FilePath, PathBuf};
use std::sync::{Arc, Mutex};

use futures::TryStreamExt;
use object_store::integration;
use object_store::path::Path;
use object_store::{MultipartUpload, ObjectStore, ObjectStoreExt, PutMode, PutPayload};

use super::SyncedFiles;
use super::disk::{Disk, OsDisk};
use crate::store::error::io_kind;

/// A deed that a disk was asked for, or the moment when the store acknowledged a put.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Deed {
    CreateFile(PathBuf),
    SyncFile(PathBuf),
    Link(PathBuf, PathBuf),
    Rename(PathBuf, PathBuf),
    RemoveFile(PathBuf),
    CreateFolder(PathBuf),
    RemoveFolder(PathBuf),
    SyncFolder(PathBuf),
    Acknowledged(PathBuf),
}

/// The deeds so far, and the word that breaks a deed with an error.
#[derive(Debug, Default)]
struct Record {
    deeds: Mutex<Vec<Deed>>,
    broken: Mutex<Option<(&'static str, io::ErrorKind)>>,
}

#[derive(Debug, Clone)]
struct WatchedDisk(Arc<Record>);

impl WatchedDisk {
    fn note<T>(&self, word: &'static str, deed: Deed, result: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        if let Some((_, kind)) = self.0.broken.lock().unwrap().filter(|(broken, _)| *broken == word) {
            return Err(kind.into());
        }
        let result = result()?;
        self.0.deeds.lock().unwrap().push(deed);
        Ok(result)
    }
}

impl Disk for WatchedDisk {
    fn create_file(&self, path: &FilePath) -> io::Result<File> {
        self.note("create", Deed::CreateFile(path.into()), || OsDisk.create_file(path))
    }

    fn sync_file(&self, file: &File, path: &FilePath) -> io::Result<()> {
        self.note("sync", Deed::SyncFile(path.into()), || OsDisk.sync_file(file, path))
    }

    fn link(&self, from: &FilePath, to: &FilePath) -> io::Result<()> {
        self.note("link", Deed::Link(from.into(), to.into()), || OsDisk.link(from, to))
    }

    fn rename(&self, from: &FilePath, to: &FilePath) -> io::Result<()> {
        self.note("rename", Deed::Rename(from.into(), to.into()), || OsDisk.rename(from, to))
    }

    fn remove_file(&self, path: &FilePath) -> io::Result<()> {
        self.note("remove", Deed::RemoveFile(path.into()), || OsDisk.remove_file(path))
    }

    fn create_folder(&self, path: &FilePath) -> io::Result<()> {
        self.note("create folder", Deed::CreateFolder(path.into()), || OsDisk.create_folder(path))
    }

    fn remove_folder(&self, path: &FilePath) -> io::Result<()> {
        self.note("remove folder", Deed::RemoveFolder(path.into()), || OsDisk.remove_folder(path))
    }

    fn sync_folder(&self, path: &FilePath) -> io::Result<()> {
        self.note("sync folder", Deed::SyncFolder(path.into()), || OsDisk.sync_folder(path))
    }
}

/// A store in a fresh folder, and the record of its disk.
struct Watched {
    folder: tempfile::TempDir,
    store: SyncedFiles,
    record: Arc<Record>,
}

impl Watched {
    fn new() -> Watched {
        let folder = tempfile::tempdir().unwrap();
        let record = Arc::new(Record::default());
        let store = SyncedFiles::on(folder.path().join("lake"), Box::new(WatchedDisk(Arc::clone(&record))));
        Watched { folder, store, record }
    }

    /// A put, and the note that it was acknowledged.
    async fn put(&self, path: &str, mode: PutMode) {
        self.store.put_opts(&Path::from(path), path.to_owned().into(), mode.into()).await.unwrap();
        self.acknowledge(path);
    }

    fn acknowledge(&self, path: &str) {
        self.record.deeds.lock().unwrap().push(Deed::Acknowledged(self.store.folder.place(&Path::from(path))));
    }

    fn deeds(&self) -> Vec<Deed> {
        std::mem::take(&mut self.record.deeds.lock().unwrap())
    }

    fn break_at(&self, word: &'static str, kind: io::ErrorKind) {
        *self.record.broken.lock().unwrap() = Some((word, kind));
    }

    /// Everything that lies in the folder, hidden or not.
    fn names(&self) -> Vec<String> {
        fn walk(folder: &FilePath, found: &mut Vec<String>) {
            for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
                found.push(entry.file_name().into_string().unwrap());
                walk(&entry.path(), found);
            }
        }
        let mut found = Vec::new();
        walk(self.store.root(), &mut found);
        found.sort();
        found
    }
}

/// What a disk holds that forgets, at a power loss, all that was not synced.
#[derive(Default)]
struct Remembered {
    /// Names and the numbers of their files or folders, as the programs see them.
    names: BTreeMap<PathBuf, usize>,
    /// Those that would be there after a power loss.
    durable: BTreeMap<PathBuf, usize>,
    /// Files and folders whose content would be there.
    synced: BTreeSet<usize>,
}

impl Remembered {
    fn replay(&mut self, number: usize, deed: &Deed) {
        match deed {
            Deed::CreateFile(path) => drop(self.names.insert(path.clone(), number)),
            Deed::CreateFolder(path) => {
                self.names.insert(path.clone(), number);
                self.synced.insert(number);
            }
            Deed::SyncFile(path) => drop(self.synced.insert(self.names[path])),
            Deed::Link(from, to) => drop(self.names.insert(to.clone(), self.names[from])),
            Deed::Rename(from, to) => {
                let file = self.names.remove(from).unwrap();
                self.names.insert(to.clone(), file);
            }
            Deed::RemoveFile(path) | Deed::RemoveFolder(path) => drop(self.names.remove(path)),
            Deed::SyncFolder(folder) => {
                let is_in = |path: &PathBuf| path.parent() == Some(folder);
                self.durable.retain(|path, _| !is_in(path));
                let names = self.names.iter().filter(|(path, _)| is_in(path));
                self.durable.extend(names.map(|(path, file)| (path.clone(), *file)));
            }
            Deed::Acknowledged(_) => {}
        }
    }

    /// Whether the object, and every folder above it up to `base`, would be there after a power loss.
    fn survives(&self, object: &FilePath, base: &FilePath) -> bool {
        let file = self.durable.get(object).is_some_and(|file| self.synced.contains(file));
        file && object.ancestors().skip(1).take_while(|path| *path != base).all(|path| self.durable.contains_key(path))
    }
}

#[tokio::test]
async fn an_object_store_in_all_respects() {
    let folder = tempfile::tempdir().unwrap();
    let store = SyncedFiles::new(folder.path().join("täble 100% #1?"));
    integration::put_get_delete_list(&store).await;
    integration::get_opts(&store).await;
    integration::put_opts(&store, false).await;
    store.delete(&Path::from("put_opts")).await.unwrap();
    integration::list_uses_directories_correctly(&store).await;
    integration::list_with_delimiter(&store).await;
    integration::rename_and_copy(&store).await;
    integration::copy_if_not_exists(&store).await;
    integration::copy_rename_nonexistent_object(&store).await;
    integration::list_with_offset_exclusivity(&store).await;
    integration::get_nonexistent_object(&store, None).await.unwrap_err();
}

#[tokio::test]
async fn uploads_in_parts_are_those_of_an_object_store() {
    let folder = tempfile::tempdir().unwrap();
    let store = SyncedFiles::new(folder.path());
    integration::stream_get(&store).await;
    integration::multipart_out_of_order(&store).await;
    integration::multipart_race_condition(&store, true).await;
}

#[tokio::test]
async fn scenario_21_a_put_syncs_the_file_before_its_name_and_the_folder_before_the_acknowledgement() {
    let watched = Watched::new();
    watched.store.prepare().unwrap();
    watched.put("t/_delta_log/0.json", PutMode::Create).await;
    watched.deeds();
    watched.put("t/_delta_log/1.json", PutMode::Create).await;
    let folder = watched.store.root().join("t/_delta_log");
    let deeds = watched.deeds();
    let Deed::CreateFile(temporary) = deeds[0].clone() else { panic!("{deeds:?}") };
    let expected = [
        Deed::CreateFile(temporary.clone()),
        Deed::SyncFile(temporary.clone()),
        Deed::Link(temporary.clone(), folder.join("1.json")),
        Deed::RemoveFile(temporary.clone()),
        Deed::SyncFolder(folder.clone()),
        Deed::Acknowledged(folder.join("1.json")),
    ];
    assert_eq!(deeds, expected);
    let name = temporary.file_name().unwrap().to_str().unwrap();
    assert!(temporary.parent() == Some(&folder) && name.starts_with('.') && name.ends_with(".tmp"), "{name}");
}

#[tokio::test]
async fn scenario_21_what_was_acknowledged_is_there_after_a_power_loss_at_any_moment() {
    let watched = Watched::new();
    watched.put("a/day=1/one.parquet", PutMode::Create).await;
    watched.put("a/_delta_log/0.json", PutMode::Create).await;
    watched.put("a/_delta_log/_last_checkpoint", PutMode::Overwrite).await;
    watched.put("a/_delta_log/_last_checkpoint", PutMode::Overwrite).await;
    let mut upload = watched.store.put_multipart(&Path::from("b/c/large")).await.unwrap();
    upload.put_part("part".into()).await.unwrap();
    upload.complete().await.unwrap();
    watched.acknowledge("b/c/large");
    watched.store.copy(&Path::from("b/c/large"), &Path::from("b/d/copy")).await.unwrap();
    watched.acknowledge("b/d/copy");
    watched.store.delete(&Path::from("a/day=1/one.parquet")).await.unwrap();
    watched.put("a/day=1/two.parquet", PutMode::Create).await;

    let (mut disk, mut acknowledged) = (Remembered::default(), Vec::new());
    for (number, deed) in watched.deeds().iter().enumerate() {
        disk.replay(number, deed);
        match deed {
            Deed::Acknowledged(object) => acknowledged.push(object.clone()),
            Deed::RemoveFile(object) => acknowledged.retain(|kept| kept != object),
            _ => {}
        }
        for object in &acknowledged {
            assert!(disk.survives(object, watched.folder.path()), "{object:?} is lost behind {deed:?}");
        }
        for (path, file) in &disk.durable {
            let is_hidden = path.file_name().unwrap().to_str().unwrap().starts_with('.');
            assert!(is_hidden || disk.synced.contains(file), "{path:?} is torn behind {deed:?}");
        }
    }
    assert_eq!(acknowledged.len(), 6);
}

#[tokio::test]
async fn a_folder_that_another_process_made_is_synced_as_well() {
    let watched = Watched::new();
    let folder = watched.store.root().join("t");
    fs::create_dir_all(&folder).unwrap();
    watched.put("t/object", PutMode::Create).await;
    assert!(watched.deeds().contains(&Deed::SyncFolder(watched.store.root().into())));
}

#[tokio::test]
async fn an_object_that_exists_is_refused_once_it_is_durable() {
    let watched = Watched::new();
    watched.put("t/object", PutMode::Create).await;
    watched.deeds();
    let refused = watched.store.put_opts(&Path::from("t/object"), "other".into(), PutMode::Create.into()).await;
    assert!(matches!(refused, Err(object_store::Error::AlreadyExists { .. })), "{refused:?}");
    assert!(watched.deeds().contains(&Deed::SyncFolder(watched.store.root().join("t"))));
    assert_eq!(watched.names(), ["object", "t"]);
}

#[tokio::test]
async fn a_full_disk_is_called_by_its_name_and_leaves_nothing() {
    for word in ["create", "sync", "link", "create folder", "sync folder"] {
        let watched = Watched::new();
        watched.store.prepare().unwrap();
        watched.break_at(word, io::ErrorKind::StorageFull);
        let error =
            watched.store.put_opts(&Path::from("t/object"), "bytes".into(), PutMode::Create.into()).await.unwrap_err();
        assert_eq!(io_kind(&error), Some(io::ErrorKind::StorageFull), "{word}: {error}");
        let left: Vec<_> = watched.names().into_iter().filter(|name| name.ends_with(".tmp")).collect();
        assert!(left.is_empty(), "{word}: {left:?}");
    }
}

#[tokio::test]
async fn a_denied_permission_is_called_by_its_name() {
    let watched = Watched::new();
    watched.break_at("link", io::ErrorKind::PermissionDenied);
    let error = watched.store.put_opts(&Path::from("o"), "bytes".into(), PutMode::Create.into()).await.unwrap_err();
    assert!(matches!(error, object_store::Error::PermissionDenied { .. }), "{error}");
    assert_eq!(io_kind(&error), Some(io::ErrorKind::PermissionDenied));
}

#[tokio::test]
async fn a_file_in_the_place_of_a_folder_is_not_an_object_that_exists() {
    let watched = Watched::new();
    watched.put("t", PutMode::Create).await;
    let error = watched.store.put_opts(&Path::from("t/0.json"), "x".into(), PutMode::Create.into()).await.unwrap_err();
    assert_eq!(io_kind(&error), Some(io::ErrorKind::NotADirectory), "{error}");
    let error = watched.store.get(&Path::from("t/0.json")).await.unwrap_err();
    assert!(matches!(error, object_store::Error::NotFound { .. }), "{error}");
}

#[tokio::test]
async fn many_writers_of_one_object_have_one_winner_while_its_folder_comes_and_goes() {
    let watched = Watched::new();
    for round in 0..20 {
        let path = Path::from("folder/object");
        let put = |writer: u32| {
            let payload = PutPayload::from(writer.to_string());
            watched.store.put_opts(&path, payload, PutMode::Create.into())
        };
        let results = futures::future::join_all((0..16).map(put)).await;
        let winners: Vec<usize> = (0..16).filter(|writer| results[*writer].is_ok()).collect();
        assert_eq!(winners.len(), 1, "round {round}: {results:?}");
        let bytes = watched.store.get(&path).await.unwrap().bytes().await.unwrap();
        assert_eq!(bytes, winners[0].to_string());
        watched.store.delete(&path).await.unwrap();
    }
    assert!(watched.names().is_empty());
}

#[tokio::test]
async fn puts_and_deletes_in_one_folder_do_not_hinder_each_other() {
    let watched = Watched::new();
    let come_and_go = |writer: u32| {
        let (store, path) = (watched.store.clone(), Path::from(format!("a/b/{writer}")));
        async move {
            for _ in 0..50 {
                store.put_opts(&path, "x".into(), PutMode::Create.into()).await.unwrap();
                store.delete(&path).await.unwrap();
            }
        }
    };
    futures::future::join_all((0..4).map(come_and_go)).await;
    assert!(watched.names().is_empty());
}

#[tokio::test]
async fn an_upload_that_is_dropped_or_aborted_leaves_nothing() {
    let watched = Watched::new();
    let mut dropped = watched.store.put_multipart(&Path::from("t/large")).await.unwrap();
    dropped.put_part("part".into()).await.unwrap();
    assert_eq!(watched.names().len(), 2);
    drop(dropped);
    assert!(watched.names().is_empty());
    let mut aborted = watched.store.put_multipart(&Path::from("t/large")).await.unwrap();
    aborted.put_part("part".into()).await.unwrap();
    aborted.abort().await.unwrap();
    assert!(watched.names().is_empty());
}

#[tokio::test]
async fn an_upload_without_one_of_its_parts_is_not_complete() {
    let watched = Watched::new();
    let mut upload = watched.store.put_multipart(&Path::from("t/large")).await.unwrap();
    drop(upload.put_part("never sent".into()));
    upload.put_part("sent".into()).await.unwrap();
    upload.complete().await.unwrap_err();
    assert!(watched.names().is_empty());
}

#[tokio::test]
async fn lists_are_sorted_and_leave_out_what_is_hidden() {
    let watched = Watched::new();
    assert!(listed(&watched.store, None).await.is_empty());
    for path in ["b", "a/z", "a b/x", "a/c/d", "a.b", ".hidden/x", "a/.tmp"] {
        watched.put(path, PutMode::Overwrite).await;
    }
    assert_eq!(listed(&watched.store, None).await, ["a b/x", "a.b", "a/c/d", "a/z", "b"]);
    assert_eq!(listed(&watched.store, Some("a/c/d")).await, ["a/z", "b"]);
    let level = watched.store.list_with_delimiter(None).await.unwrap();
    assert_eq!(level.common_prefixes, [Path::from("a"), Path::from("a b")]);
    assert_eq!(level.objects.len(), 2);
}

#[cfg(unix)]
#[tokio::test]
async fn a_list_behind_an_offset_does_not_look_at_what_lies_before_it() {
    let watched = Watched::new();
    watched.put("log/2", PutMode::Create).await;
    watched.put("log/1/x", PutMode::Create).await;
    // A link that leads in a circle is an error for whoever looks at it.
    for place in ["log/0", "log/1/loop"] {
        std::os::unix::fs::symlink("loop", watched.store.root().join(place)).unwrap();
    }
    std::os::unix::fs::symlink("loop", watched.store.root().join("log/loop")).unwrap();
    assert!(watched.store.list(None).try_collect::<Vec<_>>().await.is_err());
    fs::remove_file(watched.store.root().join("log/loop")).unwrap();
    assert_eq!(listed(&watched.store, Some("log/1/x")).await, ["log/2"]);
}

async fn listed(store: &SyncedFiles, offset: Option<&str>) -> Vec<String> {
    let found = match offset {
        Some(offset) => store.list_with_offset(None, &Path::from(offset)),
        None => store.list(None),
    };
    found.map_ok(|object| object.location.to_string()).try_collect().await.unwrap()
}
