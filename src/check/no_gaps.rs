//! `no_gaps`: from the first to the last value of a date or timestamp column, no step is left out.

use serde_json::Value;

use super::{Check, Rule, RuleTarget, Scope};

pub(super) struct NoGaps;

/// How long a step may be.
const STEPS: [&str; 5] = ["hour", "day", "week", "month", "year"];

impl Check for NoGaps {
    fn name(&self) -> &'static str {
        "no_gaps"
    }

    fn arguments(&self) -> &'static [&'static str] {
        &["step"]
    }

    fn scope(&self) -> Scope {
        Scope::Whole
    }

    fn rule(&self, target: &RuleTarget<'_>) -> Result<Rule, String> {
        let column = target.column()?;
        let step = match target.arguments.get("step") {
            None | Some(Value::Null) => "day",
            Some(given) => {
                let known = STEPS.into_iter().find(|step| given.as_str() == Some(step));
                known.ok_or_else(|| format!("`step` is one of {}", STEPS.join(", ")))?
            }
        };
        let condition = target.filtered(&format!("{column} is not null"));
        let table = target.table;
        // Each row is a gap: a series of all steps would be as long as the whole time, however few rows there are.
        Ok(Rule::Query(format!(
            "select last_before, first_after\nfrom (\n    select step as last_before, lead(step) over (order by step) as first_after\n    \
             from (select distinct date_trunc('{step}', {column}) as step from {table} where {condition}) as steps\n) as pairs\n\
             where first_after > last_before + interval '1 {step}'"
        )))
    }
}
