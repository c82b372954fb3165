//! The one test program: what a user can see, the sample project against an oracle, and the rules about the code.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics is a test that speaks")]

mod folder;
mod cases;
mod cluster;
mod document;
mod command;
mod constructs;
mod redact;
mod difference;
mod docs;
mod oracle;
mod partitioned_files;
mod plans;
mod sample;
mod slices;
mod law;
mod edges;
mod formats;
mod artifacts;
mod backfills;
mod binary;
mod damaged_bytes;
mod disk;
mod late_rows;
mod library;
mod minimality;
mod minimality_of_batches;
mod minimality_of_runs;
mod minio;
mod mistakes;
mod demo;
mod duckdb;
mod object_stores;
mod often;
mod scripted_s3;
mod collected;
mod lakes;
mod killed;
mod lineage;
mod lost_answers;
mod on_minio;
mod other_writers;
mod postgresql;
mod races;
mod random_answers;
mod random_expressions;
mod random_order;
mod readers;
mod registered;
mod secrets;
mod seeds;
mod source_text;
mod sources_in_buckets;
mod staleness;
mod stored_words;
mod tidy;
mod tidy_pages;
mod tidy_types;
mod tidy_world;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Mutex};

/// What a command line answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) code: u8,
    /// Data.
    pub(crate) out: String,
    /// Data and talk, in the order in which they were printed.
    pub(crate) printed: String,
}

/// Runs one command line, without the program's name, in process and in this folder.
pub(crate) fn karat(folder: &Path, variables: &BTreeMap<String, String>, words: &[String]) -> Answer {
    let args = std::iter::once("karat").chain(words.iter().map(String::as_str)).map(OsString::from).collect();
    let variables = variables.clone();
    let world = karat::cli::World {
        folder: folder.to_owned(),
        program: std::env::current_exe().ok(),
        variables,
        terminal: false,
        data_terminal: false,
        width: 100,
        storage: Default::default(),
    };
    let (data, printed) = (Paper::default(), Paper::default());
    let mut out = Pen(vec![data.clone(), printed.clone()]);
    let mut err = Pen(vec![printed.clone()]);
    let code = karat::cli::run_to(args, world, &mut out, &mut err);
    Answer { code, out: read(&data), printed: read(&printed) }
}

type Paper = Arc<Mutex<Vec<u8>>>;

/// Writes the same on several papers.
struct Pen(Vec<Paper>);

impl Write for Pen {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for paper in &self.0 {
            paper.lock().unwrap().extend_from_slice(bytes);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn read(paper: &Paper) -> String {
    String::from_utf8_lossy(&paper.lock().unwrap()).into_owned()
}
