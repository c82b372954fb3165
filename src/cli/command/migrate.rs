//! `karat migrate`: what stands between a dbt project and karat?

use std::path::PathBuf;

use serde_json::json;

use crate::cli::app::App;
use crate::cli::args::ProjectArgs;
use crate::cli::exit::{Exit, done};
use crate::figures::counted;
use crate::pipeline::{EditedFile, EditedText, Migration, Workspace};

/// Reads a dbt project, compiles it, and says what runs as it is, what differs from dbt, and what must be edited: each with its
/// place and the remedy. Reads no data and builds nothing. Ends with exit code 1 if something must be edited.
#[derive(Debug, clap::Args)]
pub(crate) struct MigrateCommand {
    /// The project's folder [default: the current one, or one above it]
    #[arg(value_name = "DIR", conflicts_with = "project_dir")]
    folder: Option<PathBuf>,
    /// Make the edits that are certain, and no others
    #[arg(long)]
    write: bool,
    /// Form of the report
    #[arg(long, value_enum, default_value = "text")]
    output: ReportFormat,
    #[command(flatten)]
    project: ProjectArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum ReportFormat {
    Text,
    Json,
}

impl MigrateCommand {
    pub fn run(mut self, app: &App<'_>) -> Exit {
        if let Some(folder) = self.folder.take() {
            self.project.project_dir = Some(folder);
        }
        done(self.try_run(app))
    }

    fn try_run(&self, app: &App<'_>) -> Result<Exit, Exit> {
        let workspace = app.workspace(&self.project);
        let migration = Migration::of(&workspace, &app.load_request(&self.project));
        match self.output {
            ReportFormat::Text => app.console.show(&migration.to_text()),
            ReportFormat::Json => app.console.data(&format!("{:#}\n", migration.to_json())),
        }
        if self.write {
            let written = migration.edited().map(|(path, file)| write(app, &workspace, path, file));
            let failed = written.filter(Result::is_err).count();
            let is_done = failed == 0 && migration.is_done_by_edits();
            return Ok(if is_done { Exit::Done } else { Exit::Failed });
        }
        if migration.edited().next().is_some() {
            app.console.say("hint", "`karat migrate --write` makes the certain edits", json!({}));
        }
        Ok(if migration.runs_as_it_is() { Exit::Done } else { Exit::Failed })
    }
}

fn write(app: &App<'_>, workspace: &Workspace, path: &str, file: &EditedFile) -> Result<(), Exit> {
    let edits = file.edits.len();
    let done = format!("edited {path}: {}", counted(edits, "place"));
    let change = EditedText { path, original: &file.original, text: &file.text };
    app.write_edited(workspace, change, &done, json!({"path": path, "edits": edits}))
}
