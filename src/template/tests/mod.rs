//! What templates may do, and what karat says when they do something else.

use std::collections::BTreeMap;

mod context;
mod dialect;
mod faults;
mod laws;
mod python;

use super::*;
use crate::diag::{Sink, Style, render_all};
use crate::host::MemoryHost;
use crate::name::{SchemaName, SourceTableName};
use crate::project::{MacroSource, Model, OnBadRow, Project, Settings, Source, SourceFormat, SourceProperties, Target};
use crate::span::{SourceFiles, Spanned};

/// A project of these files: `models/<schema>/<name>.sql` and `macros/*.sql`, with the source `raw.notes`.
pub(crate) fn project(files: &[(&str, &str)]) -> (Project, SourceFiles) {
    let mut sources = SourceFiles::default();
    let yaml = sources.add("project.yml", "name: notes\n");
    let here = Span::new(yaml, 0..0);
    let mut models = BTreeMap::new();
    let mut macro_files = Vec::new();
    for (path, text) in files {
        let file = sources.add(*path, *text);
        let parts: Vec<&str> = path.trim_end_matches(".sql").split('/').collect();
        match parts.as_slice() {
            ["models", folders @ .., name] => {
                let model = plain_model(path, folders, name, file);
                models.insert(model.name.clone(), model);
            }
            ["macros", ..] => macro_files.push(MacroSource { package: "notes".to_owned(), file }),
            _ => {}
        }
    }
    let source = notes(here);
    let project = Project {
        name: Spanned::new("notes".to_owned(), here),
        version: None,
        reading: Default::default(),
        models,
        disabled: Default::default(),
        source_properties: BTreeMap::from([(source.name(), SourceProperties::plain("notes", &source.name(), here))]),
        sources: BTreeMap::from([(source.name(), source)]),
        tables: BTreeMap::new(),
        target_path: None,
        docs: Vec::new(),
        packages: BTreeMap::new(),
        search_orders: BTreeMap::new(),
        package_vars: BTreeMap::new(),
        profile: None,
        macro_files,
        singular_tests: Vec::new(),
        resources: Vec::new(),
        groups: BTreeMap::new(),
        hooks: Default::default(),
        versions: Default::default(),
        unit_tests: BTreeMap::new(),
        selectors: None,
        vars: BTreeMap::from([("limit".to_owned(), serde_json::json!(10))]),
        target: Target { name: "dev".to_owned(), ..Target::default() },
        faults: crate::project::PropertyFaults::default(),
    };
    (project, sources)
}

/// A model that nothing is said of, in a file of this project.
fn plain_model(path: &str, folders: &[&str], name: &str, file: FileId) -> Model {
    let below = folders.iter().chain([&name]).map(|part| (*part).to_owned());
    Model {
        written_name: None,
        name: ModelName::parse(name).unwrap(),
        package: "notes".to_owned(),
        seed: None,
        snapshot: None,
        rivals: Vec::new(),
        folder_schema: SchemaName::parse(folders.first().unwrap_or(&"notes")).unwrap(),
        file,
        path: path.to_owned(),
        fqn: std::iter::once("notes".to_owned()).chain(below).collect(),
        settings: Settings::default(),
        description: String::new(),
        columns: Vec::new(),
        tests: Vec::new(),
        version: None,
        charts: Vec::new(),
        constraints: Vec::new(),
        described_at: None,
        written: serde_json::Map::new(),
    }
}

/// The source `raw.notes`.
fn notes(here: Span) -> Source {
    Source {
        schema: SchemaName::parse("raw").unwrap(),
        table: SourceTableName::parse("notes").unwrap(),
        description: String::new(),
        location: Spanned::new("raw/notes.csv".to_owned(), here),
        format: SourceFormat::Json,
        forms: Default::default(),
        columns: Vec::new(),
        has_origin_columns: true,
        on_bad_row: OnBadRow::Fail,
        on_missing: crate::project::OnMissing::Rebuild,
        missing_columns: crate::project::MissingColumn::Allow,
        unknown_columns: crate::project::UnknownColumn::Rescue,
        max_bad_rows: None,
        max_rescued: None,
        event_time: None,
        tests: Vec::new(),
        span: here,
    }
}

fn host() -> MemoryHost {
    MemoryHost::default()
        .and_variable("KARAT_REGION", "eu")
        .and_variable("REGION", "us")
        .and_variable("ZONE", "west")
        .and_variable("SERVICE", "postgres://me:hush@host/db")
        .and_variable("KARAT_SECRET_KEY", "hush")
        .and_variable("HOME", "/users/me")
        .and_user_file("/users/me/.config/karat/profile.yml", "env_vars: [ZONE]")
}

fn rendered(files: &[(&str, &str)]) -> (RenderedModels, SourceFiles) {
    let (project, sources) = project(files);
    let mut sink = Sink::default();
    match render_models(&project, &sources, &host(), &mut NoCompiler, &mut sink)
        .and_then(|rendered| rendered.whole(&mut sink))
    {
        Ok(models) => (models, sources),
        Err(_) => panic!("{}", render_all(&sink.take(), &sources, Style::Plain)),
    }
}

/// The text of the model `m` with these other files around it.
fn text_with(template: &str, others: &[(&str, &str)]) -> String {
    let files: Vec<_> = [("models/gold/m.sql", template)].into_iter().chain(others.iter().copied()).collect();
    model(&rendered(&files).0, "m").full.text.clone()
}

fn text(template: &str) -> String {
    text_with(template, &[])
}

fn model<'a>(models: &'a RenderedModels, name: &str) -> &'a RenderedModel {
    models.get(&ModelName::parse(name).unwrap()).unwrap()
}

/// Everything that is said about these files.
fn said(files: &[(&str, &str)]) -> String {
    let (project, sources) = project(files);
    let mut sink = Sink::default();
    let _ = render_models(&project, &sources, &host(), &mut NoCompiler, &mut sink)
        .and_then(|rendered| rendered.whole(&mut sink));
    render_all(&sink.take(), &sources, Style::Plain)
}

fn fault(template: &str) -> String {
    said(&[("models/gold/m.sql", template), ("models/silver/users.sql", "select 1")])
}

const NOTES: (&str, &str) = ("models/silver/fct_notes.sql", "select 1");
