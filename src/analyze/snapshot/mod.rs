//! A snapshot as a model: its plans find the versions that begin and those that end.

mod mark;
mod sql;

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, DFSchema, Result as EngineResult, TableReference};
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder};

pub(crate) use mark::SnapshotRun;
pub(crate) use sql::{DATED, ENDS_AT, ROWS, key_name};

use super::planner::InputTables;
use super::plans::MadePlans;
use super::report::SqlPlace;
use super::rewrite::type_name;
use super::{Input, InputTable, PlannedText, Planner, TypedModel, add, as_stored, planner, report, schema, volatile};
use crate::diag::{Checked, Code, Diagnostic, Sink};
use crate::name::{ModelName, SchemaName, TableName, quoted};
use crate::project::{CheckedColumns, HardDeletes, Model, SnapshotConfig, SnapshotStrategy};
use crate::span::{Span, Spanned};
use crate::template::{ReferencePlaces, ReferenceTarget, RenderedModel, RenderedSql, SourceMap};
use mark::RunFact;
use sql::{QUERY, QUERY_SCHEMA, SnapshotSql};

/// Bumped when karat itself begins to keep other versions of the same rows.
const VERSIONING: &str = "karat-snapshot-1";
/// So many wrong keys are looked for: one more than is shown.
const MOST_FAULTS: usize = 4;

/// What a snapshot needs besides the versions that begin, which are its plan for later runs.
#[derive(Debug, Clone)]
pub(crate) struct TypedSnapshot {
    /// The parts of the key, over the columns of the table.
    pub keys: Vec<Expr>,
    /// Whether a version is valid, over the columns of the table.
    pub is_valid: Expr,
    /// The columns that are compared; empty if times are.
    pub checked: Vec<String>,
    /// The keys of the valid versions that end, each with its end.
    pub ended: LogicalPlan,
    /// The keys of the query that are null or in several rows, or whose time is null.
    pub faults: LogicalPlan,
}

impl TypedModel {
    /// A snapshot with what a run knows in its plans. Any other model stays as it is.
    pub fn at_run(&self, run: SnapshotRun) -> EngineResult<TypedModel> {
        let Some(snapshot) = &self.snapshot else { return Ok(self.clone()) };
        let with_facts = |plan: &LogicalPlan| mark::with_facts(plan.clone(), run);
        let ended = with_facts(&snapshot.ended)?;
        let faults = with_facts(&snapshot.faults)?;
        let snapshot = TypedSnapshot { ended, faults, ..TypedSnapshot::clone(snapshot) };
        let plans = MadePlans {
            full: with_facts(self.plan()?)?,
            sliced: self.sliced_plan()?.map(with_facts).transpose()?,
            names: Vec::new(),
        };
        let model = self.with_plans(plans, Arc::clone(&self.schema));
        Ok(TypedModel { snapshot: Some(Arc::new(snapshot)), ..model })
    }
}

/// Plans a snapshot.
pub(super) fn snapshot_model(
    planner: &Planner<'_>,
    rendered: &RenderedModel,
    model: &Model,
    typed: &BTreeMap<ModelName, TypedModel>,
    sink: &mut Sink,
) -> Checked<TypedModel> {
    let config = rendered.config.snapshot.as_ref().expect("a snapshot that is enabled has its config");
    refuse_this(rendered, sink)?;
    let place = SqlPlace { sql: &rendered.full, whole: model.place() };
    let PlannedText { plan: query, decides, names } = planner.text_with(place, typed, None, sink)?;
    let columns = schema::check(&query, rendered, &[], sink)?;
    volatile::refuse(rendered, [Some(&query), None], typed, sink)?;
    refuse_taken_names(config, &columns, rendered, sink)?;
    let query = as_stored(query, &columns);
    let planning = SnapshotPlanning { planner, rendered, config, columns, query, name: model.place() };
    let checked = planning.checked_columns(sink)?;
    let time_type = planning.time_type(sink)?;
    let keys = planning.keys(sink)?;
    planning.check_current(sink)?;
    let sql = SnapshotSql {
        config,
        columns: planning.columns.fields().iter().map(|field| field.name().as_str()).collect(),
        checked: checked.iter().map(String::as_str).collect(),
        time_type,
        table: format!("{}.{}", quoted(rendered.table.schema.as_str()), quoted(&rendered.table.table)),
    };
    let first = planning.plan(&sql.first_versions(), None, sink)?;
    let schema = schema::check(&first, rendered, &model.columns, sink)?;
    let this = Some(&schema);
    let versions = planning.plan(&sql.new_versions(), this, sink)?;
    let ended = planning.plan(&sql.ended(), this, sink)?;
    let faults = planning.plan(&sql.faults(MOST_FAULTS), None, sink)?;
    let current = config.valid_to_current.as_ref().map_or(planning.name, |current| current.span);
    let is_valid = planning.value(&schema, &sql.is_valid(), current, sink)?;
    let decides = format!("{decides}\n{VERSIONING} {}", config.describe());
    let snapshot = Arc::new(TypedSnapshot { keys, is_valid, checked, ended, faults });
    let plans = MadePlans { full: first, sliced: Some(versions), names };
    Ok(TypedModel { snapshot: Some(snapshot), ..TypedModel::new(rendered, plans, schema, &decides) })
}

/// A snapshot that reads its own table would keep versions of versions.
fn refuse_this(rendered: &RenderedModel, sink: &mut Sink) -> Checked<()> {
    match rendered.full.references.iter().find(|reference| reference.target == ReferenceTarget::This) {
        None => Ok(()),
        Some(reference) => {
            let message = "the query of a snapshot cannot read the snapshot itself";
            let diagnostic = Diagnostic::error(Code::InvalidConfig, message).at(reference.span);
            Err(sink.error(diagnostic.help("select the rows as they are now: a snapshot compares them itself")))
        }
    }
}

/// The query must not have a column that the snapshot adds.
fn refuse_taken_names(
    config: &SnapshotConfig,
    columns: &SchemaRef,
    rendered: &RenderedModel,
    sink: &mut Sink,
) -> Checked<()> {
    let added = config.added_columns();
    let is_taken = |name: &&str| columns.fields().iter().any(|field| field.name().eq_ignore_ascii_case(name));
    match added.into_iter().find(is_taken) {
        None => Ok(()),
        Some(name) => {
            let message = format!("the query has a column `{name}`, which the snapshot adds");
            let diagnostic = Diagnostic::error(Code::InvalidPlan, message).at(rendered.full.map.span(0..0));
            let help = "leave it out of the query, or rename the added one with `snapshot_meta_column_names`";
            Err(sink.error(diagnostic.help(help)))
        }
    }
}

/// What the plans of a snapshot are made with.
struct SnapshotPlanning<'a> {
    planner: &'a Planner<'a>,
    rendered: &'a RenderedModel,
    config: &'a SnapshotConfig,
    /// The columns of the query as they are stored.
    columns: SchemaRef,
    query: LogicalPlan,
    /// The snapshot's name where it is declared.
    name: Span,
}

impl SnapshotPlanning<'_> {
    /// The columns that are compared, by the names that the query gives them.
    fn checked_columns(&self, sink: &mut Sink) -> Checked<Vec<String>> {
        let SnapshotStrategy::Check { columns, .. } = &self.config.strategy else { return Ok(Vec::new()) };
        match columns {
            CheckedColumns::All => Ok(self.columns.fields().iter().map(|field| field.name().clone()).collect()),
            CheckedColumns::These(named) => sink.check_all(named, |column, sink| {
                match self.value(&self.columns, &format!("(\n{}\n)", column.value), column.span, sink)? {
                    Expr::Column(found) => Ok(found.name),
                    _ => {
                        let message =
                            format!("`check_cols` takes columns of the query, and `{}` is none", column.value);
                        let diagnostic = Diagnostic::error(Code::InvalidConfig, message).at(column.span);
                        Err(sink.error(diagnostic.help("give the expression a name in the query, and check that")))
                    }
                }
            }),
        }
    }

    /// The parts of the key.
    fn keys(&self, sink: &mut Sink) -> Checked<Vec<Expr>> {
        sink.check_all(&self.config.unique_key, |key: &Spanned<String>, sink| {
            self.value(&self.columns, &format!("(\n{}\n)", key.value), key.span, sink)
        })
    }

    /// The end of valid versions is the same for all of them.
    fn check_current(&self, sink: &mut Sink) -> Checked<()> {
        let Some(current) = &self.config.valid_to_current else { return Ok(()) };
        let value = self.value(&self.columns, &format!("(\n{}\n)", current.value), current.span, sink)?;
        if value.column_refs().is_empty() {
            // It is beside times in a column: what they cannot be compared with cannot be their end.
            let time = self.config.updated_at().map_or("timestamp '2000-01-01'", |time| time.value.as_str());
            let compared = format!("(\n{time}\n) = (\n{}\n)", current.value);
            return self.value(&self.columns, &compared, current.span, sink).map(drop);
        }
        let message = "`dbt_valid_to_current` is one value for all rows, and cannot name columns";
        let diagnostic = Diagnostic::error(Code::InvalidConfig, message).at(current.span);
        Err(sink.error(diagnostic.help("write a time, like `cast('9999-12-31' as timestamp)`")))
    }

    /// The type that the time of the run gets beside the times of rows.
    fn time_type(&self, sink: &mut Sink) -> Checked<&'static str> {
        let Some(updated_at) = self.config.updated_at() else { return Ok("timestamp") };
        let text = format!("(\n{}\n)", updated_at.value);
        let value = self.value(&self.columns, &text, updated_at.span, sink)?;
        let data_type = self.type_of(&value);
        match (data_type, self.config.hard_deletes) {
            (Some(DataType::Date32), _) => Ok("date"),
            (Some(DataType::Timestamp(_, _)) | None, _) | (_, HardDeletes::Ignore) => Ok("timestamp"),
            (Some(other), HardDeletes::Invalidate | HardDeletes::NewRecord) => {
                let word = self.config.hard_deletes.word();
                let message = format!(
                    "`updated_at` is {}, but with `hard_deletes='{word}'` it must be a date or a timestamp",
                    type_name(&other)
                );
                let note = "a deleted row ends at the time of the run";
                let diagnostic = Diagnostic::error(Code::WrongType, message).at(updated_at.span).note(note);
                Err(sink
                    .error(diagnostic.help(format!("write `updated_at='cast({} as timestamp)'`", updated_at.value))))
            }
        }
    }

    fn type_of(&self, value: &Expr) -> Option<DataType> {
        let columns = DFSchema::try_from(self.columns.as_ref().clone()).ok()?;
        value.get_type(&columns).ok()
    }

    /// A value that is computed from one row with these columns.
    fn value(&self, columns: &SchemaRef, text: &str, span: Span, sink: &mut Sink) -> Checked<Expr> {
        let text = format!("select {text} as value from {QUERY_SCHEMA}.{} as q", quoted(QUERY));
        let plan =
            self.sql(&text, span, vec![InputTable::declared(Input::This, query_name(), columns.clone())], sink)?;
        let value = match &plan {
            LogicalPlan::Projection(projection) => match (projection.expr.as_slice(), projection.input.as_ref()) {
                ([value], LogicalPlan::SubqueryAlias(alias)) if matches!(*alias.input, LogicalPlan::TableScan(_)) => {
                    Some(without_qualifiers(value.clone().unalias()))
                }
                _ => None,
            },
            _ => None,
        };
        value.ok_or_else(|| {
            let message = "a snapshot identifies and dates each row by the row alone";
            let diagnostic = Diagnostic::error(Code::InvalidConfig, message).at(span);
            sink.error(diagnostic.help("compute the value in the query, and name its column here"))
        })
    }

    /// A plan over the query and, if its columns are known, the table.
    fn plan(&self, text: &str, this: Option<&SchemaRef>, sink: &mut Sink) -> Checked<LogicalPlan> {
        let facts = [RunFact::Time, RunFact::NewColumns];
        let tables = beside_facts(query_name(), self.query.clone(), &facts).and_then(|query| {
            let Some(schema) = this else { return Ok(vec![query]) };
            let table = InputTable::declared(Input::This, self.rendered.table.clone(), schema.clone());
            let name = TableReference::partial(table.name.table.schema.as_str(), table.name.table.table.as_str());
            let scan = LogicalPlanBuilder::scan(name, Arc::new(table), None)?.build()?;
            Ok(vec![query, beside_facts(self.rendered.table.clone(), scan, &[RunFact::Time])?])
        });
        let tables = tables
            .map_err(|error| sink.error(Diagnostic::error(Code::InvalidPlan, error.strip_backtrace()).at(self.name)))?;
        self.sql(text, self.name, tables, sink)
    }

    /// Plans a query of karat's own. What is wrong with it comes from what the author wrote at the place.
    fn sql(&self, text: &str, span: Span, tables: Vec<InputTable>, sink: &mut Sink) -> Checked<LogicalPlan> {
        let sql = RenderedSql {
            text: text.to_owned(),
            map: SourceMap::whole(span),
            references: Vec::new(),
            places: ReferencePlaces::default(),
            test_config: BTreeMap::new(),
        };
        let place = SqlPlace { sql: &sql, whole: span };
        let functions = &self.planner.functions;
        // The key and the time may be expressions of the author's.
        let parsed = planner::parse(text, &sql.places, functions, self.planner.project.reading.clone())
            .map_err(|error| report::not_parsed(&error, place, sink))?;
        let mut known = InputTables::new();
        tables.into_iter().for_each(|table| add(&mut known, table));
        planner::plan(&parsed, &known, functions, &self.planner.options)
            .map_err(|error| report::not_planned(&error, &parsed, place, self.planner.names(), sink))
    }
}

/// The rows of a plan as a table, with what a run knows beside each of them.
fn beside_facts(name: TableName, rows: LogicalPlan, facts: &[RunFact]) -> EngineResult<InputTable> {
    let columns = rows.schema().columns().into_iter().map(Expr::Column);
    let beside = facts.iter().map(|fact| fact.call().alias(fact.column()));
    let values: Vec<Expr> = columns.chain(beside).collect();
    let rows = LogicalPlanBuilder::from(rows).project(values)?.build()?;
    let schema = Arc::new(rows.schema().as_arrow().clone());
    Ok(InputTable { inlined: Some(rows), ..InputTable::declared(Input::This, name, schema) })
}

/// The expression over columns by their names alone.
fn without_qualifiers(expression: Expr) -> Expr {
    let plain = expression.transform(|inner| match inner {
        Expr::Column(column) => Ok(Transformed::yes(Expr::Column(Column::from_name(column.name)))),
        other => Ok(Transformed::no(other)),
    });
    plain.expect("renaming columns cannot fail").data
}

fn query_name() -> TableName {
    let schema = SchemaName::parse(QUERY_SCHEMA).expect("`karat` is a name");
    TableName { schema, table: QUERY.to_owned() }
}
