//! Types: every model planned against the schemas of its inputs, without reading data.

mod aggregate;
mod aliases;
mod arithmetic;
mod cast_fault;
mod column_name;
mod comparison;
mod contract;
mod find;
mod failing_rows;
mod filter;
mod fingerprint;
mod foreign;
mod functions;
mod given;
mod guarded;
mod input;
mod known_model;
mod lateral;
mod literal_fault;
mod literals;
pub(crate) mod lineage;
mod message;
mod null_character;
mod own_text;
mod plan_size;
mod planner;
mod plans;
mod quarantine;
mod recursive;
mod references;
mod regular_expression;
mod report;
mod rewrite;
mod scans;
mod schema;
mod seed;
#[cfg(feature = "cluster")]
mod shipped;
mod snapshot;
mod statement;
mod sub_queries;
mod syntax;
mod time;
mod type_cache;
mod typed_model;
mod typing;
mod value_size;
mod volatile;
mod whole_project;
mod wording;
mod written_casts;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::config::ConfigOptions;
use datafusion::logical_expr::LogicalPlan;

pub(crate) use crate::name::SOURCE_FILE;
pub(crate) use aggregate::{RunningAggregate, UseOwnAggregates, running};
pub(crate) use arithmetic::ArithmeticFault;
pub(crate) use cast_fault::CastFault;
pub(crate) use foreign::Rewrite;
pub(crate) use functions::{Functions, plan_options};
pub(crate) use given::{GivenColumn, GivenRows, has_word, type_in_words};
pub(crate) use input::{Input, InputTable};
pub(crate) use planner::rewrites_of;
pub(crate) use quarantine::{quarantine_input, quarantine_table};
pub(crate) use references::without_catalogs;
pub(crate) use regular_expression::without_marks_of_patterns;
pub(crate) use rewrite::type_name;
pub(crate) use scans::{ScannedTable, input_table, inputs_of};
pub(crate) use schema::{ORIGIN, as_stored, check_named, source_schema};
pub(crate) use snapshot::{DATED, ENDS_AT, ROWS, SnapshotRun, TypedSnapshot, key_name};
pub(crate) use type_cache::TypeCache;
pub(crate) use typed_model::TypedModel;
pub(crate) use value_size::TooLarge;
pub(crate) use whole_project::{KnownTypes, Typing};
pub(crate) use wording::fact_and_remedy;

use crate::diag::{Checked, Code, Diagnostic, Reported, Sink};
use crate::name::{ModelName, SchemaName, TableName};
use crate::project::{Project, Source};
use crate::run_record::RunTable;
use crate::span::{FileId, Span};
use crate::template::{Reference, ReferenceName, ReferenceTarget, RenderedModel, RenderedSql};
use fingerprint::{describe_input, describe_source};
use message::KnownNames;
use planner::{InputTables, NotedPlan};
use plans::MadePlans;
use report::SqlPlace;

/// What the planning of every model shares.
pub(crate) struct Planner<'a> {
    project: &'a Project,
    rendered: &'a BTreeMap<ModelName, RenderedModel>,
    functions: Arc<Functions>,
    options: Arc<ConfigOptions>,
}

/// A text that was planned.
struct PlannedText {
    plan: LogicalPlan,
    /// What of it decides the rows.
    decides: String,
    /// Names of SELECT lists that were written out.
    names: Vec<Rewrite>,
}

impl<'a> Planner<'a> {
    pub fn new(project: &'a Project, rendered: &'a BTreeMap<ModelName, RenderedModel>) -> Planner<'a> {
        let options = Arc::new(plan_options(1));
        Planner { project, rendered, functions: Arc::new(Functions::load()), options }
    }

    /// What is wrong with a model of which this planner knows a text with other places. Empty if nothing is.
    pub fn faults_of(&self, rendered: &RenderedModel, typed: &BTreeMap<ModelName, TypedModel>) -> Vec<Diagnostic> {
        let mut complaints = Sink::default();
        match self.model(rendered, typed, &mut complaints) {
            Ok(_) => Vec::new(),
            Err(_) => complaints.take(),
        }
    }

    /// Plans one model and everything that it reads, if it is not among the typed ones yet. Says nothing of what is wrong: the
    /// models that are well are added to `typed`. The others are added to `untypable` and not tried again, unless they read what
    /// is not rendered yet.
    pub fn with_inputs(
        &self,
        name: &ModelName,
        typed: &mut BTreeMap<ModelName, TypedModel>,
        untypable: &mut BTreeSet<ModelName>,
    ) {
        let mut seen: BTreeSet<&ModelName> = BTreeSet::new();
        let mut open: Vec<&RenderedModel> = self.rendered.get(name).into_iter().collect();
        // A depth-first walk with a stack of its own: a model leaves it when its inputs have been looked at.
        while let Some(rendered) = open.last().copied() {
            if seen.insert(&rendered.name) {
                let is_known = |parent: &ModelName| typed.contains_key(parent) || untypable.contains(parent);
                let untyped = parents(rendered).filter(|parent| !is_known(parent) && !seen.contains(parent));
                let before = open.len();
                open.extend(untyped.filter_map(|parent| self.rendered.get(parent)));
                if open.len() > before {
                    continue;
                }
            }
            open.pop();
            if typed.contains_key(&rendered.name) || untypable.contains(&rendered.name) {
                continue;
            }
            if parents(rendered).any(|parent| untypable.contains(parent)) {
                untypable.insert(rendered.name.clone());
            } else if parents(rendered).all(|parent| typed.contains_key(parent)) {
                match self.model(rendered, typed, &mut Sink::default()) {
                    Ok(model) => {
                        typed.insert(rendered.name.clone(), model);
                    }
                    Err(_) => {
                        untypable.insert(rendered.name.clone());
                    }
                }
            }
        }
    }

    fn names(&self) -> KnownNames<'_> {
        KnownNames { functions: &self.functions, project: self.project }
    }

    fn model(
        &self,
        rendered: &RenderedModel,
        typed: &BTreeMap<ModelName, TypedModel>,
        sink: &mut Sink,
    ) -> Checked<TypedModel> {
        if let Some(model) = self.project.models.get(&rendered.name)
            && let Some(seed) = &model.seed
        {
            return seed::seed_model(rendered, model, seed, sink);
        }
        if let Some(model) = self.project.models.get(&rendered.name)
            && model.snapshot.is_some()
        {
            return snapshot::snapshot_model(self, rendered, model, typed, sink);
        }
        let PlannedText { plan, mut decides, mut names } =
            self.text_with(SqlPlace::new(&rendered.full, rendered.file), typed, None, sink)?;
        let plan = self.under_contract(plan, rendered, &mut decides, sink)?;
        let plan = schema::with_typed_nulls(plan, rendered, sink);
        let columns = self.project.models.get(&rendered.name).map_or(&[][..], |model| &model.columns);
        let schema = schema::check(&plan, rendered, columns, sink)?;
        let sliced = match &rendered.sliced {
            None => None,
            Some(sliced) => {
                let this = this_table(rendered, schema.clone());
                let planned = self.text_with(SqlPlace::new(sliced, rendered.file), typed, Some(this), sink)?;
                decides.push_str(&planned.decides);
                names = planned.names;
                // The text for the whole table has told what is to be told.
                let plan = self.under_contract(planned.plan, rendered, &mut String::new(), &mut Sink::default());
                let plan = plan.map_err(|_| schema::other_columns(rendered, sink))?;
                let plan = schema::with_typed_nulls(plan, rendered, &mut Sink::default());
                schema::check_same(&plan, &schema, rendered, sink)?;
                Some(plan)
            }
        };
        if rendered.config.materialized.is_incremental() {
            volatile::refuse(rendered, [Some(&plan), sliced.as_ref()], typed, sink)?;
        }
        let plans = MadePlans { full: plan, sliced, names };
        Ok(TypedModel::new(rendered, plans, schema, &decides))
    }

    /// Plans a text: the plan, and what of it decides the rows.
    pub fn text(
        &self,
        sql: &RenderedSql,
        file: FileId,
        typed: &BTreeMap<ModelName, TypedModel>,
        sink: &mut Sink,
    ) -> Checked<(LogicalPlan, String)> {
        let PlannedText { plan, decides, names: _ } = self.text_with(SqlPlace::new(sql, file), typed, None, sink)?;
        Ok((plan, decides))
    }

    /// Plans a query from outside: besides what it refers to, it may name every table plainly, as `schema.table`.
    pub fn query(
        &self,
        sql: &RenderedSql,
        file: FileId,
        typed: &BTreeMap<ModelName, TypedModel>,
        sink: &mut Sink,
    ) -> Checked<LogicalPlan> {
        let place = SqlPlace::new(sql, file);
        let parsed = planner::parse(&sql.text, &sql.places, &self.functions, self.project.reading.clone())
            .map_err(|error| report::not_parsed(&error, place, sink))?;
        let mut tables = InputTables::new();
        let text = sql.text.to_lowercase();
        for model in typed.values() {
            // The plans of views that nobody names are not needed.
            if model.config.materialized.is_stored() || text.contains(&model.table.table.to_lowercase()) {
                add(&mut tables, plain(model, sink)?);
            }
            if model.reads_sources() {
                add(&mut tables, quarantine_input(model));
            }
        }
        for table in RunTable::ALL {
            // A table that a model makes comes first: its name was there before.
            tables.entry(key_of(&run_table(table))).or_insert_with(|| Arc::new(run_table(table)));
        }
        for reference in &sql.references {
            add(&mut tables, self.input(reference, typed, sink)?);
        }
        planner::plan(&parsed, &tables, &self.functions, &self.options)
            .map_err(|error| report::not_planned(&error, &parsed, place, self.names(), sink))
    }

    /// `this` is the model's own table, which only the text for slices and batches may read.
    fn text_with(
        &self,
        place: SqlPlace<'_>,
        typed: &BTreeMap<ModelName, TypedModel>,
        this: Option<InputTable>,
        sink: &mut Sink,
    ) -> Checked<PlannedText> {
        let sql = place.sql;
        let parsed = planner::parse(&sql.text, &sql.places, &self.functions, self.project.reading.clone())
            .map_err(|error| report::not_parsed(&error, place, sink))?;
        let mut decides = parsed.normalized();
        let mut tables = InputTables::new();
        let inputs = sink.check_all(&sql.references, |reference, sink| match (&reference.target, &this) {
            (ReferenceTarget::This, Some(this)) => Ok(this.clone()),
            _ => self.input(reference, typed, sink),
        })?;
        for table in inputs {
            decides.push_str(&describe_input(&table, typed));
            if let Some(source) = self.source_of(&table) {
                decides.push_str(&describe_source(source));
            }
            add(&mut tables, table);
        }
        let NotedPlan { plan, names } = planner::plan_and_note(&parsed, &tables, &self.functions, &self.options)
            .map_err(|error| report::not_planned(&error, &parsed, place, self.names(), sink))?;
        Ok(PlannedText { plan, decides, names })
    }

    /// The source that a table stands for, `None` if it is something else.
    fn source_of(&self, table: &InputTable) -> Option<&Source> {
        match &table.input {
            Input::Source(name) => self.project.sources.get(name),
            Input::Model(_) | Input::This | Input::Quarantine(_) | Input::Runs(_) => None,
        }
    }

    fn input(
        &self,
        reference: &Reference,
        typed: &BTreeMap<ModelName, TypedModel>,
        sink: &mut Sink,
    ) -> Checked<InputTable> {
        let table = match &reference.target {
            ReferenceTarget::Model(name) => {
                let model = typed.get(name).ok_or_else(|| unplanned(name, reference, sink))?;
                model_table(model, reference, sink)?
            }
            ReferenceTarget::Source(name) => {
                let source = self.project.sources.get(name);
                let source = source.expect("the template stage reported unknown sources");
                InputTable {
                    input: Input::Source(name.clone()),
                    name: reference.name.clone(),
                    schema: source_schema(source),
                    event_time: source.event_time.as_ref().map(|column| column.value.clone()),
                    partition_by: Vec::new(),
                    windows: reference.window.into_iter().collect(),
                    on_change: reference.on_change.unwrap_or_default(),
                    keeps_partitions: false,
                    inlined: None,
                }
            }
            ReferenceTarget::This => {
                let message = "`this` cannot be read when the table is built whole";
                let diagnostic = Diagnostic::error(Code::InvalidConfig, message)
                    .at(reference.span)
                    .help("put the part that reads `this` into `{% if is_incremental() %} … {% endif %}`");
                return Err(sink.error(diagnostic));
            }
        };
        if reference.window.is_some() && table.event_time.is_none() {
            let message =
                format!("`{}` has no `event_time`, so a lookback or lookahead has no meaning", table.name.table);
            let help = "set `event_time` in its config, or leave the window out";
            return Err(sink.error(Diagnostic::error(Code::InvalidConfig, message).at(reference.span).help(help)));
        }
        if reference.on_change.is_some() && table.event_time.is_some() {
            let message = format!("`{}` has an `event_time`, so `on_change` has no meaning", table.name.table);
            let help = "leave it out: a change in a table with an event time makes stale what read the changed times";
            return Err(sink.error(Diagnostic::error(Code::InvalidConfig, message).at(reference.span).help(help)));
        }
        Ok(table)
    }
}

fn add(tables: &mut InputTables, table: InputTable) {
    tables.insert(key_of(&table), Arc::new(table));
}

/// SQL names are matched without regard to case.
fn key_of(table: &InputTable) -> (String, String, u32) {
    let TableName { schema, table: name } = &table.name.table;
    (schema.as_str().to_lowercase(), name.to_lowercase(), table.name.nth)
}

/// `karat.runs` and its like, which queries may name.
fn run_table(table: RunTable) -> InputTable {
    InputTable::declared(Input::Runs(table), own_table(table.name()), table.schema())
}

/// The name of a table of karat's own.
fn own_table(table: &str) -> TableName {
    let schema = SchemaName::parse("karat").expect("`karat` is a name");
    TableName { schema, table: table.to_owned() }
}

/// A model as a table under its own name.
fn plain(model: &TypedModel, sink: &mut Sink) -> Checked<InputTable> {
    let span = Span::new(model.file, 0..0);
    let target = ReferenceTarget::Model(model.name.clone());
    let name = ReferenceName::first(model.table.clone());
    let reference = Reference { name, target, window: None, on_change: None, through: None, span };
    model_table(model, &reference, sink)
}

/// A text from the command line may name a model that has an error of its own.
fn unplanned(name: &ModelName, reference: &Reference, sink: &mut Sink) -> Reported {
    let diagnostic = Diagnostic::error(Code::InvalidPlan, format!("`{name}`, or a model that it reads, has errors"));
    sink.error(diagnostic.at(reference.span).help(format!("`karat compile --select {name}` shows them")))
}

/// The models that a rendered model refers to.
fn parents(rendered: &RenderedModel) -> impl Iterator<Item = &ModelName> {
    let sliced = rendered.sliced.iter().flat_map(|sliced| &sliced.references);
    rendered.full.references.iter().chain(sliced).filter_map(|reference| match &reference.target {
        ReferenceTarget::Model(name) => Some(name),
        ReferenceTarget::Source(_) | ReferenceTarget::This => None,
    })
}

fn model_table(model: &TypedModel, reference: &Reference, sink: &mut Sink) -> Checked<InputTable> {
    let windows: Vec<_> = reference.window.into_iter().collect();
    let on_change = reference.on_change.unwrap_or_default();
    let is_inlined = !model.config.materialized.is_stored();
    let inlined = is_inlined.then(|| schema::inline(model, &windows, on_change)).transpose();
    let inlined = inlined.map_err(|error| {
        sink.error(Diagnostic::error(Code::InvalidPlan, error.strip_backtrace()).at(reference.span))
    })?;
    Ok(InputTable {
        input: Input::Model(model.name.clone()),
        name: reference.name.clone(),
        schema: model.schema.clone(),
        event_time: model.event_time().map(str::to_owned),
        partition_by: if inlined.is_some() { Vec::new() } else { model.partition_columns() },
        windows,
        on_change,
        keeps_partitions: false,
        inlined,
    })
}

fn this_table(rendered: &RenderedModel, schema: SchemaRef) -> InputTable {
    let partition_by = rendered.config.partition_by.iter().map(|column| column.value.clone()).collect();
    InputTable { partition_by, ..InputTable::declared(Input::This, rendered.table.clone(), schema) }
}
