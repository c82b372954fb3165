//! `karat deps`: are the packages here that the project lists?

use serde_json::json;

use crate::cli::app::App;
use crate::cli::args::ProjectArgs;
use crate::cli::exit::{Exit, done};
use crate::figures::counted;
use crate::project::ListedPackage;

/// Checks that every package of `packages.yml` and `dependencies.yml` lies in the project, and says where. Nothing is
/// fetched.
#[derive(Debug, clap::Args)]
pub(crate) struct DepsCommand {
    #[command(flatten)]
    project: ProjectArgs,
}

impl DepsCommand {
    pub fn run(self, app: &App<'_>) -> Exit {
        done(self.try_run(app))
    }

    fn try_run(&self, app: &App<'_>) -> Result<Exit, Exit> {
        let listed = app.listed_packages(&self.project)?;
        for ListedPackage { name, folder, .. } in &listed {
            let place = folder.as_deref().map_or_else(|| "not here".to_owned(), |folder| format!("in `{folder}`"));
            app.console.say("package", &format!("  {name:24} {place}"), json!({"package": name, "folder": folder}));
        }
        let missing = listed.iter().filter(|package| package.folder.is_none()).count();
        if missing == 0 {
            let text = format!("{} listed, all of them here", counted(listed.len(), "package"));
            app.console.say("summary", &text, json!({"packages": listed.len(), "missing": 0}));
            return Ok(Exit::Done);
        }
        let text = format!("{} of {} missing: put their files into `dbt_packages/<name>`", missing, listed.len());
        app.console.say("summary", &text, json!({"packages": listed.len(), "missing": missing}));
        Ok(Exit::Failed)
    }
}
