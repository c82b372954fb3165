//! A tally of slices that also tells which source file the rows of each slice came from.

use std::collections::BTreeMap;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Int32Type, SchemaRef};
use datafusion::common::{Result, internal_err};

use super::slice_tally::{SliceCut, SliceTally};
use crate::analyze::ORIGIN;
use crate::table::{SliceKey, SliceMap, SliceRows};

/// The rows of each slice, source file by source file.
pub(crate) type RowsOfFiles = BTreeMap<String, SliceMap<SliceRows>>;

/// Counts and hashes rows, which may carry their source file in a last column of their own.
#[derive(Debug, Clone)]
pub(crate) struct OriginTally {
    tally: SliceTally,
    /// The file whose rows are in `tally`; `None` if rows do not tell their file.
    file: Option<String>,
    files: RowsOfFiles,
    /// The columns besides the source file.
    rest: Vec<usize>,
}

/// Whether rows tell which file they came from.
pub(crate) fn is_traced(schema: &SchemaRef) -> bool {
    schema.fields().last().is_some_and(|field| field.name() == ORIGIN)
}

/// The columns that are written.
pub(crate) fn without_origin(schema: &SchemaRef) -> Result<SchemaRef> {
    let columns: Vec<usize> = (0..schema.fields().len() - usize::from(is_traced(schema))).collect();
    Ok(schema.project(&columns)?.into())
}

impl OriginTally {
    pub fn new(schema: &SchemaRef, cut: &SliceCut) -> Result<OriginTally> {
        let written = without_origin(schema)?;
        let tally = SliceTally::new(&written, cut)?;
        let file = is_traced(schema).then(String::new);
        Ok(OriginTally { tally, file, files: RowsOfFiles::new(), rest: (0..written.fields().len()).collect() })
    }

    /// Tallies the rows, and gives what of them is written.
    pub fn add(&mut self, batch: RecordBatch) -> Result<RecordBatch> {
        if self.file.is_none() {
            self.tally.add(&batch)?;
            return Ok(batch);
        }
        let Some(origins) = batch.columns().last().and_then(|column| column.as_dictionary_opt::<Int32Type>()) else {
            return internal_err!("the source file of a row is a dictionary of names");
        };
        let Some(names) = origins.values().as_string_opt::<i32>() else {
            return internal_err!("the name of a source file is a text");
        };
        let written = batch.project(&self.rest)?;
        let mut start = 0;
        // A batch is mostly of one file: only where the key changes, a name is looked up.
        for run in origins.keys().values().chunk_by(|one, next| one == next) {
            let key = run.first().and_then(|key| usize::try_from(*key).ok()).filter(|key| *key < names.len());
            self.turn_to(key.map_or("", |key| names.value(key)));
            self.tally.add(&written.slice(start, run.len()))?;
            start += run.len();
        }
        Ok(written)
    }

    fn turn_to(&mut self, file: &str) {
        if self.file.as_deref() != Some(file) {
            self.end_file();
            self.file = Some(file.to_owned());
        }
    }

    fn end_file(&mut self) {
        let Some(file) = &self.file else { return };
        let tallied = self.tally.take();
        if !tallied.is_empty() {
            add(&mut self.files, file, tallied);
        }
    }

    /// Adds the rows that another tally of the same table has seen.
    pub fn merge(&mut self, mut other: OriginTally) {
        // What the other has not yet assigned to a file must not flow into the file that is open here.
        other.end_file();
        self.tally.merge(other.tally);
        other.files.into_iter().for_each(|(file, slices)| add(&mut self.files, &file, slices));
    }

    /// The rows of each slice, with their file if they tell it.
    pub fn finish(mut self) -> Vec<(SliceKey, Option<String>, SliceRows)> {
        if self.file.is_none() {
            return self.tally.finish().into_iter().map(|(slice, rows)| (slice, None, rows)).collect();
        }
        self.end_file();
        self.files
            .into_iter()
            .flat_map(|(file, slices)| slices.into_iter().map(move |(slice, rows)| (slice, Some(file.clone()), rows)))
            .collect()
    }
}

fn add(files: &mut RowsOfFiles, file: &str, slices: SliceMap<SliceRows>) {
    let known = files.entry(file.to_owned()).or_default();
    *known = SliceMap::summed(std::mem::take(known).into_iter().chain(slices));
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Date32Array, DictionaryArray};

    use super::*;
    use crate::day::Grain;

    fn batch(rows: &[(i32, &str)]) -> RecordBatch {
        let days: Date32Array = rows.iter().map(|(day, _)| Some(*day)).collect();
        let files: DictionaryArray<Int32Type> = rows.iter().map(|(_, file)| *file).collect();
        let columns: [(&str, ArrayRef); 2] = [("day", Arc::new(days)), (ORIGIN, Arc::new(files))];
        RecordBatch::try_from_iter_with_nullable(columns.map(|(name, array)| (name, array, true))).unwrap()
    }

    #[test]
    fn the_rows_of_files_add_up_to_those_of_slices_whatever_passes_by_whom() {
        let batches = [batch(&[(0, "a"), (0, "a"), (1, "b"), (0, "a")]), batch(&[(1, "b"), (2, "c"), (2, "a")])];
        let cut = SliceCut { event_time: Some("day".to_owned()), grain: Grain::Day };
        let schema = batches[0].schema();
        let mut tally = OriginTally::new(&schema, &cut).unwrap();
        let mut other = tally.clone();
        let mut plain = SliceTally::new(&without_origin(&schema).unwrap(), &cut).unwrap();
        for (tally, batch) in [&mut tally, &mut other].into_iter().zip(&batches) {
            let written = tally.add(batch.clone()).unwrap();
            assert_eq!(written.num_columns(), 1);
            plain.add(&written).unwrap();
        }
        tally.merge(other);
        let (mut counts, mut sums) = (BTreeMap::new(), BTreeMap::<SliceKey, SliceRows>::new());
        for (slice, file, rows) in tally.finish() {
            counts.insert(format!("{slice} {}", file.unwrap()), rows.rows);
            *sums.entry(slice).or_default() += rows;
        }
        let expected = [("1970-01-01 a", 3), ("1970-01-02 b", 2), ("1970-01-03 a", 1), ("1970-01-03 c", 1)];
        assert_eq!(counts, expected.map(|(name, rows)| (name.to_owned(), rows)).into());
        assert!(sums.into_iter().eq(plain.finish()));
    }
}
