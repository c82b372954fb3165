//! `karat parse`: read the project, and say what is in it.

use serde_json::json;

use crate::cli::app::App;
use crate::cli::args::ProjectArgs;
use crate::cli::exit::{Exit, done};
use crate::diag::Sink;
use crate::figures::counted;
use crate::name::NodeKind;
use crate::pipeline::compile_models;

/// Reads the project and renders every model, without typing them: `karat compile` does that too.
#[derive(Debug, clap::Args)]
pub(crate) struct ParseCommand {
    #[command(flatten)]
    project: ProjectArgs,
}

impl ParseCommand {
    pub fn run(self, app: &App<'_>) -> Exit {
        done(app.load_quietly(&self.project).and_then(|loaded| {
            let count =
                |kind| loaded.rendered.outlines().filter(|one| loaded.project.kind_of(&one.name) == kind).count();
            let models = count(NodeKind::Model);
            let seeds = count(NodeKind::Seed);
            let snapshots = count(NodeKind::Snapshot);
            let sources = loaded.project.sources.len() + loaded.project.tables.len();
            let mut all = vec![counted(models, "model"), counted(seeds, "seed"), counted(sources, "source")];
            all.extend((snapshots > 0).then(|| counted(snapshots, "snapshot")));
            let faults = loaded.faults();
            if !faults.is_empty() {
                app.console.diagnostics(&faults.all(), &loaded.files);
                return Err(Exit::Failed);
            }
            let text = format!("`{}` has {}", loaded.project.name.value, all.join(", "));
            let compiled = compile_models(loaded, &mut Sink::default());
            let _warned = app.write(&compiled.loaded, |artifacts| artifacts.write_manifest(&compiled, None));
            let facts = json!({"models": models, "seeds": seeds, "snapshots": snapshots, "sources": sources});
            app.console.say("parsed", &text, facts);
            Ok(Exit::Done)
        }))
    }
}
