//! What a build has written, slice by slice: for records of runs, which decide nothing.

use std::collections::BTreeMap;

use crate::execute::WrittenSlice;
use crate::table::{DataFile, SliceKey, Work};

/// The slices that these files hold rows of. Slices that came out as they were have none.
pub(super) fn written_slices(work: &Work, add: &[DataFile]) -> Vec<WrittenSlice> {
    if work.layout.shares_files() {
        // A file does not tell its slices; what was computed does.
        let computed = work.slices.iter().filter(|(slice, _)| !work.stays.contains(slice));
        let written =
            computed.map(|(slice, rows)| WrittenSlice { slice: *slice, rows: rows.rows, bytes: None, files: None });
        return written.collect();
    }
    let mut slices: BTreeMap<SliceKey, WrittenSlice> = BTreeMap::new();
    for file in add {
        // In this layout every file belongs to one slice.
        let Some(slice) = work.layout.slice_of(&file.partition) else { continue };
        let none = WrittenSlice { slice, rows: 0, bytes: Some(0), files: Some(0) };
        let sum = slices.entry(slice).or_insert(none);
        sum.rows += file.rows.unwrap_or_default();
        sum.bytes = sum.bytes.map(|bytes| bytes + file.bytes);
        sum.files = sum.files.map(|files| files + 1);
    }
    slices.into_values().collect()
}
