//! At any lateness the slices that are computed are those that the changed rows can reach, and no others.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{Datelike, Days, NaiveDate};
use serde_json::Value;

use crate::folder::Folder;

/// From a model to the tables that it reads by time, with how many days before and after a changed day its own days may
/// change. Groups are built one after the other.
type Reads = (&'static str, &'static [(&'static str, Reach)]);

#[derive(Clone, Copy)]
enum Reach {
    Days(u64, u64),
    Month,
    /// A day reads the month that it lies in.
    FromMonth,
}

const SAME: Reach = Reach::Days(0, 0);

const WAVES: [&[Reads]; 7] = [
    &[
        ("silver.fct_interactions", &[("bronze.interactions", SAME)]),
        ("silver.rejected_interactions", &[("bronze.interactions", SAME)]),
    ],
    &[
        ("silver.user_days", &[("silver.fct_interactions", SAME)]),
        ("gold.sessions_midnight", &[("silver.fct_interactions", SAME)]),
    ],
    &[
        ("gold.daily_active_users", &[("silver.user_days", SAME)]),
        ("gold.daily_session_metrics_midnight", &[("gold.sessions_midnight", SAME)]),
        ("gold.sessions", &[("gold.sessions_midnight", Reach::Days(2, 1))]),
        ("gold.users_by_month", &[("silver.user_days", Reach::Month)]),
    ],
    &[("gold.daily_session_metrics", &[("gold.sessions", SAME)])],
    &[
        ("gold.dau_by_country", &[("silver.user_days", SAME)]),
        ("gold.dau_by_device", &[("silver.user_days", SAME)]),
        ("gold.dau_by_subscription", &[("silver.user_days", SAME)]),
    ],
    &[(
        "gold.users_trailing_30d",
        &[("silver.user_days", Reach::Days(0, 29)), ("gold.reporting_days", Reach::Days(0, 29))],
    )],
    &[(
        "gold.mau_trailing_30d",
        &[
            ("gold.reporting_days", SAME),
            ("gold.daily_active_users", SAME),
            ("gold.users_trailing_30d", SAME),
            ("gold.users_by_month", Reach::FromMonth),
        ],
    )],
];

type Content = BTreeMap<NaiveDate, Vec<Vec<String>>>;

#[test]
fn at_any_lateness_just_the_slices_that_changed_rows_reach_are_computed() {
    let folder = Folder::with_sample();
    folder.karat(&["sample-data", "--rows", "3000", "--days", "45", "--users", "60", "--seed", "3", "--clean"]);
    folder.karat(&["run", "--quiet"]);
    let last = date("2023-02-14");
    for late in [0, 1, 20, 40] {
        let before = contents(&folder, WAVES.iter().flat_map(|wave| tables(wave)));
        let day = last - Days::new(late);
        // New to the day and to the month, and between the sessions of others.
        let rows = ["U000001", "U000002", "U000059"].map(|user| format!("{user},{day} 11:00:00,edit,P1,700,5.2.1\n"));
        let text = format!("user_id,timestamp,action_type,page_id,duration_ms,app_version\n{}", rows.concat());
        folder.write(&format!("data/user_interactions/late-{late:02}.csv"), text);
        assert_eq!(planned(&folder, &["interactions"])["bronze.interactions"], [day].into(), "{late} days late");
        folder.karat(&["run", "--quiet", "--select", "interactions"]);
        for (place, wave) in WAVES.iter().enumerate() {
            let names: Vec<&str> = wave.iter().map(|(table, _)| name(table)).collect();
            let now = contents(&folder, tables(wave));
            let planned = planned(&folder, &names);
            for (table, inputs) in *wave {
                let reached: BTreeSet<NaiveDate> = inputs
                    .iter()
                    .flat_map(|(input, reach)| {
                        changed(&before[input], &now[input]).into_iter().map(|day| (day, *reach))
                    })
                    .flat_map(|(day, reach)| reached(day, reach))
                    .collect();
                let planned = planned.get(*table).cloned().unwrap_or_default();
                assert_eq!(planned, reached, "{table} after rows that are {late} days late");
            }
            let mut words = vec!["run", "--quiet", "--select"];
            words.extend(names);
            // What is about all days, and no part of it comes by the day.
            words.extend((place == 2).then_some("reporting_days"));
            folder.karat(&words);
            let after = contents(&folder, tables(wave));
            for (table, _) in *wave {
                let changed = changed(&before[*table], &after[*table]);
                let planned = planned.get(*table).cloned().unwrap_or_default();
                assert!(changed.is_subset(&planned), "{table}: {changed:?} changed, and {planned:?} were computed");
            }
        }
        let sessions = contents(&folder, ["gold.sessions"].into_iter());
        assert!(!changed(&before["gold.sessions"], &sessions["gold.sessions"]).is_empty(), "nothing was late");
        folder.karat(&["run", "--quiet"]);
    }
}

fn name(table: &str) -> &str {
    table.split('.').nth(1).unwrap()
}

fn date(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

/// The days, or the months by their first day, that a change of a day reaches.
fn reached(day: NaiveDate, reach: Reach) -> Vec<NaiveDate> {
    let (from, count) = match reach {
        Reach::Days(before, after) => (day - Days::new(before), before + after + 1),
        Reach::Month => (day.with_day(1).unwrap(), 1),
        Reach::FromMonth => (day, u64::from(day.num_days_in_month())),
    };
    (0..count).map(|days| from + Days::new(days)).collect()
}

/// The days or months that each of these models computes, as the plan says.
fn planned(folder: &Folder, models: &[&str]) -> BTreeMap<String, BTreeSet<NaiveDate>> {
    let mut words = vec!["plan", "--output", "json", "--select"];
    words.extend(models);
    let plan: Value = serde_json::from_str(&folder.karat(&words).out).unwrap();
    let of = |model: &Value| {
        let table = model["table"].as_str().unwrap().to_owned();
        let is_month = model["grain"] == "month";
        assert_ne!(model["builds"], "whole", "{table}: {}", model["why"]);
        let ranges = model["slices"]["ranges"].as_array().cloned().unwrap_or_default();
        let days = |range: &Value| {
            let [start, end] = ["start", "end"].map(|bound| date(range[bound].as_str().unwrap()));
            start.iter_days().take_while(move |day| *day < end)
        };
        let days = ranges.iter().flat_map(days).filter(|day| !is_month || day.day() == 1).collect();
        (table, days)
    };
    plan["models"].as_array().unwrap().iter().map(of).collect()
}

/// The tables of a wave, and those that they read.
fn tables(wave: &'static [Reads]) -> impl Iterator<Item = &'static str> {
    wave.iter().flat_map(|(table, inputs)| inputs.iter().map(|(input, _)| *input).chain([*table]))
}

/// The rows of tables, by day or month.
fn contents(folder: &Folder, tables: impl Iterator<Item = &'static str>) -> BTreeMap<&'static str, Content> {
    let content = |table: &'static str| {
        let time = if table.contains("month") { "month" } else { "event_date" };
        let mut content = Content::new();
        for row in folder.query(&format!("select cast({time} as varchar) as of_time, * from {table}")) {
            let rows = content.entry(date(row[0].get(..10).unwrap())).or_default();
            rows.push(row);
        }
        content.values_mut().for_each(|rows| rows.sort());
        (table, content)
    };
    tables.collect::<BTreeSet<_>>().into_iter().map(content).collect()
}

fn changed(before: &Content, after: &Content) -> BTreeSet<NaiveDate> {
    let days = before.keys().chain(after.keys());
    days.filter(|day| before.get(day) != after.get(day)).copied().collect()
}
