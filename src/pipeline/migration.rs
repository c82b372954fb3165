//! What stands between a dbt project and karat: what runs as it is, what differs, what must be edited.

mod edits;
mod habits;
mod text;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::compilation::{Compilation, compile};
use super::load::Workspace;
use crate::diag::{Diagnostic, Severity, to_json};
use crate::host::Overlay;
use crate::name::{ModelName, NodeKind};
use crate::project::LoadRequest;
use crate::span::SourceFiles;
pub(crate) use edits::EditedFile;
use edits::apply;

/// A model has at most so many edits: each may bring the next mistake to light.
const ROUNDS: usize = 64;

/// What was found in a dbt project.
#[derive(Debug)]
pub(crate) struct Migration {
    /// The texts that the findings point into.
    files: SourceFiles,
    /// What stops models or tests.
    must_be_edited: Vec<Diagnostic>,
    /// What runs, and gives or does something else than in dbt.
    differs: Vec<Diagnostic>,
    /// `None` if there is no telling what the project is.
    running: Option<Running>,
    /// The files with the edits that are certain, by path.
    edited: BTreeMap<String, EditedFile>,
}

/// How much of the project runs as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Running {
    models: usize,
    all_models: usize,
    seeds: usize,
    sources: usize,
    /// Data tests, which are known once all models are well.
    tests: usize,
}

impl Migration {
    /// Reads a project, makes the certain edits in memory, and says what is left. Nothing is written.
    pub fn of(workspace: &Workspace, request: &LoadRequest) -> Migration {
        let before = compile(workspace, request);
        let running = Running::of(&before);
        let mut edited: BTreeMap<String, EditedFile> = BTreeMap::new();
        let mut after = None;
        for _ in 0..ROUNDS {
            let now = after.as_ref().unwrap_or(&before);
            if !apply(now, workspace, &mut edited) {
                break;
            }
            let texts = edited.iter().map(|(path, file)| (path.clone(), file.text.clone())).collect();
            let host = Overlay::new(Arc::clone(&workspace.host), texts);
            after = Some(compile(&Workspace::new(workspace.root.clone(), host), request));
        }
        let compilation = after.unwrap_or(before);
        let (must_be_edited, mut differs): (Vec<Diagnostic>, Vec<Diagnostic>) =
            compilation.diagnostics().iter().cloned().partition(|found| found.severity == Severity::Error);
        let mut files = compilation.files().clone();
        differs.extend(habits::differences(&compilation, workspace, &mut files));
        Migration { files, must_be_edited, differs, running, edited }
    }

    /// Whether nothing must be edited, with or without the certain edits made.
    pub fn runs_as_it_is(&self) -> bool {
        self.must_be_edited.is_empty() && self.edited.is_empty()
    }

    /// Whether something is left for a person once the certain edits are made.
    pub fn is_done_by_edits(&self) -> bool {
        self.must_be_edited.is_empty()
    }

    /// The files with certain edits.
    pub fn edited(&self) -> impl Iterator<Item = (&str, &EditedFile)> {
        self.edited.iter().map(|(path, file)| (path.as_str(), file))
    }

    /// As people read it.
    pub fn to_text(&self) -> String {
        text::describe(self)
    }

    /// As programs read it.
    pub fn to_json(&self) -> Value {
        let all = |found: &[Diagnostic]| found.iter().map(|one| to_json(one, &self.files)).collect::<Vec<Value>>();
        let edits = self.edited.iter().flat_map(|(path, file)| {
            file.edits
                .iter()
                .map(move |edit| json!({"path": path, "line": edit.line, "from": edit.from, "to": edit.to}))
        });
        json!({
            "must_be_edited": all(&self.must_be_edited),
            "certain_edits": edits.collect::<Vec<Value>>(),
            "differs": all(&self.differs),
            "runs": self.running.map(|Running { models, all_models, seeds, sources, tests }| json!({
                "models": models,
                "of_models": all_models,
                "seeds": seeds,
                "sources": sources,
                "data_tests": tests,
            })),
        })
    }
}

impl Running {
    fn of(compilation: &Compilation) -> Option<Running> {
        let compiled = compilation.partial()?;
        let project = &compiled.loaded.project;
        let of_kind = |kind: NodeKind| project.models.values().filter(|model| model.kind() == kind).count();
        let tests = compilation.guards().values().flatten().flat_map(|batch| &batch.checks);
        let is_model = |name: &&ModelName| project.kind_of(name) == NodeKind::Model;
        Some(Running {
            models: compilation.models().filter(is_model).count(),
            all_models: of_kind(NodeKind::Model),
            seeds: of_kind(NodeKind::Seed),
            sources: project.sources.len(),
            tests: tests.filter(|check| !check.is_constraint()).count(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::MemoryHost;

    fn migration(files: &[(&str, &str)]) -> Migration {
        let project = [("dbt_project.yml", "name: shop")];
        let host = MemoryHost::with_files(project.into_iter().chain(files.iter().copied()));
        Migration::of(&Workspace::new("", host), &LoadRequest::default())
    }

    fn edited<'m>(migration: &'m Migration, path: &str) -> &'m str {
        migration.edited().find(|(found, _)| *found == path).map_or("", |(_, file)| &file.text)
    }

    #[test]
    fn one_edit_brings_the_next_to_light_and_all_are_made_at_once() {
        let text = "\u{feff}select 1 as id, current_date as ä,\r\n CURRENT_DATE() as today\r\n";
        let found = migration(&[("models/a.sql", text)]);
        let date = "cast('{{ run_started_at.strftime(\"%Y-%m-%d\") }}' as date)";
        assert_eq!(
            edited(&found, "models/a.sql"),
            format!("\u{feff}select 1 as id, {date} as ä,\r\n {date} as today\r\n")
        );
        assert!(found.is_done_by_edits() && !found.runs_as_it_is());
    }

    #[test]
    fn an_edited_project_has_no_more_edits() {
        let first = migration(&[("models/a.sql", "select now() > null as x")]);
        let text = edited(&first, "models/a.sql");
        assert_eq!(text, "select {{ dbt.current_timestamp() }} > null as x");
        let second = migration(&[("models/a.sql", text)]);
        assert_eq!(second.edited().count(), 0);
    }

    #[test]
    fn what_a_macro_or_a_package_writes_is_not_edited() {
        let found = migration(&[
            ("macros/m.sql", "{% macro today() %}current_date{% endmacro %}"),
            ("models/a.sql", "select {{ today() }} as today"),
            ("dbt_packages/p/dbt_project.yml", "name: p"),
            ("dbt_packages/p/models/b.sql", "select current_date as today"),
        ]);
        assert_eq!(found.edited().count(), 0);
        assert_eq!(found.must_be_edited.len(), 2);
        assert!(!found.runs_as_it_is() && !found.is_done_by_edits());
    }

    #[test]
    fn a_project_that_is_none_is_said() {
        let found = migration(&[("macros/m.sql", "{% macro a() %}{% endmacro %}{% macro a() %}{% endmacro %}")]);
        assert!(found.to_text().contains("can be said once these are corrected"), "{}", found.to_text());
        assert!(found.to_json().get("runs").is_some_and(Value::is_null));
    }
}
