//! The note-taking app's data, dirt included, from a seed.
//!
//! The same options give the same bytes on every machine and with any number of threads: every day has its own random
//! numbers and depends on no other day, and nothing is counted that is not planned beforehand.

mod random;
mod dirt;
mod calendar;
mod people;
mod day;
mod row;
mod manifest;
mod metadata;
mod interactions;
mod output;
mod files;
mod next_steps;
mod project_files;
#[cfg(test)]
mod tests;

pub(crate) use manifest::Manifest;
pub(crate) use next_steps::what_to_try;
pub(crate) use project_files::PROJECT_FILES;

use calendar::{Day, Hours};
use chrono::{Datelike, Days, NaiveDate};
use day::Pages;
use people::People;
use random::Powers;
use serde::{Serialize, Serializer};
use std::io;

use crate::store::LocalBackend;

/// Where the files go.
pub(crate) trait SampleDestination: Sync {
    /// Starts a file; `relative` is its path with `/` between folders.
    fn create(&self, relative: &str) -> io::Result<Box<dyn io::Write + Send>>;
}

/// A folder of this machine.
impl SampleDestination for LocalBackend {
    fn create(&self, relative: &str) -> io::Result<Box<dyn io::Write + Send>> {
        LocalBackend::create(self, relative)
    }
}

/// What to write.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct SampleOptions {
    /// Records of user interactions, exactly, dirt included.
    pub(crate) rows: u64,
    pub(crate) days: u32,
    pub(crate) users: u32,
    pub(crate) seed: u64,
    pub(crate) dirty: bool,
    /// How many days late a late row may be; 0 for no late rows. Clean data has none.
    pub(crate) late_days: u32,
    /// The first day.
    #[serde(serialize_with = "as_text")]
    pub(crate) start: NaiveDate,
    pub(crate) layout: SampleLayout,
    /// How many threads write; the files do not depend on it.
    #[serde(skip)]
    pub(crate) threads: usize,
}

/// How user interactions are spread over files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SampleLayout {
    /// `user_interactions/2023-01-01.csv` and so on.
    Daily,
    /// `user_interactions.csv`.
    OneFile,
}

impl Default for SampleOptions {
    fn default() -> Self {
        Self {
            rows: 100_000,
            days: 365,
            users: 1_000,
            seed: 7,
            dirty: true,
            late_days: 7,
            start: NaiveDate::from_ymd_opt(2023, 1, 1).expect("the first of January is a date"),
            layout: SampleLayout::Daily,
            threads: 1,
        }
    }
}

/// Writes the interactions, `user_metadata.csv` and `manifest.json`.
///
/// Options out of range are an error of kind `InvalidInput`, and nothing is written then.
pub(crate) fn write(options: &SampleOptions, destination: &dyn SampleDestination) -> io::Result<Manifest> {
    check(options)?;
    let world = World::new(options);
    let (user_interactions, mut expected) = files::write_interactions(&world, destination)?;
    let user_metadata = metadata::write(&world, destination)?;
    expected.dim_users = u64::from(options.users);
    let manifest = Manifest { options: options.clone(), user_interactions, user_metadata, expected };
    let mut file = destination.create("manifest.json")?;
    serde_json::to_writer_pretty(&mut file, &manifest)?;
    file.write_all(b"\n")?;
    file.flush()?;
    Ok(manifest)
}

const DAYS_TO_A_RELEASE: usize = 14;

/// What all days have in common.
struct World {
    options: SampleOptions,
    days: Vec<Day>,
    people: People,
    hours: Hours,
    powers: Powers,
    pages: Pages,
    /// The versions of the app, in the order of their releases.
    versions: Vec<Vec<u8>>,
}

impl World {
    fn new(options: &SampleOptions) -> Self {
        let days = calendar::days(options);
        let busiest = days.iter().map(|day| day.rows).max().unwrap_or_default();
        let releases = 0..=options.days as usize / DAYS_TO_A_RELEASE;
        Self {
            people: People::new(options),
            hours: Hours::new(),
            powers: Powers::new(),
            pages: Pages::new(options.rows, busiest),
            versions: releases.map(|release| format!("5.{}.{}", 2 + release / 3, release % 3).into_bytes()).collect(),
            options: options.clone(),
            days,
        }
    }
}

fn check(options: &SampleOptions) -> io::Result<()> {
    let last = options.start.checked_add_days(Days::new(u64::from(options.days)));
    let problem = if !(1..=36_500).contains(&options.days) {
        "`days` is not between 1 and 36500"
    } else if !(1..=100_000_000).contains(&options.users) {
        "`users` is not between 1 and 100000000"
    } else if options.rows > 1_000_000_000_000 {
        "`rows` is over 1000000000000"
    } else if options.late_days > 365 {
        "`late` is over 365 days"
    } else if options.start.year() < 1 || last.is_none_or(|last| last.year() > 9999) {
        "the days are not between the years 1 and 9999"
    } else {
        return Ok(());
    };
    Err(io::Error::new(io::ErrorKind::InvalidInput, problem))
}

fn as_text<S: Serializer>(date: &NaiveDate, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(date)
}
