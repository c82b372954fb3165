//! Which files a build replaces: whole partitions where files hold one slice, else the files that may hold a slice.

use chrono::TimeDelta;

use crate::analyze::TypedModel;
use crate::day::TimeRange;
use crate::incremental::{Build, Write};
use crate::partition_writer::WrittenFile;
use crate::table::{DataFile, SliceLayout, TableState, Text};

/// Where a file holds many slices, files smaller than this with rows of about the same time are rewritten along with the
/// ones that must be: else every new slice would leave one more tiny file.
pub(super) const SMALL: u64 = 8 << 20;

/// How far rows of about the same time may lie apart. A file that grows day by day stays one, and where files are cut by
/// the month, no more than the month before is written again.
const NEAR: TimeDelta = TimeDelta::days(31);

/// The files that go, and among them those whose other rows must be copied.
#[derive(Debug, Clone, Default)]
pub(super) struct Replaced {
    pub files: Vec<DataFile>,
    /// Whether rows outside the built range lie in these files.
    pub shared: bool,
}

impl Replaced {
    /// What a build of this model replaces in its table.
    pub fn new(model: &TypedModel, build: &Build, base: Option<&TableState>) -> Replaced {
        let files = base.map_or(&[][..], |base| &base.files);
        let slices = match build.write() {
            Write::ReplaceAll => None,
            Write::ReplaceSlices(slices) => Some(slices),
            // Which files hold rows of the batch's keys is known once the batch is.
            Write::AddBatch => return Replaced::default(),
        };
        match (slices, model.event_time(), model.layout()) {
            (Some(slices), Some(_), layout @ SliceLayout::ByFile { .. }) => {
                let built = files
                    .iter()
                    .filter(|file| layout.slice_of(&file.partition).is_some_and(|slice| slices.contains(slice)));
                Replaced { files: built.cloned().collect(), shared: false }
            }
            (Some(slices), Some(event_time), SliceLayout::Shared) => {
                let near: Vec<TimeRange> = slices.ranges().iter().filter_map(|range| around(*range)).collect();
                let may_hold = files.iter().filter(|file| {
                    let ranges = if file.bytes < SMALL { near.as_slice() } else { slices.ranges() };
                    slices.timeless() || overlaps(file, event_time, ranges)
                });
                Replaced { files: may_hold.cloned().collect(), shared: true }
            }
            _ => Replaced { files: files.to_vec(), shared: false },
        }
    }
}

/// A written file as a table's state holds it.
impl From<&WrittenFile> for DataFile {
    fn from(file: &WrittenFile) -> Self {
        Self {
            path: Text::from(file.path.as_str()),
            partition: file.partition_values.iter().cloned().collect(),
            bytes: file.bytes,
            rows: Some(file.rows),
            stats: Some(file.stats.to_string().into()),
        }
    }
}

fn around(range: TimeRange) -> Option<TimeRange> {
    let start = range.start().checked_sub_signed(NEAR).unwrap_or(range.start());
    TimeRange::new(start, range.end().checked_add_signed(NEAR).unwrap_or(range.end()))
}

/// Whether the file's statistics allow that it holds a row of the ranges. Without statistics it may.
fn overlaps(file: &DataFile, event_time: &str, ranges: &[TimeRange]) -> bool {
    match file.times(event_time) {
        Some((low, high)) => ranges.iter().any(|range| low < range.end() && range.start() <= high),
        None => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::day::parse_instant;
    use crate::table::PartitionValues;

    fn file(path: &str, bytes: u64, days: (&str, &str)) -> DataFile {
        let stats = format!(r#"{{"minValues":{{"day":"{}"}},"maxValues":{{"day":"{}"}}}}"#, days.0, days.1);
        DataFile {
            path: path.into(),
            partition: PartitionValues::none(),
            bytes,
            rows: Some(1),
            stats: Some(stats.into()),
        }
    }

    #[test]
    fn a_file_is_read_again_where_it_holds_a_day_or_is_small_and_near() {
        let day = TimeRange::new(parse_instant("2023-05-03").unwrap(), parse_instant("2023-05-04").unwrap()).unwrap();
        let is_near = |file: &DataFile| overlaps(file, "day", &[around(day).unwrap()]);
        assert!(overlaps(&file("holds it", SMALL, ("2023-05-01", "2023-05-31")), "day", &[day]));
        assert!(!overlaps(&file("another month", SMALL, ("2023-04-01", "2023-04-30")), "day", &[day]));
        assert!(is_near(&file("the month before", 1, ("2023-04-01", "2023-04-30"))));
        assert!(!is_near(&file("long ago", 1, ("2023-01-01", "2023-01-31"))));
        let unknown = DataFile { stats: None, ..file("without statistics", 1, ("", "")) };
        assert!(overlaps(&unknown, "day", &[day]));
    }
}
