//! `between`: the values of a column are not smaller than `min` and not larger than `max`; null is allowed.

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
        let column = target.column()?;
        let mut broken = Vec::new();
        for (argument, operator) in [("min", "<"), ("max", ">")] {
            let Some(bound) = target.arguments.get(argument).filter(|bound| !bound.is_null()) else { continue };
            // A number stands as it is: between texts, 10 would be smaller than 9.
            let bound = literal(bound, bound.is_string());
            let bound = bound.ok_or_else(|| format!("`{argument}` is a number, a date or a text"))?;
            broken.push(format!("{column} {operator} {bound}"));
        }
        match broken.is_empty() {
            true => Err("it needs a `min`, a `max` or both".to_owned()),
            false => Ok(Rule::Row(target.filtered(&broken.join(" or ")))),
        }
    }
}
