//! Gold: runs of actions, and what a day of them looks like.

use super::silver::Fact;
use super::{Table, date_text, float_text, table, time_text};
use chrono::{NaiveDate, NaiveDateTime};
use std::collections::{BTreeMap, BTreeSet};

pub(super) fn tables(valid: &[Fact]) -> Vec<(&'static str, Table)> {
    let sessions = find(valid, |before, after| (after - before).num_seconds() < HALF_HOUR);
    let midnight =
        find(valid, |before, after| (after - before).num_seconds() < HALF_HOUR && before.date() == after.date());
    vec![
        ("gold.sessions", sessions_table(&sessions)),
        ("gold.sessions_midnight", sessions_table(&midnight)),
        ("gold.daily_session_metrics", metrics_table(&sessions)),
        ("gold.daily_session_metrics_midnight", metrics_table(&midnight)),
    ]
}

const HALF_HOUR: i64 = 30 * 60;

struct Session<'a> {
    user_id: &'a str,
    start: NaiveDateTime,
    end: NaiveDateTime,
    actions: u64,
    active_ms: i64,
}

impl Session<'_> {
    fn seconds(&self) -> i64 {
        (self.end - self.start).num_seconds()
    }
}

/// The sessions of all users, where `goes_on` tells whether one goes on from one time to the next.
fn find(valid: &[Fact], goes_on: impl Fn(NaiveDateTime, NaiveDateTime) -> bool) -> Vec<Session<'_>> {
    let mut facts: Vec<&Fact> = valid.iter().collect();
    facts.sort_by_key(|fact| (&fact.user_id, fact.ts));
    let mut sessions: Vec<Session> = Vec::new();
    for fact in facts {
        let active_ms = fact.duration_ms.unwrap_or_default();
        match sessions.last_mut() {
            Some(session) if session.user_id == fact.user_id && goes_on(session.end, fact.ts) => {
                session.end = fact.ts;
                session.actions += 1;
                session.active_ms += active_ms;
            }
            _ => {
                sessions.push(Session { user_id: &fact.user_id, start: fact.ts, end: fact.ts, actions: 1, active_ms });
            }
        }
    }
    sessions
}

fn sessions_table(sessions: &[Session]) -> Table {
    let columns =
        ["user_id", "session_start", "event_date", "session_end", "n_actions", "duration_s", "active_duration_ms"];
    let row = |session: &Session| {
        vec![
            session.user_id.to_owned(),
            time_text(session.start),
            date_text(session.start.date()),
            time_text(session.end),
            session.actions.to_string(),
            session.seconds().to_string(),
            session.active_ms.to_string(),
        ]
    };
    table(&columns, sessions.iter().map(row))
}

fn metrics_table(sessions: &[Session]) -> Table {
    let mut days: BTreeMap<NaiveDate, Vec<&Session>> = BTreeMap::new();
    for session in sessions {
        days.entry(session.start.date()).or_default().push(session);
    }
    let row = |(date, sessions): (NaiveDate, Vec<&Session>)| {
        let count = sessions.len() as f64;
        let users: BTreeSet<&str> = sessions.iter().map(|session| session.user_id).collect();
        let actions: u64 = sessions.iter().map(|session| session.actions).sum();
        let mut seconds: Vec<i64> = sessions.iter().map(|session| session.seconds()).collect();
        seconds.sort();
        vec![
            date_text(date),
            sessions.len().to_string(),
            users.len().to_string(),
            actions.to_string(),
            float_text(seconds.iter().sum::<i64>() as f64 / count),
            float_text(percentile(&seconds, 0.5)),
            float_text(percentile(&seconds, 0.95)),
            float_text(actions as f64 / count),
        ]
    };
    let columns = [
        "event_date",
        "sessions",
        "users",
        "total_actions",
        "avg_duration_s",
        "median_duration_s",
        "p95_duration_s",
        "avg_actions",
    ];
    table(&columns, days.into_iter().map(row))
}

/// The value at a fraction of the way from the first to the last of sorted values, interpolated between neighbours.
fn percentile(sorted: &[i64], fraction: f64) -> f64 {
    let position = fraction * (sorted.len() - 1) as f64;
    let at = |index: f64| sorted.get(index as usize).copied().expect("the position is within the values") as f64;
    let (below, above) = (at(position.floor()), at(position.ceil()));
    below + (above - below) * position.fract()
}
