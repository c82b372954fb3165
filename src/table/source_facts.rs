//! What is known of source files, as it is stored beside a table: in layers, because a source may have very many files.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::SourceFileFacts;
use super::layers::{ContentObject, Layer, LayerChanges, Layers};
use super::packed::{Packer, Unpacker, decompressed};

/// What is known of source files, by their path.
pub(crate) type SourceFacts = BTreeMap<String, Arc<SourceFileFacts>>;

/// The objects that facts are stored in, by the digests of their content: the complete one first, then what changed after it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct FactsName(Vec<String>);

impl FactsName {
    /// The names of the objects in the table's folder.
    pub fn paths(&self) -> impl Iterator<Item = String> {
        self.0.iter().map(|digest| facts_path(digest))
    }

    #[cfg(test)]
    pub fn of(digests: &[&str]) -> FactsName {
        FactsName(digests.iter().map(|digest| (*digest).to_owned()).collect())
    }
}

fn facts_path(digest: &str) -> String {
    format!("_karat/files/{digest}.zst")
}

/// Facts, and how they are stored.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct StoredFacts {
    pub facts: Arc<SourceFacts>,
    /// The layers change by file.
    layers: Layers<String, BTreeSet<String>>,
}

impl LayerChanges for BTreeSet<String> {
    fn followed_by(mut self, above: &BTreeSet<String>) -> BTreeSet<String> {
        self.extend(above.iter().cloned());
        self
    }
}

/// The format of these objects that this code writes.
const FORMAT: u64 = 5;

/// The format before it, which has no etags. Older ones are not read.
const FORMAT_WITHOUT_ETAGS: u64 = 4;

impl StoredFacts {
    pub fn name(&self) -> FactsName {
        FactsName(self.layers.names())
    }

    /// Other facts in place of these, with the object to store: its name in the table's folder and its bytes. Returns
    /// `None` if the facts are these.
    pub fn followed_by(&self, facts: SourceFacts) -> Option<(StoredFacts, ContentObject<String>)> {
        let changed = changed_files(&self.facts, &facts);
        if changed.is_empty() && !self.layers.is_empty() {
            return None;
        }
        let (layers, object) = self.layers.with(changed, |_, changes| packed(&facts, changes));
        let object = ContentObject { name: facts_path(&object.name), bytes: object.bytes };
        Some((StoredFacts { facts: Arc::new(facts), layers }, object))
    }

    /// Puts the objects of a name together, in its order; nothing is known of files if they are not what it says.
    pub fn read(name: &FactsName, objects: &[impl AsRef<[u8]>]) -> Option<StoredFacts> {
        let mut facts = SourceFacts::new();
        let mut layers = Vec::new();
        for (place, (digest, object)) in name.0.iter().zip(objects).enumerate() {
            let object = object.as_ref();
            if digest_of(object) != *digest {
                return None;
            }
            let layer = unpacked(object)?;
            let paths = layer.there.keys().chain(&layer.gone).cloned().collect();
            for path in &layer.gone {
                facts.remove(path);
            }
            facts.extend(layer.there);
            layers.push(Layer { name: digest.clone(), bytes: object.len(), changes: (place > 0).then_some(paths) });
        }
        (layers.len() == name.0.len())
            .then(|| StoredFacts { facts: Arc::new(facts), layers: layers.into_iter().collect() })
    }
}

/// The files of which not the same is known.
fn changed_files(before: &SourceFacts, after: &SourceFacts) -> BTreeSet<String> {
    let is_same = |path: &String, facts: &Arc<SourceFileFacts>| {
        before.get(path).is_some_and(|known| Arc::ptr_eq(known, facts) || known == facts)
    };
    let other = after.iter().filter(|(path, facts)| !is_same(path, facts)).map(|(path, _)| path);
    let gone = before.keys().filter(|path| !after.contains_key(*path));
    other.chain(gone).cloned().collect()
}

/// An object of everything, or of the files that changed; under the digest of its content.
fn packed(facts: &SourceFacts, changed: Option<&BTreeSet<String>>) -> ContentObject<String> {
    let mut packer = Packer::default();
    packer.number(FORMAT);
    let pack = |packer: &mut Packer, (path, file): (&String, &Arc<SourceFileFacts>)| {
        packer.text(path);
        file.pack(packer);
    };
    match changed {
        None => packer.many(facts.iter(), pack),
        Some(changed) => {
            let there: Vec<_> = changed.iter().filter_map(|path| facts.get_key_value(path)).collect();
            packer.many(there.into_iter(), pack);
        }
    }
    let gone: Vec<&String> = changed.into_iter().flatten().filter(|path| !facts.contains_key(*path)).collect();
    packer.many(gone.into_iter(), |packer, path| packer.text(path));
    let bytes = packer.compressed();
    ContentObject { name: digest_of(&bytes), bytes }
}

fn digest_of(bytes: &[u8]) -> String {
    blake3::hash(bytes).to_hex().chars().take(32).collect()
}

struct FactsLayer {
    there: SourceFacts,
    gone: Vec<String>,
}

fn unpacked(bytes: &[u8]) -> Option<FactsLayer> {
    let bytes = decompressed(bytes).ok()?;
    let mut unpacker = Unpacker::new(&bytes);
    let format = unpacker.number()?;
    if ![FORMAT, FORMAT_WITHOUT_ETAGS].contains(&format) {
        return None;
    }
    let has_etags = format == FORMAT;
    let there = unpacker.many(|from| {
        let path = from.text()?.to_owned();
        Some((path, Arc::new(SourceFileFacts::unpacked(from, has_etags)?)))
    })?;
    let gone = unpacker.many(|from| from.text().map(str::to_owned))?;
    unpacker.end().map(|()| FactsLayer { there, gone })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::table::{Conversion, Conversions, FileSlices, SliceKey, SliceMap, SliceRows};

    fn known(size: u64) -> SourceFileFacts {
        let day = SliceKey::parse("2023-05-03").unwrap();
        let slices = SliceMap::from_iter([
            (day, SliceRows { rows: 3, hash: u128::MAX }),
            (SliceKey::NullTime, SliceRows::default()),
        ]);
        SourceFileFacts {
            size,
            modified: -2,
            etag: Some("\"e-1\"".into()),
            records: 3,
            quarantined: 0,
            ranges: BTreeMap::from([("at".to_owned(), Some((-5, 7))), ("other".to_owned(), None)]),
            slices: Some(FileSlices(slices)),
            gone: true,
            conversions: Conversions {
                rescued_rows: 2,
                columns: BTreeMap::from([("at".to_owned(), Conversion { converted: 1, rescued: 2 })]),
            },
        }
    }

    #[test]
    fn facts_are_read_back_as_they_were_written() {
        let known = known(1);
        assert_eq!(known.slices().collect::<Vec<_>>(), [SliceKey::parse("2023-05-03").unwrap()]);
        let unknown = SourceFileFacts { slices: None, gone: false, ..known.clone() };
        let facts = SourceFacts::from([("a.csv".to_owned(), Arc::new(known)), ("b.csv".to_owned(), Arc::new(unknown))]);
        let (stored, object) = StoredFacts::default().followed_by(facts.clone()).unwrap();
        let name = stored.name();
        assert_eq!(name.paths().collect::<Vec<_>>(), [object.name]);
        assert_eq!(StoredFacts::read(&name, &[&object.bytes]), Some(stored.clone()));
        assert_eq!(stored.followed_by(facts), None, "nothing is to be said");
        assert_eq!(StoredFacts::read(&name, &[object.bytes.get(1..).unwrap()]), None);
        assert_eq!(StoredFacts::read(&name, &[] as &[&[u8]]), None);
    }

    #[test]
    fn objects_of_another_format_are_not_read() {
        let bytes = br#"{"a.csv":{}}"#;
        assert_eq!(StoredFacts::read(&FactsName(vec![digest_of(bytes)]), &[bytes]), None);
    }

    proptest! {
        /// Each step says of which files something else is known, and which go.
        #[test]
        fn facts_that_change_are_read_back_from_their_layers(
            steps in prop::collection::vec(
                (prop::collection::vec((0_u32..300, 1_u64..9), 1..6), prop::collection::vec(0_u32..300, 0..3)), 1..60,
            ),
        ) {
            let path = |number: u32| format!("data/2023/{number:05}.csv");
            let mut facts: SourceFacts = (0..200).map(|number| (path(number), Arc::new(known(0)))).collect();
            let (mut stored, object) = StoredFacts::default().followed_by(facts.clone()).unwrap();
            let mut objects = BTreeMap::from([(object.name, object.bytes)]);
            for (there, gone) in steps {
                facts.extend(there.into_iter().map(|(number, size)| (path(number), Arc::new(known(size)))));
                gone.into_iter().for_each(|number| drop(facts.remove(&path(number))));
                if let Some((next, object)) = stored.followed_by(facts.clone()) {
                    stored = next;
                    objects.insert(object.name, object.bytes);
                }
                let name = stored.name();
                let bytes: Vec<&Vec<u8>> = name.paths().map(|path| objects.get(&path).unwrap()).collect();
                let read = StoredFacts::read(&name, &bytes).unwrap();
                prop_assert_eq!(&*read.facts, &facts);
                prop_assert_eq!(&read, &stored);
            }
        }
    }
}
