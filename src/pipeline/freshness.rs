//! How fresh sources are: by a column, by a query, or by the times of their files.

use std::collections::BTreeSet;

use arrow::array::{Array, AsArray};
use arrow::datatypes::TimestampMicrosecondType;
use chrono::{DateTime, NaiveDate, Utc};

use super::load::Compiled;
use super::query::Query;
use crate::artifacts::{NewestRow, NodeIds, SourceResult};
use crate::catalog::{Catalog, ObservationScope, Shown, list_sources};
use crate::diag::{Diagnostic, Sink};
use crate::execute::Engine;
use crate::figures::counted;
use crate::name::TableName;
use crate::project::{Age, Freshness, FreshnessStatus, SourceProperties};
use crate::select::Selection;
use crate::span::{SourceFiles, Spanned};

/// A source whose freshness is asked for.
pub(crate) struct FreshnessQuestion<'a> {
    pub name: &'a TableName,
    pub freshness: &'a Freshness,
    by: AskedBy,
}

/// What says how new a source's newest row is.
enum AskedBy {
    Rows(Box<Query>),
    /// The times of files.
    Files,
    /// The question is wrong.
    Nothing(String),
}

/// Questions, and what is wrong with them and with the sources that they are about.
pub(crate) struct Questions<'a> {
    pub questions: Vec<FreshnessQuestion<'a>>,
    /// The project's files, and the texts of queries.
    pub files: SourceFiles,
    pub faults: Vec<Diagnostic>,
}

impl<'a> Questions<'a> {
    /// The questions about those of the selected sources that have criteria. Sources that name a seed or a model are in no
    /// graph: they are asked about if nothing was left out.
    pub fn new(compiled: &'a Compiled, selection: &Selection, is_everything: bool) -> Self {
        let selected: BTreeSet<&TableName> = selection.nodes().iter().filter_map(|node| node.source()).collect();
        let faults = compiled.loaded.project.faults.of_sources().cloned().collect();
        let mut found = Self { questions: Vec::new(), files: compiled.loaded.files.clone(), faults };
        for (name, source) in &compiled.loaded.project.source_properties {
            let is_located = compiled.loaded.project.sources.contains_key(name);
            let is_selected = selected.contains(name) || (is_everything && !is_located);
            if let Some(freshness) = source.freshness.freshness.as_ref().filter(|_| is_selected) {
                let by = found.asked_by(compiled, name, source, freshness);
                found.questions.push(FreshnessQuestion { name, freshness, by });
            }
        }
        found
    }

    fn asked_by(
        &mut self,
        compiled: &Compiled,
        name: &TableName,
        source: &SourceProperties,
        freshness: &Freshness,
    ) -> AskedBy {
        let table = format!("{{{{ source('{}', '{}') }}}}", name.schema, name.table);
        let (sql, written) = match (&source.freshness.loaded_at_query, &source.freshness.loaded_at_field) {
            (Some(query), _) => {
                let text = query.value.replace("{{ this }}", &table).replace("{{this}}", &table);
                (format!("select cast(({text}) as timestamp) as max_loaded_at"), query)
            }
            (None, Some(field)) => {
                let filter =
                    freshness.filter.as_ref().map(|filter| format!("\nwhere {}", filter.value)).unwrap_or_default();
                (
                    format!("select cast(max({}) as timestamp) as max_loaded_at\nfrom {table}{filter}", field.value),
                    field,
                )
            }
            (None, None) if compiled.loaded.project.sources.contains_key(name) => return AskedBy::Files,
            (None, None) => {
                return AskedBy::Nothing("a source without files of its own needs `loaded_at_field`".to_owned());
            }
        };
        self.planned(compiled, &sql, written)
    }

    fn planned(&mut self, compiled: &Compiled, sql: &str, written: &Spanned<String>) -> AskedBy {
        let mut sink = Sink::default();
        let query = Query::named("<freshness>", compiled, sql, &mut self.files, &mut sink);
        let faults = sink.take();
        match query {
            Ok(query) => AskedBy::Rows(Box::new(query)),
            Err(_) => {
                let message = faults.first().map(|fault| fault.message.clone()).unwrap_or_default();
                self.faults.extend(faults.into_iter().map(|fault| fault.labelled(written.span, "asked for here")));
                AskedBy::Nothing(message)
            }
        }
    }

    /// What answering reads. Files that are not there are told where they are missed.
    pub fn scope(&self, compiled: &Compiled) -> ObservationScope {
        let inputs = self.questions.iter().filter_map(|question| match &question.by {
            AskedBy::Rows(query) => Some(query.inputs()),
            AskedBy::Files | AskedBy::Nothing(_) => None,
        });
        ObservationScope::of_inputs(&compiled.typed, &inputs.flatten().collect(), Shown::Live).lenient()
    }
}

impl<'a> FreshnessQuestion<'a> {
    /// Whether the times of files decide.
    pub fn is_of_files(&self) -> bool {
        matches!(self.by, AskedBy::Files)
    }

    /// Answers the question. Ages are reckoned by the run's time.
    pub async fn answer(&self, compiled: &Compiled, catalog: &Catalog<'_>, engine: &Engine) -> SourceResult<'a> {
        let host = compiled.loaded.host();
        let started = host.now();
        let newest = match &self.by {
            AskedBy::Rows(query) => newest_of_rows(query, catalog, engine).await,
            AskedBy::Files => newest_of_files(catalog, self.name),
            AskedBy::Nothing(message) => Err(message.clone()),
        };
        let now = host.logical_time();
        let outcome = newest.map(|newest| {
            // As in dbt: a source without rows was loaded at the beginning of time.
            let loaded_at = newest.unwrap_or_else(beginning);
            let age = NewestRow { loaded_at, now, status: FreshnessStatus::Pass }.age();
            NewestRow { loaded_at, now, status: self.freshness.status(age) }
        });
        SourceResult {
            unique_id: NodeIds::new(&compiled.loaded.project).of_source(self.name),
            freshness: self.freshness,
            times: [started, host.now()],
            outcome,
        }
    }
}

fn beginning() -> DateTime<Utc> {
    NaiveDate::from_ymd_opt(1, 1, 1).unwrap_or_default().and_time(chrono::NaiveTime::MIN).and_utc()
}

/// `None` if there are no rows.
async fn newest_of_rows(
    query: &Query,
    catalog: &Catalog<'_>,
    engine: &Engine,
) -> Result<Option<DateTime<Utc>>, String> {
    // There is one row: that of a maximum, or of a subquery, which the engine refuses to have several.
    let rows = query.rows(catalog, engine, 1).await.map_err(|failure| failure.diagnostic().message.clone())?;
    let batch = rows.batches.iter().find(|batch| batch.num_rows() > 0);
    let column = batch.and_then(|batch| batch.columns().first());
    let Some(times) = column.and_then(|column| column.as_primitive_opt::<TimestampMicrosecondType>()) else {
        return Ok(None);
    };
    Ok((!times.is_null(0)).then(|| times.value(0)).and_then(DateTime::from_timestamp_micros))
}

/// `None` if there are no files.
fn newest_of_files(catalog: &Catalog<'_>, name: &TableName) -> Result<Option<DateTime<Utc>>, String> {
    let Some(source) = catalog.project.sources.get(name) else { return Ok(None) };
    let listing = list_sources(&catalog.folder, source);
    let listing = listing.map_err(|failure| failure.diagnostic().message.clone())?;
    Ok(listing.entries.iter().map(|entry| entry.modified).max().and_then(DateTime::from_timestamp_micros))
}

/// An answer, and how it is told.
pub(crate) struct FreshnessAnswer<'a> {
    pub result: SourceResult<'a>,
    name: &'a TableName,
    is_of_files: bool,
}

impl<'a> FreshnessAnswer<'a> {
    pub fn new(question: &FreshnessQuestion<'a>, result: SourceResult<'a>) -> Self {
        Self { result, name: question.name, is_of_files: question.is_of_files() }
    }

    /// Whether the source is too old, or nobody knows.
    pub fn fails(&self) -> bool {
        self.result.outcome.as_ref().map_or(true, |newest| newest.status == FreshnessStatus::Error)
    }

    pub fn warns(&self) -> bool {
        self.result.outcome.as_ref().is_ok_and(|newest| newest.status == FreshnessStatus::Warn)
    }

    /// `2 sources fresh, 1 warned, 0 failed`
    pub fn summary(answers: &[Self]) -> String {
        let [fresh, warned, failed] = Self::numbers(answers);
        format!("{} fresh, {warned} warned, {failed} failed", counted(fresh, "source"))
    }

    /// The same for programs.
    pub fn counts(answers: &[Self]) -> serde_json::Value {
        let [fresh, warned, failed] = Self::numbers(answers);
        serde_json::json!({"fresh": fresh, "warned": warned, "failed": failed})
    }

    fn numbers(answers: &[Self]) -> [usize; 3] {
        let failed = answers.iter().filter(|answer| answer.fails()).count();
        let warned = answers.iter().filter(|answer| answer.warns()).count();
        [answers.len() - failed - warned, warned, failed]
    }

    /// dbt's word, padded.
    pub fn word(&self) -> &'static str {
        match &self.result.outcome {
            Err(_) => "error       ",
            Ok(newest) => match newest.status {
                FreshnessStatus::Pass => "pass        ",
                FreshnessStatus::Warn => "warn        ",
                FreshnessStatus::Error => "error stale ",
            },
        }
    }

    /// The source, its age, and what its age is compared with.
    pub fn text(&self) -> String {
        let name = self.name.to_string();
        let newest = match &self.result.outcome {
            Ok(newest) => newest,
            Err(message) => return format!("{name:32} {message}"),
        };
        let what = if self.is_of_files { "newest file" } else { "newest row" };
        let limit = |word: &str, age: Option<Age>| {
            age.map(|age| {
                format!("{word} after {}", counted(usize::try_from(age.count).unwrap_or(usize::MAX), age.period.word()))
            })
        };
        let Freshness { warn_after, error_after, .. } = self.result.freshness;
        let limits: Vec<String> =
            [limit("warn", *warn_after), limit("error", *error_after)].into_iter().flatten().collect();
        if newest.loaded_at == beginning() {
            return format!("{name:32} no rows ({})", limits.join(", "));
        }
        let written = newest.loaded_at.format("%Y-%m-%d %H:%M:%S");
        format!("{name:32} {what} {written}, {} old ({})", shown_age(newest.age()), limits.join(", "))
    }

    /// The same for programs.
    pub fn facts(&self) -> serde_json::Value {
        let name = self.name.to_string();
        match &self.result.outcome {
            Err(message) => serde_json::json!({"source": name, "status": "runtime error", "error": message}),
            Ok(newest) => serde_json::json!({
                "source": name, "status": self.word().trim(), "age_seconds": newest.age(), "by_files": self.is_of_files,
            }),
        }
    }
}

/// An age in its two largest units.
fn shown_age(seconds: f64) -> String {
    // An age of a source is far below the integers that a double cannot hold.
    let minutes = (seconds.max(0.0) / 60.0) as u64;
    let (days, hours) = (minutes / 1_440, minutes / 60 % 24);
    match (days, hours) {
        (0, 0) => format!("{minutes} min"),
        (0, hours) => format!("{hours} h {} min", minutes % 60),
        (days, 0) => counted(usize::try_from(days).unwrap_or(usize::MAX), "day"),
        (days, hours) => format!("{} {hours} h", counted(usize::try_from(days).unwrap_or(usize::MAX), "day")),
    }
}
