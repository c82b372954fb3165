//! The objects that a ledger is kept in: a complete one, and above it what changed since.
//!
//! An object is a few lines of JSON and then the slices in few bytes, all compressed, under a name made of its content.
//! Provenances are many slices' the same, so they stand in a list of their own. The uppermost object names those below it.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::changes::LedgerChanges;
use super::{Ledger, LedgerLayers, LedgerName, RowChanges, SliceEntry};
use crate::delta::Version;
use crate::table::backfill::WrittenBackfill;
use crate::table::layers::{ContentObject, Layer};
use crate::table::packed::{Packer, Unpacker, decompressed};
use crate::table::{Backfill, BadRecordCount, FactsName, FileDigest, Provenance, ProvenanceDigest, SliceKey, SliceMap};

/// The format of ledger objects that this code writes, and the only one that it reads.
const FORMAT: u32 = 4;

/// What an object begins with, as JSON, so that people can read it. For each slice follow, packed: the slice, the place of its
/// provenance, the digest of its files, its rows, and its changes. Then the slices that went, and the files that slices are in now
/// by those that they were in.
#[derive(Debug, Serialize, Deserialize)]
struct Head {
    format: u32,
    table: String,
    version: Version,
    /// The objects that it lies on, the complete one first. Empty if it is complete itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    below: Vec<LedgerName>,
    provenances: Vec<Provenance>,
    /// By the digest of what slices below were made of, the place of what they were made of from here on.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    lifted: BTreeMap<ProvenanceDigest, usize>,
    #[serde(rename = "known_from")]
    history_starts_at: Version,
    /// Of slices without an entry, the place of what they were made of.
    #[serde(rename = "rest")]
    default_provenance: Option<usize>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    foreign: Option<Vec<String>>,
    source_files: Option<FactsName>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    bad_records: Option<BadRecordCount>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    backfill: Option<WrittenBackfill>,
}

/// One object of a ledger, read back.
#[derive(Debug)]
pub(crate) struct LedgerLayer {
    name: LedgerName,
    bytes: usize,
    head: Head,
    provenances: Vec<Arc<Provenance>>,
    slices: Vec<(SliceKey, SliceEntry)>,
    gone: Vec<SliceKey>,
    moved: BTreeMap<FileDigest, FileDigest>,
}

impl Ledger {
    /// This ledger as it is once it is stored, and the object to store, which lies on those of the table's ledger before it.
    pub fn stored_on(mut self, before: Option<&Ledger>) -> (Ledger, ContentObject<LedgerName>) {
        let before = before.filter(|before| before.table == self.table && !before.layers.is_empty());
        let (lower, changes) = match before {
            Some(before) => (before.layers.clone(), LedgerChanges::between(before, &self)),
            None => (LedgerLayers::default(), LedgerChanges::default()),
        };
        let (layers, object) = lower.with(changes, |below, changes| self.object(below, changes));
        self.layers = layers;
        (self, object)
    }

    /// An object that says what changed against those below it, or everything.
    fn object(&self, below: &[LedgerName], changes: Option<&LedgerChanges>) -> ContentObject<LedgerName> {
        let (entries, gone): (Vec<(&SliceKey, &SliceEntry)>, Vec<&SliceKey>) = match changes {
            None => (self.slices.iter().collect(), Vec::new()),
            Some(changes) => {
                let (there, gone): (Vec<_>, Vec<_>) =
                    changes.slices.iter().partition(|slice| self.slices.contains_key(slice));
                (there.into_iter().filter_map(|slice| Some((slice, self.slices.get(slice)?))).collect(), gone)
            }
        };
        let mut provenances = PlacedProvenances::default();
        let places: Vec<usize> = entries.iter().map(|(_, entry)| provenances.place(&entry.provenance)).collect();
        let lifted = changes.into_iter().flat_map(|changes| &changes.lifted);
        let lifted = lifted.map(|(from, to)| (*from, provenances.place(to))).collect();
        let default_provenance = self.default_provenance.as_ref().map(|made_of| provenances.place(made_of));
        let head = Head {
            format: FORMAT,
            table: self.table.clone(),
            version: self.version,
            below: below.to_vec(),
            provenances: provenances.list,
            lifted,
            history_starts_at: self.history_starts_at,
            default_provenance,
            foreign: self.foreign.as_ref().map(|slices| slices.iter().map(SliceKey::to_string).collect()),
            source_files: self.source_files.clone(),
            bad_records: self.bad_records,
            backfill: self.backfill.as_ref().map(Backfill::to_written),
        };
        let mut packer = Packer::default();
        packer.text(&serde_json::to_string(&head).expect("lists and maps with text keys can be written as JSON"));
        packer.many(entries.iter().zip(places), |packer, ((slice, entry), place)| {
            packer.slice(**slice);
            packer.number(place as u64);
            packer.hash(entry.files.0);
            packer.rows(entry.rows);
            entry.changes.pack(packer);
        });
        packer.many(gone.iter(), |packer, slice| packer.slice(**slice));
        let unmoved = BTreeMap::new();
        let moved = changes.map_or(&unmoved, |changes| &changes.moved);
        packer.many(moved.iter(), |packer, (from, to)| {
            packer.hash(from.0);
            packer.hash(to.0);
        });
        let bytes = packer.compressed();
        ContentObject { name: LedgerName::of(&bytes), bytes }
    }

    /// Puts the layers of a ledger together, the complete one first; the error says why they are none.
    pub fn of_layers(layers: Vec<LedgerLayer>) -> io::Result<Ledger> {
        let names: Vec<LedgerName> = layers.iter().map(|layer| layer.name).collect();
        let mut known = KnownProvenances::default();
        // Layers are laid over each other from the complete one up; each says of a slice what it is, or that it is
        // gone.
        let mut slices = SliceMap::new();
        let mut stored = Vec::new();
        let mut head = None;
        for (place, mut layer) in layers.into_iter().enumerate() {
            if !names.starts_with(layer.below()) || layer.below().len() != place {
                return Err(invalid("its layers do not build on each other"));
            }
            if head.as_ref().is_some_and(|(lower, _): &(Head, _)| lower.table != layer.head.table) {
                return Err(invalid("its layers are of several tables"));
            }
            let of_layer = std::mem::take(&mut layer.provenances);
            let known_as: BTreeMap<*const Provenance, Arc<Provenance>> =
                of_layer.iter().map(|provenance| (Arc::as_ptr(provenance), known.one(provenance))).collect();
            layer.provenances =
                of_layer.iter().filter_map(|provenance| known_as.get(&Arc::as_ptr(provenance)).cloned()).collect();
            let changes = layer.changes()?;
            lift(&mut slices, &changes);
            let gone = &layer.gone;
            slices.retain(|slice, _| gone.binary_search(slice).is_err());
            let entries = layer.slices.into_iter().map(|(slice, entry)| {
                let provenance = known_as.get(&Arc::as_ptr(&entry.provenance)).cloned();
                (slice, SliceEntry { provenance: provenance.unwrap_or(entry.provenance), ..entry })
            });
            slices = slices.overlaid(entries.collect());
            let changes = (place > 0).then_some(changes);
            stored.push(Layer { name: layer.name, bytes: layer.bytes, changes });
            head = Some((layer.head, layer.provenances));
        }
        let (head, provenances) = head.ok_or_else(|| invalid("it has no layers"))?;
        Ok(Ledger {
            table: head.table,
            version: head.version,
            slices,
            history_starts_at: head.history_starts_at,
            default_provenance: head.default_provenance.map(|place| provenance_at(&provenances, place)).transpose()?,
            foreign: head
                .foreign
                .map(|slices| {
                    let read = slices.iter().map(|slice| SliceKey::parse(slice));
                    read.collect::<Option<_>>().ok_or_else(|| invalid("a slice has no valid name"))
                })
                .transpose()?,
            source_files: head.source_files,
            bad_records: head.bad_records,
            backfill: head
                .backfill
                .map(|written| written.read().ok_or_else(|| invalid("a range is invalid")))
                .transpose()?,
            layers: stored.into_iter().collect(),
        })
    }
}

/// Slices that a layer does not name may be made of newer inputs from it on.
fn lift(slices: &mut SliceMap<SliceEntry>, changes: &LedgerChanges) {
    if changes.lifted.is_empty() && changes.moved.is_empty() {
        return;
    }
    // Most slices share one provenance: each is looked up once.
    let mut lifted: BTreeMap<*const Provenance, Option<&Arc<Provenance>>> = BTreeMap::new();
    for (_, entry) in slices.iter_mut() {
        let before = &entry.provenance;
        let after = *lifted.entry(Arc::as_ptr(before)).or_insert_with(|| changes.lifted.get(&before.digest()));
        if let Some(after) = after {
            entry.provenance = Arc::clone(after);
        }
        if let Some(files) = changes.moved.get(&entry.files) {
            entry.files = *files;
        }
    }
}

impl LedgerLayer {
    /// Reads an object back; the error says why it is none of this name.
    pub fn read(name: LedgerName, bytes: &[u8]) -> io::Result<LedgerLayer> {
        if LedgerName::of(bytes) != name {
            return Err(invalid("its content is not what its name says"));
        }
        let stored_bytes = bytes.len();
        let bytes = decompressed(bytes)?;
        let mut unpacker = Unpacker::new(&bytes);
        let head = unpacker.text().ok_or_else(|| invalid(OTHER_FORMAT))?;
        let mut head: Head = serde_json::from_str(head).map_err(|_| invalid(OTHER_FORMAT))?;
        if head.format != FORMAT {
            return Err(invalid(OTHER_FORMAT));
        }
        let provenances: Vec<Arc<Provenance>> =
            std::mem::take(&mut head.provenances).into_iter().map(Arc::new).collect();
        let slices = unpacker
            .many(|from| {
                let slice = from.slice()?;
                let provenance = provenances.get(usize::try_from(from.number()?).ok()?).cloned()?;
                let files = FileDigest(from.hash()?);
                Some((
                    slice,
                    SliceEntry { provenance, files, rows: from.rows()?, changes: RowChanges::unpacked(from)? },
                ))
            })
            .ok_or_else(|| invalid("a slice cannot be read"))?;
        let gone = unpacker.many(Unpacker::slice).ok_or_else(|| invalid("a slice cannot be read"))?;
        let moved = unpacker.many(|from| Some((FileDigest(from.hash()?), FileDigest(from.hash()?))));
        let moved = moved.ok_or_else(|| invalid("a digest cannot be read"))?;
        unpacker.end().ok_or_else(|| invalid("it does not end where it should"))?;
        Ok(LedgerLayer { name, bytes: stored_bytes, head, provenances, slices, gone, moved })
    }

    /// The objects that it lies on, the complete one first.
    pub fn below(&self) -> &[LedgerName] {
        &self.head.below
    }

    pub fn source_files(&self) -> Option<&FactsName> {
        self.head.source_files.as_ref()
    }

    fn changes(&self) -> io::Result<LedgerChanges> {
        let slices = self.slices.iter().map(|(slice, _)| *slice).chain(self.gone.iter().copied()).collect();
        let lifted = self.head.lifted.iter().map(|(from, to)| Ok((*from, provenance_at(&self.provenances, *to)?)));
        Ok(LedgerChanges { slices, lifted: lifted.collect::<io::Result<_>>()?, moved: self.moved.clone() })
    }
}

const OTHER_FORMAT: &str = "another version of karat wrote it";

fn invalid(reason: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason.to_owned())
}

fn provenance_at(provenances: &[Arc<Provenance>], place: usize) -> io::Result<Arc<Provenance>> {
    provenances.get(place).cloned().ok_or_else(|| invalid("a provenance is missing"))
}

/// A list in which equal provenances stand once.
#[derive(Default)]
struct PlacedProvenances {
    list: Vec<Provenance>,
    /// Most slices share one: then they need not be compared.
    places: BTreeMap<*const Provenance, usize>,
    distinct: BTreeMap<Arc<Provenance>, usize>,
}

impl PlacedProvenances {
    fn place(&mut self, provenance: &Arc<Provenance>) -> usize {
        if let Some(place) = self.places.get(&Arc::as_ptr(provenance)) {
            return *place;
        }
        let next = self.list.len();
        let place = *self.distinct.entry(Arc::clone(provenance)).or_insert(next);
        if place == next {
            self.list.push(Provenance::clone(provenance));
        }
        self.places.insert(Arc::as_ptr(provenance), place);
        place
    }
}

/// One of all equal provenances, whichever layer they stand in.
#[derive(Default)]
struct KnownProvenances(std::collections::BTreeSet<Arc<Provenance>>);

impl KnownProvenances {
    fn one(&mut self, provenance: &Arc<Provenance>) -> Arc<Provenance> {
        if let Some(known) = self.0.get(provenance) {
            return Arc::clone(known);
        }
        self.0.insert(Arc::clone(provenance));
        Arc::clone(provenance)
    }
}

#[cfg(test)]
mod tests;
