//! A digest of the rows of each slice, taken while the rows pass by.
//!
//! It depends on nothing but the rows as a reader of the stored table sees them: not on their order, on batches, on the
//! encoding of the columns in memory or on the order of the columns. The hash of a row is made from the sum of the
//! hashes of its values, each of which begins with the name of its column; the digest of a slice is the sum of the
//! hashes of its rows.

mod column_hash;
mod multiply_fold;
#[cfg(test)]
mod tests;

use arrow::array::{ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{Date32Type, Field, SchemaRef, TimestampMicrosecondType};
use arrow::error::ArrowError;
use chrono::{DateTime, NaiveDateTime};
use datafusion::common::HashMap;

use self::column_hash::ColumnHash;
use self::multiply_fold::{FoldLanes, START};
use crate::day::Grain;
use crate::delta::is_event_time;
use crate::table::{SliceKey, SliceMap, SliceRows};

const HOUR: i64 = 3_600_000_000;
const DAY: i64 = 24 * HOUR;

/// How rows are dealt to slices.
#[derive(Debug, Clone)]
pub(crate) struct SliceCut {
    /// The column that places rows in time; without one, all rows are one slice.
    pub event_time: Option<String>,
    pub grain: Grain,
}

/// Counts and hashes the rows of each slice.
#[derive(Debug, Clone)]
pub(crate) struct SliceTally {
    columns: Vec<ColumnHash>,
    /// The position of the event time.
    event_time: Option<usize>,
    grain: Grain,
    /// By the number of the hour or day since 1970: months and years are put together at the end, because a month
    /// costs a calendar and a day only a division. Rows without a time have no number.
    sums: HashMap<Option<i64>, SliceRows>,
    /// The sums of the hashes of the values of each row of a batch, kept for its memory.
    row_sums: Vec<FoldLanes>,
}

impl SliceTally {
    pub fn new(schema: &SchemaRef, cut: &SliceCut) -> Result<SliceTally, ArrowError> {
        let columns = schema.fields().iter().map(|field| ColumnHash::new(field)).collect::<Result<_, _>>()?;
        let event_time = cut.event_time.as_ref().map(|name| schema.index_of(name)).transpose()?;
        let not_in_time = |field: &Field| !is_event_time(field.data_type());
        if let Some(field) = event_time.map(|index| schema.field(index)).filter(|field| not_in_time(field)) {
            let name = field.name();
            let found = field.data_type();
            return Err(ArrowError::SchemaError(format!("column `{name}` is {found}, not a date or a timestamp")));
        }
        let mut sums = HashMap::new();
        if event_time.is_none() {
            // A table that is one slice has it even without rows.
            sums.insert(None, SliceRows::default());
        }
        Ok(SliceTally { columns, event_time, grain: cut.grain, sums, row_sums: Vec::new() })
    }

    /// The batch must have the schema of the tally.
    pub fn add(&mut self, batch: &RecordBatch) -> Result<(), ArrowError> {
        // Column by column, as the values lie in memory: each adds its hash to the sum of its row, and the order of
        // columns does not count.
        let mut row_sums = std::mem::take(&mut self.row_sums);
        row_sums.clear();
        row_sums.resize(batch.num_rows(), FoldLanes::NONE);
        let mut event_time = None;
        for (index, (hash, array)) in self.columns.iter().zip(batch.columns()).enumerate() {
            let stored = hash.stored(array)?;
            hash.add(&stored, &mut row_sums)?;
            if Some(index) == self.event_time {
                event_time = Some(stored);
            }
        }
        match event_time {
            Some(times) => self.deal_by_time(&times, &row_sums),
            None => self.deal(std::iter::repeat(None), &row_sums),
        }
        self.row_sums = row_sums;
        Ok(())
    }

    fn deal_by_time(&mut self, times: &ArrayRef, row_sums: &[FoldLanes]) {
        match times.as_primitive_opt::<Date32Type>() {
            Some(days) => {
                let times = days.iter().map(|day| day.map(|day| i64::from(day).saturating_mul(DAY)));
                self.deal(times, row_sums);
            }
            None => self.deal(times.as_primitive::<TimestampMicrosecondType>().iter(), row_sums),
        }
    }

    /// Neighbouring rows are mostly of one slice: as long as they are, only two borders are compared.
    fn deal(&mut self, times: impl Iterator<Item = Option<i64>>, row_sums: &[FoldLanes]) {
        let step = self.step();
        let mut run = SliceRun { number: None, start: 0, end: 0, sum: SliceRows::default() };
        for (time, values) in times.zip(row_sums) {
            if !run.holds(time) {
                self.end_run(&run);
                run = SliceRun::at(time, step);
            }
            // Without this last step, rows that exchange values would have the same sum as before.
            let row = START.then(*values);
            run.sum += SliceRows { rows: 1, hash: row.as_number() };
        }
        self.end_run(&run);
    }

    fn end_run(&mut self, run: &SliceRun) {
        if run.sum.rows > 0 {
            *self.sums.entry(run.number).or_default() += run.sum;
        }
    }

    fn step(&self) -> i64 {
        match self.grain {
            Grain::Hour => HOUR,
            Grain::Day | Grain::Month | Grain::Year => DAY,
        }
    }

    /// Adds the rows that another tally of the same table has seen.
    pub fn merge(&mut self, other: SliceTally) {
        let sums = std::mem::take(&mut self.sums);
        self.sums = other.sums.into_iter().fold(sums, |mut sums, (number, sum)| {
            *sums.entry(number).or_default() += sum;
            sums
        });
    }

    pub fn finish(mut self) -> SliceMap<SliceRows> {
        self.take()
    }

    /// What was tallied until now; from here on the tally begins anew.
    pub fn take(&mut self) -> SliceMap<SliceRows> {
        let step = self.step();
        SliceMap::summed(std::mem::take(&mut self.sums).into_iter().map(|(number, sum)| {
            // Days of one month or year come out as the same key here, and are summed.
            let key = match (number, self.event_time) {
                (Some(number), _) => SliceKey::At(self.grain.floor(instant(number.saturating_mul(step)))),
                (None, Some(_)) => SliceKey::Timeless,
                (None, None) => SliceKey::All,
            };
            (key, sum)
        }))
    }
}

/// Rows one after the other that belong to one hour or day, or that have no time.
struct SliceRun {
    number: Option<i64>,
    start: i64,
    end: i64,
    sum: SliceRows,
}

impl SliceRun {
    fn at(time: Option<i64>, step: i64) -> SliceRun {
        let number = time.map(|time| time.div_euclid(step));
        let start = number.map_or(0, |number| number.saturating_mul(step));
        let end = number.map_or(0, |_| start.saturating_add(step));
        SliceRun { number, start, end, sum: SliceRows::default() }
    }

    #[inline]
    fn holds(&self, time: Option<i64>) -> bool {
        time.map_or(self.number.is_none(), |time| self.start <= time && time < self.end)
    }
}

/// What lies outside of the calendar belongs to its first or last slice.
fn instant(micros: i64) -> NaiveDateTime {
    let outside = if micros < 0 { NaiveDateTime::MIN } else { NaiveDateTime::MAX };
    DateTime::from_timestamp_micros(micros).map_or(outside, |time| time.naive_utc())
}
