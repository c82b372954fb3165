//! A model as it was planned: what it reads, and how its table is cut.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::common::Result;
use datafusion::logical_expr::LogicalPlan;

use super::fingerprint::fingerprint;
use super::plans::{MadePlans, Plans};
use super::rewrite::type_name;
use super::scans::ScannedTable;
use super::{Input, TypedSnapshot, quarantine_table};
use crate::delta::is_event_time;
use crate::name::{ModelName, TableName};
use crate::project::ModelConfig;
use crate::span::FileId;
use crate::table::{Fingerprint, SliceLayout};
use crate::template::{RelationColumn, RelationColumns, RenderedModel};

/// A model whose SQL was planned and type-checked.
#[derive(Debug, Clone)]
pub(crate) struct TypedModel {
    pub name: ModelName,
    pub table: TableName,
    pub file: FileId,
    pub config: ModelConfig,
    pub plans: Plans,
    /// Whether runs over a range have a plan of their own, because the template asks `is_incremental()`.
    pub has_sliced_plan: bool,
    /// What its plans read, each reference once, in their order.
    pub scans: Arc<Vec<ScannedTable>>,
    /// The stored tables and files that it reads, through views too.
    pub inputs: Arc<BTreeSet<Input>>,
    /// How versions are found, if it is a snapshot: the plan for later runs gives those that begin.
    pub snapshot: Option<Arc<TypedSnapshot>>,
    /// What a reader of the table sees.
    pub schema: SchemaRef,
    /// Decides the rows, together with the inputs: equal fingerprints and inputs, equal rows.
    pub fingerprint: Fingerprint,
}

/// What most commands want to know of a model that is not built: it can be kept from one command to the next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TypedFacts {
    pub schema: SchemaRef,
    pub fingerprint: Fingerprint,
    pub scans: Vec<ScannedTable>,
}

impl TypedModel {
    /// A model with these plans; `decides` is everything beside its config that decides its rows.
    pub(super) fn new(rendered: &RenderedModel, plans: MadePlans, schema: SchemaRef, decides: &str) -> Self {
        let facts = TypedFacts { schema, fingerprint: fingerprint(&rendered.config, decides), scans: plans.scans() };
        Self { has_sliced_plan: plans.sliced.is_some(), ..Self::known(rendered, facts, Plans::made(plans)) }
    }

    /// A model of which this is known.
    pub(super) fn known(rendered: &RenderedModel, facts: TypedFacts, plans: Plans) -> Self {
        let TypedFacts { schema, fingerprint, scans } = facts;
        Self {
            name: rendered.name.clone(),
            table: rendered.table.clone(),
            file: rendered.file,
            config: rendered.config.clone(),
            plans,
            has_sliced_plan: rendered.sliced.is_some(),
            inputs: Arc::new(scans.iter().map(|scan| scan.input.clone()).collect()),
            scans: Arc::new(scans),
            snapshot: None,
            schema,
            fingerprint,
        }
    }

    /// The stored tables and files that the model reads, through views too.
    pub fn inputs(&self) -> &BTreeSet<Input> {
        &self.inputs
    }

    /// The same model with other plans, which put out these columns.
    pub(super) fn with_plans(&self, plans: MadePlans, schema: SchemaRef) -> Self {
        let scans = plans.scans();
        Self {
            has_sliced_plan: plans.sliced.is_some(),
            inputs: Arc::new(scans.iter().map(|scan| scan.input.clone()).collect()),
            scans: Arc::new(scans),
            schema,
            plans: Plans::made(plans),
            ..self.clone()
        }
    }

    /// What is worth keeping of it.
    pub(super) fn facts(&self) -> TypedFacts {
        TypedFacts {
            schema: Arc::clone(&self.schema),
            fingerprint: self.fingerprint.clone(),
            scans: Vec::clone(&self.scans),
        }
    }

    /// The plan of all of its rows.
    ///
    /// # Errors
    ///
    /// As [`Plans::get`].
    pub fn plan(&self) -> Result<&LogicalPlan> {
        Ok(&self.plans.get()?.full)
    }

    /// The plan for a run over a range, if it has one of its own.
    ///
    /// # Errors
    ///
    /// As [`Plans::get`].
    pub fn sliced_plan(&self) -> Result<Option<&LogicalPlan>> {
        match self.has_sliced_plan {
            true => Ok(self.plans.get()?.sliced.as_ref()),
            false => Ok(None),
        }
    }

    /// The plan by which later runs build its rows.
    ///
    /// # Errors
    ///
    /// As [`Plans::get`].
    pub fn plan_of_later_runs(&self) -> Result<&LogicalPlan> {
        Ok(self.sliced_plan()?.unwrap_or(self.plan()?))
    }

    /// All of its plans.
    ///
    /// # Errors
    ///
    /// As [`Plans::get`].
    pub fn all_plans(&self) -> Result<impl Iterator<Item = &LogicalPlan>> {
        Ok(std::iter::once(self.plan()?).chain(self.sliced_plan()?))
    }

    /// The columns that a reader of the table sees, as a template may ask for them.
    pub fn relation_columns(&self) -> RelationColumns {
        let columns = self
            .schema
            .fields()
            .iter()
            .map(|field| RelationColumn { name: field.name().clone(), data_type: type_name(field.data_type()) });
        columns.collect()
    }

    /// The sources that it reads, through views too.
    pub fn sources_read(&self) -> impl Iterator<Item = TableName> {
        self.inputs.iter().filter_map(|input| match input {
            Input::Source(name) => Some(name.clone()),
            Input::Model(_) | Input::This | Input::Quarantine(_) | Input::Runs(_) => None,
        })
    }

    /// Whether it reads a source: then it has a table of bad records.
    pub fn reads_sources(&self) -> bool {
        self.sources_read().next().is_some()
    }

    /// The tables that it writes: its own, and one of bad records if it reads files. Empty if it is not stored.
    pub fn written_tables(&self) -> impl Iterator<Item = TableName> {
        let is_stored = self.config.materialized.is_stored();
        let own = is_stored.then(|| self.table.clone());
        own.into_iter().chain((is_stored && self.reads_sources()).then(|| quarantine_table(&self.table)))
    }

    /// The models whose stored tables it reads, through views too.
    pub fn models_read(&self) -> impl Iterator<Item = ModelName> {
        self.inputs.iter().filter_map(|input| match input {
            Input::Model(name) => Some(name.clone()),
            Input::Source(_) | Input::This | Input::Quarantine(_) | Input::Runs(_) => None,
        })
    }

    /// Whether its rows are those of a file of the project.
    /// Whether it is the rows that break a data test.
    pub fn is_failing_rows(&self) -> bool {
        self.config.materialized.word() == "test"
    }

    pub fn is_seed(&self) -> bool {
        self.config.materialized.is_loaded()
    }

    /// Whether its table keeps the versions that rows have had.
    pub fn is_snapshot(&self) -> bool {
        self.config.materialized.keeps_versions()
    }

    /// Whether its table holds what a full refresh would build: not if it was added to by batches, each of which read
    /// the inputs and the table itself as they were then.
    pub fn is_refresh_equivalent(&self) -> bool {
        self.config.materialized.is_refresh_equivalent()
    }

    /// How its table is cut into slices, and which files hold them.
    pub fn layout(&self) -> SliceLayout {
        let Some(event_time) = self.slice_time() else { return SliceLayout::Whole };
        if self.config.partition_by.iter().any(|column| column.value == event_time) {
            SliceLayout::ByFile { event_time: event_time.to_owned(), grain: self.config.batch_size }
        } else {
            SliceLayout::Shared
        }
    }

    /// Whether its table is cut into slices.
    pub fn is_sliced(&self) -> bool {
        self.slice_time().is_some()
    }

    /// The column whose times cut its table into slices, if it is one.
    fn slice_time(&self) -> Option<&str> {
        let event_time = self.event_time().filter(|_| self.config.materialized.is_sliced())?;
        let field = self.schema.field_with_name(event_time).ok()?;
        is_event_time(field.data_type()).then_some(event_time)
    }

    /// The names of the columns that its files are cut by.
    pub fn partition_columns(&self) -> Vec<String> {
        self.config.partition_by.iter().map(|column| column.value.clone()).collect()
    }

    /// The column that places its rows in time. A folder may set one that a model without times has not.
    pub fn event_time(&self) -> Option<&str> {
        let column = self.config.event_time.as_ref()?.value.as_str();
        self.schema.field_with_name(column).is_ok().then_some(column)
    }
}
