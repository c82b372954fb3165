//! `karat source`: what can be asked of sources.

use std::time::Instant;

use serde_json::json;

use crate::cli::app::App;
use crate::cli::args::{EngineArgs, ProjectArgs, SelectArgs};
use crate::cli::exit::{Exit, done};
use crate::figures::counted;
use crate::pipeline::{
    CompletedSources, EditedProperties, EditedText, FreshnessAnswer, InferenceRequest, Loaded, Questions, Writers,
};
use crate::terminal::{ChangedText, Tone};

/// Asks how fresh sources are.
#[derive(Debug, clap::Args)]
pub(crate) struct SourceCommand {
    #[command(subcommand)]
    what: SourceQuestion,
}

#[derive(Debug, clap::Subcommand)]
enum SourceQuestion {
    /// Compare the age of the newest row, or of the newest file, with `freshness:` of each source, and write sources.json
    #[command(alias = "snapshot-freshness")]
    Freshness(FreshnessArgs),
    /// Look at files, and print the YAML that declares them as a source: columns, types and options. Without a location, find
    /// the columns that the project's sources lack
    Infer(InferArgs),
}

#[derive(Debug, clap::Args)]
struct InferArgs {
    /// A path or glob inside the project, like `data/orders/*.csv`
    location: Option<String>,
    /// Schema and table of the source [default: the names of its folders]
    #[arg(long, value_name = "SCHEMA.TABLE", requires = "location")]
    name: Option<String>,
    /// What the files are [default: by their ending]
    #[arg(long, value_name = "FORMAT", value_parser = ["csv", "json", "parquet"], requires = "location")]
    format: Option<String>,
    /// Write the columns into the files that declare the sources, instead of showing what would change
    #[arg(long, conflicts_with = "location")]
    write: bool,
    #[command(flatten)]
    project: ProjectArgs,
}

#[derive(Debug, clap::Args)]
struct FreshnessArgs {
    #[command(flatten)]
    select: SelectArgs,
    #[command(flatten)]
    project: ProjectArgs,
    #[command(flatten)]
    engine: EngineArgs,
}

impl SourceCommand {
    pub fn run(self, app: &App<'_>) -> Exit {
        done(match self.what {
            SourceQuestion::Freshness(args) => args.try_run(app),
            SourceQuestion::Infer(args) => args.try_run(app),
        })
    }
}

impl InferArgs {
    fn try_run(self, app: &App<'_>) -> Result<Exit, Exit> {
        // Models that read a source before it is declared are no news to its author.
        let mut loaded = app.load_quietly(&self.project)?;
        let Some(location) = self.location else { return complete(app, &loaded, self.write) };
        let request = InferenceRequest { location, name: self.name, format: self.format };
        let mut files = loaded.files.clone();
        let inferred = loaded.infer_source(&request, &mut files);
        loaded.files = files;
        let yaml = inferred.map_err(|failure| app.report(&loaded, &failure))?;
        app.console.show(&yaml);
        Ok(Exit::Done)
    }
}

/// Finds the columns that sources lack.
fn complete(app: &App<'_>, loaded: &Loaded, writes: bool) -> Result<Exit, Exit> {
    let CompletedSources { edited, faults } = loaded.complete_sources();
    app.console.diagnostics(&faults, &loaded.files);
    let mut failed = !faults.is_empty();
    for file in edited.iter().filter(|_| !writes) {
        app.console.show(&ChangedText::of_properties(file).difference(app.console));
    }
    for EditedProperties { path, original, text, tables } in edited.iter().filter(|_| writes) {
        let done = format!("edited {path}: {}", counted(*tables, "source"));
        let change = EditedText { path, original, text };
        failed |= app.write_edited(&loaded.workspace, change, &done, json!({"path": path, "sources": tables})).is_err();
    }
    let sources = edited.iter().map(|file| file.tables).sum::<usize>();
    match (sources, writes) {
        (0, _) if !failed => app.console.chat("every source says which columns its files have"),
        (0, _) | (_, true) => {}
        (_, false) => app.console.say("hint", "`karat source infer --write` makes these edits", json!({})),
    }
    Ok(if failed { Exit::Failed } else { Exit::Done })
}

impl FreshnessArgs {
    fn try_run(&self, app: &App<'_>) -> Result<Exit, Exit> {
        let started = Instant::now();
        let compiled = app.load_and_compile(&self.project)?;
        let loaded = &compiled.loaded;
        let selection = app.select(loaded, &self.select)?;
        let questions = Questions::new(&compiled, &selection, self.select.is_everything());
        app.console.diagnostics(&questions.faults, &questions.files);
        let lake = app.lake(loaded, Writers::Nobody)?;
        let catalog = app.observe(&compiled, &lake, &questions.scope(&compiled))?;
        let engine = app.engine(loaded, &lake, &self.engine)?;
        let mut answers = Vec::new();
        for question in &questions.questions {
            let answer =
                FreshnessAnswer::new(question, app.wait(&lake, question.answer(&compiled, &catalog, &engine))?);
            let tone = if answer.fails() {
                Tone::Bad
            } else if answer.warns() {
                Tone::Warn
            } else {
                Tone::Good
            };
            let word = app.console.paint(tone, answer.word());
            app.console.say("freshness", &format!("  {word}{}", answer.text()), answer.facts());
            answers.push(answer);
        }
        let _warned = app.write(loaded, |artifacts| artifacts.write_sources(&answers, started.elapsed()));
        app.console.say("summary", &FreshnessAnswer::summary(&answers), FreshnessAnswer::counts(&answers));
        let failed = !questions.faults.is_empty() || answers.iter().any(FreshnessAnswer::fails);
        Ok(if failed { Exit::Failed } else { Exit::Done })
    }
}
