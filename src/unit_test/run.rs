//! One unit test, run in memory.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::datatypes::Schema;
use datafusion::common::DataFusionError;
use datafusion::datasource::provider_as_source;
use datafusion::logical_expr::{LogicalPlan, LogicalPlanBuilder};

use super::after::{NoTable, TableChange};
use super::compare::difference;
use super::fixture::{FixtureBuilder, FixtureTable, find, memory_table, nullable};
use super::plan::{FixtureSource, GivenTable, PlannedUnitTest, TestedProject};
use super::{UnitTestResult, UnitTestVerdict};
use crate::analyze::{Input, TypedModel};
use crate::day::TimeRange;
use crate::diag::{Checked, Code, Diagnostic, Reported, Sink};
use crate::execute::{Engine, Joins, begins};
use crate::failure::Failure;
use crate::incremental::{Bound, bind};
use crate::span::Span;
use crate::table::SliceSet;

/// The rows of each given table.
type GivenBatches = std::collections::BTreeMap<Input, RecordBatch>;

/// Runs a unit test.
pub(crate) async fn run(planned: &PlannedUnitTest<'_>, of: TestedProject<'_>, engine: &Engine) -> UnitTestResult {
    let mut sink = Sink::default();
    let run = UnitTestRun { planned, of, engine };
    let verdict = match run.verdict(&mut sink).await {
        Ok(verdict) => verdict,
        Err(_) => UnitTestVerdict::Broken(sink.take()),
    };
    UnitTestResult { test: planned.test.id.clone(), verdict }
}

struct UnitTestRun<'a> {
    planned: &'a PlannedUnitTest<'a>,
    of: TestedProject<'a>,
    engine: &'a Engine,
}

impl UnitTestRun<'_> {
    async fn verdict(&self, sink: &mut Sink) -> Checked<UnitTestVerdict> {
        let test = self.planned.test;
        let mut given = GivenBatches::new();
        for (input, GivenTable { name, schema, rows, .. }) in &self.planned.given {
            let batch = self.fixtures().table(rows, FixtureTable { name, schema }, sink).await?;
            given.insert(input.clone(), batch);
        }
        let put_out = self.put_out(&given, sink).await?;
        let actual = if test.expected.of_table { self.table_after(&given, put_out, sink).await? } else { put_out };
        let expected = self.expected(sink).await?;
        let compared = named_columns(&actual, &expected).and_then(|actual| difference(&expected, &actual));
        let compared = compared.map_err(|error| self.broken(&error.to_string(), sink))?;
        let expected_at = test.expected.span;
        Ok(compared.map_or(UnitTestVerdict::Passed, |difference| UnitTestVerdict::Differs { difference, expected_at }))
    }

    fn fixtures(&self) -> FixtureBuilder<'_> {
        FixtureBuilder { planner: self.of.planner, engine: self.engine, span: self.planned.test.span }
    }

    /// The rows that the model puts out for the slice, or all.
    async fn put_out(&self, given: &GivenBatches, sink: &mut Sink) -> Checked<RecordBatch> {
        let model = &self.planned.model;
        let bound = match (self.slices(), model.event_time()) {
            (Some(slices), Some(event_time)) => Bound::Slices { event_time, slices },
            // A first run leaves out what lies before the model's beginning. dbt's tests know of none.
            _ if self.planned.test.expected.of_table => begins(model),
            _ => Bound::Whole,
        };
        let plan = model.plan().and_then(|plan| {
            bind(plan, bound, &mut |table| match given.get(&table.input) {
                Some(batch) => memory_table(batch),
                None => Err(DataFusionError::Internal(format!("`{}` was not given", table.name.table))),
            })
        });
        self.collected(plan, sink).await
    }

    /// The slices that are built, if the model has any and the test says which.
    fn slices(&self) -> Option<SliceSet> {
        let slice = self.planned.test.slice.as_ref()?;
        let range: TimeRange = slice.value.aligned(self.planned.model.config.batch_size);
        Some(SliceSet::new(vec![range], false))
    }

    /// The rows of the model's table after a run that puts out these rows.
    async fn table_after(&self, given: &GivenBatches, new: RecordBatch, sink: &mut Sink) -> Checked<RecordBatch> {
        let model = &self.planned.model;
        let empty = RecordBatch::new_empty(Arc::clone(&model.schema));
        let before = given.get(&Input::This).unwrap_or(&empty);
        let outside = match (self.slices(), model.event_time()) {
            (Some(slices), Some(event_time)) => {
                let bound = Bound::Outside { event_time, slices };
                let scan = memory_table(before).and_then(|table| {
                    LogicalPlanBuilder::scan(model.name.as_str(), provider_as_source(table), None)?.build()
                });
                let plan = scan.and_then(|scan| bind(&scan, bound, &mut |_| memory_table(before)));
                self.collected(plan, sink).await?
            }
            _ => before.clone(),
        };
        let span = self.planned.test.span;
        // A table without parts is built whole every time.
        let has_parts = model.config.materialized.has_parts();
        let stays = if self.planned.is_later && has_parts { outside } else { empty };
        let change = TableChange { model, before: &stays, new: &new, span };
        change.after().map_err(|no_table| match no_table {
            NoTable::Refused(diagnostic) => sink.error(*diagnostic),
            NoTable::Broken(error) => self.broken(&error.to_string(), sink),
        })
    }

    /// The expected rows, in the columns that they name and with the types of the model.
    async fn expected(&self, sink: &mut Sink) -> Checked<RecordBatch> {
        let model: &TypedModel = &self.planned.model;
        let all = FixtureTable { name: model.name.as_str(), schema: &model.schema };
        match &self.planned.expected {
            FixtureSource::Query(sql, span) => {
                let plan = self.of.planner.given_query(sql, *span, sink)?;
                let fields = plan.schema().fields().iter().map(|field| Ok((field.name().clone(), *span)));
                let schema = named_schema(fields, all, sink)?;
                let named = FixtureTable { name: model.name.as_str(), schema: &schema };
                self.fixtures().of_plan(&plan, named, *span, sink).await
            }
            FixtureSource::Written(rows) => {
                let Some(first) = rows.first() else { return Ok(RecordBatch::new_empty(Arc::clone(&model.schema))) };
                let names = first.cells.iter().map(|cell| Ok((cell.column.value.clone(), cell.column.span)));
                let schema = named_schema(names, all, sink)?;
                for row in *rows {
                    if let Some(missing) = schema.fields().iter().find(|field| {
                        !row.cells.iter().any(|cell| cell.column.value.eq_ignore_ascii_case(field.name()))
                    }) {
                        let message =
                            format!("this row says nothing of `{}`, which the first row names", missing.name());
                        let diagnostic = Diagnostic::error(Code::InvalidYaml, message).at(row.span);
                        let help = format!("name the same columns in each expected row: `{}: null`", missing.name());
                        return Err(sink.error(diagnostic.help(help)));
                    }
                    let extra = row.cells.iter().find(|cell| {
                        !schema.fields().iter().any(|field| field.name().eq_ignore_ascii_case(&cell.column.value))
                    });
                    if let Some(cell) = extra {
                        find(&cell.column.value, all, cell.column.span, sink)?;
                        let message = format!("the first row says nothing of `{}`", cell.column.value);
                        let diagnostic = Diagnostic::error(Code::InvalidYaml, message).at(cell.column.span);
                        return Err(sink.error(diagnostic.help("name the same columns in each expected row")));
                    }
                }
                let named = FixtureTable { name: model.name.as_str(), schema: &schema };
                self.fixtures().table(&self.planned.expected, named, sink).await
            }
            // `expect` names no seed.
            FixtureSource::Seed(_) => self.fixtures().table(&self.planned.expected, all, sink).await,
        }
    }

    async fn collected(&self, plan: Result<LogicalPlan, DataFusionError>, sink: &mut Sink) -> Checked<RecordBatch> {
        let work = async {
            let plan = plan?;
            let batches = self.engine.collect(&plan, Joins::Hash).await?;
            let schema = nullable(plan.schema().inner());
            let all: Result<Vec<RecordBatch>, _> = batches
                .iter()
                .map(|batch| RecordBatch::try_new(Arc::clone(&schema), batch.columns().to_vec()))
                .collect();
            Ok::<_, DataFusionError>(concat_batches(&schema, &all?)?)
        };
        work.await.map_err(|error| {
            let diagnostic = Failure::from(error).diagnostic().clone();
            sink.error(diagnostic.labelled(self.planned.test.span, "in this unit test"))
        })
    }

    fn broken(&self, message: &str, sink: &mut Sink) -> Reported {
        sink.error(Diagnostic::error(Code::RunFailed, message).at(self.planned.test.span))
    }
}

/// The columns of these names, in the types that the table has.
fn named_schema(
    names: impl Iterator<Item = Checked<(String, Span)>>,
    table: FixtureTable<'_>,
    sink: &mut Sink,
) -> Checked<Arc<Schema>> {
    let mut fields = Vec::new();
    for name in names {
        let (name, span) = name?;
        let index = find(&name, table, span, sink)?;
        fields.push(table.schema.field(index).clone().with_nullable(true));
    }
    Ok(Arc::new(Schema::new(fields)))
}

/// The columns of rows that others have, in their order.
fn named_columns(rows: &RecordBatch, like: &RecordBatch) -> Result<RecordBatch, arrow::error::ArrowError> {
    let schema = like.schema();
    let places = schema.fields().iter().map(|field| rows.schema().index_of(field.name()));
    rows.project(&places.collect::<Result<Vec<_>, _>>()?)
}
