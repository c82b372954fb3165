//! `row_count`: the table has no fewer rows than `min` and no more than `max`.

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
        let broken = target.outside("count(*)", |bound| Some(bound.as_u64()?.to_string()), "a number of rows")?;
        Ok(Rule::Query(format!("select count(*) as row_count from {} having {broken}", target.rows())))
    }
}
