//! `karat source`: what can be asked of sources.

use std::time::Instant;

use crate::cli::app::App;
use crate::cli::args::{EngineArgs, ProjectArgs, SelectArgs};
use crate::cli::exit::{Exit, done};
use crate::pipeline::{FreshnessAnswer, InferenceRequest, Questions, Writers};
use crate::terminal::Tone;

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
    /// Look at files, and print the YAML that declares them as a source: columns, types and options
    Infer(InferArgs),
}

#[derive(Debug, clap::Args)]
struct InferArgs {
    /// A path or glob inside the project, like `data/orders/*.csv`
    location: String,
    /// Schema and table of the source [default: the names of its folders]
    #[arg(long, value_name = "SCHEMA.TABLE")]
    name: Option<String>,
    /// What the files are [default: by their ending]
    #[arg(long, value_name = "FORMAT", value_parser = ["csv", "json", "parquet"])]
    format: Option<String>,
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
        let request = InferenceRequest { location: self.location, name: self.name, format: self.format };
        let mut files = loaded.files.clone();
        let inferred = loaded.infer_source(&request, &mut files);
        loaded.files = files;
        let yaml = inferred.map_err(|failure| app.report(&loaded, &failure))?;
        app.console.show(&yaml);
        Ok(Exit::Done)
    }
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
