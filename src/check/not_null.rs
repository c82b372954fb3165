//! `not_null`: the column has a value in every row.

use super::{About, Check, Rule, Scope};

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

    fn rule(&self, about: &About<'_>) -> Result<Rule, String> {
        let condition = format!("{} is null", about.column()?);
        Ok(Rule::Row(about.filtered(&condition)))
    }
}
