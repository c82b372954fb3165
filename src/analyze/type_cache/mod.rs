//! What commands keep of the types of models, so that the next one need not plan those that are as they were.
//!
//! A model is found by a key, a hash of everything that its typing depends on. Nothing is ever trusted that decides rows: whoever
//! needs a plan makes it, and what was kept is then compared with what comes out.

mod key;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use arrow::ipc::convert::{IpcSchemaEncoder, fb_to_schema};
use arrow::ipc::root_as_schema;

use super::typed_model::TypedFacts;
use super::{Input, ScannedTable};
use crate::name::{ModelName, SchemaName, TableName};
use crate::table::{Packer, Unpacker, decompressed};
use crate::template::{OnChange, ReferenceName};

pub(in crate::analyze) use key::{KeyedTypes, ModelKey};

/// The first bytes of what is kept: another form has another number.
const MAGIC: &[u8] = b"karat types 1\n";
const HASH_BYTES: usize = 32;

/// The types of models, by everything that they depend on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct TypeCache {
    kept: BTreeMap<ModelKey, TypedFacts>,
}

impl TypeCache {
    /// What was kept as these bytes: nothing if they are damaged, or of another form.
    pub fn from_bytes(bytes: &[u8]) -> TypeCache {
        TypeCache::read(bytes).unwrap_or_default()
    }

    fn read(bytes: &[u8]) -> Option<TypeCache> {
        let (hash, body) = bytes.strip_prefix(MAGIC)?.split_at_checked(HASH_BYTES)?;
        if blake3::hash(body).as_bytes() != hash {
            return None;
        }
        let body = decompressed(body).ok()?;
        let mut from = Unpacker::new(&body);
        let kept = from.many(|from| Some((ModelKey::unpacked(from)?, unpacked(from)?)))?;
        from.end()?;
        Some(TypeCache { kept })
    }

    /// The bytes that are kept.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut packer = Packer::default();
        packer.many(self.kept.iter(), |packer, (key, facts)| {
            key.pack(packer);
            pack(packer, facts);
        });
        let body = packer.compressed();
        [MAGIC, blake3::hash(&body).as_bytes(), &body].concat()
    }

    /// What is to be kept after a command that has used these: they, and of the others no more than there are of them. A person goes
    /// back and forth between targets and branches.
    pub fn after(&self, used: TypeCache) -> TypeCache {
        let others = self.kept.iter().filter(|(key, _)| !used.kept.contains_key(key)).take(used.kept.len());
        let others: Vec<(ModelKey, TypedFacts)> = others.map(|(key, facts)| (*key, facts.clone())).collect();
        let mut kept = used.kept;
        kept.extend(others);
        TypeCache { kept }
    }

    pub(super) fn get(&self, key: &ModelKey) -> Option<&TypedFacts> {
        self.kept.get(key)
    }

    /// Keeps what is known of a model, if it can be written down.
    pub(super) fn keep(&mut self, key: ModelKey, facts: TypedFacts) {
        let can_be_named = |scan: &ScannedTable| matches!(scan.input, Input::Model(_) | Input::Source(_) | Input::This);
        if facts.scans.iter().all(can_be_named) {
            self.kept.insert(key, facts);
        }
    }
}

fn pack(packer: &mut Packer, facts: &TypedFacts) {
    let TypedFacts { schema, fingerprint, scans } = facts;
    packer.bytes(IpcSchemaEncoder::new().schema_to_fb(schema).finished_data());
    packer.text(fingerprint);
    packer.many(scans.iter(), |packer, scan| {
        let ScannedTable { name, input, has_event_time, on_change } = scan;
        pack_table(packer, &name.table);
        packer.number(name.nth.into());
        match input {
            Input::Model(name) => {
                packer.number(0);
                packer.text(name.as_str());
            }
            Input::Source(name) => {
                packer.number(1);
                pack_table(packer, name);
            }
            // The others were never kept.
            Input::This | Input::Quarantine(_) | Input::Runs(_) => packer.number(2),
        }
        packer.flag(*has_event_time);
        packer.flag(*on_change == OnChange::Rebuild);
    });
}

fn pack_table(packer: &mut Packer, table: &TableName) {
    packer.text(table.schema.as_str());
    packer.text(&table.table);
}

fn unpacked(from: &mut Unpacker<'_>) -> Option<TypedFacts> {
    let schema: SchemaRef = Arc::new(fb_to_schema(root_as_schema(from.bytes()?).ok()?));
    let fingerprint = from.text()?.into();
    let scans = from.many(|from| {
        let table = unpacked_table(from)?;
        let name = ReferenceName { table, nth: u32::try_from(from.number()?).ok()? };
        let input = match from.number()? {
            0 => Input::Model(ModelName::parse(from.text()?).ok()?),
            1 => Input::Source(unpacked_table(from)?),
            2 => Input::This,
            _ => return None,
        };
        let has_event_time = from.flag()?;
        let on_change = if from.flag()? { OnChange::Rebuild } else { OnChange::Ignore };
        Some(ScannedTable { name, input, has_event_time, on_change })
    })?;
    Some(TypedFacts { schema, fingerprint, scans })
}

fn unpacked_table(from: &mut Unpacker<'_>) -> Option<TableName> {
    let schema = SchemaName::parse(from.text()?).ok()?;
    Some(TableName { schema, table: from.text()?.to_owned() })
}
