//! `not_null`: the column has a value in every row.

use super::{About, Check};

pub(super) struct NotNull;

impl Check for NotNull {
    fn name(&self) -> &'static str {
        "not_null"
    }

    fn doc(&self) -> &'static str {
        "the column has a value in every row"
    }

    fn arguments(&self) -> &'static [&'static str] {
        &[]
    }

    fn query(&self, about: &About<'_>) -> Result<String, String> {
        let condition = format!("{} is null", about.column()?);
        Ok(format!(
            "select *\nfrom {}\n{}",
            about.table,
            about.filtered(&condition)
        ))
    }
}
