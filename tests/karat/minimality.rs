//! At any lateness the slices that are computed are those that the changed rows can reach, and no others.

use std::collections::BTreeMap;

use chrono::{Datelike, Days, NaiveDate};
use serde_json::Value;

use crate::folder::Folder;
use crate::late_rows::{RULES, Rule, Slices, affected, changed, contents};

/// Tables that are planned and built one after the other, each after what it reads.
const WAVES: [&[&str]; 7] = [
    &["silver.fct_interactions", "silver.rejected_interactions"],
    &["silver.user_days", "gold.sessions_midnight"],
    &["gold.daily_active_users", "gold.daily_session_metrics_midnight", "gold.sessions", "gold.users_by_month"],
    &["gold.daily_session_metrics"],
    &["gold.dau_by_country", "gold.dau_by_device", "gold.dau_by_subscription"],
    &["gold.users_trailing_30d"],
    &["gold.mau_trailing_30d"],
];

#[test]
fn at_any_lateness_just_the_slices_that_changed_rows_reach_are_computed() {
    let folder = Folder::with_sample();
    folder.karat(&["sample-data", "--rows", "3000", "--days", "45", "--users", "60", "--seed", "3", "--clean"]);
    folder.karat(&["run", "--quiet"]);
    let last = date("2023-02-14");
    for late in [0, 1, 20, 40] {
        let before = contents(&folder);
        let day = last - Days::new(late);
        // New to the day and to the month, and between the sessions of others.
        let rows = ["U000001", "U000002", "U000059"].map(|user| format!("{user},{day} 11:00:00,edit,P1,700,5.2.1\n"));
        let text = format!("user_id,timestamp,action_type,page_id,duration_ms,app_version\n{}", rows.concat());
        folder.write(&format!("data/user_interactions/late-{late:02}.csv"), text);
        assert_eq!(planned(&folder, &["interactions"])["bronze.interactions"], [day].into(), "{late} days late");
        folder.karat(&["run", "--quiet", "--select", "interactions"]);
        for wave in WAVES {
            let mut names: Vec<&str> = wave.iter().map(|table| name(table)).collect();
            let now = contents(&folder);
            let planned = planned(&folder, &names);
            for (table, inputs) in rules(wave) {
                let reached = affected(inputs, |input| changed(&before[input], &now[input]));
                let planned = planned.get(*table).cloned().unwrap_or_default();
                assert_eq!(planned, reached, "{table} after rows that are {late} days late");
            }
            // What is about all days, and no part of it comes by the day.
            names.extend(wave.contains(&"gold.daily_active_users").then_some("reporting_days"));
            folder.karat(&[&["run", "--quiet", "--select"], names.as_slice()].concat());
            let after = contents(&folder);
            for (table, _) in rules(wave) {
                let changed = changed(&before[table], &after[table]);
                let planned = planned.get(*table).cloned().unwrap_or_default();
                assert!(changed.is_subset(&planned), "{table}: {changed:?} changed, and {planned:?} were computed");
            }
        }
        assert!(!changed(&before["gold.sessions"], &contents(&folder)["gold.sessions"]).is_empty(), "nothing was late");
        folder.karat(&["run", "--quiet"]);
    }
}

/// The rules of the tables of a wave: each must have one.
fn rules(wave: &[&str]) -> impl Iterator<Item = &'static Rule> {
    wave.iter().map(|table| RULES.iter().find(|(ruled, _)| ruled == table).unwrap())
}

fn name(table: &str) -> &str {
    table.split('.').nth(1).unwrap()
}

fn date(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

/// The days or months that each of these models computes, as the plan says.
fn planned(folder: &Folder, models: &[&str]) -> BTreeMap<String, Slices> {
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
