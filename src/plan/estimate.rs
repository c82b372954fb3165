//! How much a build reads: the files of its inputs that may hold a time which the built slices read.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, NaiveDateTime};
use serde::Serialize;

use crate::analyze::{Input, TypedModel, quarantine_table};
use crate::day::{TimeRange, parse_stored};
use crate::incremental::{FileLoad, Mention, Observed, Read, Timeless};
use crate::name::{ModelName, TableName};
use crate::project::{ColumnType, Project};
use crate::table::{Conversions, DataFile, SliceSet, SourceEntry, SourceFacts, SourceFileFacts};

/// Everything that estimates and stories look at besides what decisions do.
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
    /// Nothing: rows of any time.
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

/// What of an input is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Wanted {
    Everything,
    Of(SliceSet),
}

/// How much there is to read of an input. Each file counts once, however often the SQL refers to the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub(crate) struct Amount {
    pub files: u64,
    pub bytes: u64,
    /// Nothing if that is not known of each of the files.
    pub rows: Option<u64>,
}

impl Wanted {
    /// What these slices, dealt out to queries, read of an input through its references; without slices, a whole table
    /// reads everything.
    pub fn of(reads: &[&Read], queries: Option<&[SliceSet]>) -> Wanted {
        let Some(queries) = queries else { return Wanted::Everything };
        let (mut ranges, mut timeless) = (Vec::new(), false);
        for (read, slices) in reads.iter().flat_map(|read| queries.iter().map(move |slices| (read, slices))) {
            // A declared window is read without gaps.
            let hull = slices.hull().filter(|_| read.declared.is_some());
            for range in hull.as_ref().map_or(slices.ranges(), std::slice::from_ref) {
                match read.reach.reads(*range) {
                    None => return Wanted::Everything,
                    Some(range) => ranges.extend(range),
                }
            }
            match read.timeless {
                Timeless::Anything if slices.timeless() => return Wanted::Everything,
                Timeless::Same => timeless |= slices.timeless(),
                Timeless::Anything | Timeless::Nothing => {}
            }
        }
        Wanted::Of(SliceSet::new(ranges, timeless))
    }

    /// Whether a file may hold a row that is read.
    pub fn may_read(&self, file: &InputFile<'_>) -> bool {
        let (Wanted::Of(slices), Some(holds)) = (self, file.holds) else { return true };
        let overlaps = |(first, last): (NaiveDateTime, NaiveDateTime)| {
            slices.ranges().iter().any(|range| first < range.end() && range.start() <= last)
        };
        holds.times.is_some_and(overlaps) || (holds.timeless && slices.timeless())
    }

    /// Whether a row of this range of time is read.
    pub fn reads(&self, slice: TimeRange) -> bool {
        match self {
            Wanted::Everything => true,
            Wanted::Of(slices) => slices.ranges().iter().any(|range| range.overlaps(slice)),
        }
    }
}

impl Amount {
    pub fn of(files: &[InputFile<'_>], wanted: &Wanted) -> Amount {
        let none = Amount { rows: Some(0), ..Amount::default() };
        files.iter().filter(|file| wanted.may_read(file)).fold(none, |sum, file| {
            let one = Amount { files: 1, bytes: file.bytes, rows: file.rows };
            sum.and(one)
        })
    }

    /// Of the source files that a load reads.
    pub fn of_files(files: &[InputFile<'_>], load: &FileLoad) -> Amount {
        let is_read = |file: &&InputFile<'_>| load.read.contains(file.path) || load.again.contains(file.path);
        let read: Vec<InputFile<'_>> = files.iter().filter(is_read).cloned().collect();
        Amount::of(&read, &Wanted::Everything)
    }

    pub fn and(self, other: Amount) -> Amount {
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
            Input::Source(_) => None,
        }
    }

    /// The files of an input; nothing if it does not exist.
    pub fn files(&self, model: &TypedModel, input: &Input) -> Option<Vec<InputFile<'a>>> {
        if let Input::Source(name) = input {
            return Some(self.source_files(model, name));
        }
        let state = self.observed.tables.get(&self.table(model, input)?)?.as_deref()?;
        let event_time = match input {
            Input::Model(name) => self.observed.typed.get(name).and_then(TypedModel::event_time),
            Input::This => model.event_time(),
            Input::Source(_) | Input::Quarantine(_) => None,
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
        let column = self.project.sources.get(name).and_then(|source| {
            let event_time = source.event_time.as_ref()?.value.as_str();
            let column = source.columns.iter().find(|column| column.name.value == event_time)?;
            Some((event_time, column.data_type))
        });
        let file = |entry: &'a SourceEntry| {
            let known = facts.and_then(|facts| facts.get(&entry.path)).filter(|facts| facts.is_as(entry));
            let holds = known.zip(column).and_then(|(facts, column)| of_facts(facts, column));
            InputFile { path: &entry.path, bytes: entry.size, rows: known.map(|facts| facts.records), holds }
        };
        self.listings.get(name).into_iter().flatten().map(file).collect()
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

/// Facts tell days or microseconds since 1970; whether values are missing they do not tell.
fn of_facts(facts: &SourceFileFacts, (column, data_type): (&str, ColumnType)) -> Option<Holds> {
    let time = |value: i64| match data_type {
        ColumnType::Date => DateTime::from_timestamp(value.checked_mul(86_400)?, 0),
        ColumnType::Timestamp => DateTime::from_timestamp_micros(value),
        _ => None,
    };
    let time = |value: i64| time(value).map(|time| time.naive_utc());
    match facts.ranges.get(column)? {
        None => Some(Holds { times: None, timeless: true }),
        Some((first, last)) => Some(Holds { times: Some((time(*first)?, time(*last)?)), timeless: true }),
    }
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

    fn read(reach: Reach, timeless: Timeless) -> Read {
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
        let read = read(Reach::Steps(vec![TimeStep::Widen(back)]), Timeless::Same);
        let wanted = Wanted::of(&[&read], Some(&[slices("2023-05-03", "2023-05-04")]));
        let files = [Some("2023-05-01"), Some("2023-05-02"), Some("2023-05-03"), Some("2023-05-04"), None];
        let files = files.map(|day| data_file(day, None));
        let files: Vec<InputFile<'_>> = files.iter().map(|file| of_table(file, Some("day"))).collect();
        let paths: Vec<&str> = files.iter().filter(|file| wanted.may_read(file)).map(|file| file.path).collect();
        assert_eq!(paths, ["2023-05-02", "2023-05-03"]);
        assert_eq!(Amount::of(&files, &wanted), Amount { files: 2, bytes: 20, rows: Some(6) });
        let with_timeless = SliceSet::new(slices("2023-05-03", "2023-05-04").ranges().to_vec(), true);
        let wanted = Wanted::of(&[&read], Some(&[with_timeless]));
        assert_eq!(Amount::of(&files, &wanted).files, 3, "the rows without a time too");
    }

    #[test]
    fn statistics_tell_what_partitions_do_not() {
        let wanted =
            Wanted::of(&[&read(Reach::ALIGNED, Timeless::Nothing)], Some(&[slices("2023-05-03", "2023-05-04")]));
        let may_read = |stats: &str| wanted.may_read(&of_table(&data_file(None, Some(stats)), Some("day")));
        let stats =
            |low: &str, high: &str| format!(r#"{{"minValues":{{"day":"{low}"}},"maxValues":{{"day":"{high}"}}}}"#);
        assert!(may_read(&stats("2023-05-01", "2023-05-09T10:00:00.000Z")));
        assert!(!may_read(&stats("2023-05-04", "2023-05-09")));
        assert!(may_read("{}"), "without statistics it may hold anything");
    }

    #[test]
    fn what_reaches_everywhere_reads_all() {
        let everything = read(Reach::Everything, Timeless::Anything);
        let aligned = read(Reach::ALIGNED, Timeless::Same);
        let day = slices("2023-05-03", "2023-05-04");
        assert_eq!(Wanted::of(&[&aligned, &everything], Some(std::slice::from_ref(&day))), Wanted::Everything);
        assert_eq!(Wanted::of(&[&aligned], None), Wanted::Everything, "a whole table");
        assert_eq!(Wanted::of(&[&aligned], Some(std::slice::from_ref(&day))), Wanted::Of(day));
    }

    #[test]
    fn rows_are_unknown_if_one_file_does_not_tell() {
        let file = |rows| InputFile { path: "a", bytes: 5, rows, holds: None };
        let amount = |files: &[InputFile<'_>]| Amount::of(files, &Wanted::Everything);
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
                records: 1,
                quarantined: 0,
                ranges,
                slices: None,
                gone: false,
                conversions,
            }
        };
        let times = |facts, data_type| of_facts(&facts, ("day", data_type)).unwrap().times;
        let day = (at("1970-01-02"), at("1970-01-03"));
        assert_eq!(times(facts(Some((1, 2))), ColumnType::Date), Some(day));
        let micros = 86_400_000_000;
        assert_eq!(times(facts(Some((micros, 2 * micros))), ColumnType::Timestamp), Some(day));
        assert_eq!(times(facts(None), ColumnType::Date), None, "all are null");
        assert_eq!(of_facts(&facts(None), ("other", ColumnType::Date)), None, "nothing is known");
    }
}
