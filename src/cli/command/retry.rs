//! `karat retry`: do again what the last command did not finish.

use clap::{CommandFactory, FromArgMatches};
use serde_json::json;

use crate::cli::CommandLine;
use crate::cli::app::App;
use crate::cli::args::ProjectArgs;
use crate::cli::exit::{Exit, done};
use crate::diag::{Code, Diagnostic, all_of};
use crate::name::ModelName;
use crate::pipeline::{ArtifactRequest, Retry};

/// Does the last build, run, seed, snapshot or test again, with the same arguments and the same logical time, for what
/// failed, was skipped or was not begun. What the last command did stands in run_results.json.
#[derive(Debug, clap::Args)]
pub(crate) struct RetryCommand {
    #[command(flatten)]
    project: ProjectArgs,
}

impl RetryCommand {
    pub fn run(self, app: &App<'_>) -> Exit {
        done(self.try_run(app))
    }

    fn try_run(&self, app: &App<'_>) -> Result<Exit, Exit> {
        let loaded = app.load_quietly(&self.project)?;
        let failed = |diagnostic| app.fail(diagnostic, &loaded.files, Exit::Failed);
        let retry = Retry::read(&loaded, &app.artifacts).map_err(failed)?;
        if retry.models.is_empty() {
            app.console.say("summary", "nothing to retry: the last command did all of its work", json!({"retried": 0}));
            return Ok(Exit::Done);
        }
        let args = retry.line();
        let parsed = CommandLine::command().try_get_matches_from(&args);
        let mut parsed = parsed.and_then(|matches| CommandLine::from_arg_matches(&matches)).map_err(|_| {
            let message = format!("`{}` is no command of this version", args.join(" "));
            failed(Diagnostic::error(Code::Storage, message).help("type the command again"))
        })?;
        let names: Vec<String> = retry.models.iter().map(ModelName::to_string).collect();
        app.console.chat(&format!("again: {}", all_of(names.iter().map(String::as_str))));
        parsed.command.select(names);
        let command = retry.words.first().cloned().unwrap_or_default();
        let artifacts = ArtifactRequest { command, words: retry.words, ..app.artifacts.clone() };
        Ok(parsed.command.run(&App { artifacts, runtimes: Default::default(), console: app.console, world: app.world }))
    }
}
