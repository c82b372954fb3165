//! How long a backfill still takes, from what it has measured so far. Knows no clock: it is told the time.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::name::ModelName;

/// Adds up what is done and what is left, model by model: a slice of one may take a thousand times that of another.
#[derive(Debug, Default)]
pub(crate) struct Estimate {
    models: BTreeMap<ModelName, Measured>,
}

/// What is known of one model.
#[derive(Debug, Clone, Default)]
struct Measured {
    batches: usize,
    slices: u64,
    batches_done: usize,
    slices_done: u64,
    /// The time that the finished slices took, batches that ran side by side added up.
    busy: Duration,
    /// Those that run: since when, and how many slices.
    running: Vec<(Duration, u64)>,
}

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Standing {
    pub batches_done: usize,
    pub batches: usize,
    pub percent: u64,
    /// Nothing as long as nothing is finished.
    pub left: Option<Duration>,
}

impl Estimate {
    /// What there is to do of a model; later, if more is known, once more.
    pub fn planned(&mut self, model: &ModelName, batches: usize, slices: u64) {
        let measured = self.models.entry(model.clone()).or_default();
        measured.batches = measured.batches_done + batches;
        measured.slices = measured.slices_done + slices;
    }

    pub fn started(&mut self, model: &ModelName, slices: u64, now: Duration) {
        self.models.entry(model.clone()).or_default().running.push((now, slices));
    }

    /// A batch of so many slices is committed.
    pub fn ended(&mut self, model: &ModelName, slices: u64, now: Duration) {
        let measured = self.models.entry(model.clone()).or_default();
        let started = measured.running.iter().position(|(_, count)| *count == slices);
        let since = started.map_or(now, |place| measured.running.swap_remove(place).0);
        measured.busy += now.saturating_sub(since);
        measured.slices_done += slices;
        measured.batches_done += 1;
        measured.batches = measured.batches.max(measured.batches_done);
        measured.slices = measured.slices.max(measured.slices_done);
    }

    /// A batch failed: those of the model that run come to their end, and nothing more of it is begun.
    pub fn failed(&mut self, model: &ModelName) {
        let measured = self.models.entry(model.clone()).or_default();
        measured.running.pop();
        measured.batches = measured.batches_done + measured.running.len();
        measured.slices = measured.slices_done + measured.running.iter().map(|(_, count)| count).sum::<u64>();
    }

    pub fn is_running(&self, model: &ModelName) -> bool {
        self.models.get(model).is_some_and(|model| !model.running.is_empty())
    }

    /// Of one model the batches and the slices that are done and those that there are.
    pub fn share(&self, model: &ModelName) -> ModelShare {
        let Some(model) = self.models.get(model) else { return ModelShare::default() };
        ModelShare {
            batches_done: model.batches_done as u64,
            batches: model.batches as u64,
            slices_done: model.slices_done,
            slices: model.slices,
        }
    }

    pub fn standing(&self, now: Duration) -> Standing {
        let sum = |of: fn(&Measured) -> u64| self.models.values().map(of).sum::<u64>();
        let done = sum(|model| model.slices_done);
        let all = sum(|model| model.slices);
        Standing {
            batches_done: self.models.values().map(|model| model.batches_done).sum(),
            batches: self.models.values().map(|model| model.batches).sum(),
            percent: (done * 100).checked_div(all).unwrap_or(100),
            left: self.left(now),
        }
    }

    /// The work that is left, shared by as many as have worked side by side so far.
    fn left(&self, now: Duration) -> Option<Duration> {
        let seconds = |of: fn(&Measured) -> Duration| self.models.values().map(of).sum::<Duration>().as_secs_f64();
        let done: u64 = self.models.values().map(|model| model.slices_done).sum();
        if done == 0 {
            return None;
        }
        // A model that has not ended a batch yet is taken to be as fast as the others are on average.
        let mean = seconds(|model| model.busy) / done as f64;
        let of_model = |model: &Measured| {
            let rate = match model.slices_done {
                0 => mean,
                done => model.busy.as_secs_f64() / done as f64,
            };
            let waiting = model
                .running
                .iter()
                .fold(model.slices.saturating_sub(model.slices_done), |left, (_, count)| left.saturating_sub(*count));
            // What runs is left for the time that its slices take, less the time that it has run.
            let of_running = |(since, count): &(Duration, u64)| {
                (rate * *count as f64 - now.saturating_sub(*since).as_secs_f64()).max(0.0)
            };
            rate * waiting as f64 + model.running.iter().map(of_running).sum::<f64>()
        };
        let running = self.models.values().flat_map(|model| &model.running);
        let underway: f64 = running.map(|(since, _)| now.saturating_sub(*since).as_secs_f64()).sum();
        // Busy time over wall time is how many batches have really run in parallel, whatever `--threads` says.
        let side_by_side = ((seconds(|model| model.busy) + underway) / now.as_secs_f64().max(f64::EPSILON)).max(1.0);
        let left = self.models.values().map(of_model).sum::<f64>() / side_by_side;
        Duration::try_from_secs_f64(left).ok()
    }
}

/// How much of one model is done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct ModelShare {
    pub batches_done: u64,
    pub batches: u64,
    pub slices_done: u64,
    pub slices: u64,
}

impl Standing {
    /// `37 of 120 batches, 31 %, about 2 m left`.
    pub fn text(&self) -> String {
        let left = match self.left {
            _ if self.batches_done == self.batches => String::new(),
            None => ", estimating the time left".to_owned(),
            Some(left) if left < Duration::from_secs(60) => ", less than a minute left".to_owned(),
            Some(left) => format!(", about {} left", minutes(left)),
        };
        format!("{} of {} batches, {} %{left}", self.batches_done, self.batches, self.percent)
    }
}

/// `2 m`, `3 h 10 m`: more exact is no estimate.
fn minutes(length: Duration) -> String {
    let minutes = (length.as_secs() + 30) / 60;
    match minutes / 60 {
        0 => format!("{minutes} m"),
        hours => format!("{hours} h {:02} m", minutes % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    fn model(name: &str) -> ModelName {
        ModelName::parse(name).unwrap()
    }

    #[test]
    fn nothing_is_said_of_the_time_left_until_something_is_finished() {
        let mut estimate = Estimate::default();
        estimate.planned(&model("a"), 4, 40);
        estimate.started(&model("a"), 10, seconds(0));
        assert_eq!(estimate.standing(seconds(5)).text(), "0 of 4 batches, 0 %, estimating the time left");
        estimate.ended(&model("a"), 10, seconds(60));
        assert_eq!(estimate.standing(seconds(60)).text(), "1 of 4 batches, 25 %, about 3 m left");
    }

    #[test]
    fn a_slice_of_each_model_has_its_own_length_and_before_it_is_known_the_mean_one() {
        let (slow, quick) = (model("slow"), model("quick"));
        let mut estimate = Estimate::default();
        estimate.planned(&slow, 2, 20);
        estimate.planned(&quick, 10, 100);
        estimate.started(&slow, 10, seconds(0));
        estimate.ended(&slow, 10, seconds(100));
        // All that is known is that a slice takes ten seconds: 10 + 100 are left.
        assert_eq!(estimate.standing(seconds(100)).left, Some(seconds(1100)));
        estimate.started(&quick, 10, seconds(100));
        estimate.ended(&quick, 10, seconds(110));
        // 10 slow ones of ten seconds, 90 quick ones of one.
        assert_eq!(estimate.standing(seconds(110)).left, Some(seconds(190)));
    }

    #[test]
    fn what_runs_side_by_side_is_done_sooner_and_what_runs_already_counts() {
        let a = model("a");
        let mut estimate = Estimate::default();
        estimate.planned(&a, 4, 40);
        estimate.started(&a, 10, seconds(0));
        estimate.started(&a, 10, seconds(0));
        estimate.ended(&a, 10, seconds(100));
        estimate.ended(&a, 10, seconds(100));
        assert_eq!(estimate.standing(seconds(100)).left, Some(seconds(100)));
        estimate.started(&a, 10, seconds(100));
        estimate.started(&a, 10, seconds(100));
        assert_eq!(estimate.standing(seconds(140)).left, Some(seconds(60)));
        // Longer than expected: it says that it does not know better, and nothing negative.
        assert_eq!(estimate.standing(seconds(300)).left, Some(seconds(0)));
        estimate.ended(&a, 10, seconds(300));
        estimate.ended(&a, 10, seconds(300));
        assert_eq!(estimate.standing(seconds(300)).text(), "4 of 4 batches, 100 %");
    }

    #[test]
    fn a_plan_may_change_and_a_model_may_fail() {
        let (a, b) = (model("a"), model("b"));
        let mut estimate = Estimate::default();
        assert_eq!(estimate.standing(seconds(0)).text(), "0 of 0 batches, 100 %");
        estimate.planned(&a, 2, 20);
        estimate.planned(&b, 2, 20);
        estimate.started(&a, 10, seconds(0));
        estimate.ended(&a, 10, seconds(30));
        estimate.planned(&b, 0, 0);
        assert_eq!(estimate.standing(seconds(30)).text(), "1 of 2 batches, 50 %, less than a minute left");
        estimate.failed(&a);
        assert_eq!(estimate.standing(seconds(30)).text(), "1 of 1 batches, 100 %");
    }

    #[test]
    fn times_are_as_rough_as_they_are_known() {
        assert_eq!(minutes(seconds(89)), "1 m");
        assert_eq!(minutes(seconds(95)), "2 m");
        assert_eq!(minutes(seconds(3 * 3600 + 600)), "3 h 10 m");
    }
}
