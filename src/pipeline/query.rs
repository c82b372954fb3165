//! One SELECT over the tables as they are or as they were released.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::common::Result as EngineResult;
use datafusion::logical_expr::{LogicalPlan, LogicalPlanBuilder};

use super::introspection::answer;
use super::load::Compiled;
use crate::analyze::{Input, Planner, inputs_of};
use crate::catalog::{Catalog, ObservationScope, Shown};
use crate::compile::{Explained, NotPlanned, explain_text};
use crate::delta::read_schema;
use crate::diag::{Checked, Diagnostic, Sink};
use crate::execute::{Engine, Joins, Reader};
use crate::failure::Failure;
use crate::incremental::{Bound, bind};
use crate::project::SqlReading;
use crate::span::{FileId, SourceFiles};
use crate::template::{self, Question, RenderedSql, RenderedText, TextFile, trace_texts};

/// A SELECT that was planned and type-checked.
#[derive(Debug)]
pub(crate) struct Query {
    rendered: RenderedSql,
    plan: LogicalPlan,
    reading: SqlReading,
}

/// What is wrong with a text that cannot be planned.
fn faults_of(planner: &Planner<'_>, text: &RenderedSql, file: FileId, compiled: &Compiled) -> Vec<Diagnostic> {
    let mut faults = Sink::default();
    match planner.query(text, file, &compiled.typed, &mut faults) {
        Ok(_) => Vec::new(),
        Err(_) => faults.take(),
    }
}

/// The rows of a query.
#[derive(Debug, Clone)]
pub(crate) struct Rows {
    pub schema: SchemaRef,
    pub batches: Vec<RecordBatch>,
    /// Whether there are more than were asked for.
    pub more: bool,
}

impl Query {
    /// Plans a text, which may have templates. The text is put among `files`, so that errors can show it.
    pub fn new(compiled: &Compiled, sql: &str, files: &mut SourceFiles, sink: &mut Sink) -> Checked<Self> {
        Self::named("<query>", compiled, sql, files, sink)
    }

    /// The same with a name that errors call the text by.
    pub fn named(
        name: &str,
        compiled: &Compiled,
        sql: &str,
        files: &mut SourceFiles,
        sink: &mut Sink,
    ) -> Checked<Self> {
        let file = files.add(name, sql);
        let loaded = &compiled.loaded;
        let planner = Planner::new(&loaded.project, &loaded.rendered.models);
        let answers = |question: &Question| answer(&loaded.project, &planner, &compiled.typed, question);
        let inputs = loaded.text_inputs(files, &answers);
        let rendered = template::render_text(inputs, file, sink)?;
        let mut said = Sink::default();
        let planned = planner.query(&rendered, file, &compiled.typed, &mut said);
        let faults = said.take();
        let is_in_a_macro =
            faults.iter().flat_map(|fault| &fault.labels).any(|label| rendered.map.is_expression(label.span));
        // The faults again, with their places in what the macro gave.
        let told = if planned.is_err() && is_in_a_macro {
            let place = TextFile::plain(file, &loaded.project.name.value);
            let traced = trace_texts(inputs, &[RenderedText { place, sql: &rendered }]);
            traced.iter().flat_map(|traced| faults_of(&planner, traced, file, compiled)).collect()
        } else {
            Vec::new()
        };
        let told = if told.is_empty() { faults } else { told };
        told.into_iter().for_each(|fault| sink.add(fault));
        Ok(Self { rendered, plan: planned?, reading: loaded.project.reading.clone() })
    }

    /// A query that karat has made itself, over a model.
    pub fn over_model(compiled: &Compiled, text: RenderedSql, file: FileId, sink: &mut Sink) -> Checked<Self> {
        let (plan, _) = compiled.planner().text(&text, file, &compiled.typed, sink)?;
        Ok(Self { rendered: text, plan, reading: compiled.loaded.project.reading.clone() })
    }

    /// What the text becomes.
    ///
    /// # Errors
    ///
    /// Returns an error if the engine cannot plan it.
    pub fn explain(&self) -> Result<Explained, NotPlanned> {
        explain_text(&self.rendered, &self.plan, &self.reading)
    }

    /// The tables and sources that the query reads.
    pub fn inputs(&self) -> BTreeSet<Input> {
        inputs_of(&self.plan)
    }

    /// What the query reads.
    pub fn scope(&self, compiled: &Compiled, shown: Shown) -> ObservationScope {
        ObservationScope::of_inputs(&compiled.typed, &self.inputs(), shown)
    }

    /// Runs the query. A limit of 0 is none.
    ///
    /// # Errors
    ///
    /// Returns an error if a table does not exist or cannot be read, or if the engine fails.
    pub async fn rows(&self, catalog: &Catalog<'_>, engine: &Engine, limit: usize) -> Result<Rows, Failure> {
        Ok(self.run(catalog, engine, limit).await?)
    }

    async fn run(&self, catalog: &Catalog<'_>, engine: &Engine, limit: usize) -> EngineResult<Rows> {
        let reader = Reader::new(catalog);
        let mut plan = bind(&self.plan, Bound::Whole, &mut |table| reader.provide(table))?;
        if limit > 0 {
            // One more than asked for, to know whether there are more.
            plan = LogicalPlanBuilder::from(plan).limit(0, Some(limit + 1))?.build()?;
        }
        let batches = engine.collect(&plan, Joins::Hash).await?;
        let found: usize = batches.iter().map(RecordBatch::num_rows).sum();
        let mut left = if limit > 0 { limit } else { found };
        let mut kept = Vec::new();
        for batch in batches {
            let rows = batch.num_rows().min(left);
            left -= rows;
            if rows > 0 {
                kept.push(batch.slice(0, rows));
            }
        }
        let schema = read_schema(plan.schema().as_arrow());
        let schema = kept.first().map_or(schema, RecordBatch::schema);
        Ok(Rows { schema: Arc::clone(&schema), batches: kept, more: limit > 0 && found > limit })
    }
}
