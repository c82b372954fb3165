//! Runs data tests: on rows that nobody sees yet when they guard a build, on the tables as they are otherwise.

use std::sync::Arc;

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use datafusion::common::{DataFusionError, Result as EngineResult};
use datafusion::logical_expr::LogicalPlan;

use super::engine::{Engine, Joins};
use super::missing::NotBuilt;
use super::observer::{Event, Observer};
use super::reader::{Instead, Reader};
use crate::analyze::TypedModel;
use crate::catalog::Catalog;
use crate::check::{CheckBatch, CheckResult, PlannedHook, Scope};
use crate::delta::TableSchema;
use crate::diag::{Code, Diagnostic};
use crate::failure::Failure;
use crate::incremental::{Bound, bind};
use crate::table::DataFile;

/// So many slices are named in a message.
const MOST_DETAILS: usize = 10;

/// A table that is not committed yet.
pub(crate) struct Checking<'a> {
    /// With the columns that it is written with.
    pub model: &'a TypedModel,
    /// The files that the build has written.
    pub new: Arc<Vec<DataFile>>,
    /// All files that the table will have.
    pub whole: Arc<Vec<DataFile>>,
}

/// One diagnostic for all tests that failed, if any did that is not a mere warning. Where rows break a constraint, that is
/// what is wrong, and tests are not spoken of.
pub(crate) fn failed(results: &[CheckResult]) -> Option<Diagnostic> {
    let mut failed: Vec<&CheckResult> = results.iter().filter(|result| result.stops()).collect();
    let breaks_contract = failed.iter().any(|result| result.check.is_constraint());
    failed.retain(|result| result.check.is_constraint() == breaks_contract);
    let message = match failed.as_slice() {
        [] => return None,
        [one] if breaks_contract => format!("{} the constraint `{}`", rows_that_break(one.failures), one.check.name),
        more if breaks_contract => format!("rows break {} constraints", more.len()),
        [one] => format!("the data test `{}` found {}", one.check.name, one.found()),
        more => format!("{} data tests found rows that break their rules", more.len()),
    };
    let code = if breaks_contract { Code::ConstraintBroken } else { Code::TestFailed };
    let mut diagnostic = Diagnostic::error(code, message);
    for result in &failed {
        let text = format!("`{}`: {}", result.check.name, result.found());
        diagnostic = diagnostic.labelled(result.check.span, text);
    }
    for result in failed.iter().filter(|result| !result.details.is_empty()) {
        let shown = result.details.iter().take(MOST_DETAILS).map(String::as_str);
        let more = result.details.len().saturating_sub(MOST_DETAILS);
        let more = (more > 0).then(|| format!("and {more} more"));
        let lines: Vec<&str> = shown.chain(more.as_deref()).collect();
        diagnostic = diagnostic.note(format!("{}\n{}", result.check.name, lines.join("\n")));
    }
    for result in failed.iter().filter(|result| result.details.is_empty()) {
        let sql: Vec<&str> = result.check.sql.split_whitespace().collect();
        diagnostic = diagnostic.note(format!("query that finds these rows: {}", sql.join(" ")));
    }
    for rows in failed.iter().filter_map(|result| result.check.stored.as_ref()) {
        diagnostic = diagnostic.help(format!("`karat query \"select * from {}\"` shows them", rows.table));
    }
    Some(diagnostic)
}

impl CheckResult {
    /// What it found, in words.
    fn found(&self) -> String {
        let noun = self.check.noun();
        match self.failures {
            1 => format!("1 {noun} that breaks its rule"),
            count => format!("{count} {noun}s that break its rule"),
        }
    }
}

fn rows_that_break(count: u64) -> String {
    if count == 1 { "1 row breaks".to_owned() } else { format!("{count} rows break") }
}

/// What a test found.
struct FoundFailures {
    failures: u64,
    details: Vec<String>,
}

/// Runs data tests.
pub(crate) struct Tester<'a> {
    pub catalog: &'a Catalog<'a>,
    pub engine: &'a Engine,
    pub observer: &'a dyn Observer,
}

impl Tester<'_> {
    /// Runs the tests one batch after the other: each is parallel in itself. A test of a table that does not exist is
    /// reported and left out.
    ///
    /// # Errors
    ///
    /// Returns an error if a table cannot be read.
    pub async fn run(
        &self,
        batches: &[CheckBatch],
        checking: Option<&Checking<'_>>,
    ) -> Result<Vec<CheckResult>, Failure> {
        let mut results = Vec::new();
        for batch in batches {
            let found = match self.found(batch, checking).await {
                Ok(found) => found,
                Err(error) => match missing_table(&error) {
                    // A key that cannot be looked up holds for no row.
                    Some(_) if batch.is_of_contract() => return Err(error.into()),
                    Some(missing) => {
                        for check in &batch.checks {
                            self.observer.event(&Event::NotTested { check, missing });
                        }
                        continue;
                    }
                    None => return Err(error.into()),
                },
            };
            for (check, FoundFailures { failures, details }) in batch.checks.iter().zip(found) {
                let verdict = check.rule.verdict(failures);
                if !check.is_constraint() {
                    self.observer.event(&Event::Tested { check, failures, verdict });
                }
                results.push(CheckResult { check: check.clone(), failures, details });
            }
        }
        Ok(results)
    }

    /// Runs hooks one after the other. Nobody needs their rows.
    ///
    /// # Errors
    ///
    /// Returns why the first one failed that does.
    pub async fn run_hooks(&self, hooks: &[PlannedHook], checking: Option<&Checking<'_>>) -> Result<(), Failure> {
        for hook in hooks {
            for text in &hook.messages {
                self.observer.event(&Event::Said { text });
            }
            if let Some(plan) = &hook.plan {
                self.select(plan, checking).await.map_err(|error| failed_hook(hook, error.into()))?;
            }
        }
        Ok(())
    }

    /// What reads the tables as they are, or with a build that is not committed in the place of its table.
    pub fn reader(&self, checking: Option<&Checking<'_>>, scope: Scope) -> EngineResult<Reader<'_>> {
        let reader = Reader::new(self.catalog);
        let Some(checking) = checking else { return Ok(reader) };
        let files = match scope {
            Scope::New => &checking.new,
            Scope::Whole => &checking.whole,
        };
        let instead = Instead { files: Arc::clone(files), schema: TableSchema::of(&checking.model.schema)? };
        Ok(reader.with(&checking.model.table, instead))
    }

    async fn select(&self, plan: &LogicalPlan, checking: Option<&Checking<'_>>) -> EngineResult<()> {
        let reader = self.reader(checking, Scope::Whole)?;
        let bound = bind(plan, Bound::Whole, &mut |table| reader.provide(table))?;
        self.engine.collect(&bound, Joins::Hash).await.map(|_rows| ())
    }

    /// What each test of the batch finds.
    async fn found(&self, batch: &CheckBatch, checking: Option<&Checking<'_>>) -> EngineResult<Vec<FoundFailures>> {
        if let Some(rule) = &batch.slices {
            let slices = self.anomalies(batch, rule, checking).await?;
            let details = slices.iter().map(|slice| rule.told(slice)).collect();
            return Ok(vec![FoundFailures { failures: slices.len() as u64, details }]);
        }
        let counts = self.failures(batch, checking).await?;
        Ok(counts.into_iter().map(|failures| FoundFailures { failures, details: Vec::new() }).collect())
    }

    /// For each test of the batch the number of rows that break its rule.
    async fn failures(&self, batch: &CheckBatch, checking: Option<&Checking<'_>>) -> EngineResult<Vec<u64>> {
        let reader = self.reader(checking, batch.scope)?;
        // All tests of a batch are one plan with one row: each column counts the rows that break a rule.
        let counts = bind(&batch.plan, Bound::Whole, &mut |table| reader.provide(table))?;
        let rows = self.engine.collect(&counts, Joins::Hash).await?;
        let row = rows.iter().find(|batch| batch.num_rows() > 0);
        let columns = row.map_or(&[][..], |row| row.columns());
        let counts = columns.iter().map(|column| column.as_primitive::<Int64Type>().value(0));
        Ok(counts.map(|count| u64::try_from(count).unwrap_or(0)).collect())
    }
}

/// Why a hook failed, at its own place.
fn failed_hook(hook: &PlannedHook, failure: Failure) -> Failure {
    let placed = |diagnostic: Diagnostic| {
        let message = format!("{} failed: {}", hook.name, diagnostic.message);
        Diagnostic { message, labels: Vec::new(), ..diagnostic }.at(hook.span)
    };
    match failure {
        Failure::Project(diagnostic) => Failure::Project(placed(diagnostic)),
        Failure::World(diagnostic) => Failure::World(placed(diagnostic)),
    }
}

/// The table that is not there, if that is the error.
fn missing_table(error: &DataFusionError) -> Option<&str> {
    match error.find_root() {
        DataFusionError::External(external) => {
            external.downcast_ref::<NotBuilt>().map(|missing| missing.table.as_str())
        }
        _ => None,
    }
}
