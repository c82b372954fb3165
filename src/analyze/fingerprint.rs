//! What decides the rows of a model besides its inputs, as one hash.

use std::collections::BTreeMap;

use super::TypedModel;
use super::input::{Input, InputTable};
use crate::name::ModelName;
use crate::project::{ModelConfig, Source};
use crate::span::Spanned;
use crate::table::Fingerprint;

/// Bumped when karat itself begins to compute other rows from the same SQL: then every table is stale.
const SEMANTICS: &str = "karat-semantics-3";

/// Names and types of the columns, the windows, and for a view what decides its rows.
pub(super) fn describe_input(table: &InputTable, typed: &BTreeMap<ModelName, TypedModel>) -> String {
    let columns: Vec<String> =
        table.schema.fields().iter().map(|field| format!("{} {}", field.name(), field.data_type())).collect();
    let view = match (&table.inlined, &table.input) {
        (Some(_), Input::Model(name)) => typed.get(name).map_or("", |model| &model.fingerprint),
        _ => "",
    };
    format!("\n{} ({}) {:?} {view}", table.name, columns.join(", "), table.windows)
}

/// Bumped when karat itself begins to read other values from the same files.
const READING: &str = "karat-reading-3";

/// How the files of a source are read.
pub(super) fn describe_source(source: &Source) -> String {
    let columns = (source.missing_columns, source.unknown_columns);
    format!("\n{READING} {:?} {:?} {columns:?}", source.format, source.forms)
}

/// Equal fingerprints and equal inputs make equal rows.
pub(super) fn fingerprint(config: &ModelConfig, decides: &str) -> Fingerprint {
    let columns =
        |columns: &[Spanned<String>]| columns.iter().map(|column| column.value.clone()).collect::<Vec<_>>().join(",");
    let mut hasher = blake3::Hasher::new();
    for part in [
        SEMANTICS,
        decides,
        config.materialized.word(),
        &config.materialized.fingerprint_part(&config.options()),
        config.event_time.as_ref().map_or("", |column| column.value.as_str()),
        &columns(&config.partition_by),
        &columns(&config.sort_by),
        config.batch_size.word(),
        &config.begin.map(|begin| begin.to_string()).unwrap_or_default(),
    ] {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    let hash: String = hasher.finalize().to_hex().chars().take(32).collect();
    hash.into()
}
