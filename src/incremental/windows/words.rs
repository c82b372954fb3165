//! Evidence and obstacles in an analyst's words.

use super::time_constraint::{ProofGap, Remedy};
use super::{Blocker, Mention};
use crate::analyze::lineage::TimeStep;
use crate::analyze::{Input, InputTable};
use crate::day::{Length, Window};

/// How an author refers to an input, with one more argument.
fn reference(table: &InputTable, argument: &str) -> String {
    match &table.input {
        Input::Source(name) => format!("source('{}', '{}', {argument})", name.schema, name.table),
        Input::Model(name) | Input::Quarantine(name) => format!("ref('{name}', {argument})"),
        Input::This | Input::Runs(_) => format!("ref('{}', {argument})", table.name.table),
    }
}

impl ProofGap {
    /// What stands in the way of a proof for this table, and what an author can do, in the words of its reference.
    pub fn explain(&self, table: &InputTable) -> Blocker {
        let lookback = reference(table, "lookback='1 day'");
        let help = match &self.remedy {
            Remedy::Lookback => format!("declare how far it looks: {lookback}"),
            Remedy::JoinOnDate => format!("join on the date too, or declare how far it looks: {lookback}"),
            Remedy::NotExists => format!("write `not exists (…)`, or declare how far it looks: {lookback}"),
            Remedy::UseEventTime => match &table.event_time {
                Some(event_time) => {
                    format!("use `{event_time}` of `{}`, or declare how far it looks: {lookback}", table.name.table)
                }
                None => format!("set `event_time` on `{}`", name(&table.input)),
            },
            Remedy::SetEventTime => format!("set `event_time` on `{}`", name(&table.input)),
            Remedy::BuildWhole => {
                format!("leave it out, declare how far it looks ({lookback}), or set `materialized='table'`")
            }
        };
        let mention = match &self.remedy {
            // A query may have many joins, but each table has its own reference.
            Remedy::JoinOnDate | Remedy::SetEventTime => Some(Mention::Reference(table.name.clone())),
            _ => self.word.clone().map(Mention::Word),
        };
        Blocker { what: self.what.clone(), mention, help }
    }
}

fn name(input: &Input) -> String {
    match input {
        Input::Model(name) | Input::Quarantine(name) => name.to_string(),
        Input::Source(name) => name.to_string(),
        Input::This => "this".to_owned(),
        Input::Runs(table) => format!("karat.{}", table.name()),
    }
}

/// `lookback='29 days', lookahead='1 day'`.
pub(super) fn declaration(window: Window) -> String {
    let mut arguments = Vec::new();
    // A window of nothing is declared by a lookback of nothing.
    if window.lookback != Length::ZERO || window.lookahead == Length::ZERO {
        arguments.push(format!("lookback='{}'", window.lookback));
    }
    if window.lookahead != Length::ZERO {
        arguments.push(format!("lookahead='{}'", window.lookahead));
    }
    arguments.join(", ")
}

/// `date_trunc('month', event_date + 1 day)`.
pub(super) fn formula(steps: &[TimeStep], column: &str) -> String {
    steps.iter().rev().fold(column.to_owned(), |inner, step| match step {
        TimeStep::Truncate(unit) => format!("date_trunc('{}', {inner})", unit.word()),
        TimeStep::UnitOf(unit) => format!("{} of {inner}", unit.word()),
        TimeStep::Shift(shift) => format!("{inner} + {shift}"),
        TimeStep::Widen(window) => format!("{inner} with {window}"),
    })
}
