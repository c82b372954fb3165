//! A backfill as it is watched: one bar a model and one of all, or a line for each batch.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use serde_json::json;

use super::console::{Console, LogFormat, Tone};
use super::progress::{Gauge, Progress};
use crate::execute::{BackfillEvent, Built, Event, Observer};
use crate::figures::{bytes, counted, grouped, seconds};
use crate::locked::Locked;
use crate::name::ModelName;
use crate::pipeline::{Estimate, SliceSet, Standing};

pub(crate) struct BackfillProgress<'a, 'c> {
    console: &'a Console<'c>,
    progress: Progress<'a, 'c>,
    began: Instant,
    state: Locked<BackfillState>,
}

struct BackfillState {
    estimate: Estimate,
    /// Of the models that are being rebuilt.
    models: BTreeMap<ModelName, Gauge>,
    /// Those that have said what an earlier call has done.
    resumed: BTreeSet<ModelName>,
    all: Gauge,
}

impl<'a, 'c> BackfillProgress<'a, 'c> {
    pub fn new(console: &'a Console<'c>) -> BackfillProgress<'a, 'c> {
        let progress = Progress::new(console);
        let state = BackfillState {
            estimate: Estimate::default(),
            models: BTreeMap::new(),
            resumed: BTreeSet::new(),
            all: progress.gauge("backfill"),
        };
        BackfillProgress { console, progress, began: Instant::now(), state: Locked::new(state) }
    }

    /// Takes a change into account and shows where all stands now.
    fn update(&self, model: &ModelName, change: impl FnOnce(&mut Estimate)) -> Standing {
        let mut state = self.state.lock();
        change(&mut state.estimate);
        let standing = state.estimate.standing(self.began.elapsed());
        state.all.show(standing.batches_done as u64, standing.batches as u64, standing.text());
        let share = state.estimate.share(model);
        if let Some(gauge) = state.models.get(model) {
            gauge.show(share.slices_done, share.slices, format!("{} of {} batches", share.batches_done, share.batches));
        }
        if share.batches_done == share.batches {
            state.models.remove(model);
        }
        standing
    }

    fn is_first(&self, model: &ModelName) -> bool {
        self.state.lock().resumed.insert(model.clone())
    }

    fn backfill(&self, model: &ModelName, what: &BackfillEvent<'_>) {
        let now = self.began.elapsed();
        match what {
            BackfillEvent::Planned { batches, slices, done } => {
                self.update(model, |estimate| estimate.planned(model, *batches, *slices));
                let facts = json!({"model": model.as_str(), "batches": batches, "slices": slices, "done": done});
                let goes_on = *done > 0 && *slices > 0 && self.is_first(model);
                if goes_on || self.console.manners.format == LogFormat::Json {
                    let done = counted(*done as usize, "slice");
                    let word = self.console.paint(Tone::Quiet, "goes on");
                    let text = format!("  {word}    {model:32} {done} done before, {} left", grouped(*slices));
                    self.progress.line("planned", &text, facts);
                }
            }
            BackfillEvent::Started { slices, count } => {
                let gauge = || self.progress.gauge(model.as_str());
                let mut state = self.state.lock();
                state.models.entry(model.clone()).or_insert_with(gauge);
                drop(state);
                self.update(model, |estimate| estimate.started(model, *count, now));
                if self.console.manners.format == LogFormat::Json {
                    let facts = json!({"model": model.as_str(), "slices": slices.to_string()});
                    self.progress.line("batch_started", "", facts);
                }
            }
            BackfillEvent::Ended { slices, count, built } => {
                let standing = self.update(model, |estimate| estimate.ended(model, *count, now));
                self.ended(model, slices, *built, standing);
            }
        }
    }

    /// A line for the batch; where bars are watched, one for the model after its last.
    fn ended(&self, model: &ModelName, slices: &SliceSet, built: Option<&Built>, standing: Standing) {
        let done = self.state.lock().estimate.share(model);
        let word = self.console.paint(Tone::Good, "built");
        let left = standing.left.map(|left| left.as_secs());
        let mut facts = json!({
            "model": model.as_str(), "slices": slices.to_string(), "batches_done": standing.batches_done,
            "batches": standing.batches, "percent": standing.percent, "seconds_left": left,
        });
        if let (Some(facts), Some(built)) = (facts.as_object_mut(), built) {
            let milliseconds = u64::try_from(built.elapsed.as_millis()).unwrap_or(u64::MAX);
            facts.insert("version".to_owned(), json!(built.version));
            facts.insert("rows".to_owned(), json!(built.rows));
            facts.insert("bytes".to_owned(), json!(built.bytes));
            facts.insert("same".to_owned(), json!(built.same));
            facts.insert("milliseconds".to_owned(), json!(milliseconds));
        }
        if self.progress.is_watched() {
            if done.batches_done == done.batches {
                let slices = counted(done.slices_done as usize, "slice");
                let batches = batch(done.batches);
                self.progress.line("batch", &format!("  {word}      {model:32} {slices} in {batches}"), facts);
            }
            return;
        }
        let slices = slices.to_string();
        let text = format!("  {word}      {model:24} {slices:24} {}  {}", figures(built), standing.text());
        self.progress.line("batch", &text, facts);
    }
}

fn figures(built: Option<&Built>) -> String {
    let Some(built) = built else { return "by another run".to_owned() };
    let same = match built.same {
        0 => String::new(),
        count => format!("  {} unchanged", counted(count as usize, "slice")),
    };
    let noun = if built.rows == 1 { "row " } else { "rows" };
    format!("{:>9} {noun} {:>9} {:>7}{same}", grouped(built.rows), bytes(built.bytes), seconds(built.elapsed))
}

fn batch(count: u64) -> String {
    format!("{} {}", grouped(count), if count == 1 { "batch" } else { "batches" })
}

impl Observer for BackfillProgress<'_, '_> {
    fn event(&self, event: &Event<'_>) {
        let now = self.began.elapsed();
        match event {
            Event::Backfill { model, what } => return self.backfill(model, what),
            // Batches of one model would speak at the same time.
            Event::Progress { model, .. } if self.state.lock().models.contains_key(*model) => {
                return;
            }
            Event::Started { model, .. } => drop(self.update(model, |estimate| estimate.started(model, 1, now))),
            Event::Built { model, .. } | Event::Unchanged { model, .. } => {
                self.update(model, |estimate| {
                    if estimate.is_running(model) {
                        estimate.ended(model, 1, now);
                    }
                });
            }
            Event::Failed { model, .. } => drop(self.update(model, |estimate| estimate.failed(model))),
            Event::Progress { .. }
            | Event::Skipped { .. }
            | Event::Verified { .. }
            | Event::NotVerified { .. }
            | Event::Said { .. }
            | Event::Warning { .. }
            | Event::NotTested { .. }
            | Event::Tested { .. }
            | Event::TestUnchanged { .. } => {}
        }
        self.progress.event(event);
    }
}
