//! `relationships`: every value of the column stands in a column of another model; null is allowed.

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
        let condition = format!("child.{column} is not null and parent.{field} is null");
        Ok(Rule::Query(format!(
            "select child.*\nfrom {} as child\nleft join {other} as parent on child.{column} = parent.{field}\nwhere {}",
            target.table,
            target.filtered(&condition),
        )))
    }
}
