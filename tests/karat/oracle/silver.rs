//! Silver: cleaned facts and dimensions.

use super::bronze::{Interaction, User};
use super::{Table, date_text, table, text, time_text};
use chrono::{NaiveDate, NaiveDateTime};
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// A row of `silver.fct_interactions`.
#[derive(Clone)]
pub(super) struct Fact {
    pub(super) user_id: String,
    pub(super) ts: NaiveDateTime,
    pub(super) action_type: String,
    pub(super) page_id: String,
    pub(super) duration_ms: Option<i64>,
    pub(super) app_version: Option<String>,
    /// `null`, `negative`, `too_long` or `ok`.
    pub(super) status: &'static str,
}

/// A row of `silver.dim_users`, but for its `user_id`.
pub(super) struct Person {
    join_date: Option<NaiveDate>,
    pub(super) country: Option<String>,
    pub(super) device_type: Option<String>,
    pub(super) subscription_type: Option<String>,
}

/// The number of rejected rows by date and reason.
pub(super) type Rejected = BTreeMap<(Option<NaiveDate>, &'static str), u64>;

pub(super) fn facts(interactions: &[Interaction]) -> (Vec<Fact>, Rejected) {
    let mut rejected = Rejected::new();
    let mut by_key: BTreeMap<_, Vec<Fact>> = BTreeMap::new();
    for row in interactions {
        match clean(row) {
            Ok(fact) => {
                let key = (fact.user_id.clone(), fact.ts, fact.action_type.clone(), fact.page_id.clone());
                by_key.entry(key).or_default().push(fact);
            }
            Err(reason) => *rejected.entry((row.timestamp.map(|time| time.date()), reason)).or_default() += 1,
        }
    }
    let best = |facts: Vec<Fact>| facts.into_iter().min_by_key(preference).expect("a key has at least one fact");
    (by_key.into_values().map(best).collect(), rejected)
}

/// The users that have an id, by it.
pub(super) fn people(users: &[User]) -> BTreeMap<String, Person> {
    let mut by_id: BTreeMap<String, Vec<Person>> = BTreeMap::new();
    for user in users {
        let Some(user_id) = &user.user_id else { continue };
        by_id.entry(user_id.clone()).or_default().push(Person {
            join_date: user.join_date,
            country: user.country.clone().filter(|country| is_country(country)),
            device_type: listed(&user.device_type, &DEVICES),
            subscription_type: listed(&user.subscription_type, &SUBSCRIPTIONS),
        });
    }
    // Attributes are cleaned before they are compared. `Reverse` puts the latest date first, and no date last.
    let order = |person: &Person| {
        let attributes = [&person.country, &person.device_type, &person.subscription_type];
        (Reverse(person.join_date), attributes.map(nulls_last))
    };
    let best = |people: Vec<Person>| people.into_iter().min_by_key(order).expect("an id has at least one user");
    by_id.into_iter().map(|(user_id, people)| (user_id, best(people))).collect()
}

pub(super) fn facts_table(facts: &[Fact]) -> Table {
    let columns = [
        "user_id",
        "ts",
        "event_date",
        "action_type",
        "page_id",
        "duration_ms",
        "app_version",
        "duration_status",
        "is_valid",
    ];
    let row = |fact: &Fact| {
        vec![
            fact.user_id.clone(),
            time_text(fact.ts),
            date_text(fact.ts.date()),
            fact.action_type.clone(),
            fact.page_id.clone(),
            text(fact.duration_ms),
            text(fact.app_version.as_ref()),
            fact.status.to_owned(),
            (fact.status == "ok").to_string(),
        ]
    };
    table(&columns, facts.iter().map(row))
}

pub(super) fn rejected_table(rejected: &Rejected) -> Table {
    let row = |((date, reason), count): (&(Option<NaiveDate>, &'static str), &u64)| {
        vec![text(date.map(date_text)), (*reason).to_owned(), count.to_string()]
    };
    table(&["event_date", "reason", "count"], rejected.iter().map(row))
}

pub(super) fn people_table(people: &BTreeMap<String, Person>) -> Table {
    let row = |(user_id, person): (&String, &Person)| {
        vec![
            user_id.clone(),
            text(person.join_date.map(date_text)),
            text(person.country.as_ref()),
            text(person.device_type.as_ref()),
            text(person.subscription_type.as_ref()),
        ]
    };
    table(&["user_id", "join_date", "country", "device_type", "subscription_type"], people.iter().map(row))
}

const ACTIONS: [&str; 5] = ["page_view", "edit", "create", "delete", "share"];
const DEVICES: [&str; 6] = ["iPhone", "iPad", "Mac", "Android Phone", "Android Tablet", "Windows"];
const SUBSCRIPTIONS: [&str; 4] = ["free", "basic", "premium", "enterprise"];
const TWO_HOURS_MS: i64 = 7_200_000;

/// The row as a fact, or the first reason why it is none.
fn clean(row: &Interaction) -> Result<Fact, &'static str> {
    let user_id = row.user_id.clone().ok_or("null_user_id")?;
    let ts = row.timestamp.ok_or(if row.timestamp_is_bad { "bad_timestamp" } else { "null_timestamp" })?;
    let action_type = row.action_type.clone().ok_or("null_action_type")?;
    if !ACTIONS.contains(&action_type.as_str()) {
        return Err("unknown_action_type");
    }
    let page_id = row.page_id.clone().ok_or("null_page_id")?;
    let status = match row.duration_ms {
        None => "null",
        Some(..0) => "negative",
        Some(0..=TWO_HOURS_MS) => "ok",
        Some(_) => "too_long",
    };
    let (duration_ms, app_version) = (row.duration_ms, row.app_version.clone());
    Ok(Fact { user_id, ts, action_type, page_id, duration_ms, app_version, status })
}

/// The least of these is kept: valid first, then the shortest, then the oldest version as text; nulls last.
fn preference(fact: &Fact) -> impl Ord + use<> {
    (fact.status != "ok", nulls_last(&fact.duration_ms), nulls_last(&fact.app_version))
}

fn nulls_last<T: Clone>(value: &Option<T>) -> (bool, Option<T>) {
    (value.is_none(), value.clone())
}

/// Any two ASCII capitals: countries come and go, so there is no list of them.
fn is_country(text: &str) -> bool {
    text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_uppercase())
}

fn listed(value: &Option<String>, list: &[&str]) -> Option<String> {
    value.clone().filter(|value| list.contains(&value.as_str()))
}
