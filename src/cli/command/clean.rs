//! `karat clean`: remove the target folder.

use serde_json::json;

use crate::cli::app::App;
use crate::cli::args::ProjectArgs;
use crate::cli::exit::Exit;
use crate::diag::{Code, Diagnostic};
use crate::pipeline::{find_project, remove_artifacts};
use crate::span::SourceFiles;

/// Removes target/compiled and the artifacts in target. Tables are not touched: they lie in the lake.
#[derive(Debug, clap::Args)]
pub(crate) struct CleanCommand {
    #[command(flatten)]
    project: ProjectArgs,
}

impl CleanCommand {
    pub fn run(self, app: &App<'_>) -> Exit {
        let Some(root) = find_project(&app.folder_of(&self.project)) else {
            let message = "there is no `project.yml` here or in a folder above";
            let diagnostic =
                Diagnostic::error(Code::NoProject, message).help("go into a project, or name one with `--project-dir`");
            return app.fail(diagnostic, &SourceFiles::default(), Exit::Failed);
        };
        let folder = app.artifacts.target_path.as_deref().unwrap_or("target");
        match remove_artifacts(&root.join(folder)) {
            Ok(()) => {
                let text = format!("removed compiled files and artifacts in {folder}");
                app.console.say("cleaned", &text, json!({}));
                Exit::Done
            }
            Err(error) => {
                let message = format!("`{folder}` cannot be cleaned: {error}");
                app.fail(Diagnostic::error(Code::Storage, message), &SourceFiles::default(), Exit::Unavailable)
            }
        }
    }
}
