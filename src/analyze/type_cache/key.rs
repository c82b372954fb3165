//! The key under which the types of a model are kept: a hash of everything that they depend on.

use std::collections::BTreeMap;
use std::fmt::Debug;

use crate::analyze::TypedModel;
use crate::analyze::fingerprint::describe_source;
use crate::analyze::schema::source_schema;
use crate::name::ModelName;
use crate::project::{Column, ModelConfig, Project, Source, UpdatedColumns};
use crate::span::Spanned;
use crate::table::{Packer, Unpacker};
use crate::template::{Reference, ReferenceTarget, RenderedModel, RenderedSql};

/// Stands for a model as it is: its texts, its config, and what it sees of its inputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::analyze) struct ModelKey([u128; 2]);

impl ModelKey {
    pub(super) fn pack(self, packer: &mut Packer) {
        self.0.into_iter().for_each(|half| packer.hash(half));
    }

    pub(super) fn unpacked(from: &mut Unpacker<'_>) -> Option<ModelKey> {
        Some(ModelKey([from.hash()?, from.hash()?]))
    }
}

/// The keys of models, each of which is made of those of the views that it reads.
pub(in crate::analyze) struct KeyedTypes<'a> {
    pub project: &'a Project,
    /// Which program types the models.
    pub program: &'a str,
    pub keys: BTreeMap<ModelName, ModelKey>,
}

impl KeyedTypes<'_> {
    /// The key of a model that is planned from its text, after all that it reads. Returns `None` for those that are not: seeds and
    /// snapshots, and what reads something without a key.
    pub fn key_of(&self, rendered: &RenderedModel, typed: &BTreeMap<ModelName, TypedModel>) -> Option<ModelKey> {
        let model = self.project.models.get(&rendered.name)?;
        if model.seed.is_some() || model.snapshot.is_some() {
            return None;
        }
        let mut hash = KeyHash::default();
        hash.text(self.program);
        hash.value(&self.project.reading);
        hash.value(&(&rendered.name, &rendered.table));
        hash.config(&rendered.config);
        hash.value(&model.columns.len());
        model.columns.iter().for_each(|column| hash.column(column));
        self.add_text(&mut hash, &rendered.full, typed)?;
        hash.value(&rendered.sliced.is_some());
        if let Some(sliced) = &rendered.sliced {
            self.add_text(&mut hash, sliced, typed)?;
        }
        Some(hash.key())
    }

    fn add_text(&self, hash: &mut KeyHash, sql: &RenderedSql, typed: &BTreeMap<ModelName, TypedModel>) -> Option<()> {
        let RenderedSql { text, references, places, map: _, test_config: _ } = sql;
        hash.text(text);
        hash.value(places);
        hash.value(&references.len());
        for reference in references {
            let Reference { name, target, window, on_change, through: _, span: _ } = reference;
            hash.value(&(name, target, window, on_change));
            match target {
                ReferenceTarget::Model(name) => self.add_model(hash, typed.get(name)?)?,
                ReferenceTarget::Source(name) => hash.source(self.project.sources.get(name)?),
                ReferenceTarget::This => {}
            }
        }
        Some(())
    }

    /// What a model sees of another one: of a table its columns and how it is cut, of a view everything.
    fn add_model(&self, hash: &mut KeyHash, model: &TypedModel) -> Option<()> {
        hash.value(&model.schema);
        hash.value(&(model.event_time(), model.partition_columns(), model.config.materialized.word()));
        if !model.config.materialized.is_stored() {
            hash.value(&(self.keys.get(&model.name)?, &*model.fingerprint));
        }
        Some(())
    }
}

/// Hashes parts, each with its length, so that no two lists of parts are one.
#[derive(Default)]
struct KeyHash {
    hasher: blake3::Hasher,
    buffer: String,
}

impl KeyHash {
    fn text(&mut self, text: &str) {
        self.hasher.update(&(text.len() as u64).to_le_bytes());
        self.hasher.update(text.as_bytes());
    }

    /// A value as it is shown for debugging, which has all of its parts.
    fn value(&mut self, value: &impl Debug) {
        use std::fmt::Write;

        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.clear();
        write!(buffer, "{value:?}").expect("a text can be written to");
        self.text(&buffer);
        self.buffer = buffer;
    }

    fn names(&mut self, names: &[Spanned<String>]) {
        self.value(&names.len());
        names.iter().for_each(|name| self.text(&name.value));
    }

    /// Every config that says something of columns or rows, and no place in a file.
    fn config(&mut self, config: &ModelConfig) {
        let ModelConfig {
            materialized,
            unique_key,
            updated_columns,
            on_schema_change,
            event_time,
            partition_by,
            batch_size,
            begin,
            sort_by,
            contract,
            tags: _,
            access: _,
            group: _,
            enabled: _,
            full_refresh: _,
            schema: _,
            alias: _,
            target_schema: _,
            idle: _,
            assumed_append: _,
            snapshot: _,
            hooks: _,
            freshness: _,
            meta: _,
        } = config;
        self.text(materialized.word());
        self.value(&materialized.strategy());
        self.text(&materialized.fingerprint_part(&config.options()));
        self.names(unique_key);
        match updated_columns {
            UpdatedColumns::All => self.text("all"),
            UpdatedColumns::Only(columns) => {
                self.text("only");
                self.names(columns);
            }
            UpdatedColumns::AllBut(columns) => {
                self.text("all but");
                self.names(columns);
            }
        }
        self.value(&(on_schema_change, batch_size, begin, contract.is_some()));
        self.value(&event_time.as_ref().map(|column| &column.value));
        self.names(partition_by);
        self.names(sort_by);
    }

    fn column(&mut self, column: &Column) {
        let Column { name, data_type, tests, written, description: _, constraints: _ } = column;
        self.text(&name.value);
        self.value(&data_type.as_ref().map(|data_type| &data_type.value));
        self.value(&(tests.is_empty(), written));
    }

    fn source(&mut self, source: &Source) {
        self.value(&source_schema(source));
        self.value(&source.event_time.as_ref().map(|column| &column.value));
        self.text(&describe_source(source));
    }

    fn key(self) -> ModelKey {
        let bytes = self.hasher.finalize();
        let (halves, _) = bytes.as_bytes().as_chunks::<16>();
        let halves = halves.iter().map(|half| u128::from_le_bytes(*half));
        let halves: Vec<u128> = halves.collect();
        ModelKey(halves.try_into().expect("a hash has 32 bytes"))
    }
}
