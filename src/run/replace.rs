//! Which files a build replaces: whole partitions where files hold one slice, else the files that may hold a slice.

use serde_json::Value;

use crate::analyze::TypedModel;
use crate::day::{TimeRange, parse_instant};
use crate::incremental::Build;
use crate::partition_writer::WrittenFile;
use crate::table::{DataFile, SliceLayout, TableState};

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
    pub fn by(model: &TypedModel, build: &Build, base: Option<&TableState>) -> Replaced {
        let files = base.map_or(&[][..], |base| &base.files);
        let taken = |wanted: &dyn Fn(&&DataFile) -> bool| files.iter().filter(wanted).cloned().collect::<Vec<_>>();
        let slices = match build {
            Build::Whole => None,
            Build::Slices(slices) => Some(slices),
            Build::Files(load) => Some(&load.rebuild),
        };
        match (slices, model.event_time(), model.layout()) {
            (Some(slices), Some(_), layout @ SliceLayout::ByFile { .. }) => {
                let is_built =
                    |file: &&DataFile| layout.slice_of(&file.partition).is_some_and(|slice| slices.contains(slice));
                Replaced { files: taken(&is_built), shared: false }
            }
            (Some(slices), Some(event_time), SliceLayout::Shared) => {
                let may_hold = |file: &&DataFile| {
                    file.bytes < SMALL || slices.timeless() || overlaps(file, event_time, slices.ranges())
                };
                Replaced { files: taken(&may_hold), shared: true }
            }
            _ => Replaced { files: files.to_vec(), shared: false },
        }
    }
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

/// Whether the file's statistics allow that it holds a row of the ranges. Without statistics it may.
fn overlaps(file: &DataFile, event_time: &str, ranges: &[TimeRange]) -> bool {
    let stats: Value = file.stats.as_deref().and_then(|stats| serde_json::from_str(stats).ok()).unwrap_or_default();
    let bound = |which: &str| {
        let text = stats.get(which)?.get(event_time)?.as_str()?;
        parse_instant(text.split('.').next().unwrap_or(text).trim_end_matches('Z'))
    };
    match (bound("minValues"), bound("maxValues")) {
        (Some(low), Some(high)) => ranges.iter().any(|range| low < range.end() && range.start() <= high),
        _ => true,
    }
}
