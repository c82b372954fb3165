//! How much a build reads: the files of its inputs that may hold a time which the built slices read.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, NaiveDateTime};
use serde::Serialize;

use crate::analyze::{Input, TypedModel, quarantine_table};
use crate::day::{Grain, TimeRange, parse_stored};
use crate::incremental::{FileLoad, Mention, NullTime, Observed, Read, ReadRange};
use crate::name::{ModelName, TableName};
use crate::project::{ColumnType, Project};
use crate::table::{Conversions, DataFile, SliceKey, SliceSet, SourceEntry, SourceFacts, SourceFileFacts};

/// Everything that estimates and reports look at besides what decisions do.
#[derive(Clone, Copy)]
pub(crate) struct Survey<'a> {
    pub project: &'a Project,
    pub observed: &'a Observed<'a>,
    /// The files of each source.
    pub listings: &'a BTreeMap<TableName, Vec<SourceEntry>>,
    /// What is known of source files since a model read them.
    pub facts: &'a BTreeMap<ModelName, Arc<SourceFacts>>,
    /// Where in a model's file a word of its SQL stands.
    pub place: &'a dyn Fn(&ModelName, &Mention) -> Option<String>,
}

/// A file of an input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct InputFile<'a> {
    pub path: &'a str,
    pub bytes: u64,
    pub rows: Option<u64>,
    /// `None`: rows of any time.
    pub holds: Option<Holds>,
}

/// The event times of the rows of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Holds {
    /// The first and the last.
    pub times: Option<(NaiveDateTime, NaiveDateTime)>,
    /// Whether rows may have none.
    pub timeless: bool,
}

/// Which rows of an input are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ReadScope {
    Everything,
    Of(SliceSet),
}

/// How much there is to read of an input. Each file counts once, however often the SQL refers to the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub(crate) struct Amount {
    pub files: u64,
    pub bytes: u64,
    /// `None` if that is not known of each of the files.
    pub rows: Option<u64>,
}

impl ReadScope {
    /// What these slices, dealt out to queries, read of an input through its references; without slices, a whole table
    /// reads everything.
    pub fn new(reads: &[&Read], queries: Option<&[SliceSet]>) -> ReadScope {
        let Some(queries) = queries else { return ReadScope::Everything };
        let mut ranges = Vec::new();
        let mut timeless = false;
        for (read, slices) in reads.iter().flat_map(|read| queries.iter().map(move |slices| (read, slices))) {
            // A declared window is read without gaps.
            let hull = slices.hull().filter(|_| read.declared.is_some());
            for range in hull.as_ref().map_or(slices.ranges(), std::slice::from_ref) {
                match read.reach.reads(*range) {
                    ReadRange::All => return ReadScope::Everything,
                    ReadRange::Nothing => {}
                    ReadRange::Range(range) => ranges.push(range),
                }
            }
            match read.timeless {
                // The rows without a time may be made of any rows, and then the whole input is read for them.
                NullTime::Anything if slices.timeless() => return ReadScope::Everything,
                NullTime::Same => timeless |= slices.timeless(),
                NullTime::Anything | NullTime::Nothing => {}
            }
        }
        ReadScope::Of(SliceSet::new(ranges, timeless))
    }

    /// Whether a file may hold a row that is read.
    pub fn may_read(&self, file: &InputFile<'_>) -> bool {
        let (ReadScope::Of(slices), Some(holds)) = (self, file.holds) else { return true };
        let overlaps = holds.times.is_some_and(|(first, last)| {
            slices.ranges().iter().any(|range| first < range.end() && range.start() <= last)
        });
        overlaps || (holds.timeless && slices.timeless())
    }

    /// Whether a row of a slice of this length is read.
    pub fn reads_slice(&self, slice: SliceKey, grain: Grain) -> bool {
        match (slice, self) {
            (_, ReadScope::Everything) | (SliceKey::All, _) => true,
            (SliceKey::NullTime, ReadScope::Of(slices)) => slices.timeless(),
            (SliceKey::At(start), ReadScope::Of(_)) => {
                TimeRange::new(start, grain.next(start)).is_some_and(|range| self.reads(range))
            }
        }
    }

    /// Whether a row of this range of time is read.
    fn reads(&self, slice: TimeRange) -> bool {
        match self {
            ReadScope::Everything => true,
            ReadScope::Of(slices) => slices.ranges().iter().any(|range| range.overlaps(slice)),
        }
    }
}

impl fmt::Display for ReadScope {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReadScope::Everything => formatter.write_str("all of it"),
            ReadScope::Of(slices) if slices.is_empty() => formatter.write_str("nothing of it"),
            ReadScope::Of(slices) => slices.fmt(formatter),
        }
    }
}

impl Amount {
    pub fn new(files: &[InputFile<'_>], scope: &ReadScope) -> Amount {
        Amount::sum(files.iter().filter(|file| scope.may_read(file)))
    }

    fn sum<'f>(files: impl Iterator<Item = &'f InputFile<'f>>) -> Amount {
        let none = Amount { rows: Some(0), ..Amount::default() };
        files.fold(none, |sum, file| sum.and(Amount { files: 1, bytes: file.bytes, rows: file.rows }))
    }

    /// Of the source files that a load reads.
    pub fn of_files(files: &[InputFile<'_>], load: &FileLoad) -> Amount {
        let read = files.iter().filter(|file| load.read.contains(file.path) || load.again.contains(file.path));
        Amount::sum(read)
    }

    pub fn and(self, other: Amount) -> Amount {
        // One unknown number makes the sum unknown: half of an estimate would look like all of it.
        let rows = self.rows.zip(other.rows).map(|(one, other)| one + other);
        Amount { files: self.files + other.files, bytes: self.bytes + other.bytes, rows }
    }
}

impl<'a> Survey<'a> {
    /// The table of an input, if it is one.
    pub fn table(&self, model: &TypedModel, input: &Input) -> Option<TableName> {
        match input {
            Input::Model(name) => Some(self.observed.typed.get(name)?.table.clone()),
            Input::Quarantine(name) => Some(quarantine_table(&self.observed.typed.get(name)?.table)),
            Input::This => Some(model.table.clone()),
            Input::Source(_) | Input::Runs(_) => None,
        }
    }

    /// Returns the files of an input; `None` if it does not exist.
    pub fn files(&self, model: &TypedModel, input: &Input) -> Option<Vec<InputFile<'a>>> {
        if let Input::Source(name) = input {
            return Some(self.source_files(model, name));
        }
        let state = self.observed.tables.get(&self.table(model, input)?)?.as_deref()?;
        let event_time = match input {
            Input::Model(name) => self.observed.typed.get(name).and_then(TypedModel::event_time),
            Input::This => model.event_time(),
            Input::Source(_) | Input::Quarantine(_) | Input::Runs(_) => None,
        };
        Some(state.files.iter().map(|file| of_table(file, event_time)).collect())
    }

    /// How the values converted in the files that a model was made of; `None` if nobody knows.
    pub fn conversions(&self, model: &TypedModel) -> Option<Conversions> {
        let facts = self.facts.get(&model.name)?;
        let mut all = Conversions::default();
        facts.values().for_each(|file| all.add(&file.conversions));
        Some(all)
    }

    fn source_files(&self, model: &TypedModel, name: &TableName) -> Vec<InputFile<'a>> {
        let facts = self.facts.get(&model.name);
        let time = self.project.sources.get(name).and_then(|source| {
            let event_time = source.event_time.as_ref()?.value.as_str();
            let column = source.columns.iter().find(|column| column.name.value == event_time)?;
            Some(TimeColumn { name: event_time, data_type: column.data_type })
        });
        let listed = self.listings.get(name).into_iter().flatten();
        listed
            .map(|entry| {
                let known = facts.and_then(|facts| facts.get(&entry.path)).filter(|facts| facts.is_as(entry));
                let holds = known.zip(time).and_then(|(facts, time)| time.held_by(facts));
                InputFile { path: &entry.path, bytes: entry.size, rows: known.map(|facts| facts.records), holds }
            })
            .collect()
    }
}

/// The column of a source that tells when a row happened.
#[derive(Clone, Copy)]
struct TimeColumn<'a> {
    name: &'a str,
    data_type: ColumnType,
}

impl TimeColumn<'_> {
    /// Returns what a file holds by its facts, which tell days or microseconds since 1970, but not whether values are missing.
    fn held_by(self, facts: &SourceFileFacts) -> Option<Holds> {
        match facts.ranges.get(self.name)? {
            // All values are null.
            None => Some(Holds { times: None, timeless: true }),
            Some((first, last)) => Some(Holds { times: Some((self.time(*first)?, self.time(*last)?)), timeless: true }),
        }
    }

    fn time(self, value: i64) -> Option<NaiveDateTime> {
        let time = match self.data_type {
            ColumnType::Date => DateTime::from_timestamp(value.checked_mul(86_400)?, 0),
            ColumnType::Timestamp => DateTime::from_timestamp_micros(value),
            _ => None,
        };
        time.map(|time| time.naive_utc())
    }
}

/// The references of a model by what they read.
pub(super) fn by_input(reads: &[Read]) -> BTreeMap<&Input, Vec<&Read>> {
    let inputs: BTreeSet<&Input> = reads.iter().map(|read| &read.input).collect();
    inputs.into_iter().map(|input| (input, reads.iter().filter(|read| read.input == *input).collect())).collect()
}

fn of_table<'a>(file: &'a DataFile, event_time: Option<&str>) -> InputFile<'a> {
    let holds = event_time.and_then(|column| match file.partition.get(column) {
        Some(value) => {
            let time = value.map(parse_stored);
            // A value that is no time may be any.
            let times = time.map(|time| time.map(|time| (time, time)));
            match times {
                None => Some(Holds { times: None, timeless: true }),
                Some(times) => Some(Holds { times: Some(times?), timeless: false }),
            }
        }
        None => Some(Holds { times: Some(file.times(column)?), timeless: file.may_be_null(column) }),
    });
    InputFile { path: &file.path, bytes: file.bytes, rows: file.rows, holds }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::day::{Length, Window, parse_instant};
    use crate::incremental::{Reach, ReadClass, TimeStep};
    use crate::name::SchemaName;
    use crate::template::{OnChange, ReferenceName};

    fn at(text: &str) -> NaiveDateTime {
        parse_instant(text).unwrap()
    }

    fn slices(from: &str, to: &str) -> SliceSet {
        SliceSet::new(vec![TimeRange::new(at(from), at(to)).unwrap()], false)
    }

    fn read(reach: Reach, timeless: NullTime) -> Read {
        let schema = SchemaName::parse("silver").unwrap();
        let table = TableName { schema, table: "events".to_owned() };
        let scan = ReferenceName::first(table.clone());
        let (input, evidence, on_change) = (Input::Source(table), String::new(), OnChange::Ignore);
        let (class, proved, blocker) = (ReadClass::Window, None, None);
        Read { scan, input, class, reach, timeless, proved, declared: None, evidence, on_change, blocker }
    }

    fn data_file(day: Option<&str>, stats: Option<&str>) -> DataFile {
        let partition = stats.is_none().then_some(("day", day)).into_iter().collect();
        let path = day.unwrap_or("null").into();
        DataFile { path, partition, bytes: 10, rows: Some(3), stats: stats.map(Into::into) }
    }

    #[test]
    fn a_window_reads_the_files_of_its_days() {
        let back = Window { lookback: Length::parse("1 day").unwrap(), lookahead: Length::ZERO };
        let read = read(Reach::Steps(vec![TimeStep::Widen(back)]), NullTime::Same);
        let wanted = ReadScope::new(&[&read], Some(&[slices("2023-05-03", "2023-05-04")]));
        let files = [Some("2023-05-01"), Some("2023-05-02"), Some("2023-05-03"), Some("2023-05-04"), None];
        let files = files.map(|day| data_file(day, None));
        let files: Vec<InputFile<'_>> = files.iter().map(|file| of_table(file, Some("day"))).collect();
        let paths: Vec<&str> = files.iter().filter(|file| wanted.may_read(file)).map(|file| file.path).collect();
        assert_eq!(paths, ["2023-05-02", "2023-05-03"]);
        assert_eq!(Amount::new(&files, &wanted), Amount { files: 2, bytes: 20, rows: Some(6) });
        let with_timeless = SliceSet::new(slices("2023-05-03", "2023-05-04").ranges().to_vec(), true);
        let wanted = ReadScope::new(&[&read], Some(&[with_timeless]));
        assert_eq!(Amount::new(&files, &wanted).files, 3, "the rows without a time too");
    }

    #[test]
    fn statistics_tell_what_partitions_do_not() {
        let wanted =
            ReadScope::new(&[&read(Reach::ALIGNED, NullTime::Nothing)], Some(&[slices("2023-05-03", "2023-05-04")]));
        let may_read = |stats: &str| wanted.may_read(&of_table(&data_file(None, Some(stats)), Some("day")));
        let stats =
            |low: &str, high: &str| format!(r#"{{"minValues":{{"day":"{low}"}},"maxValues":{{"day":"{high}"}}}}"#);
        assert!(may_read(&stats("2023-05-01", "2023-05-09T10:00:00.000Z")));
        assert!(!may_read(&stats("2023-05-04", "2023-05-09")));
        assert!(may_read("{}"), "without statistics it may hold anything");
    }

    #[test]
    fn what_reaches_everywhere_reads_all() {
        let everything = read(Reach::Everything, NullTime::Anything);
        let aligned = read(Reach::ALIGNED, NullTime::Same);
        let day = slices("2023-05-03", "2023-05-04");
        assert_eq!(ReadScope::new(&[&aligned, &everything], Some(std::slice::from_ref(&day))), ReadScope::Everything);
        assert_eq!(ReadScope::new(&[&aligned], None), ReadScope::Everything, "a whole table");
        assert_eq!(ReadScope::new(&[&aligned], Some(std::slice::from_ref(&day))), ReadScope::Of(day));
    }

    #[test]
    fn rows_are_unknown_if_one_file_does_not_tell() {
        let file = |rows| InputFile { path: "a", bytes: 5, rows, holds: None };
        let amount = |files: &[InputFile<'_>]| Amount::new(files, &ReadScope::Everything);
        assert_eq!(amount(&[file(Some(2)), file(None)]), Amount { files: 2, bytes: 10, rows: None });
        assert_eq!(amount(&[]), Amount { files: 0, bytes: 0, rows: Some(0) });
    }

    #[test]
    fn facts_of_source_files_tell_days_or_instants() {
        let facts = |range| {
            let ranges = BTreeMap::from([("day".to_owned(), range)]);
            let conversions = Conversions::default();
            SourceFileFacts {
                size: 1,
                modified: 1,
                etag: None,
                records: 1,
                quarantined: 0,
                ranges,
                slices: None,
                gone: false,
                conversions,
            }
        };
        let times = |facts, data_type| TimeColumn { name: "day", data_type }.held_by(&facts).unwrap().times;
        let day = (at("1970-01-02"), at("1970-01-03"));
        assert_eq!(times(facts(Some((1, 2))), ColumnType::Date), Some(day));
        let micros = 86_400_000_000;
        assert_eq!(times(facts(Some((micros, 2 * micros))), ColumnType::Timestamp), Some(day));
        assert_eq!(times(facts(None), ColumnType::Date), None, "all are null");
        assert_eq!(
            TimeColumn { name: "other", data_type: ColumnType::Date }.held_by(&facts(None)),
            None,
            "nothing is known"
        );
    }
}
