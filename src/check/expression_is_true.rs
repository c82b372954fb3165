//! `expression_is_true`: a condition holds for every row; where it is null, it is not known to be broken.

use serde_json::Value;

use super::{Check, Rule, RuleTarget, Scope};

pub(super) struct ExpressionIsTrue;

impl Check for ExpressionIsTrue {
    fn name(&self) -> &'static str {
        "expression_is_true"
    }

    fn arguments(&self) -> &'static [&'static str] {
        &["expression"]
    }

    fn scope(&self) -> Scope {
        Scope::New
    }

    fn rule(&self, target: &RuleTarget<'_>) -> Result<Rule, String> {
        let expression = target.arguments.get("expression").and_then(Value::as_str).map(str::trim);
        let expression = expression.filter(|text| !text.is_empty()).ok_or("`expression` is a SQL condition")?;
        // As in dbt_utils: for a column it is what stands behind the column, as in `>= 0`.
        let condition = match target.column {
            Some(_) => format!("{} {expression}", target.column()?),
            None => expression.to_owned(),
        };
        Ok(Rule::Row(target.filtered(&format!("not ({condition})"))))
    }
}
