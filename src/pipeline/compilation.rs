//! A project as far as it could be made out.

use super::load::{Compiled, Workspace, compile_models, load, plan_checks};
use crate::analyze::TypedModel;
use crate::analyze::lineage::{ColumnLineage, column_lineage};
use crate::check::{Guards, StoredByDefault};
use crate::diag::{Diagnostic, Severity, Sink};
use crate::name::{ModelName, TableName};
use crate::project::LoadRequest;
use crate::span::SourceFiles;
use crate::template::RenderedModel;

/// What compiling gave: the models that are well, and what is wrong with the others.
#[derive(Debug)]
pub struct Compilation {
    /// The files, if there is no telling what the project is.
    files: SourceFiles,
    diagnostics: Vec<Diagnostic>,
    /// Its models that are well. None if there is no telling what the project is.
    compiled: Option<Compiled>,
    /// The data tests of the models that are well.
    guards: Guards,
}

/// A column of a model's table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelColumn {
    /// The column's name.
    pub name: String,
    /// As the engine writes it: `Int64`, `Utf8View`.
    pub data_type: String,
    /// Whether it can be null.
    pub nullable: bool,
}

/// Reads, renders, orders and types a project, its data tests too. No data is read and nothing is written.
pub fn compile(workspace: &Workspace, request: &LoadRequest) -> Compilation {
    let mut files = SourceFiles::default();
    let mut sink = Sink::default();
    let Ok(loaded) = load(workspace, request, &mut files, &mut sink) else {
        return Compilation { files, diagnostics: sink.take(), compiled: None, guards: Guards::new() };
    };
    let compiled = compile_models(loaded, &mut sink);
    let tests = plan_checks(&compiled, StoredByDefault::default(), &mut sink).unwrap_or_default();
    compiled.faults.with_tests(&tests.broken).all().into_iter().for_each(|fault| sink.add(fault));
    Compilation { files, diagnostics: sink.take(), compiled: Some(compiled), guards: tests.guards }
}

impl Compilation {
    /// Everything that was said, in the order of the files.
    pub fn diagnostics(&self) -> &[Diagnostic] {
        &self.diagnostics
    }

    /// The files that were read, for showing diagnostics.
    pub fn files(&self) -> &SourceFiles {
        self.compiled.as_ref().map_or(&self.files, |compiled| &compiled.loaded.files)
    }

    /// The project, if nothing is wrong with it.
    pub(super) fn whole(&self) -> Option<&Compiled> {
        self.compiled.as_ref().filter(|_| self.is_well())
    }

    /// What could be made of the project, whatever is wrong with it. None if there is no telling what it is.
    pub(super) fn partial(&self) -> Option<&Compiled> {
        self.compiled.as_ref()
    }

    /// The data tests that guard the models.
    pub(super) fn guards(&self) -> &Guards {
        &self.guards
    }

    fn typed(&self, model: &ModelName) -> Option<&TypedModel> {
        self.compiled.as_ref()?.typed.get(model)
    }

    /// Whether nothing is wrong: there may be warnings.
    pub fn is_well(&self) -> bool {
        self.diagnostics.iter().all(|diagnostic| diagnostic.severity != Severity::Error)
    }

    /// The models that are well, in the order in which they can be built.
    pub fn models(&self) -> impl Iterator<Item = &ModelName> {
        let compiled = self.compiled.iter();
        compiled.flat_map(|compiled| compiled.loaded.dag.models().filter(|name| compiled.typed.contains_key(name)))
    }

    /// The text of a model with its references, and where each byte of it was typed. Returns `None` if the model does
    /// not exist, or cannot be rendered.
    pub fn rendered(&self, model: &ModelName) -> Option<&RenderedModel> {
        self.compiled.as_ref()?.loaded.rendered.models.get(model)
    }

    /// The table that a model makes. Returns `None` if the model is not well.
    pub fn table(&self, model: &ModelName) -> Option<&TableName> {
        self.typed(model).map(|model| &model.table)
    }

    /// The columns of a model. Returns `None` if the model is not well.
    pub fn columns(&self, model: &ModelName) -> Option<Vec<ModelColumn>> {
        let fields = self.typed(model)?.schema.fields();
        let columns = fields.iter().map(|field| ModelColumn {
            name: field.name().clone(),
            data_type: field.data_type().to_string(),
            nullable: field.is_nullable(),
        });
        Some(columns.collect())
    }

    /// What each column of a model is made of, through views down to the tables and sources that are stored, and what
    /// decides which rows it has. Returns `None` if the model is not well.
    pub fn column_lineage(&self, model: &ModelName) -> Option<ColumnLineage> {
        column_lineage(self.typed(model)?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::MemoryHost;

    fn compiled(files: &[(&str, &str)]) -> Compilation {
        let project = [("project.yml", "name: shop")];
        let host = MemoryHost::with_files(project.into_iter().chain(files.iter().copied()));
        compile(&Workspace::new("", host), &LoadRequest::default())
    }

    fn codes(compilation: &Compilation) -> Vec<&'static str> {
        compilation.diagnostics().iter().map(|diagnostic| diagnostic.code.word()).collect()
    }

    fn well(compilation: &Compilation) -> String {
        compilation.models().map(ModelName::as_str).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn models_that_are_well_are_there_whatever_is_wrong_with_others() {
        let compilation = compiled(&[
            ("models/g/users.sql", "select 1 as id, 'a' as name"),
            ("models/g/broken_template.sql", "select {{ ref('nobody') }}"),
            ("models/g/reads_broken.sql", "select * from {{ ref('broken_template') }}"),
            ("models/g/broken_sql.sql", "select idd from {{ ref('users') }}"),
            ("models/g/names.sql", "select name from {{ ref('users') }}"),
        ]);
        assert_eq!(codes(&compilation), ["unknown-column", "unknown-ref"]);
        assert_eq!(well(&compilation), "users names");
        let users = ModelName::parse("users").unwrap();
        let columns = compilation.columns(&users).unwrap();
        assert_eq!(columns.iter().map(|column| column.name.as_str()).collect::<Vec<_>>(), ["id", "name"]);
        assert_eq!(compilation.table(&users).map(ToString::to_string).as_deref(), Some("g.users"));
        let broken = ModelName::parse("broken_sql").unwrap();
        assert_eq!(
            compilation.rendered(&broken).map(|model| model.full.text.as_str()),
            Some("select idd from g.users")
        );
        assert_eq!(compilation.columns(&broken), None);
    }

    #[test]
    fn columns_know_what_they_are_made_of() {
        let compilation = compiled(&[
            ("models/g/users.sql", "{{ config(materialized='table') }} select 1 as id, 'a' as name"),
            ("models/g/names.sql", "select upper(name) as name from {{ ref('users') }} where id > 0"),
            ("models/g/broken.sql", "select nobody from {{ ref('users') }}"),
        ]);
        let lineage = compilation.column_lineage(&ModelName::parse("names").unwrap()).unwrap();
        assert_eq!(lineage.to_string(), "name: g.users.name (transformation)\n(rows): g.users.id (filter)\n");
        assert_eq!(compilation.column_lineage(&ModelName::parse("broken").unwrap()), None);
    }

    #[test]
    fn a_project_that_is_none_is_said() {
        let compilation = compile(&Workspace::new("", MemoryHost::default()), &LoadRequest::default());
        assert!(!compilation.is_well());
        assert_eq!(well(&compilation), "");
    }

    #[test]
    fn a_circle_does_not_stop_the_diagnostics() {
        let compilation = compiled(&[
            ("models/g/a.sql", "select * from {{ ref('b') }}"),
            ("models/g/b.sql", "select * from {{ ref('a') }}"),
        ]);
        assert_eq!(codes(&compilation), ["cycle"]);
        assert_eq!(well(&compilation), "");
    }
}
