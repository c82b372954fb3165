//! What to do again of the last command: the nodes that failed, were skipped or were not begun.

use std::collections::BTreeSet;
use std::io::Read;

use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::artifacts::ArtifactRequest;
use super::load::Loaded;
use crate::artifacts::{NodeIds, test_ids};
use crate::diag::{Code, Diagnostic};
use crate::name::ModelName;
use crate::project::HIDDEN;
use crate::store::LocalBackend;

/// The last command, and what is left of it.
#[derive(Debug)]
pub(crate) struct Retry {
    /// The command line behind the name of the program.
    pub words: Vec<String>,
    /// The logical time of the command.
    pub now: Option<DateTime<Utc>>,
    /// The models, seeds and snapshots to work on. Empty if nothing is left.
    pub models: Vec<ModelName>,
}

#[derive(Deserialize)]
struct LastResults {
    results: Vec<LastResult>,
    args: LastArguments,
}

#[derive(Deserialize)]
struct LastResult {
    unique_id: String,
    status: String,
}

#[derive(Deserialize)]
struct LastArguments {
    #[serde(default)]
    words: Vec<String>,
    now: Option<DateTime<Utc>>,
}

const FILE: &str = "run_results.json";

/// The commands that can be tried again.
const COMMANDS: [&str; 5] = ["build", "run", "seed", "snapshot", "test"];

impl Retry {
    /// The command line to parse, program and all: what was typed, with the time that the command had.
    pub fn line(&self) -> Vec<String> {
        let mut line: Vec<String> = std::iter::once("karat".to_owned()).chain(self.words.iter().cloned()).collect();
        if let Some(now) = self.now.filter(|_| !line.iter().any(|word| word.starts_with("--now"))) {
            line.push(format!("--now={}", now.to_rfc3339()));
        }
        line
    }

    /// Reads what the last command has left in the target folder.
    ///
    /// # Errors
    ///
    /// Returns what to say if there is nothing to read, or if it cannot be tried again.
    pub fn read(loaded: &Loaded, request: &ArtifactRequest) -> Result<Self, Diagnostic> {
        let folder = request.folder_of(loaded);
        let path = format!("{folder}/{FILE}");
        let text = read_text(&LocalBackend::new(loaded.workspace.root.join(folder)));
        let text = text.map_err(|error| {
            let diagnostic = Diagnostic::error(Code::Storage, format!("`{path}` cannot be read: {error}"));
            diagnostic.help("`karat build` and `karat run` write it")
        })?;
        let last: LastResults = serde_json::from_str(&text).map_err(|error| {
            Diagnostic::error(Code::Storage, format!("`{path}` is not what a command of karat has written: {error}"))
        })?;
        let words = last.args.words;
        if !words.iter().any(|word| COMMANDS.contains(&word.as_str())) {
            let message = format!("`{path}` does not say which command is to be tried again");
            return Err(Diagnostic::error(Code::Storage, message).help("type the command again"));
        }
        if words.iter().any(|word| word.contains(HIDDEN)) {
            let message = "the last command had a secret among its arguments, which was not kept";
            return Err(Diagnostic::error(Code::Storage, message).help("type the command again"));
        }
        // `error`, `fail` and `skipped`, and whatever else is no success.
        let unfinished: BTreeSet<&str> = last
            .results
            .iter()
            .filter(|result| !matches!(result.status.as_str(), "success" | "pass" | "warn" | "no-op"))
            .map(|result| result.unique_id.as_str())
            .collect();
        Ok(Self { words, now: last.args.now, models: models_of(loaded, &unfinished) })
    }
}

/// The models by these ids, and those that the tests by these ids are declared on.
fn models_of(loaded: &Loaded, ids: &BTreeSet<&str>) -> Vec<ModelName> {
    let known = NodeIds::new(&loaded.project);
    let is_left = |model: &&crate::project::Model| ids.contains(known.of_model(model).as_str());
    let models: BTreeSet<ModelName> =
        loaded.project.models.values().filter(is_left).map(|model| model.name.clone()).collect();
    let tests = test_ids(&loaded.project).into_iter().filter(|(_, id)| ids.contains(id.as_str()));
    let tested: BTreeSet<ModelName> = tests.filter_map(|(key, _)| key.declared_on).collect();
    loaded.in_order(models.union(&tested))
}

fn read_text(folder: &LocalBackend) -> std::io::Result<String> {
    let mut text = String::new();
    folder.open(FILE, u64::MAX)?.read_to_string(&mut text)?;
    Ok(text)
}
