//! `reconciles`: a measure of the table equals one of another model, in all or for each value of some columns.

use serde_json::Value;

use super::{Check, Rule, RuleTarget, Scope};
use crate::name::quoted;

pub(super) struct Reconciles;

impl Check for Reconciles {
    fn name(&self) -> &'static str {
        "reconciles"
    }

    fn arguments(&self) -> &'static [&'static str] {
        &["to", "measure", "other_measure", "by", "tolerance"]
    }

    fn scope(&self) -> Scope {
        Scope::Whole
    }

    fn rule(&self, target: &RuleTarget<'_>) -> Result<Rule, String> {
        if target.column.is_some() {
            return Err("it belongs to a table".to_owned());
        }
        let other = target.other.ok_or("`to` names the other model: `to: ref('orders')`")?;
        let text = |argument: &str| target.arguments.get(argument).and_then(Value::as_str);
        let measure = text("measure").ok_or("`measure` is an aggregate: `measure: sum(amount)`")?;
        let other_measure = match target.arguments.get("other_measure") {
            None | Some(Value::Null) => measure,
            Some(_) => text("other_measure").ok_or("`other_measure` is an aggregate of the other model")?,
        };
        let by = keys(target.arguments.get("by"))?;
        let differs = match target.arguments.get("tolerance") {
            None | Some(Value::Null) => "own.measure is distinct from other.measure".to_owned(),
            // Where one side has nothing, there is no difference to compare.
            Some(Value::Number(tolerance)) if tolerance.as_f64().is_some_and(|number| number >= 0.0) => format!(
                "coalesce(abs(own.measure - other.measure) > {tolerance}, own.measure is distinct from other.measure)"
            ),
            Some(_) => return Err("`tolerance` is a number from 0".to_owned()),
        };
        let own = grouped(&target.rows(), measure, &by);
        let other = grouped(other, other_measure, &by);
        let shown: String = by.iter().map(|key| format!("coalesce(own.{key}, other.{key}) as {key}, ")).collect();
        let pairs: Vec<String> = by.iter().map(|key| format!("own.{key} is not distinct from other.{key}")).collect();
        let join = match pairs.is_empty() {
            // Both sides are one row.
            true => "cross join",
            // A group that only one side has is a difference too.
            false => "full join",
        };
        let on = if pairs.is_empty() { String::new() } else { format!(" on {}", pairs.join(" and ")) };
        Ok(Rule::Query(format!(
            "select {shown}own.measure, other.measure as other_measure\nfrom ({own}) as own\n{join} ({other}) as other{on}\nwhere {differs}"
        )))
    }
}

/// The columns of `by`, quoted: one name or a list.
fn keys(by: Option<&Value>) -> Result<Vec<String>, String> {
    let wrong = || "`by` is a column or a list of columns".to_owned();
    match by {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::String(column)) => Ok(vec![quoted(column)]),
        Some(Value::Array(columns)) => {
            columns.iter().map(|column| column.as_str().map(quoted).ok_or_else(wrong)).collect()
        }
        Some(_) => Err(wrong()),
    }
}

/// A measure of rows for each of the keys, or of all.
fn grouped(rows: &str, measure: &str, by: &[String]) -> String {
    let keys = by.join(", ");
    let comma = if by.is_empty() { "" } else { ", " };
    let group = if by.is_empty() { String::new() } else { format!(" group by {keys}") };
    format!("select {keys}{comma}{measure} as measure from {rows}{group}")
}
