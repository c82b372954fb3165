//! `karat sample-data`: the note-taking app's CSV files.

use std::io;
use std::path::PathBuf;
use std::time::Instant;

use chrono::NaiveDate;
use serde_json::json;

use crate::cli::app::App;
use crate::cli::exit::Exit;
use crate::cli::machine;
use crate::diag::{Code, Diagnostic};
use crate::figures::{grouped, seconds};
use crate::sample::{SampleDestination, SampleLayout, SampleOptions, write};
use crate::span::SourceFiles;
use crate::store::LocalBackend;

/// Writes user_interactions (a file a day), user_metadata.csv and manifest.json with the exact count of every kind of
/// dirt. The same options give the same bytes.
#[derive(Debug, clap::Args)]
pub(crate) struct SampleData {
    /// Records of user_interactions
    #[arg(long, default_value_t = 100_000)]
    rows: u64,
    /// Days from 2023-01-01 on
    #[arg(long, default_value_t = 365)]
    days: u32,
    /// Users of the app
    #[arg(long, default_value_t = 1_000)]
    users: u32,
    /// Another number, other data
    #[arg(long, default_value_t = 7)]
    seed: u64,
    /// With dirt of every kind, as real files have it [default]
    #[arg(long, conflicts_with = "clean")]
    dirty: bool,
    /// Without any dirt
    #[arg(long)]
    clean: bool,
    /// How many days late a late record may be; 0: none is late
    #[arg(long, default_value_t = 7, value_name = "DAYS")]
    late: u32,
    /// One big file for the interactions instead of one a day
    #[arg(long)]
    one_file: bool,
    /// Where to write
    #[arg(long, default_value = "data", value_name = "DIR")]
    out: PathBuf,
}

impl SampleData {
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
            threads: machine::cores(),
        };
        let folder = LocalBackend::new(app.world.folder.join(&self.out));
        match write(&options, &Folder(folder)) {
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

/// The sample data's files go into a folder.
pub(super) struct Folder(pub LocalBackend);

impl SampleDestination for Folder {
    fn create(&self, relative: &str) -> io::Result<Box<dyn io::Write + Send>> {
        self.0.create(relative)
    }
}
