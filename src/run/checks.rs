//! Runs data tests: on rows that nobody sees yet when they guard a build, on the tables as they are otherwise.

use std::sync::Arc;

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use datafusion::common::{DataFusionError, Result as EngineResult};

use super::failure::Failure;
use super::observer::Event;
use super::read::{Instead, NotBuilt, Reader, batches_of};
use super::session::Joins;
use super::step::{Workshop, engine};
use crate::analyze::TypedModel;
use crate::check::{CheckBatch, CheckResult, Scope};
use crate::diag::{Code, Diagnostic};
use crate::incremental::{Bound, bind};
use crate::partition_writer::delta_schema;
use crate::table::DataFile;

/// A table that is not committed yet.
pub(crate) struct Checking<'a> {
    /// With the columns that it is written with.
    pub model: &'a TypedModel,
    /// The files that the build has written.
    pub new: Arc<Vec<DataFile>>,
    /// All files that the table will have.
    pub whole: Arc<Vec<DataFile>>,
}

/// One diagnostic for all tests that failed, if any did that is not a mere warning.
pub(crate) fn failed(results: &[CheckResult]) -> Option<Diagnostic> {
    let failed: Vec<&CheckResult> = results.iter().filter(|result| result.stops()).collect();
    let message = match failed.as_slice() {
        [] => return None,
        [one] => format!("the data test `{}` found {}", one.check.name, rows(one.failures)),
        more => format!("{} data tests found rows that break their rules", more.len()),
    };
    let mut diagnostic = Diagnostic::error(Code::TestFailed, message);
    for result in &failed {
        let text = format!("`{}`: {}", result.check.name, rows(result.failures));
        diagnostic = diagnostic.labelled(result.check.span, text);
    }
    for result in &failed {
        let sql: Vec<&str> = result.check.sql.split_whitespace().collect();
        diagnostic = diagnostic.note(format!("query that finds these rows: {}", sql.join(" ")));
    }
    Some(diagnostic)
}

fn rows(count: u64) -> String {
    if count == 1 { "1 row that breaks its rule".to_owned() } else { format!("{count} rows that break its rule") }
}

/// Runs the tests one batch after the other: each is parallel in itself.
pub(crate) async fn run_checks(
    shop: &Workshop<'_>,
    batches: &[CheckBatch],
    checking: Option<&Checking<'_>>,
) -> Result<Vec<CheckResult>, Failure> {
    let mut results = Vec::new();
    for batch in batches {
        let failures = match failures(shop, batch, checking).await {
            Ok(failures) => failures,
            Err(error) => match missing_table(&error) {
                Some(missing) => {
                    for check in &batch.checks {
                        shop.observer.event(&Event::NotTested { test: &check.name, missing });
                    }
                    continue;
                }
                None => return Err(engine(&error)),
            },
        };
        for (check, failures) in batch.checks.iter().zip(failures) {
            shop.observer.event(&Event::Tested { test: &check.name, failures, severity: check.severity });
            results.push(CheckResult { check: check.clone(), failures });
        }
    }
    Ok(results)
}

/// The table that is not there, if that is the error.
fn missing_table(error: &DataFusionError) -> Option<&str> {
    match error.find_root() {
        DataFusionError::External(external) => external.downcast_ref::<NotBuilt>().map(|missing| missing.0.as_str()),
        _ => None,
    }
}

/// For each test of the batch the number of rows that break its rule.
async fn failures(shop: &Workshop<'_>, batch: &CheckBatch, checking: Option<&Checking<'_>>) -> EngineResult<Vec<u64>> {
    let mut reader = Reader::new(shop, None).await;
    if let Some(checking) = checking {
        let files = match batch.scope {
            Scope::New => &checking.new,
            Scope::Whole => &checking.whole,
        };
        let instead = Instead { files: Arc::clone(files), schema: delta_schema(&checking.model.schema)? };
        reader = reader.with(&checking.model.table, instead);
    }
    let counts = bind(&batch.plan, Bound::Whole, &mut |table| reader.provide(table))?;
    let state = shop.session.state(Joins::Hash);
    let rows = batches_of(state, state.create_physical_plan(&counts).await?).await?;
    let row = rows.iter().find(|batch| batch.num_rows() > 0);
    let columns = row.map_or(&[][..], |row| row.columns());
    let count =
        |column: &arrow::array::ArrayRef| u64::try_from(column.as_primitive::<Int64Type>().value(0)).unwrap_or(0);
    Ok(columns.iter().map(count).collect())
}
