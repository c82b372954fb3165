//! `row_count`: the table has no fewer rows than `min` and no more than `max`.

use serde_json::Value;

use super::{Check, Rule, RuleTarget, Scope};

pub(super) struct RowCount;

impl Check for RowCount {
    fn name(&self) -> &'static str {
        "row_count"
    }

    fn arguments(&self) -> &'static [&'static str] {
        &["min", "max"]
    }

    fn scope(&self) -> Scope {
        Scope::Whole
    }

    fn rule(&self, target: &RuleTarget<'_>) -> Result<Rule, String> {
        if target.column.is_some() {
            return Err("it belongs to a table".to_owned());
        }
        let mut broken = Vec::new();
        for (argument, operator) in [("min", "<"), ("max", ">")] {
            let Some(bound) = target.arguments.get(argument).filter(|bound| !bound.is_null()) else { continue };
            let bound = Value::as_u64(bound).ok_or_else(|| format!("`{argument}` is a number of rows"))?;
            broken.push(format!("count(*) {operator} {bound}"));
        }
        if broken.is_empty() {
            return Err("it needs a `min`, a `max` or both".to_owned());
        }
        let filter = target.filter.map(|filter| format!(" where {filter}")).unwrap_or_default();
        let table = target.table;
        Ok(Rule::Query(format!("select count(*) as row_count from {table}{filter} having {}", broken.join(" or "))))
    }
}
