//! Runs data tests: on rows that nobody sees yet when they guard a build, on the tables as they are otherwise.

use std::sync::Arc;

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use datafusion::common::{DataFusionError, Result as EngineResult};
use datafusion::functions_aggregate::expr_fn::count;
use datafusion::logical_expr::{Expr, LogicalPlanBuilder, lit};

use super::failure::Failure;
use super::observer::Event;
use super::read::{NotBuilt, Reader, batches_of};
use super::session::Joins;
use super::step::{Workshop, engine};
use crate::analyze::TypedModel;
use crate::check::{CheckResult, PlannedCheck, Scope};
use crate::diag::{Code, Diagnostic};
use crate::incremental::{Bound, bind};
use crate::project::TestSeverity;
use crate::table::DataFile;

/// A table that is not committed yet.
pub(crate) struct Checking<'a> {
    pub model: &'a TypedModel,
    /// The files that the build has written.
    pub new: Vec<DataFile>,
    /// All files that the table will have.
    pub whole: Vec<DataFile>,
}

pub(crate) struct CheckOutcome {
    pub results: Vec<CheckResult>,
}

impl CheckOutcome {
    /// One diagnostic for all tests that failed, if any did that is not a mere warning.
    pub fn failed(&self) -> Option<Diagnostic> {
        let failed: Vec<&CheckResult> = self
            .results
            .iter()
            .filter(|result| result.failures > 0 && result.severity == TestSeverity::Error)
            .collect();
        let first = failed.first()?;
        let message = match failed.as_slice() {
            [one] => format!("the data test `{}` found {}", one.name, rows(one.failures)),
            more => format!(
                "{} data tests of `{}` found rows that break their rules",
                more.len(),
                first.model
            ),
        };
        let mut diagnostic = Diagnostic::error(Code::TestFailed, message);
        for result in &failed {
            diagnostic = diagnostic.labelled(result.span, format!("`{}`: {}", result.name, rows(result.failures)));
        }
        Some(diagnostic.note(format!(
            "the rows are found by: {}",
            first.sql.split_whitespace().collect::<Vec<_>>().join(" ")
        )))
    }
}

fn rows(count: u64) -> String {
    if count == 1 {
        "1 row that breaks its rule".to_owned()
    } else {
        format!("{count} rows that break its rule")
    }
}

/// Runs the tests one after the other: each is parallel in itself.
pub(crate) async fn run_checks(
    shop: &Workshop<'_>,
    checks: &[PlannedCheck],
    checking: Option<&Checking<'_>>,
) -> Result<CheckOutcome, Failure> {
    let mut results = Vec::new();
    for check in checks {
        let (test, model, severity) = (check.name.as_str(), &check.model, check.severity);
        let failures = match failures(shop, check, checking).await {
            Ok(failures) => failures,
            Err(error) => match missing_table(&error) {
                Some(missing) => {
                    shop.observer.event(&Event::NotTested { test, model, missing });
                    continue;
                }
                None => return Err(engine(&error)),
            },
        };
        shop.observer.event(&Event::Tested {
            test,
            model,
            failures,
            severity,
        });
        results.push(CheckResult {
            name: check.name.clone(),
            model: check.model.clone(),
            severity,
            failures,
            sql: check.sql.clone(),
            span: check.span,
        });
    }
    Ok(CheckOutcome { results })
}

/// The table that is not there, if that is the error.
fn missing_table(error: &DataFusionError) -> Option<&str> {
    match error.find_root() {
        DataFusionError::External(external) => external.downcast_ref::<NotBuilt>().map(|missing| missing.0.as_str()),
        _ => None,
    }
}

async fn failures(shop: &Workshop<'_>, check: &PlannedCheck, checking: Option<&Checking<'_>>) -> EngineResult<u64> {
    let mut reader = Reader::new(shop, None);
    if let Some(checking) = checking {
        let files = match check.scope {
            Scope::New => &checking.new,
            Scope::Whole => &checking.whole,
        };
        reader = reader.with(&checking.model.table, files.clone());
    }
    let rows = bind(&check.plan, Bound::Whole, &mut |table| reader.provide(table))?;
    let counted = LogicalPlanBuilder::from(rows)
        .aggregate(Vec::<Expr>::new(), vec![count(lit(1_i64))])?
        .build()?;
    let state = shop.session.state(Joins::Hash);
    let plan = state.create_physical_plan(&counted).await?;
    let batches = batches_of(state, Arc::clone(&plan)).await?;
    let counts = batches.iter().filter(|batch| batch.num_rows() > 0);
    let count = counts
        .map(|batch| batch.column(0).as_primitive::<Int64Type>().value(0))
        .sum::<i64>();
    Ok(u64::try_from(count).unwrap_or(0))
}
