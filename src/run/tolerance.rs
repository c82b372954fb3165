//! How much of a source may be wrong: bad records, and values that do not convert. All files of the source count, those
//! that this build did not read too: what is known of them was kept when they were read.

use std::collections::BTreeMap;

use super::file_facts::{FactsOfSources, FilesRead, conversions};
use crate::diag::{Code, Diagnostic};
use crate::engine::SourceFindings;
use crate::execute::FoundInSources;
use crate::failure::Failure;
use crate::figures::grouped;
use crate::project::{ColumnType, Limit, OnBadRow, Project, Source, SourceColumn, SourceFormat};
use crate::raw::RescuedValue;
use crate::table::{Conversion, Conversions, SourceFacts};

/// Fails if a source has more bad records, or more values that do not convert, than it allows.
pub(super) fn check(project: &Project, found: &FoundInSources, facts: Option<&FactsOfSources>) -> Result<(), Failure> {
    for (name, found) in found {
        let Some(source) = project.sources.get(name) else { continue };
        let totals = SourceTotals::of(source, found, facts.and_then(|facts| facts.get(name)));
        if let Some(message) = bad_records(source, &totals, found) {
            let diagnostic = Diagnostic::error(Code::TooManyBadRows, format!("`{name}` {message}")).at(source.span);
            let help = "correct the file, or allow more with `on_bad_row: quarantine` and `max_bad_rows`";
            return Err(Failure::Project(diagnostic.help(help)));
        }
        for column in &source.columns {
            if let Some(message) = rescued_values(source, column, &totals) {
                return Err(Failure::Project(too_many_rescued(source, column, &message)));
            }
        }
    }
    Ok(())
}

/// Of the files whose rows a build has loaded: how their values converted.
pub(super) fn rescued(project: &Project, read: FilesRead<'_>) -> Conversions {
    let mut all = Conversions::default();
    for (name, found) in read.found {
        let Some(source) = project.sources.get(name) else { continue };
        // A build that loads files reads others once more, only for the slices that it makes anew.
        let load = read.build.load();
        let loaded = found.files.iter().filter(|(file, _)| load.is_none_or(|load| load.read.contains(&***file)));
        for (_, stats) in loaded {
            let mut one = conversions(source, stats);
            if read.found.len() > 1 {
                let columns = std::mem::take(&mut one.columns).into_iter();
                one.columns = columns.map(|(column, counts)| (format!("{name}.{column}"), counts)).collect();
            }
            all.add(&one);
        }
    }
    all
}

/// A value that did not convert, in a file.
struct Example<'a> {
    file: &'a str,
    value: &'a RescuedValue,
}

/// What is known of all files of a source.
struct SourceTotals<'a> {
    records: u64,
    bad: u64,
    conversions: Conversions,
    /// By column, of the files that were read now.
    examples: BTreeMap<&'a str, Example<'a>>,
}

impl<'a> SourceTotals<'a> {
    fn of(source: &'a Source, found: &'a SourceFindings, facts: Option<&SourceFacts>) -> SourceTotals<'a> {
        let mut totals =
            SourceTotals { records: 0, bad: 0, conversions: Conversions::default(), examples: BTreeMap::new() };
        let is_read = |file: &str| found.files.contains_key(file);
        for (_, facts) in facts.into_iter().flatten().filter(|(file, _)| !is_read(file)) {
            totals.records += facts.records;
            totals.bad += facts.quarantined;
            totals.conversions.add(&facts.conversions);
        }
        for (file, stats) in &found.files {
            totals.records += stats.records;
            totals.bad += stats.quarantined;
            totals.conversions.add(&conversions(source, stats));
            for (column, tally) in source.columns.iter().zip(&stats.columns) {
                if let Some(value) = tally.as_ref().and_then(|tally| tally.first.as_ref()) {
                    totals.examples.entry(&column.name.value).or_insert(Example { file, value });
                }
            }
        }
        totals
    }
}

/// What is wrong with the bad records of a source; `None` if there are no more than it allows.
fn bad_records(source: &Source, totals: &SourceTotals<'_>, found: &SourceFindings) -> Option<String> {
    if totals.bad == 0 {
        return None;
    }
    let first = match found.bad.first() {
        Some(bad) => format!("the first is {} line {}: {}", bad.file, bad.line, bad.reason.name()),
        None => "they are in files that were read before".to_owned(),
    };
    let bad = if totals.bad == 1 { "1 bad record".to_owned() } else { format!("{} bad records", grouped(totals.bad)) };
    let all = grouped(totals.records);
    if source.on_bad_row == OnBadRow::Fail {
        return Some(format!("has {bad}, and none is allowed; {first}"));
    }
    match source.max_bad_rows {
        Some(Limit::Count(limit)) if totals.bad > limit => {
            Some(format!("has {bad}, and {} are allowed; {first}", grouped(limit)))
        }
        Some(Limit::Percent(limit)) if is_beyond(limit, totals.bad, totals.records) => {
            Some(format!("has {bad} among {all}, and {limit} % are allowed; {first}"))
        }
        Some(Limit::Percent(_)) => None,
        Some(Limit::Count(_)) | None if totals.bad == totals.records => {
            Some(format!("has no rows: each of its records is bad, {all} in all; {first}"))
        }
        Some(Limit::Count(_)) | None => None,
    }
}

/// What is wrong with the values of a column; `None` if no more of them do not convert than it allows.
fn rescued_values(source: &Source, column: &SourceColumn, totals: &SourceTotals<'_>) -> Option<String> {
    let name = column.name.value.as_str();
    let Conversion { converted, rescued } = totals.conversions.columns.get(name).copied().unwrap_or_default();
    if rescued == 0 {
        return None;
    }
    let first = match totals.examples.get(name) {
        Some(Example { file, value }) => format!("the first is `{}` in {file} line {}", value.text, value.line),
        None => "they are in files that were read before".to_owned(),
    };
    let all = converted + rescued;
    let word = column.data_type.word();
    match column.max_rescued.or(source.max_rescued) {
        Some(Limit::Percent(limit)) if is_beyond(limit, rescued, all) => Some(format!(
            "{} of the {} values of `{name}` do not convert to {word}, and {limit} % are allowed; {first}",
            grouped(rescued),
            grouped(all)
        )),
        Some(Limit::Percent(_)) => None,
        Some(Limit::Count(limit)) if rescued > limit => Some(format!(
            "{} of the {} values of `{name}` do not convert to {word}, and {} are allowed; {first}",
            grouped(rescued),
            grouped(all),
            grouped(limit)
        )),
        Some(Limit::Count(_)) | None if converted == 0 => {
            let values =
                if all == 1 { "the one value".to_owned() } else { format!("none of the {} values", grouped(all)) };
            let does = if all == 1 { "does not convert" } else { "converts" };
            Some(format!("{values} of `{name}` {does} to {word}; {first}"))
        }
        Some(Limit::Count(_)) | None => None,
    }
}

fn is_beyond(percent: f64, some: u64, all: u64) -> bool {
    some as f64 * 100.0 > percent * all as f64
}

fn too_many_rescued(source: &Source, column: &SourceColumn, message: &str) -> Diagnostic {
    let diagnostic = Diagnostic::error(Code::TooManyRescued, format!("`{}`: {message}", source.name()));
    let written = match column.data_type {
        _ if matches!(source.format, SourceFormat::Parquet | SourceFormat::Delta) => {
            "a value of a Parquet file is read if the declared type keeps it exactly; \
             `options: { coerce: true }` converts texts as those of CSV, and other values to texts"
        }
        ColumnType::Text => "a text in JSON is quoted; `options: { coerce: true }` takes other values too",
        ColumnType::Integer => {
            "an integer is written `-12`; `options: { numbers: lenient }` takes `+12`, `12.0` and `1e3`"
        }
        ColumnType::Float => "a float is written `-1.5` or `1e3`; `options: { decimal: \",\" }` takes `1,5`",
        ColumnType::Boolean => {
            "a boolean is written `true`, `t`, `yes` or `1`; `options: { booleans: [ja, nein] }` takes other words"
        }
        ColumnType::Date => {
            "a date is written `2023-05-03`; `options: { date_format: \"%d.%m.%Y\" }` takes another form"
        }
        ColumnType::Timestamp => {
            "a timestamp is written `2023-05-03 13:00:00` or `2023-05-03T13:00:00.123Z`; \
             `options: { timestamp_format: \"%d.%m.%Y %H:%M\" }` takes another form"
        }
        ColumnType::Decimal { .. } => {
            "a decimal is written `-1.50`, with no more digits than its type has; \
             `options: { decimal: \",\" }` takes `-1,50`"
        }
    };
    let declare = match source.format {
        SourceFormat::Csv(_) | SourceFormat::Json => "declare it as `text` and convert it in the model",
        SourceFormat::Parquet | SourceFormat::Delta => {
            "declare it with the type that it has and convert it in the model"
        }
    };
    diagnostic
        .at(column.name.span)
        .help(written)
        .help(format!("or {declare}; `max_rescued: 100%` allows all values to be null"))
}
