//! What was typed, and what it means: the options that several commands share.

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use clap::builder::PossibleValue;
use clap::{Args, ValueEnum};

use crate::check::StoredByDefault;
use crate::day::{Grain, TimeRange, WrittenTime, parse_moment};
use crate::diag::{Code, Diagnostic};
use crate::execute::EngineSettings;
use crate::memory;
use crate::pipeline::{DeferRequest, QueryEngine};
use crate::select::{IndirectSelection, SelectionRequest};
use crate::shown::RowFormat;
use crate::terminal::LogFormat;

/// Options of every command.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct GlobalArgs {
    /// Print errors only
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// Format of progress and messages
    #[arg(long, global = true, value_name = "FORMAT", default_value = "text")]
    pub log_format: LogFormat,
    /// Print internal events, for a bug report
    #[arg(long, global = true)]
    pub debug: bool,
    /// Stop at warnings about the project as at errors
    #[arg(long, global = true)]
    pub warn_error: bool,
    /// The folder of artifacts and compiled SQL [default: that of the project file, or `target`]
    #[arg(long, global = true, value_name = "DIR")]
    pub target_path: Option<String>,
    /// Write no artifacts (`manifest.json`, `run_results.json`)
    #[arg(long, global = true)]
    pub no_write_json: bool,
    /// Type all models anew, and keep nothing of their types for the next command
    #[arg(long, global = true)]
    pub no_partial_parse: bool,
}

/// Which project, in which surroundings.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Project")]
pub(crate) struct ProjectArgs {
    /// The project's folder, or any folder inside it [default: the current folder]
    #[arg(long, value_name = "DIR")]
    pub project_dir: Option<PathBuf>,
    /// The target to use, one of the project's: it says where the lake is
    #[arg(long, short)]
    pub target: Option<String>,
    /// The profile of dbt's `profiles.yml` whose names templates see [default: the one that the project names]
    #[arg(long, value_name = "NAME")]
    pub profile: Option<String>,
    /// The folder of `profiles.yml`, which is read for names only [default: the project's folder]
    #[arg(long, value_name = "DIR")]
    pub profiles_dir: Option<String>,
    /// Variables, as a YAML mapping: `{run_date: 2023-05-01}`
    #[arg(long, value_name = "YAML")]
    pub vars: Option<String>,
    /// The run's time for templates (`run_started_at`) and snapshots, in UTC: `2023-05-01` or `2023-05-01T08:00:00` [default: now]
    #[arg(long, value_name = "TIME", value_parser = parse_moment)]
    pub now: Option<DateTime<Utc>>,
}

/// Which models.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Selection")]
pub(crate) struct SelectArgs {
    /// Models by name, folder, tag:… or path:…; a leading `+` adds ancestors, a trailing `+` descendants
    #[arg(long, short, aliases = ["models", "model"], short_alias = 'm', value_name = "SELECTOR", num_args = 1..)]
    pub select: Vec<String>,
    /// Models to exclude
    #[arg(long, value_name = "SELECTOR", num_args = 1..)]
    pub exclude: Vec<String>,
    /// A selector that `selectors.yml` defines
    #[arg(long, value_name = "NAME", conflicts_with = "select")]
    pub selector: Option<String>,
    /// The folder of artifacts of an earlier command, for `state:`, `result:` and `source_status:`
    #[arg(long, value_name = "DIR")]
    pub state: Option<String>,
}

impl SelectArgs {
    /// Whether nothing was left out.
    pub fn is_everything(&self) -> bool {
        self.select.is_empty() && self.exclude.is_empty() && self.selector.is_none()
    }

    /// What is asked for, in the words of a selection.
    pub fn request(&self, indirect: IndirectSelection) -> SelectionRequest<'_> {
        let state = self.state.as_deref();
        SelectionRequest {
            select: &self.select,
            exclude: &self.exclude,
            indirect,
            state,
            ..SelectionRequest::default()
        }
    }
}

/// Which tests are selected with their tables.
#[derive(Debug, Clone, Copy, Default, Args)]
pub(crate) struct TestArgs {
    /// Which data tests go with what is selected
    #[arg(long, value_name = "MODE", default_value = "eager", help_heading = "Selection")]
    pub indirect_selection: IndirectSelection,
}

/// What becomes of the rows that tests find.
#[derive(Debug, Clone, Copy, Default, Args)]
pub(crate) struct StoreArgs {
    /// Keep the rows that break data tests as tables, unless the config of a test says otherwise
    #[arg(long)]
    store_failures: bool,
}

impl StoreArgs {
    /// Whether tests whose config says nothing keep the rows that break them.
    pub fn by_default(self) -> StoredByDefault {
        StoredByDefault(self.store_failures)
    }
}

impl ValueEnum for IndirectSelection {
    fn value_variants<'a>() -> &'a [IndirectSelection] {
        const VARIANTS: [IndirectSelection; 4] = IndirectSelection::ALL;
        &VARIANTS
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.word()).help(self.summary()))
    }
}

impl ValueEnum for LogFormat {
    fn value_variants<'a>() -> &'a [LogFormat] {
        &[LogFormat::Text, LogFormat::Json]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(match self {
            LogFormat::Text => PossibleValue::new("text"),
            LogFormat::Json => PossibleValue::new("json").help("One JSON object a line"),
        })
    }
}

impl ValueEnum for RowFormat {
    fn value_variants<'a>() -> &'a [RowFormat] {
        const VARIANTS: [RowFormat; 4] = RowFormat::ALL;
        &VARIANTS
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.word()).help(self.summary()))
    }
}

impl ValueEnum for QueryEngine {
    fn value_variants<'a>() -> &'a [QueryEngine] {
        const VARIANTS: [QueryEngine; 6] = QueryEngine::ALL;
        &VARIANTS
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.word()).help(self.summary()))
    }
}

/// Where tables are read that the target lacks and the command does not build.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Defer")]
pub(crate) struct DeferArgs {
    /// Read tables that the target lacks and that are not built as another target has released them
    #[arg(long, overrides_with = "no_defer")]
    defer: bool,
    /// Read the tables of the target alone, whatever its `defer` says
    #[arg(long, overrides_with = "defer")]
    no_defer: bool,
    /// Defer to this target of the project [default: the `defer` of the target]
    #[arg(long, value_name = "TARGET")]
    defer_to: Option<String>,
    /// Defer to the target whose manifest is in this folder [default: that of `--state`]
    #[arg(long, value_name = "DIR")]
    defer_state: Option<String>,
    /// Read the other target's table also where the target has one, unless it is built
    #[arg(long, overrides_with = "no_favor_state")]
    favor_state: bool,
    #[arg(long, hide = true, overrides_with = "favor_state")]
    no_favor_state: bool,
}

impl DeferArgs {
    /// What is asked for; `state` is the folder of `--state`.
    pub fn request<'a>(&'a self, state: Option<&'a String>) -> DeferRequest<'a> {
        let is_asked = if self.no_defer { Some(false) } else { self.defer.then_some(true) };
        let to = self.defer_to.as_deref();
        let state = state.map(String::as_str);
        DeferRequest {
            is_asked,
            to,
            folder: self.defer_state.as_deref(),
            state,
            is_favored: self.favor_state,
            is_live: false,
        }
    }
}

/// What the engine may take.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Machine")]
pub(crate) struct EngineArgs {
    /// Memory limit for sorts, aggregations and joins: `800MB`, `4GiB`, `50%` of the machine [default: 60%]
    #[arg(long, value_name = "SIZE", value_parser = memory::parse_memory)]
    memory: Option<usize>,
    /// Input rows per part, where a large table can be built in parts
    #[arg(long, value_name = "ROWS", default_value_t = EngineSettings::USUAL_PART_ROWS)]
    pub part_rows: u64,
}

impl Default for EngineArgs {
    fn default() -> EngineArgs {
        EngineArgs { memory: None, part_rows: EngineSettings::USUAL_PART_ROWS }
    }
}

impl EngineArgs {
    /// Bytes.
    pub fn memory(&self) -> usize {
        const WITHOUT_AN_ANSWER: usize = 2 << 30;
        self.memory.unwrap_or_else(|| memory::memory().map_or(WITHOUT_AN_ANSWER, |total| total / 10 * 6))
    }
}

/// Which slices.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Slices")]
pub(crate) struct RangeArgs {
    /// First day to build in incremental models: `2023-05-01`; without --end, the only one
    #[arg(long, visible_alias = "event-time-start", value_name = "DATE")]
    start: Option<String>,
    /// Last day to build, inclusive
    #[arg(long, visible_alias = "event-time-end", value_name = "DATE", requires = "start")]
    end: Option<String>,
}

impl RangeArgs {
    /// The range that was requested, if one was.
    pub fn range(&self) -> Result<Option<TimeRange>, Diagnostic> {
        let Some(start) = &self.start else { return Ok(None) };
        let from = written_time(start)?;
        let to = match (&self.end, from) {
            (Some(end), _) => written_time(end)?.end(),
            // A beginning alone means its own day or hour.
            (None, WrittenTime::Day(_)) => from.end(),
            (None, WrittenTime::Instant(time)) => Grain::Hour.next(time),
        };
        let end = self.end.as_ref().unwrap_or(start);
        TimeRange::new(from.start(), to).map(Some).ok_or_else(|| {
            let message = format!("the range begins at {start} and ends at {end}, before it");
            invalid_range(&message, "`--start` must be the earlier of the two")
        })
    }
}

fn written_time(text: &str) -> Result<WrittenTime, Diagnostic> {
    WrittenTime::parse(text).ok_or_else(|| {
        let message = format!("`{text}` is not a date");
        invalid_range(&message, "write it as `2023-05-01`, with leading zeros, or as `2023-05-01 13:00`")
    })
}

/// A usage error in karat's own form.
pub(crate) fn invalid_range(message: &str, help: &str) -> Diagnostic {
    Diagnostic::error(Code::InvalidRange, message).help(help)
}
