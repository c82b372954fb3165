//! `between`: the values of a column are not smaller than `min` and not larger than `max`; null is allowed.

use serde_json::Value;

use super::accepted_values::literal;
use super::{Check, Rule, RuleTarget, Scope};

pub(super) struct Between;

impl Check for Between {
    fn name(&self) -> &'static str {
        "between"
    }

    fn arguments(&self) -> &'static [&'static str] {
        &["min", "max"]
    }

    fn scope(&self) -> Scope {
        Scope::New
    }

    fn rule(&self, target: &RuleTarget<'_>) -> Result<Rule, String> {
        // A number stands as it is: between texts, 10 would be smaller than 9.
        let bound = |bound: &Value| literal(bound, bound.is_string());
        let broken = target.outside(&target.column()?, bound, "a number, a date or a text")?;
        Ok(Rule::Row(target.filtered(&broken)))
    }
}
