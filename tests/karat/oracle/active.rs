//! Gold: who is active in which day, month and thirty days.

use super::silver::{Fact, Person};
use super::{Table, date_text, float_text, table, text};
use chrono::{Datelike, Days, NaiveDate};
use std::collections::{BTreeMap, BTreeSet};

pub(super) fn tables(valid: &[Fact], people: &BTreeMap<String, Person>) -> Vec<(&'static str, Table)> {
    let by_country = by_attribute("country", valid, people, |person| &person.country);
    let by_device = by_attribute("device_type", valid, people, |person| &person.device_type);
    let by_subscription = by_attribute("subscription_type", valid, people, |person| &person.subscription_type);
    let mut users: UsersByDay = BTreeMap::new();
    for fact in valid {
        users.entry(fact.ts.date()).or_default().insert(&fact.user_id);
    }
    vec![
        ("gold.daily_active_users", daily(valid)),
        ("gold.dau_by_country", by_country),
        ("gold.dau_by_device", by_device),
        ("gold.dau_by_subscription", by_subscription),
        ("gold.monthly_active_users", monthly(&users)),
        ("gold.mau_trailing_30d", trailing(&users)),
    ]
}

type UsersByDay<'a> = BTreeMap<NaiveDate, BTreeSet<&'a str>>;

fn daily(valid: &[Fact]) -> Table {
    let mut days: BTreeMap<NaiveDate, (BTreeSet<&str>, u64, i64)> = BTreeMap::new();
    for fact in valid {
        let (users, actions, duration) = days.entry(fact.ts.date()).or_default();
        users.insert(&fact.user_id);
        *actions += 1;
        *duration += fact.duration_ms.unwrap_or_default();
    }
    let row = |(date, (users, actions, duration)): (NaiveDate, (BTreeSet<&str>, u64, i64))| {
        vec![date_text(date), users.len().to_string(), actions.to_string(), duration.to_string()]
    };
    table(&["event_date", "dau", "actions", "total_duration_ms"], days.into_iter().map(row))
}

fn by_attribute<'a>(
    column: &'static str,
    valid: &'a [Fact],
    people: &'a BTreeMap<String, Person>,
    attribute: impl Fn(&Person) -> &Option<String>,
) -> Table {
    let mut groups: BTreeMap<(NaiveDate, String), (BTreeSet<&str>, u64)> = BTreeMap::new();
    for fact in valid {
        let value = people.get(&fact.user_id).and_then(|person| attribute(person).clone());
        let value = value.unwrap_or("unknown".to_owned());
        let (users, actions) = groups.entry((fact.ts.date(), value)).or_default();
        users.insert(&fact.user_id);
        *actions += 1;
    }
    let row = |((date, value), (users, actions)): ((NaiveDate, String), (BTreeSet<&str>, u64))| {
        vec![date_text(date), value, users.len().to_string(), actions.to_string()]
    };
    table(&["event_date", column, "dau", "actions"], groups.into_iter().map(row))
}

fn monthly(users: &UsersByDay) -> Table {
    let mut months: BTreeMap<NaiveDate, (u64, Vec<&BTreeSet<&str>>)> = BTreeMap::new();
    for date in all_days(users) {
        let (days, active) = months.entry(month(date)).or_default();
        *days += 1;
        active.extend(users.get(&date));
    }
    let row = |(first, (days, active)): (NaiveDate, (u64, Vec<&BTreeSet<&str>>))| {
        let mau = union(active.iter().copied());
        let sum_dau: usize = active.iter().map(|users| users.len()).sum();
        let avg_dau = sum_dau as f64 / days as f64;
        vec![
            date_text(first),
            mau.to_string(),
            sum_dau.to_string(),
            days.to_string(),
            float_text(avg_dau),
            text((mau > 0).then(|| float_text(avg_dau / mau as f64))),
        ]
    };
    let columns = ["month", "mau", "sum_dau", "days", "avg_dau", "stickiness"];
    table(&columns, months.into_iter().map(row))
}

fn trailing(users: &UsersByDay) -> Table {
    let mut of_month: BTreeMap<NaiveDate, usize> = BTreeMap::new();
    let row = |date: NaiveDate| {
        let dau = users.get(&date).map_or(0, BTreeSet::len);
        let mau_30d = union(users.range(date - Days::new(29)..=date).map(|(_, users)| users));
        let mau_month = *of_month.entry(month(date)).or_insert_with(|| {
            union(users.iter().filter(|(day, _)| month(**day) == month(date)).map(|(_, users)| users))
        });
        let ratio = |divisor: usize| (divisor > 0).then(|| float_text(dau as f64 / divisor as f64));
        vec![
            date_text(date),
            dau.to_string(),
            mau_30d.to_string(),
            mau_month.to_string(),
            text(ratio(mau_30d)),
            text(ratio(mau_month)),
        ]
    };
    let columns = ["event_date", "dau", "mau_30d", "mau_month", "stickiness_30d", "stickiness_month"];
    table(&columns, all_days(users).into_iter().map(row))
}

/// Every day from the first active one to the last.
fn all_days(users: &UsersByDay) -> Vec<NaiveDate> {
    let (Some((first, _)), Some((last, _))) = (users.first_key_value(), users.last_key_value()) else {
        return Vec::new();
    };
    first.iter_days().take_while(|date| date <= last).collect()
}

fn month(date: NaiveDate) -> NaiveDate {
    date.with_day(1).expect("every month has a first day")
}

fn union<'a>(days: impl Iterator<Item = &'a BTreeSet<&'a str>>) -> usize {
    days.flatten().collect::<BTreeSet<_>>().len()
}
