//! `matches`: the texts of a column match a regular expression somewhere; null is allowed.

use super::accepted_values::literal;
use super::{Check, Rule, RuleTarget, Scope};

pub(super) struct Matches;

impl Check for Matches {
    fn name(&self) -> &'static str {
        "matches"
    }

    fn arguments(&self) -> &'static [&'static str] {
        &["pattern"]
    }

    fn scope(&self) -> Scope {
        Scope::New
    }

    fn rule(&self, target: &RuleTarget<'_>) -> Result<Rule, String> {
        let pattern = target.arguments.get("pattern").filter(|pattern| pattern.is_string());
        let pattern = pattern.and_then(|pattern| literal(pattern, true));
        let pattern = pattern.ok_or("`pattern` is a regular expression, as `'^[a-z]+$'`")?;
        Ok(Rule::Row(target.filtered(&format!("{} !~ {pattern}", target.column()?))))
    }
}
