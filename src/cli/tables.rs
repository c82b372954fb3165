//! Tables that a person names: by the model, or as `schema.table`.

use std::collections::BTreeSet;

use super::app::App;
use super::exit::Exit;
use crate::analyze::quarantine_table;
use crate::diag::{Code, Diagnostic};
use crate::name::{ModelName, QUARANTINE_SUFFIX, SchemaName, TableName};
use crate::pipeline::Loaded;
use crate::select::Selection;

/// The table of a model, of its bad records (`model_quarantine`), or any table of the lake (`schema.table`).
pub(crate) fn named(app: &App<'_>, loaded: &Loaded, text: &str) -> Result<TableName, Exit> {
    let of_model = |name: &str| Some(loaded.rendered.outline(&ModelName::parse(name).ok()?)?.table.clone());
    let of_bad_records = || Some(quarantine_table(&of_model(text.strip_suffix(QUARANTINE_SUFFIX)?)?));
    let found = of_model(text).or_else(of_bad_records).or_else(|| of_lake(text));
    found.ok_or_else(|| {
        let known = loaded.rendered.outlines().map(|model| model.name.as_str());
        let diagnostic = Diagnostic::error(Code::UnknownRef, format!("no model is called `{text}`"));
        let diagnostic = diagnostic.suggest(text, known).help("`karat ls` lists the models");
        app.fail(diagnostic.help("a table is named `schema.table`"), &loaded.files, Exit::Failed)
    })
}

fn of_lake(text: &str) -> Option<TableName> {
    let (schema, table) = text.split_once('.')?;
    ModelName::parse(table).ok()?;
    Some(TableName { schema: SchemaName::parse(schema).ok()?, table: table.to_owned() })
}

/// The tables of the selected models, and those of their bad records.
pub(crate) fn of_models(loaded: &Loaded, selection: &Selection) -> BTreeSet<TableName> {
    let models = loaded.rendered.outlines().filter(|model| selection.contains(&model.name));
    models.flat_map(|model| [model.table.clone(), quarantine_table(&model.table)]).collect()
}

/// Says that there is no such table.
pub(crate) fn not_built(app: &App<'_>, loaded: &Loaded, table: &TableName) -> Exit {
    let diagnostic = Diagnostic::error(Code::NotBuilt, format!("`{table}` has not been built yet"));
    app.fail(diagnostic.help("`karat run` builds whatever is out of date"), &loaded.files, Exit::Failed)
}
