//! Which files a build replaces: whole partitions where files hold one slice, else the files that may hold a slice.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::analyze::TypedModel;
use crate::day::{TimeRange, parse_instant};
use crate::incremental::Build;
use crate::partition_writer::WrittenFile;
use crate::table::{DataFile, TableState};

/// Where a file holds many slices, files smaller than this are rewritten along with the ones that must be: else every
/// new slice would leave one more tiny file.
const SMALL: u64 = 8 << 20;

/// The files that go, and among them those whose other rows must be copied.
#[derive(Debug, Clone, Default)]
pub(super) struct Replaced {
    pub files: Vec<DataFile>,
    /// Whether rows outside the built range lie in these files.
    pub shared: bool,
}

impl Replaced {
    /// What a build of this model replaces in its table.
    pub fn by(model: &TypedModel, build: Build, base: Option<&TableState>) -> Replaced {
        let files = base.map_or(&[][..], |base| &base.files);
        let (Build::Slices(range), Some(event_time)) = (build, model.event_time()) else {
            return Replaced { files: files.to_vec(), shared: false };
        };
        let taken = |wanted: &dyn Fn(&&DataFile) -> bool| files.iter().filter(wanted).cloned().collect::<Vec<_>>();
        if model.partition_columns().iter().any(|column| column == event_time) {
            return Replaced { files: taken(&|file| lies_within(file, event_time, range)), shared: false };
        }
        let may_hold = |file: &&DataFile| file.bytes < SMALL || overlaps(file, event_time, range);
        Replaced { files: taken(&may_hold), shared: true }
    }

    /// The files of the table that stay.
    pub fn kept(&self, base: Option<&TableState>) -> Vec<DataFile> {
        kept(base, &self.files)
    }
}

/// The files of a table without those that go.
pub(super) fn kept(base: Option<&TableState>, removed: &[DataFile]) -> Vec<DataFile> {
    let gone: BTreeSet<&str> = removed.iter().map(|file| file.path.as_str()).collect();
    let files = base.map_or(&[][..], |base| &base.files);
    files.iter().filter(|file| !gone.contains(file.path.as_str())).cloned().collect()
}

/// A written file as a table's state holds it.
pub(super) fn data_file(file: &WrittenFile) -> DataFile {
    DataFile {
        path: file.path.clone(),
        partition: file.partition_values.iter().cloned().collect(),
        bytes: file.bytes,
        rows: Some(file.rows),
        stats: Some(file.stats.to_string()),
    }
}

fn lies_within(file: &DataFile, event_time: &str, range: TimeRange) -> bool {
    let value = file.partition.get(event_time).and_then(Option::as_deref);
    value.and_then(parse_instant).is_some_and(|time| range.contains(time))
}

/// Whether the file's statistics allow that it holds a row of the range. Without statistics it may.
fn overlaps(file: &DataFile, event_time: &str, range: TimeRange) -> bool {
    let stats: Value = file.stats.as_deref().and_then(|stats| serde_json::from_str(stats).ok()).unwrap_or_default();
    let bound = |which: &str| {
        let text = stats.get(which)?.get(event_time)?.as_str()?;
        parse_instant(text.split('.').next().unwrap_or(text).trim_end_matches('Z'))
    };
    match (bound("minValues"), bound("maxValues")) {
        (Some(low), Some(high)) => low < range.end() && range.start() <= high,
        _ => true,
    }
}
