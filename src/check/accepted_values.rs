//! `accepted_values`: the column has no other values than these; null is allowed.

use serde_json::Value;

use super::{Check, Rule, RuleTarget, Scope};

pub(super) struct AcceptedValues;

impl Check for AcceptedValues {
    fn name(&self) -> &'static str {
        "accepted_values"
    }

    fn arguments(&self) -> &'static [&'static str] {
        &["values", "quote"]
    }

    fn scope(&self) -> Scope {
        Scope::New
    }

    fn rule(&self, target: &RuleTarget<'_>) -> Result<Rule, String> {
        let values = target.arguments.get("values").and_then(Value::as_array).filter(|values| !values.is_empty());
        let values = values.ok_or("`values` is a list of the values that are accepted")?;
        let quote = match target.arguments.get("quote") {
            Some(Value::Bool(quote)) => *quote,
            Some(Value::Null) | None => true,
            Some(other) => return Err(format!("`quote` is `true` or `false`, not {other}")),
        };
        let literals: Option<Vec<String>> = values.iter().map(|value| literal(value, quote)).collect();
        let literals = literals.ok_or("every one of `values` is a text, a number or a boolean")?;
        let condition = format!("{} not in ({})", target.column()?, literals.join(", "));
        Ok(Rule::Row(target.filtered(&condition)))
    }
}

/// A value as SQL writes it. Returns `None` for a list, a mapping and null.
pub(super) fn literal(value: &Value, quote: bool) -> Option<String> {
    match value {
        Value::String(text) if quote => Some(format!("'{}'", text.replace('\'', "''"))),
        Value::String(text) => Some(text.clone()),
        // As in dbt, a text literal: it takes the type of the column that it is compared with.
        Value::Number(number) if quote => Some(format!("'{number}'")),
        Value::Bool(truth) if quote => Some(format!("'{truth}'")),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}
