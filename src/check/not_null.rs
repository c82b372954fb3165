//! `not_null`: the column has a value in every row.

use super::{Check, Rule, RuleTarget, Scope};

pub(super) struct NotNull;

impl Check for NotNull {
    fn name(&self) -> &'static str {
        "not_null"
    }

    fn arguments(&self) -> &'static [&'static str] {
        &[]
    }

    fn scope(&self) -> Scope {
        Scope::New
    }

    fn rule(&self, target: &RuleTarget<'_>) -> Result<Rule, String> {
        let condition = format!("{} is null", target.column()?);
        Ok(Rule::Row(target.filtered(&condition)))
    }
}
