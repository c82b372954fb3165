//! Bronze: every record of the right shape, typed.

use super::csv::{self, BadRecord};
use super::{Table, date_text, table, text, time_text};
use chrono::{NaiveDate, NaiveDateTime};
use std::collections::BTreeMap;

/// A row of `bronze.interactions`.
pub(super) struct Interaction {
    pub(super) user_id: Option<String>,
    pub(super) timestamp: Option<NaiveDateTime>,
    pub(super) action_type: Option<String>,
    pub(super) page_id: Option<String>,
    pub(super) duration_ms: Option<i64>,
    pub(super) app_version: Option<String>,
    /// Whether the timestamp is missing because its text did not convert.
    pub(super) timestamp_is_bad: bool,
    origin: Origin,
}

/// A row of `bronze.users`.
pub(super) struct User {
    pub(super) user_id: Option<String>,
    pub(super) join_date: Option<NaiveDate>,
    pub(super) country: Option<String>,
    pub(super) device_type: Option<String>,
    pub(super) subscription_type: Option<String>,
    origin: Origin,
}

/// Where a row comes from, and what of it could not be typed.
struct Origin {
    file: String,
    line: u64,
    rescued: Option<String>,
}

/// A quarantined record with its file.
pub(super) type Quarantined = (String, BadRecord);

pub(super) fn interactions(files: &[(String, Vec<u8>)]) -> (Vec<Interaction>, Vec<Quarantined>) {
    load(files, |file, line, [user_id, timestamp, action_type, page_id, duration_ms, app_version]| {
        let mut rescue = Vec::new();
        let time = typed("timestamp", timestamp, read_timestamp, &mut rescue);
        Interaction {
            user_id: filled(user_id),
            timestamp: time,
            action_type: filled(action_type),
            page_id: filled(page_id),
            duration_ms: typed("duration_ms", duration_ms, read_integer, &mut rescue),
            app_version: filled(app_version),
            timestamp_is_bad: time.is_none() && !timestamp.is_empty(),
            origin: origin(file, line, &rescue),
        }
    })
}

pub(super) fn users(files: &[(String, Vec<u8>)]) -> (Vec<User>, Vec<Quarantined>) {
    load(files, |file, line, [user_id, join_date, country, device_type, subscription_type]| {
        let mut rescue = Vec::new();
        User {
            user_id: filled(user_id),
            join_date: typed("join_date", join_date, read_date, &mut rescue),
            country: filled(country),
            device_type: filled(device_type),
            subscription_type: filled(subscription_type),
            origin: origin(file, line, &rescue),
        }
    })
}

pub(super) fn interactions_table(rows: &[Interaction]) -> Table {
    let columns = [
        "user_id",
        "timestamp",
        "action_type",
        "page_id",
        "duration_ms",
        "app_version",
        "event_date",
        "_source_file",
        "_source_line",
        "_rescued",
    ];
    let row = |row: &Interaction| {
        vec![
            text(row.user_id.as_ref()),
            text(row.timestamp.map(time_text)),
            text(row.action_type.as_ref()),
            text(row.page_id.as_ref()),
            text(row.duration_ms),
            text(row.app_version.as_ref()),
            text(row.timestamp.map(|time| date_text(time.date()))),
            row.origin.file.clone(),
            row.origin.line.to_string(),
            text(row.origin.rescued.as_ref()),
        ]
    };
    table(&columns, rows.iter().map(row))
}

pub(super) fn users_table(rows: &[User]) -> Table {
    let columns = [
        "user_id",
        "join_date",
        "country",
        "device_type",
        "subscription_type",
        "_source_file",
        "_source_line",
        "_rescued",
    ];
    let row = |row: &User| {
        vec![
            text(row.user_id.as_ref()),
            text(row.join_date.map(date_text)),
            text(row.country.as_ref()),
            text(row.device_type.as_ref()),
            text(row.subscription_type.as_ref()),
            row.origin.file.clone(),
            row.origin.line.to_string(),
            text(row.origin.rescued.as_ref()),
        ]
    };
    table(&columns, rows.iter().map(row))
}

pub(super) fn quarantine_table(records: &[Quarantined]) -> Table {
    let row = |(file, record): &Quarantined| vec![file.clone(), record.line.to_string(), record.reason.to_owned()];
    table(&["_source_file", "_source_line", "reason"], records.iter().map(row))
}

pub(super) fn quarantine_counts(interactions: &[Quarantined], users: &[Quarantined]) -> Table {
    let mut counts: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    for (source, records) in [("interactions", interactions), ("users", users)] {
        for (_, record) in records {
            *counts.entry((source, record.reason)).or_default() += 1;
        }
    }
    let row =
        |((source, reason), count): ((&str, &str), u64)| vec![source.to_owned(), reason.to_owned(), count.to_string()];
    table(&["source", "reason", "records"], counts.into_iter().map(row))
}

/// `YYYY-MM-DD`, and a day that exists.
pub(super) fn read_date(text: &str) -> Option<NaiveDate> {
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = text.as_bytes() else {
        return None;
    };
    let year = digits(&[*y1, *y2, *y3, *y4])?;
    NaiveDate::from_ymd_opt(year as i32, digits(&[*m1, *m2])?, digits(&[*d1, *d2])?)
}

/// `YYYY-MM-DD HH:MM:SS`, and an instant that exists.
pub(super) fn read_timestamp(text: &str) -> Option<NaiveDateTime> {
    let (date, time) = text.split_once(' ')?;
    let [h1, h2, b':', m1, m2, b':', s1, s2] = time.as_bytes() else {
        return None;
    };
    read_date(date)?.and_hms_opt(digits(&[*h1, *h2])?, digits(&[*m1, *m2])?, digits(&[*s1, *s2])?)
}

/// `-?[0-9]+` within 64 bits.
pub(super) fn read_integer(text: &str) -> Option<i64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    if is_number { text.parse().ok() } else { None }
}

fn load<T, const WIDTH: usize>(
    files: &[(String, Vec<u8>)],
    row: impl Fn(&str, u64, [&str; WIDTH]) -> T,
) -> (Vec<T>, Vec<Quarantined>) {
    let (mut rows, mut bad) = (Vec::new(), Vec::new());
    for (file, bytes) in files {
        for record in csv::read(bytes) {
            match record {
                Ok(record) => {
                    let fields: Vec<&str> = record.fields.iter().map(String::as_str).collect();
                    let fields = fields.try_into().expect("the header has every column of the source");
                    rows.push(row(file, record.line, fields));
                }
                Err(record) => bad.push((file.clone(), record)),
            }
        }
    }
    (rows, bad)
}

fn filled(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

/// The typed value; text that does not convert is put aside.
fn typed<'a, T>(
    column: &'static str,
    text: &'a str,
    read: impl Fn(&str) -> Option<T>,
    rescue: &mut Vec<(&'static str, &'a str)>,
) -> Option<T> {
    let value = read(text);
    if value.is_none() && !text.is_empty() {
        rescue.push((column, text));
    }
    value
}

fn origin(file: &str, line: u64, rescue: &[(&str, &str)]) -> Origin {
    let pair = |(column, text): &(&str, &str)| format!("\"{column}\":{}", serde_json::Value::from(*text));
    let pairs: Vec<String> = rescue.iter().map(pair).collect();
    let rescued = (!pairs.is_empty()).then(|| format!("{{{}}}", pairs.join(",")));
    Origin { file: file.to_owned(), line, rescued }
}

fn digits(bytes: &[u8]) -> Option<u32> {
    let digit = |byte: &u8| byte.is_ascii_digit().then(|| u32::from(byte - b'0'));
    bytes.iter().map(digit).try_fold(0, |number, digit| Some(number * 10 + digit?))
}
