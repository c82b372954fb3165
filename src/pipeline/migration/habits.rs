//! What a dbt project does that karat does otherwise, beyond what compiling says.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::diag::{Code, Diagnostic};
use crate::name::NodeKind;
use crate::pipeline::compilation::Compilation;
use crate::pipeline::load::{Loaded, Workspace};
use crate::project::{PROJECT_FILE_NAMES, yaml_value};
use crate::span::{SourceFiles, Span};

/// Folders of dbt with files that karat may not read: the key of the project file, the folder if it is not set, the ending of the files,
/// and what becomes of them.
const FOLDERS: [UnreadFiles; 1] = [UnreadFiles {
    key: "test-paths",
    usual: "tests",
    ending: ".yml",
    message: "what this file says of tests is not read",
    help: "put the severity and the description of a test into its own file, with `config()`",
}];

struct UnreadFiles {
    key: &'static str,
    usual: &'static str,
    ending: &'static str,
    message: &'static str,
    help: &'static str,
}

/// Everything that runs, and does or gives something else. Texts that it points into are added to `files`.
pub(super) fn differences(
    compilation: &Compilation,
    workspace: &Workspace,
    files: &mut SourceFiles,
) -> Vec<Diagnostic> {
    let mut found = unread_files(workspace, files);
    if let Some(compiled) = compilation.partial() {
        found.extend(schemas(&compiled.loaded));
        found.extend(asked_engines(&compiled.loaded));
    }
    found
}

fn differs(message: impl Into<String>) -> Diagnostic {
    Diagnostic::warning(Code::DiffersFromDbt, message)
}

fn unread_files(workspace: &Workspace, files: &mut SourceFiles) -> Vec<Diagnostic> {
    let host = &*workspace.host;
    let text = PROJECT_FILE_NAMES.into_iter().find_map(|name| host.read(name).ok()).unwrap_or_default();
    // What is wrong with the file was said when it was read.
    let project = yaml_value(&text).unwrap_or_default();
    let mut found = Vec::new();
    let mut seen = BTreeSet::new();
    for kind in &FOLDERS {
        for folder in folders(&project, kind) {
            // What cannot be listed was said when the project was read, or is not read at all.
            for path in host.files_below(&folder).unwrap_or_default() {
                if !path.ends_with(kind.ending) || files.find(&path).is_some() || !seen.insert(path.clone()) {
                    continue;
                }
                let Ok(text) = host.read(&path) else { continue };
                let file = files.add(path, text);
                found.push(differs(kind.message).at(Span::new(file, 0..0)).help(kind.help));
            }
        }
    }
    found
}

/// The folders that the project file names, or the usual one.
fn folders(project: &Value, kind: &UnreadFiles) -> Vec<String> {
    let texts: Vec<&str> = match project.get(kind.key) {
        Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).collect(),
        Some(Value::String(folder)) => vec![folder],
        _ => vec![kind.usual],
    };
    let inside = texts.into_iter().map(|text| text.trim_start_matches("./").trim_end_matches('/'));
    inside
        .filter(|text| !text.is_empty() && !text.starts_with('/') && !text.contains(".."))
        .map(str::to_owned)
        .collect()
}

/// dbt puts the target's schema before that of a config, unless the project has a macro that says otherwise.
fn schemas(loaded: &Loaded) -> Vec<Diagnostic> {
    let own = loaded.project.macro_files.iter().filter(|source| source.package == loaded.project.name.value);
    if own.into_iter().any(|source| loaded.files.text(source.file).contains("generate_schema_name")) {
        return Vec::new();
    }
    let configured = loaded.project.models.values().filter_map(|model| model.settings.get("schema"));
    let mut seen = BTreeSet::new();
    let places = configured.filter(|schema| !schema.value.is_null() && seen.insert(schema.span));
    let message = "`schema` is the whole name of the schema: dbt puts the target's before it, as in `analytics_marts`";
    let help = "define the macro `generate_schema_name` if the old name matters; dbt's own text of it works here";
    places.map(|schema| differs(message).at(schema.span).help(help)).collect()
}

/// Templates that branch by the engine take another branch.
fn asked_engines(loaded: &Loaded) -> Vec<Diagnostic> {
    const QUESTIONS: [&str; 3] = ["target.type", "adapter.type()", "target['type']"];
    let models = loaded.project.models.values().filter(|model| model.kind() == NodeKind::Model);
    let of_project = |package: &str| package == loaded.project.name.value;
    let models = models.filter(|model| of_project(&model.package)).map(|model| model.file);
    let macros =
        loaded.project.macro_files.iter().filter(|source| of_project(&source.package)).map(|source| source.file);
    let mut found = Vec::new();
    for file in models.chain(macros) {
        let text = loaded.files.text(file);
        for question in QUESTIONS {
            for (offset, word) in text.match_indices(question) {
                let message = format!("`{word}` is `datafusion`: a branch for another engine is not taken");
                let diagnostic = differs(message).at(Span::new(file, offset..offset + word.len()));
                found.push(diagnostic.help("add a branch for `datafusion`, or let the branch of `postgres` take both"));
            }
        }
    }
    found
}
