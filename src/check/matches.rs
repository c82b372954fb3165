//! `matches`: the texts of a column match a regular expression somewhere; null is allowed.

use serde_json::Value;

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
        let pattern: &Value = pattern.ok_or("`pattern` is a regular expression, as `'^[a-z]+$'`")?;
        let pattern = literal(pattern, true).ok_or("`pattern` is a text")?;
        Ok(Rule::Row(target.filtered(&format!("{} !~ {pattern}", target.column()?))))
    }
}
