//! `karat compile`: check the whole project and show what would run.

use serde_json::json;

use crate::check::StoredByDefault;
use crate::cli::app::App;
use crate::cli::args::{ProjectArgs, SelectArgs};
use crate::cli::exit::{Exit, done};
use crate::diag::{Code, Diagnostic, Sink};
use crate::figures::{counted, seconds};
use crate::name::ModelName;
use crate::pipeline::{Compiled, Query, explained, write_compiled};

/// Renders, plans and type-checks every model without reading data, and writes the rendered SQL, the logical and the
/// physical plan and the predicates on each scan to target/compiled. With --select it also prints them.
#[derive(Debug, clap::Args)]
pub(crate) struct CompileCommand {
    #[command(flatten)]
    select: SelectArgs,
    /// Compile this SQL instead of models
    #[arg(long, value_name = "SQL", conflicts_with = "select")]
    inline: Option<String>,
    #[command(flatten)]
    project: ProjectArgs,
}

impl CompileCommand {
    pub fn run(self, app: &App<'_>) -> Exit {
        done(self.try_run(app))
    }

    fn try_run(self, app: &App<'_>) -> Result<Exit, Exit> {
        let started = std::time::Instant::now();
        let mut compiled = app.load_and_compile(&self.project)?;
        if let Some(sql) = &self.inline {
            compiled.add_failing_rows(sql);
            return inline(app, &compiled, sql);
        }
        // The tests are part of what is checked.
        let (compiled, guards) = app.checks(compiled, StoredByDefault::default())?;
        let _warned = app.write(&compiled.loaded, |artifacts| artifacts.write_manifest(&compiled, Some(&guards)));
        let selection = app.select(&compiled.loaded, &self.select)?;
        let stopped = app.divided(&compiled, &self.select, selection.iter().cloned())?.stopped;
        let explained = explained(&compiled, |name| selection.contains(name))
            .map_err(|error| not_planned(app, &compiled, &error))?;
        let folder = app.artifacts.folder_of(&compiled.loaded);
        let failed = |diagnostic| app.fail(diagnostic, &compiled.loaded.files, Exit::Unavailable);
        write_compiled(&compiled, folder, &explained).map_err(failed)?;
        if !self.select.select.is_empty() {
            let texts: Vec<String> = compiled
                .loaded
                .dag
                .models()
                .filter_map(|name| Some(format!("-- {name}\n\n{}", explained.get(name)?.text())))
                .collect();
            show(app, &texts.join("\n"));
        }
        if explained.is_empty() && !stopped.is_none() {
            return Err(Exit::Failed);
        }
        let models = counted(explained.len(), "model");
        let text = format!("{models} compiled to {folder}/compiled in {}", seconds(started.elapsed()));
        app.console.say("compiled", &text, json!({"models": explained.len()}));
        Ok(stopped.exit())
    }
}

/// Shows what a text becomes that is not a model.
fn inline(app: &App<'_>, compiled: &Compiled, sql: &str) -> Result<Exit, Exit> {
    let mut files = compiled.loaded.files.clone();
    let mut sink = Sink::default();
    let planned = Query::named("--inline", compiled, sql, &mut files, &mut sink);
    app.console.diagnostics(&sink.take(), &files);
    let explained = planned.map_err(|_reported| Exit::Failed)?.explain();
    let explained = explained.map_err(|error| not_planned(app, compiled, &error))?;
    show(app, &explained.text());
    Ok(Exit::Done)
}

/// Says which model the engine could not plan.
pub(super) fn not_planned(app: &App<'_>, compiled: &Compiled, error: &crate::compile::NotPlanned) -> Exit {
    let message = format!("`{}` cannot be planned: {}", error.what, error.message);
    let diagnostic = Diagnostic::error(Code::InvalidPlan, message);
    let place = ModelName::parse(&error.what).ok().and_then(|name| compiled.typed.get(&name));
    let diagnostic = match place {
        Some(model) => diagnostic.at(crate::span::Span::new(model.file, 0..0)),
        None => diagnostic,
    };
    app.fail(diagnostic, &compiled.loaded.files, Exit::Failed)
}

/// SQL goes to programs as it is, and to a terminal without what commands it.
fn show(app: &App<'_>, text: &str) {
    if app.world.data_terminal { app.console.show(text) } else { app.console.data(text) }
}
