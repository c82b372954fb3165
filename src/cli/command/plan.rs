//! `karat plan`: what a run would build, and why, without building it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::check::Guards;
use crate::cli::app::{App, Compiled, invalid_range};
use crate::cli::args::{ProjectArgs, RangeArgs, SelectArgs};
use crate::cli::exit::Exit;
use crate::cli::lake::Writers;
use crate::cli::planned::{Asked, Planned};
use crate::cli::tables;
use crate::compile::place_of;
use crate::day::parse_instant;
use crate::diag::{Code, Diagnostic};
use crate::incremental::Mention;
use crate::name::{ModelName, TableName};
use crate::plan::{About, Preview, Story, Survey, Wish};
use crate::run::Failure;
use crate::table::{SliceKey, SliceLayout, SourceEntry, SourceFacts, TableState};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
enum PlanFormat {
    /// Text for people
    #[default]
    Text,
    /// One JSON object, for programs
    Json,
}

/// Shows what `karat run` with the same options would build, why, and how much there is to read. Changes nothing.
#[derive(Debug, clap::Args)]
pub(crate) struct Plan {
    #[command(flatten)]
    select: SelectArgs,
    #[command(flatten)]
    range: RangeArgs,
    /// Plan a full refresh of every selected model
    #[arg(long, conflicts_with = "start", help_heading = "Slices")]
    full_refresh: bool,
    /// Show how the slices of each model read each of its inputs
    #[arg(long)]
    windows: bool,
    /// Explain one slice in full, down to its files; leave out DAY for a table without slices, or give `null` for
    /// the rows without a time
    #[arg(long, num_args = 1..=2, value_names = ["MODEL", "DAY"], conflicts_with = "windows")]
    why: Vec<String>,
    /// Output format
    #[arg(long, short, value_name = "FORMAT", default_value = "text", help_heading = "Output")]
    output: PlanFormat,
    #[command(flatten)]
    project: ProjectArgs,
}

type Facts = BTreeMap<ModelName, Arc<SourceFacts>>;

impl Plan {
    pub fn run(self, app: &App<'_>) -> Exit {
        match self.try_run(app) {
            Ok(exit) | Err(exit) => exit,
        }
    }

    fn try_run(self, app: &App<'_>) -> Result<Exit, Exit> {
        let mut compiled = app.load_and_compile(&self.project)?;
        compiled.loaded.writers = Writers::Nobody;
        let wanted = match self.why.as_slice() {
            [] => None,
            [model, day @ ..] => Some(slice(app, &compiled, model, day.first())?),
        };
        let asked = Asked { select: &self.select, range: &self.range, full_refresh: self.full_refresh };
        let planned = Planned::of(app, &compiled, asked, &Guards::new())?.with_arrivals(app, &compiled)?;
        let facts = facts(app, &compiled, &planned)?;
        let listings: BTreeMap<TableName, Vec<SourceEntry>> =
            planned.seen.sources.iter().map(|(name, listing)| (name.clone(), listing.entries.clone())).collect();
        let observed = planned.observed(&compiled);
        let project = &compiled.loaded.project;
        let place = |model: &ModelName, mention: &Mention| {
            place_of(mention, compiled.loaded.rendered.get(model)?, &compiled.loaded.files)
        };
        let survey = Survey { project, observed: &observed, listings: &listings, facts: &facts, place: &place };
        let text = match wanted {
            Some((model, slice)) => self.story(app, &compiled, (&planned, survey), (&model, slice))?,
            None => {
                let wish = Wish { refresh: planned.refresh, windows: self.windows };
                let preview = Preview::of(&planned.plan, survey, wish);
                match self.output {
                    PlanFormat::Text => preview.to_text(self.windows),
                    PlanFormat::Json => preview.to_json(),
                }
            }
        };
        match self.output {
            PlanFormat::Text => app.console.show(&text),
            PlanFormat::Json => app.console.data(&text),
        }
        Ok(blocked(app, &compiled, &planned))
    }

    fn story(
        &self,
        app: &App<'_>,
        compiled: &Compiled,
        (planned, survey): (&Planned<'_>, Survey<'_>),
        (name, slice): (&ModelName, SliceKey),
    ) -> Result<String, Exit> {
        let model = compiled.typed.get(name).expect("the slice is one of a model that was compiled");
        if !planned.plan.steps.iter().any(|step| step.model == *name) {
            let message = format!("`{name}` is not among the selected models");
            let diagnostic =
                Diagnostic::error(Code::EmptySelection, message).help("leave `--select` and `--exclude` out");
            return Err(app.fail(diagnostic, &compiled.loaded.files, Exit::Failed));
        }
        if let Some(error) = planned.seen.unreadable.get(&model.table) {
            return Err(app.report_failure(compiled, &Failure::from(&**error)));
        }
        let lake = compiled.loaded.lake(app)?;
        let history = app.wait(lake, lake.history(&model.table, MOST_VERSIONS))?;
        let history = history.map_err(|error| tables::failed(app, &compiled.loaded, error))?;
        let story = Story::of(&planned.plan, survey, &About { model, slice, history: history.as_ref() });
        Ok(match self.output {
            PlanFormat::Text => story.to_text(),
            PlanFormat::Json => story.to_json(),
        })
    }
}

/// Says why tables cannot be read without which something of the plan cannot be built.
fn blocked(app: &App<'_>, compiled: &Compiled, planned: &Planned<'_>) -> Exit {
    let tables: BTreeSet<&TableName> =
        planned.plan.steps.iter().filter_map(|step| step.decision.blocked.as_ref()).collect();
    let errors = tables.into_iter().filter_map(|table| planned.seen.unreadable.get(table));
    Exit::worst(errors.map(|error| app.report_failure(compiled, &Failure::from(&**error))))
}

/// Older commits are not looked through for the one that wrote a file.
const MOST_VERSIONS: usize = 1000;

/// The slice that somebody names.
fn slice(app: &App<'_>, compiled: &Compiled, model: &str, day: Option<&String>) -> Result<(ModelName, SliceKey), Exit> {
    let files = &compiled.loaded.files;
    let found = ModelName::parse(model).ok().and_then(|name| compiled.typed.get_key_value(&name));
    let Some((name, found)) = found else {
        let known = compiled.typed.keys().map(ModelName::as_str);
        let diagnostic = Diagnostic::error(Code::UnknownRef, format!("no model is called `{model}`"));
        let diagnostic = diagnostic.suggest(model, known).help("`karat ls` lists the models");
        return Err(app.fail(diagnostic, files, Exit::Failed));
    };
    if !found.config.materialized.is_stored() {
        let message = format!("`{name}` is {} without a table", found.config.materialized.word());
        let diagnostic = Diagnostic::error(Code::NotBuilt, message);
        return Err(app.fail(diagnostic.help("ask for a model that reads it"), files, Exit::Failed));
    }
    let grain = found.config.batch_size;
    let slice = match (found.layout(), day.map(String::as_str)) {
        (SliceLayout::Whole, _) => SliceKey::All,
        (_, Some("null")) => SliceKey::Timeless,
        (_, Some(text)) => match parse_instant(text) {
            Some(time) => SliceKey::At(grain.floor(time)),
            None => {
                let message = format!("`{text}` is not a date");
                let help = "write it as `2023-05-01`, or `null` for the rows without a time";
                return Err(app.fail(invalid_range(&message, help), files, Exit::Usage));
            }
        },
        (_, None) => {
            let message = format!("`{name}` is built in slices of a {grain}, and no slice is named");
            let help = format!("name one: `karat plan --why {name} 2023-05-01`");
            return Err(app.fail(invalid_range(&message, &help), files, Exit::Usage));
        }
    };
    Ok((name.clone(), slice))
}

/// What is known of the source files that models have read, where it is still true of them.
fn facts(app: &App<'_>, compiled: &Compiled, planned: &Planned<'_>) -> Result<Facts, Exit> {
    let of = |name: &ModelName| {
        let model = compiled.typed.get(name)?;
        let state = planned.seen.tables.get(&model.table)?.as_deref()?;
        let ledger = TableState::known_ledger(state)?;
        let is_same = ledger.provenances().all(|made_of| made_of.fingerprint == model.fingerprint);
        let digest = ledger.source_files.clone().filter(|_| is_same)?;
        Some((model, digest))
    };
    let known: Vec<_> = planned.plan.steps.iter().filter_map(|step| of(&step.model)).collect();
    if known.is_empty() {
        return Ok(Facts::new());
    }
    let lake = compiled.loaded.lake(app)?;
    let read = async {
        let mut facts = Facts::new();
        for (model, digest) in known {
            facts.insert(model.name.clone(), lake.source_files(&model.table, &digest).await);
        }
        facts
    };
    app.wait(lake, read)
}
