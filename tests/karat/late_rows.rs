//! What late rows truly affect in the sample's tables: rules from its definitions and its SQL, and the tables' rows by slice,
//! read from Parquet files by the log. Nothing here asks karat.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use arrow::util::display::{ArrayFormatter, FormatOptions};
use chrono::{Datelike, Days, NaiveDate};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value;

use crate::folder::Folder;

/// How days of a table follow from a day of one that it is made of, as the sample's definitions and its SQL have it.
#[derive(Clone, Copy)]
pub(crate) enum Reach {
    /// From so many days before to so many after.
    Days(u64, u64),
    /// The month, which stands under its first day.
    Month,
    /// Every day of the month.
    DaysOfMonth,
}

const SAME: Reach = Reach::Days(0, 0);

/// A table, and how its days follow from those of each table that it is made of.
pub(crate) type Rule = (&'static str, &'static [(&'static str, Reach)]);

/// Every table of the sample that is cut by time, after those that it is made of. `gold.reporting_days` is not: each of
/// its days follows from the first and the last day of all.
pub(crate) const RULES: [Rule; 16] = [
    ("bronze.interactions", &[]),
    ("silver.fct_interactions", &[("bronze.interactions", SAME)]),
    ("silver.rejected_interactions", &[("bronze.interactions", SAME)]),
    ("silver.user_days", &[("silver.fct_interactions", SAME)]),
    ("gold.daily_active_users", &[("silver.user_days", SAME)]),
    ("gold.dau_by_country", &[("silver.user_days", SAME)]),
    ("gold.dau_by_device", &[("silver.user_days", SAME)]),
    ("gold.dau_by_subscription", &[("silver.user_days", SAME)]),
    ("gold.sessions_midnight", &[("silver.fct_interactions", SAME)]),
    ("gold.daily_session_metrics_midnight", &[("gold.sessions_midnight", SAME)]),
    // A day's sessions are looked for from the day before to two days after.
    ("gold.sessions", &[("gold.sessions_midnight", Reach::Days(2, 1))]),
    ("gold.daily_session_metrics", &[("gold.sessions", SAME)]),
    ("gold.users_by_month", &[("silver.user_days", Reach::Month)]),
    ("gold.monthly_active_users", &[("gold.daily_active_users", Reach::Month), ("gold.users_by_month", Reach::Month)]),
    ("gold.users_trailing_30d", &[("silver.user_days", Reach::Days(0, 29))]),
    (
        "gold.mau_trailing_30d",
        &[
            ("gold.daily_active_users", SAME),
            ("gold.users_trailing_30d", SAME),
            ("gold.users_by_month", Reach::DaysOfMonth),
        ],
    ),
];

pub(crate) type Slices = BTreeSet<NaiveDate>;

/// A table's rows by slice; those without a time, of which no late row is one, under the first date that there can be.
pub(crate) type Content = BTreeMap<NaiveDate, Vec<String>>;

pub(crate) type Contents = BTreeMap<&'static str, Content>;

/// The slices that a change on a day reaches.
fn reached(day: NaiveDate, reach: Reach) -> Vec<NaiveDate> {
    let month = day.with_day(1).unwrap();
    let (from, count) = match reach {
        Reach::Days(before, after) => (day - Days::new(before), before + after + 1),
        Reach::Month => (month, 1),
        Reach::DaysOfMonth => (month, u64::from(day.num_days_in_month())),
    };
    from.iter_days().take(count as usize).collect()
}

/// The slices that changes of a table's inputs reach, given which slices of each input changed.
pub(crate) fn affected(inputs: &[(&str, Reach)], changed: impl Fn(&str) -> Slices) -> Slices {
    let from = |(input, reach): &(&str, Reach)| -> Slices {
        changed(input).into_iter().flat_map(|day| reached(day, *reach)).collect()
    };
    inputs.iter().flat_map(from).collect()
}

/// The slices whose rows differ.
pub(crate) fn changed(before: &Content, after: &Content) -> Slices {
    let slices = before.keys().chain(after.keys());
    slices.filter(|slice| before.get(slice) != after.get(slice)).copied().collect()
}

/// The rows of all tables that there are rules for.
pub(crate) fn contents(folder: &Folder) -> Contents {
    RULES.iter().map(|(table, _)| (*table, content(folder, table))).collect()
}

/// The actions of each version.
pub(crate) fn log(folder: &Folder, table: &str) -> Vec<Vec<Value>> {
    let logs = folder.files(&format!("lake/{}/_delta_log", table.replace('.', "/")));
    let actions = |path: &String| {
        let text = fs::read_to_string(folder.root().join(path)).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    logs.iter().filter(|path| path.ends_with(".json")).map(actions).collect()
}

/// The files of the newest version with their partition values, read from the log and not by karat.
pub(crate) fn live_files(folder: &Folder, table: &str) -> BTreeMap<String, Value> {
    let mut files = BTreeMap::new();
    for action in log(folder, table).into_iter().flatten() {
        if let Some(path) = action["remove"]["path"].as_str() {
            files.remove(path);
        }
        if let Some(path) = action["add"]["path"].as_str() {
            files.insert(path.to_owned(), action["add"]["partitionValues"].clone());
        }
    }
    files
}

/// The rows of the newest version, read from its Parquet files.
pub(crate) fn content(folder: &Folder, table: &str) -> Content {
    let files = live_files(folder, table);
    let place = folder.root().join("lake").join(table.replace('.', "/"));
    let mut content = Content::new();
    for (path, partition) in files {
        for (own, row) in rows(&place.join(path)) {
            let time = partition["event_date"].as_str().or(own.as_deref());
            content.entry(time.map_or(NaiveDate::MIN, |time| time.parse().unwrap())).or_default().push(row);
        }
    }
    content.values_mut().for_each(|rows| rows.sort());
    content
}

/// The rows of a file as text, each with its time, if the file has a column of times.
fn rows(path: &Path) -> Vec<(Option<String>, String)> {
    let mut rows = Vec::new();
    for batch in ParquetRecordBatchReaderBuilder::try_new(fs::File::open(path).unwrap()).unwrap().build().unwrap() {
        let batch = batch.unwrap();
        let schema = batch.schema();
        let time = schema.fields().iter().position(|field| ["event_date", "month"].contains(&field.name().as_str()));
        let options = FormatOptions::default();
        let columns: Vec<_> =
            batch.columns().iter().map(|column| ArrayFormatter::try_new(column, &options).unwrap()).collect();
        for row in 0..batch.num_rows() {
            let values: Vec<String> = columns.iter().map(|column| column.value(row).to_string()).collect();
            let time = time.map(|time| values[time].chars().take(10).collect::<String>());
            rows.push((time.filter(|time| !time.is_empty()), values.join("|")));
        }
    }
    rows
}
