//! `unique`: no value of the column, or no combination of several, stands in two rows.

use serde_json::Value;

use super::{About, Check, Rule, Scope, quoted};

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

    fn rule(&self, about: &About<'_>) -> Result<Rule, String> {
        let key = match about.arguments.get("columns") {
            Some(Value::Array(columns)) => {
                let names: Option<Vec<String>> = columns.iter().map(|column| column.as_str().map(quoted)).collect();
                names.filter(|names| !names.is_empty()).ok_or("`columns` is a list of column names")?.join(", ")
            }
            Some(_) => return Err("`columns` is a list of column names".to_owned()),
            None => about.column()?,
        };
        let not_null = key.split(", ").map(|column| format!("{column} is not null")).collect::<Vec<_>>().join(" and ");
        Ok(Rule::Query(format!(
            "select {key}, count(*) as rows_with_it\nfrom {}\nwhere {}\ngroup by {key}\nhaving count(*) > 1",
            about.table,
            about.filtered(&not_null),
        )))
    }
}
