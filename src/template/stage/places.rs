//! Where models stand in the lake: as their configs say, or as the project's own `generate_…_name` macros say.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::diag::{Checked, Code, Diagnostic, Sink};
use crate::name::{ModelName, NodeKind, SchemaName, TableName};
use crate::project::{Model, ModelConfig, Project, Settings};
use crate::span::{FileId, Span};
use crate::template::environment::Engine;
use crate::template::macros::{Library, MacroName};
use crate::template::render::{RenderSubject, Variant};

use super::{Prepared, Stage, TextInputs, subject, tell, text_stage};

/// The macro that decides over the schema, as dbt calls it.
const SCHEMA_MACRO: &str = "generate_schema_name";
const ALIAS_MACRO: &str = "generate_alias_name";
const DATABASE_MACRO: &str = "generate_database_name";

/// What such a macro is told of a data test.
const TEST_NODE: &str = "{'resource_type': 'test', 'fqn': [project_name], 'package_name': project_name, 'tags': [], 'meta': {}, 'config': {}}";

/// What the config of a model says of its place.
#[derive(Debug, Clone, Copy)]
pub(super) struct WrittenPlace<'a> {
    schema: Option<&'a str>,
    alias: Option<&'a str>,
    /// The schema of a snapshot that no macro decides over.
    target_schema: Option<&'a str>,
    database: Option<&'a str>,
}

impl<'a> WrittenPlace<'a> {
    /// What YAML says.
    fn in_yaml(model: &'a Model) -> WrittenPlace<'a> {
        let text = |key| model.settings.get(key).and_then(|found| found.value.as_str());
        let target_schema = text("target_schema").filter(|_| model.kind() == NodeKind::Snapshot);
        WrittenPlace { schema: text("schema"), alias: text("alias"), target_schema, database: text("database") }
    }

    /// What the whole config says, once it is checked.
    pub(super) fn in_config(config: &'a ModelConfig, settings: &'a Settings) -> WrittenPlace<'a> {
        WrittenPlace {
            schema: config.schema.as_ref().map(SchemaName::as_str),
            alias: config.alias.as_ref().map(|alias| alias.value.as_str()),
            target_schema: config.target_schema.as_ref().map(SchemaName::as_str),
            database: settings.get("database").and_then(|found| found.value.as_str()),
        }
    }
}

/// A macro that makes a name of what the config says.
struct NameMacro<'a> {
    name: &'a str,
    written: Option<&'a str>,
}

/// The schemas that the project's own `generate_schema_name` makes of those that data tests name. Empty if there is no such macro.
///
/// # Errors
///
/// Returns an error if the macro fails, or gives a name that is none.
pub fn test_schemas(
    inputs: TextInputs<'_>,
    written: &BTreeSet<String>,
    sink: &mut Sink,
) -> Checked<BTreeMap<String, SchemaName>> {
    let library = Arc::new(Library::read(inputs.project, inputs.files, sink)?);
    let Some(found) = library.of_root(SCHEMA_MACRO) else { return Ok(BTreeMap::new()) };
    let file = library.file_of(&found).and_then(|index| library.files.get(index)).map(|file| file.file);
    let Some(file) = file else { return Ok(BTreeMap::new()) };
    let engine = Engine::new(&library, inputs.files);
    let mut stage = text_stage(inputs, &library, engine);
    let named = sink.check_all(written, |schema, sink| {
        let custom = serde_json::Value::from(schema.as_str()).to_string();
        // One schema serves all tests that name it: what they are called themselves says nothing of where their rows are.
        let text = format!("{{{{ {}({custom}, {TEST_NODE}) }}}}", found.name);
        let mut prepared = stage.prepare(file, &text, &found.package);
        let attempt = stage.attempt(&mut prepared, &RenderSubject::Text, Variant::Full);
        tell(attempt.record.diagnostics, sink)?;
        let name = attempt.text.map_err(|diagnostic| sink.error(*diagnostic))?.text.trim().to_owned();
        match SchemaName::parse(&name) {
            Ok(name) => Ok((schema.clone(), name)),
            Err(wrong) => {
                let message = format!("`{SCHEMA_MACRO}` gives `{name}` for data tests, which is no schema: {wrong}");
                Err(sink.error(Diagnostic::error(Code::InvalidName, message).at(Span::new(file, 0..0))))
            }
        }
    });
    Ok(named?.into_iter().collect())
}

impl Stage<'_> {
    /// Where the models stand unless their own `config()` says something else.
    pub(super) fn assume_tables(&mut self, project: &Project, sink: &mut Sink) -> Checked<()> {
        let placed = sink.check_all(project.models.values(), |model, sink| {
            let own = model.table(None, None);
            let table = self.place(model, &own, WrittenPlace::in_yaml(model), sink)?;
            Ok((model.name.clone(), table))
        })?;
        Arc::make_mut(&mut self.facts).tables = placed.into_iter().collect();
        Ok(())
    }

    /// Where a model was assumed to stand.
    pub(super) fn table_of(&self, model: &ModelName) -> TableName {
        let table = self.facts.tables.get(model).cloned();
        table.expect("every model of the project has a place before it is rendered")
    }

    /// Where a model stands by what is written of it. `assumed` is where it was thought to stand before.
    pub(super) fn place(
        &mut self,
        model: &Model,
        assumed: &TableName,
        written: WrittenPlace<'_>,
        sink: &mut Sink,
    ) -> Checked<TableName> {
        let schema = match self.call(NameMacro { name: SCHEMA_MACRO, written: written.schema }, model, assumed, sink)? {
            Some((name, at)) => Some(SchemaName::parse(&name).map_err(|wrong| {
                let message =
                    format!("`{SCHEMA_MACRO}` gives `{name}` for `{}`, which is no schema: {wrong}", model.name);
                sink.error(Diagnostic::error(Code::InvalidName, message).at(Span::new(at, 0..0)))
            })?),
            // A schema that is none was reported where the config is read.
            None => written.schema.and_then(|name| SchemaName::parse(name).ok()),
        };
        let alias = match self.call(NameMacro { name: ALIAS_MACRO, written: written.alias }, model, assumed, sink)? {
            Some((name, at)) => match ModelName::parse(&name) {
                Ok(_) => Some(name),
                Err(wrong) => {
                    let message =
                        format!("`{ALIAS_MACRO}` gives `{name}` for `{}`, which is no name: {wrong}", model.name);
                    return Err(sink.error(Diagnostic::error(Code::InvalidName, message).at(Span::new(at, 0..0))));
                }
            },
            None => written.alias.filter(|name| ModelName::parse(name).is_ok()).map(str::to_owned),
        };
        let target_schema = written.target_schema.and_then(|name| SchemaName::parse(name).ok());
        let table = model.table(target_schema.or(schema).as_ref(), alias.as_deref());
        self.name_database(model, &table, written, sink)?;
        Ok(table)
    }

    /// Keeps what the project calls the database of a table. Templates may ask for it; where the table is does not depend on it.
    fn name_database(
        &mut self,
        model: &Model,
        table: &TableName,
        written: WrittenPlace<'_>,
        sink: &mut Sink,
    ) -> Checked<()> {
        let asked = NameMacro { name: DATABASE_MACRO, written: written.database };
        let database = match self.call(asked, model, table, sink)? {
            Some((name, file)) => {
                if *name != *self.facts.target.database {
                    self.databases_named_at.get_or_insert(file);
                }
                Some(name)
            }
            None => written.database.map(str::to_owned),
        };
        if let Some(database) = database.filter(|name| **name != *self.facts.target.database) {
            let facts = Arc::make_mut(&mut self.facts);
            facts.databases.insert(table.clone(), database.into());
        }
        Ok(())
    }

    /// What to say where a macro names databases.
    pub(super) fn note_of_databases(&self) -> Option<Diagnostic> {
        let file = self.databases_named_at?;
        let message = format!("the databases that `{DATABASE_MACRO}` names are names only: a lake has none");
        let help = "tables of one schema and one name would be the same table: let their schemas differ";
        Some(Diagnostic::warning(Code::DiffersFromDbt, message).at(Span::new(file, 0..0)).help(help))
    }

    /// What a macro of the project says, and the file that defines it. Returns `None` if there is no such macro.
    fn call(
        &mut self,
        asked: NameMacro<'_>,
        model: &Model,
        assumed: &TableName,
        sink: &mut Sink,
    ) -> Checked<Option<(String, FileId)>> {
        let NameMacro { name, written } = asked;
        let library = Arc::clone(&self.facts.library);
        let Some(found) = library.of_root(name) else { return Ok(None) };
        let Some(file) = library.file_of(&found).and_then(|index| library.files.get(index)).map(|file| file.file)
        else {
            return Ok(None);
        };
        let custom = written.map_or_else(|| "none".to_owned(), |text| serde_json::Value::from(text).to_string());
        let mut prepared = self.prepare_call(&found, &custom, file);
        let attempt = self.attempt(&mut prepared, &subject(model, assumed), Variant::Full);
        tell(attempt.record.diagnostics, sink)?;
        let text = attempt.text.map_err(|diagnostic| sink.error(*diagnostic))?;
        Ok(Some((text.text.trim().to_owned(), file)))
    }

    fn prepare_call(&self, found: &MacroName, custom: &str, file: FileId) -> Prepared {
        let text = format!("{{{{ {}({custom}, model) }}}}", found.name);
        self.prepare(file, &text, &found.package)
    }
}
