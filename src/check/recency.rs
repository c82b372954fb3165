//! `recency`: the newest value of a date or timestamp column is not older than it may be, reckoned from the time of the run.

use serde_json::Value;

use super::{Check, Rule, RuleTarget, Scope};
use crate::project::PERIODS;

pub(super) struct Recency;

impl Check for Recency {
    fn name(&self) -> &'static str {
        "recency"
    }

    fn arguments(&self) -> &'static [&'static str] {
        &["count", "period"]
    }

    fn scope(&self) -> Scope {
        Scope::Whole
    }

    fn rule(&self, target: &RuleTarget<'_>) -> Result<Rule, String> {
        let column = target.column()?;
        let count = target.arguments.get("count").and_then(Value::as_u64).filter(|count| *count <= MOST_PERIODS);
        let count = count.ok_or_else(|| format!("`count` is a whole number of periods, at most {MOST_PERIODS}"))?;
        let period = target.arguments.get("period").and_then(Value::as_str);
        let words = PERIODS.map(|(word, _)| word);
        let period = period.filter(|period| words.contains(period));
        let period = period.ok_or_else(|| format!("`period` is one of {}", words.join(", ")))?;
        let rows = target.rows();
        let now = target.now.format("%Y-%m-%d %H:%M:%S");
        // Nothing is as old as what was never there.
        Ok(Rule::Query(format!(
            "select max({column}) as newest\nfrom {rows}\nhaving max({column}) is null\n    \
             or cast(max({column}) as timestamp) < timestamp '{now}' - interval '{count} {period}'"
        )))
    }
}

/// Longer ago than anybody keeps data, and no date overflows.
const MOST_PERIODS: u64 = 100_000;
