//! What a model becomes, as text: rendered SQL, logical plan, physical plan, and what each scan reads.
//!
//! The texts are the same on every machine: no paths, no core count, nothing from the lake.

use std::collections::BTreeMap;
use std::future::Future;
use std::ops::Range;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use chrono::NaiveDate;
use datafusion::catalog::TableProvider;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::SessionState;
use datafusion::logical_expr::execution_props::ExecutionProps;
use datafusion::logical_expr::{Expr, LogicalPlan, TableScan};
use datafusion::physical_plan::displayable;

use crate::analyze::{
    InputTable, Rewrite, TypedModel, plan_options, rewrites_of, without_catalogs, without_marks_of_patterns,
};
use crate::day::{Grain, TimeRange, midnight};
use crate::engine::{DeclaredTable, declared_table, session, show_filter};
use crate::incremental::{Bound, Mention, Proved, Read, Reads, Windows, bind_proved, is_read_by_file};
use crate::name::ModelName;
use crate::parallel::in_parallel;
use crate::project::SqlReading;
use crate::span::SourceFiles;
use crate::table::SliceSet;
use crate::template::{RenderedModel, RenderedModels, RenderedSql};

/// The threads that a compiled plan is made for: a plan must not depend on the machine that compiles it.
const PARTITIONS: usize = 2;

/// A model's texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Explained {
    pub sql: String,
    /// What of the SQL was written in other words, as comments; empty if nothing was.
    pub rewrites: String,
    /// For an incremental model: the slice that the plans are made for.
    slice: Option<TimeRange>,
    pub logical: String,
    pub physical: String,
    pub scans: String,
    /// For an incremental model: what of each input a slice reads, and why.
    pub windows: Option<String>,
}

/// A plan that could not be made.
#[derive(Debug)]
pub(crate) struct NotPlanned {
    /// The model, or `--inline`.
    pub what: String,
    pub message: String,
}

impl Explained {
    /// All of it, with headings.
    pub fn text(&self) -> String {
        let slice = self.slice.map(|slice| format!(" for the slice {slice}")).unwrap_or_default();
        let windows = self.windows.as_ref().map(|windows| format!("-- Windows\n{windows}\n")).unwrap_or_default();
        format!(
            "-- SQL\n{}{}\n\n{windows}-- Scans{slice}\n{}\n-- Logical plan{slice}\n{}\n-- Physical plan{slice}\n{}",
            self.rewrites,
            self.sql.trim(),
            self.scans,
            self.logical,
            self.physical,
        )
    }
}

/// Explains the models that are wanted. Seeds have no SQL to explain.
pub(crate) fn explain(
    rendered: &RenderedModels,
    files: &SourceFiles,
    typed: &BTreeMap<ModelName, TypedModel>,
    reading: &SqlReading,
    wanted: impl Fn(&ModelName) -> bool,
) -> std::result::Result<BTreeMap<ModelName, Explained>, NotPlanned> {
    let state = state();
    let all_windows = Windows::new(typed);
    let wanted = typed.values().filter(|model| wanted(&model.name) && !model.is_seed());
    let with_text = wanted.filter_map(|model| Some((model, rendered.get(&model.name)?)));
    let models: Vec<(&TypedModel, &RenderedModel)> = with_text.collect();
    let explained = in_parallel(&models, |&(model, sql)| {
        let slice = slice(model);
        let bound = match (slice, model.event_time()) {
            (Some(range), Some(event_time)) => Bound::Slices { event_time, slices: SliceSet::new(vec![range], false) },
            _ => Bound::Whole,
        };
        // What a run does every day is shown: the first build of all, which reads everything, is the exception.
        let is_later = slice.is_some() || !model.is_refresh_equivalent();
        let failed = |error: DataFusionError| NotPlanned { what: model.name.to_string(), message: first_line(&error) };
        let plans = model.plans.get().map_err(failed)?;
        let plan = plans.sliced.as_ref().filter(|_| is_later).unwrap_or(&plans.full);
        let text = sql.sliced.as_ref().filter(|_| is_later).unwrap_or(&sql.full);
        let reads = slice.map(|_| all_windows.of(model));
        let proved = reads.as_ref().map(|reads| reads.proved()).unwrap_or_default();
        let found = one(&with_names_of_its_own(&state), text, plan, bound, &proved);
        let found = found.map_err(failed)?;
        let windows = reads.map(|reads| windows(model, &reads, sql, files));
        let rewrites = rewrites(&text.text, reading, &plans.names);
        Ok((model.name.clone(), Explained { slice, windows, rewrites, ..found }))
    });
    explained.into_iter().collect()
}

/// Explains a text that is no model.
pub(crate) fn explain_text(
    rendered: &RenderedSql,
    plan: &LogicalPlan,
    reading: &SqlReading,
) -> std::result::Result<Explained, NotPlanned> {
    let found = one(&state(), rendered, plan, Bound::Whole, &Proved::new())
        .map_err(|error| NotPlanned { what: "--inline".to_owned(), message: first_line(&error) })?;
    Ok(Explained { rewrites: rewrites(&rendered.text, reading, &[]), ..found })
}

/// What of a text was written in other words, a line for each.
fn rewrites(sql: &str, reading: &SqlReading, names: &[Rewrite]) -> String {
    let mut lines: Vec<String> = Vec::new();
    for rewrite in names.iter().chain(&rewrites_of(sql, reading)) {
        let line = format!("{}\n", rewrite.comment());
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    lines.concat()
}

fn first_line(error: &DataFusionError) -> String {
    let message = error.strip_backtrace();
    without_catalogs(message.lines().next().unwrap_or("")).into_owned()
}

fn state() -> SessionState {
    // The options of a run, but for what depends on the machine.
    session(plan_options(PARTITIONS)).build()
}

/// Names that the optimizer makes up are numbered: those of one model do not depend on what was planned before it.
fn with_names_of_its_own(state: &SessionState) -> SessionState {
    let mut state = state.clone();
    *state.execution_props_mut() = ExecutionProps::new();
    state
}

/// The slice that stands for all: the one at `begin`, or at the beginning of 2023.
fn slice(model: &TypedModel) -> Option<TimeRange> {
    if !model.config.materialized.is_sliced() {
        return None;
    }
    // Any slice would do; the same one on every day keeps snapshots still.
    let usual = midnight(NaiveDate::from_ymd_opt(2023, 1, 1).expect("the first of January exists"));
    let begin = model.config.begin.unwrap_or(usual);
    let grain: Grain = model.config.batch_size;
    TimeRange::new(grain.floor(begin), grain.next(begin))
}

/// What of each input a slice reads, and why.
fn windows(model: &TypedModel, reads: &Reads, sql: &RenderedModel, files: &SourceFiles) -> String {
    let told = |read: &Read| match is_read_by_file(model, &read.input) {
        true => format!(
            "{}\n  by file: every file once, whatever times it holds\n  why:  the model is row by row\n",
            read.scan
        ),
        false => read.told(|mention| place_of(mention, sql, files)),
    };
    reads.scans.iter().map(told).collect()
}

/// Where in the author's file a part of a model's SQL stands: `models/silver/sessions.sql:12`. Returns `None` if it
/// stands in a view that the model reads.
pub(crate) fn place_of(mention: &Mention, sql: &RenderedModel, files: &SourceFiles) -> Option<String> {
    let mut texts = std::iter::once(&sql.full).chain(&sql.sliced);
    let span = match mention {
        Mention::Word(word) => texts.find_map(|text| Some(text.map.span(word_in(&text.text, word)?)))?,
        Mention::Reference(name) => {
            texts.find_map(|text| text.references.iter().find(|reference| reference.name == *name))?.span
        }
    };
    Some(format!("{}:{}", files.path(span.file), files.position(span.file, span.range().start).line))
}

/// Where a word stands in a text for the first time, whatever its case.
fn word_in(text: &str, word: &str) -> Option<Range<usize>> {
    let lower = text.to_ascii_lowercase();
    let word = word.to_ascii_lowercase();
    let is_letter = |letter: char| letter.is_alphanumeric() || letter == '_';
    let ends = |range: &Range<usize>| {
        let before = lower.get(..range.start).and_then(|text| text.chars().next_back());
        let after = lower.get(range.end..).and_then(|text| text.chars().next());
        !before.is_some_and(is_letter) && !after.is_some_and(is_letter)
    };
    lower.match_indices(&word).map(|(start, found)| start..start + found.len()).find(ends)
}

fn one(
    state: &SessionState,
    rendered: &RenderedSql,
    plan: &LogicalPlan,
    bound: Bound<'_>,
    proved: &Proved,
) -> Result<Explained> {
    let declared = &mut |table: &InputTable| Ok(Arc::new(DeclaredTable(table.clone())) as Arc<dyn TableProvider>);
    let bound = bind_proved(plan, bound, proved, declared)?;
    let logical = state.optimize(&bound)?;
    let physical = now(state.query_planner().create_physical_plan(&logical, state))?;
    Ok(Explained {
        sql: format!("{}\n", rendered.text.trim()),
        rewrites: String::new(),
        slice: None,
        logical: format!("{}\n", shown(&logical.display_indent().to_string())),
        physical: shown(&displayable(physical.as_ref()).indent(false).to_string()),
        scans: scans(&logical)?,
        windows: None,
    })
}

/// A plan without what only tells karat's own parts apart.
fn shown(plan: &str) -> String {
    without_marks_of_patterns(&without_catalogs(plan))
}

/// Per scan the filters that reach it: those that choose partitions, and those that are checked against statistics.
fn scans(plan: &LogicalPlan) -> Result<String> {
    let mut lines = Vec::new();
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node {
            lines.push(show_scan(scan));
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(lines.concat())
}

fn show_scan(scan: &TableScan) -> String {
    let table = declared_table(scan);
    let is_exact = |filter: &&Expr| table.as_ref().is_some_and(|table| table.is_exact(filter));
    let (partitions, predicate): (Vec<&Expr>, Vec<&Expr>) = scan.filters.iter().partition(is_exact);
    let joined =
        |filters: &[&Expr]| shown(&filters.iter().map(|filter| show_filter(filter)).collect::<Vec<_>>().join(" AND "));
    let windows = table.as_ref().map(|table| table.windows.as_slice()).unwrap_or_default();
    let windows: Vec<String> = windows.iter().map(|window| format!("  (declared: {window})")).collect();
    let name = table.as_ref().map_or_else(|| scan.table_name.to_string(), |table| table.name.to_string());
    let mut text = format!("{name}{}\n", windows.concat());
    let all = if partitions.is_empty() { "all".to_owned() } else { joined(&partitions) };
    text.push_str(&format!("  partitions: {all}\n"));
    if !predicate.is_empty() {
        text.push_str(&format!("  predicate:  {}\n", joined(&predicate)));
    }
    text
}

/// Planning over declared tables waits for nothing, so the first poll is the last.
fn now<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    match pin!(work).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(done) => done,
        Poll::Pending => Err(DataFusionError::Internal("planning waited for something".to_owned())),
    }
}
