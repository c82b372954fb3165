//! The columns that a step writes: those of its model, or those that its table keeps.

use std::borrow::Cow;

use arrow::datatypes::SchemaRef;
use datafusion::common::DataFusionError;

use super::context::RunContext;
use super::replace::Replaced;
use crate::analyze::TypedModel;
use crate::delta::TableSchema;
use crate::diag::{Code, Diagnostic};
use crate::failure::Failure;
use crate::incremental::{Build, Refresh};
use crate::project::SnapshotConfig;
use crate::span::Spanned;
use crate::store::kept;
use crate::table::{Difference, MADE_AS, RefusedColumns, SchemaChange, TableState};

impl RunContext<'_> {
    /// The model as the step writes it: with the columns that its table will have. Fails before anything is written
    /// if the table cannot get them.
    pub(super) fn as_written<'m>(
        &self,
        model: &'m TypedModel,
        build: &Build,
        replaced: &Replaced,
        base: Option<&TableState>,
    ) -> Result<Cow<'m, TypedModel>, Failure> {
        let has_parts = model.config.materialized.has_parts();
        let Some(base) = base.filter(|_| has_parts && self.refresh_of(model) != Refresh::Full) else {
            return Ok(Cow::Borrowed(model));
        };
        // Copied rows come from files that stay as far as their columns go.
        let copied = if replaced.shared { &replaced.files[..] } else { &[] };
        let stay: Vec<_> = kept(Some(base), &replaced.files).into_iter().chain(copied).collect();
        let is_part = !stay.is_empty() || !build.is_whole();
        if is_part && base.partition_columns != model.partition_columns() {
            return Err(other_partitions(model));
        }
        let was = base.properties.get(MADE_AS).filter(|was| is_part && !is_made_alike(model, was));
        if let Some(was) = was {
            return Err(made_otherwise(model, was));
        }
        let now = TableSchema::of(&model.schema).map_err(DataFusionError::from)?;
        let on_change = model.config.on_schema_change;
        let change = SchemaChange { table: &base.schema, model: &now, on_change, stay: &stay };
        let columns = change.settle(&model.schema).map_err(|refused| failure(model, &refused))?;
        named_columns_are_written(model, &columns)?;
        if columns == model.schema {
            return Ok(Cow::Borrowed(model));
        }
        Ok(Cow::Owned(TypedModel { schema: columns, ..model.clone() }))
    }
}

/// What to do where the table and the model do not fit each other.
fn full_refresh(model: &TypedModel) -> String {
    if model.is_snapshot() {
        return "a history cannot be built again: undo the change, or give the snapshot another name".to_owned();
    }
    if model.config.full_refresh == Some(false) {
        return "undo the change, or take away `full_refresh: false`, and build it whole".to_owned();
    }
    format!("build it whole: `karat run --full-refresh --select {}`", model.name)
}

fn other_partitions(model: &TypedModel) -> Failure {
    let message = format!("`partition_by` of `{}` changed, so a part of it cannot be built alone", model.name);
    Failure::Project(Diagnostic::error(Code::SchemaChanged, message).help(full_refresh(model)))
}

/// How the rows of a model's table are told apart. Rows that were made in another way cannot stand beside new ones: a key
/// that was none may stand there twice, and slices of another length overlap.
pub(super) fn made_as(model: &TypedModel) -> String {
    // These words are kept in the properties of tables and compared with those of later runs: other words would make every
    // table look as if its config had changed.
    let config = &model.config;
    let names = |columns: &[Spanned<String>]| {
        columns.iter().map(|column| format!("`{}`", column.value)).collect::<Vec<_>>().join(", ")
    };
    if let Some(snapshot) = &config.snapshot {
        return format!("{}{}", versions_made_as(snapshot, &names(&snapshot.unique_key)), valid_until(snapshot));
    }
    match (model.is_sliced(), model.event_time(), config.unique_key.as_slice()) {
        (true, Some(event_time), _) => {
            format!("slices of a {} by `{event_time}`", config.batch_size)
        }
        _ if model.is_refresh_equivalent() => "one piece".to_owned(),
        (_, _, []) => format!("rows of `{}`", config.materialized.strategy().unwrap_or_default()),
        (_, _, key) => {
            let strategy = config.materialized.strategy().unwrap_or_default();
            format!("rows of `{strategy}`, told apart by {}", names(key))
        }
    }
}

/// How versions are told apart: by key, and by the columns that say when they are valid.
fn versions_made_as(snapshot: &SnapshotConfig, key: &str) -> String {
    let columns: Vec<String> = snapshot.added_columns().into_iter().map(|column| format!("`{column}`")).collect();
    format!("versions of rows with {}, told apart by {key}", columns.join(", "))
}

/// What the end of a valid version is.
fn valid_until(snapshot: &SnapshotConfig) -> String {
    snapshot.valid_to_current.as_ref().map_or(String::new(), |current| format!(", valid until `{}`", current.value))
}

/// Whether rows that were made in this way can be beside new ones.
fn is_made_alike(model: &TypedModel, was: &str) -> bool {
    let now = made_as(model);
    // A null is the end of a valid version whatever else is.
    let until = model.config.snapshot.as_ref().map(valid_until).unwrap_or_default();
    was == now || now.strip_suffix(until.as_str()) == Some(was)
}

/// The words that are kept with a table, as messages say them.
fn for_people(made_as: &str) -> String {
    match made_as {
        "one piece" => "rows built as a whole".to_owned(),
        other => other.replace(", told apart by ", ", identified by "),
    }
}

fn made_otherwise(model: &TypedModel, was: &str) -> Failure {
    let message =
        format!("the config of `{}` changed: its rows were built differently, and some of them would stay", model.name);
    let note = format!("its table has {}, but the config says {}", for_people(was), for_people(&made_as(model)));
    Failure::Project(Diagnostic::error(Code::ConfigChanged, message).note(note).help(full_refresh(model)))
}

/// What the config names must be in the table: rows are dealt out, ordered and found by it.
fn named_columns_are_written(model: &TypedModel, columns: &SchemaRef) -> Result<(), Failure> {
    let config = &model.config;
    let named = config.partition_by.iter().chain(&config.sort_by).chain(&config.unique_key).chain(&config.event_time);
    let named = named.chain(config.updated_columns.written_over());
    let is_lost = |name: &str| model.schema.field_with_name(name).is_ok() && columns.field_with_name(name).is_err();
    match named.map(|column| &column.value).find(|name| is_lost(name)) {
        None => Ok(()),
        Some(name) => {
            let message = format!("`{}` has no column `{name}`, which the config of its model names", model.table);
            let note = "with `on_schema_change: ignore` a table gets no new columns";
            let diagnostic = Diagnostic::error(Code::SchemaChanged, message).note(note);
            Err(Failure::Project(diagnostic.help(full_refresh(model))))
        }
    }
}

fn failure(model: &TypedModel, refused: &RefusedColumns) -> Failure {
    let message = format!("the columns of `{}` changed", model.name);
    let of = |difference: &Difference| {
        let diagnostic = Diagnostic::error(Code::SchemaChanged, message.clone());
        diagnostic.note(difference.lines().collect::<Vec<_>>().join("\n"))
    };
    let diagnostic = match refused {
        RefusedColumns::NotAllowed(difference) => of(difference),
        RefusedColumns::OtherType(difference) => {
            of(difference).note("remaining files have the old type, and not every reader can read it as the new one")
        }
        RefusedColumns::HeldBefore(difference, name) => of(difference).note(format!(
            "files of the table already contain a column called `{name}`: its old values would reappear"
        )),
        RefusedColumns::StaysUnseen(difference, name) => of(difference)
            .note(format!("remaining files contain `{name}`, whose type has no statistics that would reveal it later")),
        RefusedColumns::CannotWrite(difference, name) => {
            of(difference).note(format!("karat cannot write a column of the type of `{name}`"))
        }
        RefusedColumns::Unreadable => {
            let message = format!("the log of `{}` has no schema that can be read", model.table);
            Diagnostic::error(Code::CorruptTable, message)
        }
    };
    let diagnostic = diagnostic.help(full_refresh(model));
    Failure::Project(match refused {
        RefusedColumns::NotAllowed(_) => diagnostic
            .help("or say what to do: `on_schema_change` can be `ignore`, `append_new_columns` or `sync_all_columns`"),
        _ => diagnostic,
    })
}
