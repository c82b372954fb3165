//! `karat sample-data`: the note-taking app's CSV files.

use std::io;
use std::path::PathBuf;
use std::time::Instant;

use chrono::NaiveDate;
use serde_json::json;

use crate::cli::app::App;
use crate::cli::exit::Exit;
use crate::diag::{Code, Diagnostic};
use crate::figures::{grouped, seconds};
use crate::parallel::cores;
use crate::pipeline::LocalBackend;
use crate::sample::{SampleLayout, SampleOptions, write};
use crate::span::SourceFiles;

/// Writes user_interactions (a file a day), user_metadata.csv and manifest.json with the exact count of every kind of
/// dirt. The same options give the same bytes.
#[derive(Debug, clap::Args)]
pub(crate) struct SampleDataCommand {
    /// Number of records in user_interactions
    #[arg(long, default_value_t = 100_000)]
    rows: u64,
    /// Number of days, starting on 2023-01-01
    #[arg(long, default_value_t = 365)]
    days: u32,
    /// Number of users
    #[arg(long, default_value_t = 1_000)]
    users: u32,
    /// Random seed: another number gives other data
    #[arg(long, default_value_t = 7)]
    seed: u64,
    /// Include dirty records of every kind, as real files do [default]
    #[arg(long, conflicts_with = "clean")]
    dirty: bool,
    /// Leave out all dirty records
    #[arg(long)]
    clean: bool,
    /// How many days late a record may arrive; 0 means that none is late
    #[arg(long, default_value_t = 7, value_name = "DAYS")]
    late: u32,
    /// Write the interactions to one big file instead of one per day
    #[arg(long)]
    one_file: bool,
    /// Output folder
    #[arg(long, default_value = "data", value_name = "DIR")]
    out: PathBuf,
}

impl SampleDataCommand {
    pub fn run(self, app: &App<'_>) -> Exit {
        let started = Instant::now();
        let options = SampleOptions {
            rows: self.rows,
            days: self.days,
            users: self.users,
            seed: self.seed,
            dirty: self.dirty || !self.clean,
            late_days: self.late,
            start: NaiveDate::from_ymd_opt(2023, 1, 1).expect("the first of January exists"),
            layout: if self.one_file { SampleLayout::OneFile } else { SampleLayout::Daily },
            threads: cores(),
        };
        let folder = LocalBackend::new(app.world.folder.join(&self.out));
        match write(&options, &folder) {
            Ok(manifest) => {
                let records = manifest.user_interactions.records;
                let out = self.out.display();
                let text = format!("{} records in {out} in {}", grouped(records), seconds(started.elapsed()));
                app.console.say("written", &text, json!({"records": records, "out": out.to_string()}));
                Exit::Done
            }
            Err(error) => {
                let none = SourceFiles::default();
                if error.kind() == io::ErrorKind::InvalidInput {
                    return app.fail(Diagnostic::error(Code::InvalidConfig, error.to_string()), &none, Exit::Usage);
                }
                let message = format!("the sample data cannot be written to `{}`: {error}", self.out.display());
                app.fail(Diagnostic::error(Code::Storage, message), &none, Exit::Unavailable)
            }
        }
    }
}
