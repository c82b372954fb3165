//! A history: what happens to files, code and tables, told so that a person can read it, and lived through.

use std::collections::BTreeMap;
use std::fmt;

use super::checks;
use super::commit::Deed;
use super::project::{Day, Project, Rows, range, told};
use super::seen::Seen;
use super::world::{Asked, Flawed, World};
use crate::incremental::staleness::{PendingChange, Stale};
use crate::incremental::{Build, Refresh};

/// Models and rows are named by numbers of which only the remainder counts.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Event {
    Late {
        source: u8,
        day: Option<Day>,
        value: i64,
    },
    Delete {
        source: u8,
        nth: u8,
    },
    Move {
        source: u8,
        nth: u8,
        to: Option<Day>,
    },
    /// The list of files changes, and no row.
    Touch {
        source: u8,
    },
    Code {
        model: u8,
    },
    Begin {
        model: u8,
        day: Option<Day>,
    },
    Run {
        only: u8,
        crash_after: Option<u8>,
    },
    Full {
        only: u8,
    },
    Range {
        first: Day,
        days: u8,
        only: u8,
    },
    Foreign {
        model: u8,
        nth: u8,
        deed: Deed,
    },
    LoseLedger {
        model: u8,
    },
    Drop {
        model: u8,
    },
}

#[derive(Clone, PartialEq, Eq)]
pub(super) struct Story {
    pub project: Project,
    pub first: Vec<(u8, Option<Day>, i64)>,
    pub events: Vec<Event>,
}

/// Every model.
const ALL: u8 = u8::MAX;

impl Event {
    fn is_run(&self) -> bool {
        matches!(self, Event::Run { .. } | Event::Full { .. } | Event::Range { .. })
    }
}

/// Lives through it, and says what went wrong.
pub(super) fn live(story: &Story, flaw: Option<Flawed>) -> Result<Seen, String> {
    let mut world = World::new(story.project.clone(), flaw);
    let lived = (|| {
        for (source, day, value) in &story.first {
            let place = world.source(*source);
            world.change_files(place, |rows| rows.entry(*day).or_default().push(*value));
        }
        for event in &story.events {
            world.tell(&format!("  {event:?}"));
            world.happen(event)?;
        }
        world.tell("  a last run of everything");
        let plain = Asked { refresh: Refresh::Stale, only: ALL, crash_after: None };
        world.run(plain)?;
        checks::all_equal_a_full_refresh(&world)?;
        world.tell("  one more run");
        let before = world.seen.commits;
        let planned = world.plan(plain)?;
        world.run(plain)?;
        match (planned.is_empty(), world.seen.commits - before) {
            (true, 0) => Ok(()),
            (false, _) => Err(format!("a second run plans to build {:?}", planned.keys())),
            (true, commits) => Err(format!("a second run makes {commits} commits")),
        }
    })();
    lived.map_err(|reason: String| format!("{reason}\nthis is how it came:\n{}", world.story))?;
    Ok(world.seen)
}

impl World {
    /// The place of a model over files.
    fn source(&self, number: u8) -> usize {
        let sources: Vec<usize> =
            (0..self.project.0.len()).filter(|place| self.model(*place).kind.inputs().is_empty()).collect();
        sources[usize::from(number) % sources.len()]
    }

    fn place(&self, number: u8) -> usize {
        usize::from(number) % self.project.0.len()
    }

    fn happen(&mut self, event: &Event) -> Result<(), String> {
        match *event {
            Event::Late { source, day, value } => {
                self.change_files(self.source(source), |rows| rows.entry(day).or_default().push(value));
            }
            Event::Delete { source, nth } => {
                self.change_files(self.source(source), |rows| {
                    take(rows, nth);
                });
            }
            Event::Move { source, nth, to } => self.change_files(self.source(source), |rows| {
                if let Some(value) = take(rows, nth) {
                    rows.entry(to).or_default().push(value);
                }
            }),
            Event::Touch { source } => self.change_files(self.source(source), |_| {}),
            Event::Code { model } => {
                let place = self.place(model);
                self.codes[place] += 1;
            }
            Event::Begin { model, day } => {
                let place = self.place(model);
                self.begins[place] = day;
            }
            Event::Run { only, crash_after } => {
                self.run(Asked { refresh: Refresh::Stale, only, crash_after })?;
            }
            Event::Full { only } => self.run(Asked { refresh: Refresh::Full, only, crash_after: None })?,
            Event::Range { first, days, only } => {
                self.run(Asked { refresh: Refresh::Range(range(first, days)), only, crash_after: None })?;
            }
            Event::Foreign { model, nth, deed } => self.foreign(self.place(model), nth, deed),
            Event::LoseLedger { model } => {
                let place = self.place(model);
                if let Some(table) = &mut self.tables[place] {
                    table.is_ledger_lost = true;
                    self.seen.lost_ledgers += 1;
                }
            }
            Event::Drop { model } => {
                let place = self.place(model);
                self.tables[place] = None;
            }
        }
        if event.is_run() { checks::ledgers_tell_the_truth(self) } else { Ok(()) }
    }

    fn selected(&self, asked: Asked) -> Vec<usize> {
        (0..self.project.0.len()).filter(|place| asked.only & (1 << place) != 0).collect()
    }

    /// What a run says that it will build, before it builds anything.
    pub fn plan(&self, asked: Asked) -> Result<BTreeMap<usize, Build>, String> {
        let (mut planned, mut foreseen) = (BTreeMap::new(), BTreeMap::new());
        for place in self.selected(asked) {
            let (verdict, reasons) = self.verdict(place, &foreseen);
            checks::reasons_name_every_slice(&verdict.stale, &reasons, self.model(place).grain)?;
            let Some(build) = self.build_of(place, asked.refresh, verdict.stale) else { continue };
            let change = match &build {
                Build::Whole | Build::Batch | Build::Files(_) => PendingChange::Whole,
                Build::Slices(slices) => PendingChange::Slices(slices.clone()),
            };
            foreseen.insert(place, change);
            planned.insert(place, build);
        }
        Ok(planned)
    }

    /// A run: each model in its turn is decided for once more, when its inputs are built.
    pub fn run(&mut self, asked: Asked) -> Result<(), String> {
        let planned = self.plan(asked)?;
        let mut commits = 0;
        for place in self.selected(asked) {
            let (verdict, _) = self.verdict(place, &BTreeMap::new());
            checks::every_slice_has_a_cause(self, place, &verdict)?;
            checks::older_slices_are_counted(self, place, &verdict)?;
            self.seen.older += verdict.older.values().sum::<u64>();
            let is_decided_by_itself = asked.refresh == Refresh::Stale;
            self.seen.partial += u64::from(is_decided_by_itself && matches!(verdict.stale, Stale::Slices(_)));
            let build = self.build_of(place, asked.refresh, verdict.stale);
            checks::the_plan_foresaw_it(place, planned.get(&place), build.as_ref(), self.model(place).grain)?;
            self.seen.spared += u64::from(build.is_none() && planned.contains_key(&place));
            let Some(build) = build else { continue };
            if asked.crash_after == Some(commits) {
                self.seen.crashes += 1;
                self.tell("    the run dies");
                return Ok(());
            }
            commits += u8::from(self.build(place, &build, asked.refresh));
        }
        Ok(())
    }
}

/// Takes one of the rows out.
fn take(rows: &mut Rows, nth: u8) -> Option<i64> {
    let count: usize = rows.values().map(Vec::len).sum();
    let mut nth = usize::from(nth) % count.max(1);
    for values in rows.values_mut() {
        if nth < values.len() {
            return Some(values.remove(nth));
        }
        nth -= values.len();
    }
    None
}

impl fmt::Debug for Event {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let models = |only: &u8| match *only {
            ALL => "everything".to_owned(),
            only => {
                let names = (0..8).filter(|place| only & (1 << place) != 0).map(|place| format!("m{place}"));
                names.collect::<Vec<_>>().join(" ")
            }
        };
        match self {
            Event::Late { source, day, value } => {
                write!(formatter, "a row {value} of {} comes into files {source}", told(*day))
            }
            Event::Delete { source, nth } => write!(formatter, "row {nth} of files {source} goes"),
            Event::Move { source, nth, to } => write!(formatter, "row {nth} of files {source} moves to {}", told(*to)),
            Event::Touch { source } => write!(formatter, "files {source} are written once more"),
            Event::Code { model } => write!(formatter, "the code of model {model} changes"),
            Event::Begin { model, day } => write!(formatter, "model {model} begins with {}", told(*day)),
            Event::Run { only, crash_after: None } => write!(formatter, "run {}", models(only)),
            Event::Run { only, crash_after: Some(commits) } => {
                write!(formatter, "run {}, dead after {commits} commits", models(only))
            }
            Event::Full { only } => write!(formatter, "full refresh of {}", models(only)),
            Event::Range { first, days, only } => {
                write!(formatter, "run {} for {}", models(only), range(*first, *days))
            }
            Event::Foreign { model, deed: Deed::Adds { day }, .. } => {
                write!(formatter, "something else adds a row 666 of {} to model {model}", told(*day))
            }
            Event::Foreign { model, nth, deed } => {
                write!(formatter, "something else {deed:?} file {nth} of model {model}")
            }
            Event::LoseLedger { model } => write!(formatter, "the ledger of model {model} is lost"),
            Event::Drop { model } => write!(formatter, "the table of model {model} is dropped"),
        }
    }
}

impl fmt::Debug for Story {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "\n  models:{:?}\n  files:", self.project)?;
        for (source, day, value) in &self.first {
            write!(formatter, "\n    {value} of {} in files {source}", told(*day))?;
        }
        write!(formatter, "\n  then:")?;
        for event in &self.events {
            write!(formatter, "\n    {event:?}")?;
        }
        writeln!(formatter)
    }
}
