//! `unique`: no value of the column, or no combination of several, stands in two rows.

use std::fmt::Display;

use serde_json::Value;

use super::{Check, Rule, RuleTarget, Scope};
use crate::name::quoted;

pub(super) struct Unique;

impl Check for Unique {
    fn name(&self) -> &'static str {
        "unique"
    }

    fn arguments(&self) -> &'static [&'static str] {
        &["columns"]
    }

    fn scope(&self) -> Scope {
        Scope::Whole
    }

    fn rule(&self, target: &RuleTarget<'_>) -> Result<Rule, String> {
        let columns = match target.arguments.get("columns") {
            Some(Value::Array(columns)) => {
                let names: Option<Vec<String>> = columns.iter().map(|column| column.as_str().map(quoted)).collect();
                names.filter(|names| !names.is_empty()).ok_or("`columns` is a list of column names")?
            }
            Some(_) => return Err("`columns` is a list of column names".to_owned()),
            None => vec![target.column()?],
        };
        Ok(Rule::Query(repeated_keys(target.table, &columns, |condition| target.filtered(condition))))
    }
}

/// The keys that stand in several rows of a table, for data tests and constraints; `filtered` adds to the condition of the rows that
/// are looked at. As in SQL, a null is unlike every other.
pub(super) fn repeated_keys(table: impl Display, columns: &[String], filtered: impl FnOnce(&str) -> String) -> String {
    let not_null = columns.iter().map(|column| format!("{column} is not null")).collect::<Vec<_>>().join(" and ");
    let key = columns.join(", ");
    let condition = filtered(&not_null);
    format!(
        "select {key}, count(*) as rows_with_it\nfrom {table}\nwhere {condition}\ngroup by {key}\nhaving count(*) > 1"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_may_have_a_comma_in_its_name() {
        let arguments = serde_json::json!({"columns": ["a, b", "c"]});
        let arguments = arguments.as_object().unwrap();
        let target = RuleTarget {
            table: "t",
            column: None,
            arguments,
            other: None,
            filter: None,
            now: chrono::DateTime::UNIX_EPOCH,
            slices: None,
        };
        let Ok(Rule::Query(query)) = Unique.rule(&target) else { unreachable!("the columns are names") };
        assert!(query.contains(r#"where "a, b" is not null and "c" is not null"#), "{query}");
        assert!(query.contains(r#"group by "a, b", "c""#), "{query}");
    }
}
