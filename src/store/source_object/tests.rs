//! Objects of a store in memory, listed and read as files of sources.

use std::sync::Arc;

use object_store::memory::InMemory;
use object_store::{ObjectStore, ObjectStoreExt};

use super::*;
use crate::diag::{Code, Diagnostic};
use crate::store::{BucketRefused, LocalBackend, SourceFolder};
use crate::table::SourceEntry;

/// A folder whose bucket `raw` has these objects, and any other is refused.
fn folder(objects: &[(&str, Vec<u8>)]) -> (Arc<InMemory>, SourceFolder) {
    let store = Arc::new(InMemory::new());
    objects.iter().for_each(|(key, bytes)| put(&store, key, bytes.clone()));
    let opened: Arc<dyn ObjectStore> = Arc::clone(&store) as _;
    let open = move |bucket: &str| match bucket {
        "raw" => Ok(Arc::clone(&opened)),
        _ => Err(Box::new(Diagnostic::error(Code::EndpointNotAllowed, "no"))),
    };
    let local = LocalBackend::new(std::env::temp_dir());
    (store, SourceFolder::new(local, Arc::new(open)))
}

fn put(store: &InMemory, key: &str, bytes: Vec<u8>) {
    futures::executor::block_on(store.put(&Path::parse(key).unwrap(), bytes.into())).unwrap();
}

fn paths(found: io::Result<Vec<SourceEntry>>) -> Vec<String> {
    found.unwrap().into_iter().map(|entry| entry.path).collect()
}

fn text(folder: &SourceFolder, entry: &SourceEntry) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    folder.open(entry)?.read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn changed(error: &io::Error) -> bool {
    error.get_ref().and_then(|inner| inner.downcast_ref::<ObjectFault>()).is_some_and(|fault| fault.has_changed)
}

/// Bytes that differ at every place of a block.
fn bytes(count: usize) -> Vec<u8> {
    (0..count).map(|place| (place % 251) as u8).collect()
}

#[test]
fn objects_below_a_folder_are_listed_without_hidden_ones_and_marks_of_folders() {
    let one = || b"x".to_vec();
    let objects = [
        ("in/b c=1/é%.csv", one()),
        ("in/a.csv", one()),
        ("in/.hidden/a.csv", one()),
        ("in/.a.csv", one()),
        ("in/sub", Vec::new()),
        ("in/empty.csv", Vec::new()),
        ("in/sub_$folder$", Vec::new()),
        ("inside.csv", one()),
    ];
    let (_, folder) = folder(&objects);
    assert_eq!(
        paths(folder.list("s3://raw/in", &|_| true)),
        ["s3://raw/in/a.csv", "s3://raw/in/b c=1/é%.csv", "s3://raw/in/empty.csv"]
    );
    assert_eq!(paths(folder.list("s3://raw", &|path| path.ends_with("e.csv"))), ["s3://raw/inside.csv"]);
    let entry = folder.entry("s3://raw/in/b c=1/é%.csv").unwrap();
    assert_eq!(entry, folder.list("s3://raw/in", &|_| true).unwrap()[1]);
    assert!(entry.etag.is_some());
    assert_eq!(text(&folder, &entry).unwrap(), b"x");
    assert_eq!(folder.entry("s3://raw/in/c.csv").unwrap_err().kind(), io::ErrorKind::NotFound);
    let refused = folder.entry("s3://other/a.csv").unwrap_err();
    assert!(refused.get_ref().unwrap().is::<BucketRefused>(), "{refused}");
}

#[test]
fn a_large_object_is_read_in_ranges_as_it_is() {
    let large = bytes(FIRST_BYTES as usize + 4 * RANGE_BYTES as usize + 17);
    let (_, folder) = folder(&[("a", large.clone()), ("b", bytes(FIRST_BYTES as usize))]);
    for (name, expected) in [("s3://raw/a", large.as_slice()), ("s3://raw/b", &large[..FIRST_BYTES as usize])] {
        let entry = folder.entry(name).unwrap();
        assert!(text(&folder, &entry).unwrap() == expected, "{name}");
        let at = folder.open_at_any_place(&entry).unwrap();
        for (offset, length) in
            [(0, 4), (BLOCK_BYTES as usize - 3, 9), (7, BLOCK_BYTES as usize + 2), (expected.len() - 5, 5)]
        {
            let mut buffer = vec![0; length];
            at.read_at(offset as u64, &mut buffer).unwrap();
            assert!(buffer == expected[offset..offset + length], "{name} from {offset}");
        }
        assert!(at.read_at(expected.len() as u64 - 1, &mut [0; 2]).is_err());
    }
}

#[test]
fn an_object_that_was_replaced_or_removed_since_it_was_listed_is_not_read() {
    let (store, folder) = folder(&[("a.csv", b"1\n".to_vec())]);
    let listed = folder.entry("s3://raw/a.csv").unwrap();
    put(&store, "a.csv", b"2\n".to_vec());
    let error = text(&folder, &listed).unwrap_err();
    assert!(changed(&error) && error.to_string().contains("replaced"), "{error}");
    let mut at = [0; 1];
    assert!(changed(&folder.open_at_any_place(&listed).unwrap().read_at(0, &mut at).unwrap_err()));
    // Of a store without etags, the size and the time tell it.
    let listed = SourceEntry { etag: None, size: 3, ..folder.entry("s3://raw/a.csv").unwrap() };
    assert!(changed(&text(&folder, &listed).unwrap_err()));
    let listed = SourceEntry { etag: None, modified: 0, size: 2, ..listed };
    assert!(changed(&text(&folder, &listed).unwrap_err()));
    let listed = SourceEntry { etag: None, ..folder.entry("s3://raw/a.csv").unwrap() };
    assert_eq!(text(&folder, &listed).unwrap(), b"2\n");
    futures::executor::block_on(store.delete(&Path::from("a.csv"))).unwrap();
    let error = text(&folder, &listed).unwrap_err();
    assert!(changed(&error) && error.to_string().contains("removed"), "{error}");
}

#[test]
fn readers_of_objects_may_wait_and_end_on_threads_of_a_runtime() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let read = runtime.block_on(async {
        let (_, folder) = folder(&[("a.csv", b"1\n".to_vec())]);
        text(&folder, &folder.entry("s3://raw/a.csv").unwrap())
    });
    assert_eq!(read.unwrap(), b"1\n");
}
