//! A second opinion: every table of the sample project, computed from the same files in the plainest way.
//!
//! It shares no code with karat and knows no query engine, so that both are wrong in the same way only if the
//! definitions are.

mod csv;
mod bronze;
mod silver;
mod active;
mod sessions;
#[cfg(test)]
mod tests;

use chrono::{NaiveDate, NaiveDateTime};
use std::collections::BTreeMap;

/// The rows of a table as text, sorted.
///
/// Dates are `2023-01-31`, timestamps `2023-01-31 10:00:00`, floats have up to six decimals and at least one, and null
/// is `∅`.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    pub columns: Vec<&'static str>,
    pub rows: Vec<Vec<String>>,
}

/// All tables by name: `bronze.interactions`, `gold.sessions` and so on; the quarantines of both sources are
/// `quarantine.interactions` and `quarantine.users`, counted by reason in `quarantine.counts`.
#[derive(Debug, Clone, PartialEq)]
pub struct Tables {
    pub by_name: BTreeMap<&'static str, Table>,
}

/// Computes all tables from files, each a name and its bytes.
pub fn compute(interaction_files: &[(String, Vec<u8>)], user_files: &[(String, Vec<u8>)]) -> Tables {
    let (interactions, bad_interactions) = bronze::interactions(interaction_files);
    let (users, bad_users) = bronze::users(user_files);
    let (facts, rejected) = silver::facts(&interactions);
    let people = silver::people(&users);
    let valid: Vec<silver::Fact> = facts.iter().filter(|fact| fact.status == "ok").cloned().collect();
    let mut by_name = BTreeMap::new();
    by_name.insert("bronze.interactions", bronze::interactions_table(&interactions));
    by_name.insert("bronze.users", bronze::users_table(&users));
    by_name.insert("quarantine.interactions", bronze::quarantine_table(&bad_interactions));
    by_name.insert("quarantine.users", bronze::quarantine_table(&bad_users));
    by_name.insert("quarantine.counts", bronze::quarantine_counts(&bad_interactions, &bad_users));
    by_name.insert("silver.fct_interactions", silver::facts_table(&facts));
    by_name.insert("silver.rejected_interactions", silver::rejected_table(&rejected));
    by_name.insert("silver.dim_users", silver::people_table(&people));
    by_name.extend(active::tables(&valid, &people));
    by_name.extend(sessions::tables(&valid));
    Tables { by_name }
}

fn table(columns: &[&'static str], rows: impl IntoIterator<Item = Vec<String>>) -> Table {
    let mut rows: Vec<Vec<String>> = rows.into_iter().collect();
    rows.sort();
    Table { columns: columns.to_vec(), rows }
}

/// A value, or null, as canonical text.
fn text(value: Option<impl ToString>) -> String {
    value.map_or("∅".to_owned(), |value| value.to_string())
}

fn date_text(date: NaiveDate) -> String {
    date.format("%Y-%m-%d").to_string()
}

fn time_text(time: NaiveDateTime) -> String {
    time.format("%Y-%m-%d %H:%M:%S").to_string()
}

fn float_text(number: f64) -> String {
    let text = format!("{number:.6}");
    let trimmed = text.trim_end_matches('0');
    let text = if trimmed.ends_with('.') { format!("{trimmed}0") } else { trimmed.to_owned() };
    if text == "-0.0" { "0.0".to_owned() } else { text }
}
