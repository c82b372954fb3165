//! Data tests: each is a query for the rows that break its rule.

mod accepted_values;
mod anomaly;
mod between;
mod constraint;
mod expression_is_true;
mod hook;
mod matches;
mod no_gaps;
mod not_null;
mod plan;
mod recency;
mod reconciles;
mod relationships;
mod row_count;
mod storing;
mod unique;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder};
use serde_json::{Map, Value};

pub(crate) use anomaly::{AnomalousSlice, AnomalyRule, MeasuredSlice, SliceMeasure};
pub(crate) use constraint::{plan_constraints, with_constraints};
pub(crate) use hook::{HooksOfModels, PlannedHook, with_hooks};
pub(crate) use plan::{Guarded, TestText, plan_all, unknown_kind};
pub(crate) use storing::{StoredByDefault, StoringTests};

use crate::analyze::{Input, TypedModel, inputs_of};
use crate::day::Grain;
use crate::diag::Diagnostic;
use crate::name::{ModelName, quoted};
use crate::project::{TestRule, TestSeverity};
use crate::select::{TestKind, TestOrigin};
use crate::span::Span;
use crate::table::SliceLayout;
use crate::template::ReferenceTarget;

/// A kind of data test that YAML can name.
pub(crate) trait Check: Sync {
    /// The word in YAML.
    fn name(&self) -> &'static str;

    /// The arguments it takes, besides the column.
    fn arguments(&self) -> &'static [&'static str];

    /// Which rows it looks at when it guards a build.
    fn scope(&self) -> Scope;

    /// Returns the rule.
    ///
    /// # Errors
    ///
    /// What is wrong with the arguments, for a message that names the test.
    fn rule(&self, target: &RuleTarget<'_>) -> Result<Rule, String>;
}

/// What breaks a data test.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Rule {
    /// Every row for which this SQL condition is true: all such tests of a table share one scan.
    Row(String),
    /// Every row of this SELECT.
    Query(String),
    /// Every slice that is unlike those before it.
    Slices(Box<AnomalyRule>),
}

impl Rule {
    /// The SELECT behind it: of the rows that break it, or of slices with their values.
    fn query_over(&self, table: &str) -> String {
        match self {
            Rule::Row(condition) => format!("select * from {table} where {condition}"),
            Rule::Query(query) => query.clone(),
            Rule::Slices(rule) => rule.query.clone(),
        }
    }
}

/// How a table is cut into slices.
#[derive(Debug, Clone)]
pub(crate) struct TestedCut {
    pub event_time: String,
    pub grain: Grain,
    pub layout: SliceLayout,
}

/// What a test is declared on, and with what.
pub(crate) struct RuleTarget<'a> {
    /// The tested table, as it stands in SQL.
    pub table: &'a str,
    pub column: Option<&'a str>,
    pub arguments: &'a Map<String, Value>,
    /// The table that `to:` names, as it stands in SQL.
    pub other: Option<&'a str>,
    /// A condition: only these rows are tested.
    pub filter: Option<&'a str>,
    /// The time of the run.
    pub now: DateTime<Utc>,
    /// How the table is cut into slices, if it is.
    pub slices: Option<TestedCut>,
}

impl RuleTarget<'_> {
    /// Returns the tested column, quoted.
    fn column(&self) -> Result<String, String> {
        self.column.map(quoted).ok_or_else(|| "it belongs to a column".to_owned())
    }

    /// The condition that `subject` is smaller than the argument `min` or larger than `max`, each of which `bound` writes in
    /// SQL if it is what it must be.
    fn outside(&self, subject: &str, bound: impl Fn(&Value) -> Option<String>, what: &str) -> Result<String, String> {
        let mut broken = Vec::new();
        for (argument, operator) in [("min", "<"), ("max", ">")] {
            let Some(given) = self.arguments.get(argument).filter(|given| !given.is_null()) else { continue };
            let written = bound(given).ok_or_else(|| format!("`{argument}` is {what}"))?;
            broken.push(format!("{subject} {operator} {written}"));
        }
        match broken.is_empty() {
            true => Err("it needs a `min`, a `max` or both".to_owned()),
            false => Ok(broken.join(" or ")),
        }
    }

    /// Returns the rows that are tested, as they stand behind FROM.
    fn rows(&self) -> String {
        let filter = self.filter.map(|filter| format!(" where {filter}")).unwrap_or_default();
        format!("{}{filter}", self.table)
    }

    /// Returns a condition together with the test's filter.
    fn filtered(&self, condition: &str) -> String {
        match self.filter {
            Some(filter) => format!("({filter}) and ({condition})"),
            None => condition.to_owned(),
        }
    }
}

/// Every kind of data test.
pub(crate) const ALL: &[&dyn Check] = &[
    &not_null::NotNull,
    &unique::Unique,
    &accepted_values::AcceptedValues,
    &anomaly::Anomaly,
    &relationships::Relationships,
    &between::Between,
    &expression_is_true::ExpressionIsTrue,
    &matches::Matches,
    &no_gaps::NoGaps,
    &recency::Recency,
    &reconciles::Reconciles,
    &row_count::RowCount,
];

/// Which rows a test looks at when it guards a build.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Those that the build has written.
    New,
    /// The table as it will be.
    Whole,
}

/// A data test as it is reported.
#[derive(Debug, Clone)]
pub(crate) struct PlannedCheck {
    /// `not_null_daily_active_users_event_date`, or the name of a file.
    pub name: String,
    pub origin: TestOrigin,
    /// The model that it is declared on. `None` if that is a source, or if the test is a file.
    pub declared_on: Option<ModelName>,
    pub rule: TestRule,
    /// A SELECT of the rows that break the rule.
    pub sql: String,
    pub span: Span,
    /// Where the rows that break it are kept, if they are.
    pub stored: Option<Arc<TypedModel>>,
}

/// Data tests that one scan answers.
#[derive(Debug, Clone)]
pub(crate) struct CheckBatch {
    pub checks: Vec<PlannedCheck>,
    /// The tables that they refer to: a view counts itself, and not what it reads.
    pub tables: BTreeSet<ReferenceTarget>,
    /// One row: for each of the tests the number of rows that break its rule.
    pub plan: LogicalPlan,
    pub scope: Scope,
    /// The rule of the one test if it is about slices: the plan then has their values.
    pub slices: Option<Arc<AnomalyRule>>,
}

impl PlannedCheck {
    /// What it counts.
    pub fn noun(&self) -> &'static str {
        match &self.origin.kind {
            TestKind::Generic(kind) if kind == anomaly::NAME => "slice",
            _ => "row",
        }
    }

    /// Whether it is a constraint of a contract: no test, but a condition of every commit.
    pub fn is_constraint(&self) -> bool {
        self.origin.kind == TestKind::Constraint
    }
}

impl CheckBatch {
    /// Whether it checks what a contract says of rows.
    pub fn is_of_contract(&self) -> bool {
        self.checks.iter().any(PlannedCheck::is_constraint)
    }

    /// The same with some of its tests, by their places. Returns `None` if none of them is left.
    pub fn only(&self, places: &[usize]) -> Option<CheckBatch> {
        if places.len() == self.checks.len() {
            return Some(self.clone());
        }
        let checks: Vec<PlannedCheck> = places.iter().filter_map(|place| self.checks.get(*place)).cloned().collect();
        if checks.is_empty() {
            return None;
        }
        let columns = self.plan.schema().columns();
        let kept = places.iter().filter_map(|place| columns.get(*place)).cloned().map(Expr::Column);
        let plan = LogicalPlanBuilder::from(self.plan.clone()).project(kept).and_then(LogicalPlanBuilder::build);
        let plan = plan.expect("a plan has the columns of its schema");
        Some(CheckBatch { checks, tables: self.tables.clone(), plan, scope: self.scope, slices: self.slices.clone() })
    }

    /// Says what each of its tests is: its query over what it reads, views and all, and its rule. Another name is another
    /// test. The plan is written out once for all of them.
    pub fn identities(&self) -> impl Fn(&PlannedCheck) -> String {
        let plan = self.plan.display_indent_schema().to_string();
        move |check| {
            let PlannedCheck { name, rule, sql, stored, .. } = check;
            let mut text = format!("{} {name}\n{rule:?}\n{sql}\n{plan}", env!("CARGO_PKG_VERSION"));
            // One that has passed has yet to make its table.
            text.extend(stored.iter().map(|rows| format!("\n{}", rows.table)));
            blake3::hash(text.as_bytes()).to_hex().chars().take(32).collect()
        }
    }

    /// Returns what it reads.
    pub fn inputs(&self) -> impl Iterator<Item = Input> {
        inputs_of(&self.plan).into_iter()
    }

    /// Returns the stored models that it reads.
    pub fn models(&self) -> impl Iterator<Item = ModelName> {
        self.inputs().filter_map(|input| match input {
            Input::Model(name) => Some(name),
            Input::Source(_) | Input::This | Input::Quarantine(_) | Input::Runs(_) => None,
        })
    }
}

/// The tests by the model whose commit they guard: the last one that they read.
pub(crate) type Guards = BTreeMap<ModelName, Vec<CheckBatch>>;

/// The data tests of a project.
#[derive(Debug, Default)]
pub(crate) struct PlannedTests {
    pub guards: Guards,
    pub broken: Vec<BrokenTest>,
}

/// Data tests that could not be planned.
#[derive(Debug)]
pub(crate) struct BrokenTest {
    /// The model that they were to guard. `None` if there is no telling.
    pub model: Option<ModelName>,
    /// What is wrong with them.
    pub faults: Vec<Diagnostic>,
}

/// What a data test found.
#[derive(Debug, Clone)]
pub(crate) struct CheckResult {
    pub check: PlannedCheck,
    pub failures: u64,
    /// What is wrong, where that is not said by the rows that its query finds.
    pub details: Vec<String>,
}

impl CheckResult {
    /// Whether it has to stop the commit.
    pub fn stops(&self) -> bool {
        self.check.rule.verdict(self.failures) == Some(TestSeverity::Error)
    }

    /// Whether it is worth a warning.
    pub fn warns(&self) -> bool {
        self.check.rule.verdict(self.failures) == Some(TestSeverity::Warn)
    }
}

#[cfg(test)]
mod tests {
    use super::ALL;
    use crate::project::OWN_TESTS;

    #[test]
    fn the_project_knows_which_tests_are_karats_own() {
        let mut names: Vec<&str> = ALL.iter().map(|check| check.name()).collect();
        names.sort_unstable();
        assert_eq!(names, OWN_TESTS, "every other test is the call of a macro");
    }
}
