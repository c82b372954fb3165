//! `relationships`: every value of the column stands in a column of another model; null is allowed.

use std::fmt::Display;

use serde_json::Value;

use super::{Check, Rule, RuleTarget, Scope};
use crate::name::quoted;

pub(super) struct Relationships;

impl Check for Relationships {
    fn name(&self) -> &'static str {
        "relationships"
    }

    fn arguments(&self) -> &'static [&'static str] {
        &["to", "field"]
    }

    fn scope(&self) -> Scope {
        Scope::New
    }

    fn rule(&self, target: &RuleTarget<'_>) -> Result<Rule, String> {
        let other = target.other.ok_or("`to` names the other model: `to: ref('dim_users')`")?;
        let field = target.arguments.get("field").and_then(Value::as_str).ok_or("`field` names the other column")?;
        let column = target.column()?;
        let field = quoted(field);
        let keys = [KeyPair { child: column, parent: field }];
        Ok(Rule::Query(rows_without_parent(target.table, other, &keys, |condition| target.filtered(condition))))
    }
}

/// A column, and the column of another table that has its values.
pub(super) struct KeyPair {
    pub child: String,
    pub parent: String,
}

/// The rows of a table whose key is not null and stands in no row of another one, for data tests and constraints; `filtered` adds to
/// the condition of the rows that are looked at.
pub(super) fn rows_without_parent(
    table: impl Display,
    other: impl Display,
    keys: &[KeyPair],
    filtered: impl FnOnce(&str) -> String,
) -> String {
    let pairs: Vec<String> = keys.iter().map(|key| format!("child.{} = parent.{}", key.child, key.parent)).collect();
    let mut conditions: Vec<String> = keys.iter().map(|key| format!("child.{} is not null", key.child)).collect();
    // The columns of a row that was found are not null, so one tells whether there is any.
    conditions.extend(keys.first().map(|key| format!("parent.{} is null", key.parent)));
    let on = pairs.join(" and ");
    let condition = filtered(&conditions.join(" and "));
    format!("select child.*\nfrom {table} as child\nleft join {other} as parent on {on}\nwhere {condition}")
}
