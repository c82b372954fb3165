//! What unit tests plan: a model over rows that are given, and the types of these rows.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema};
use datafusion::logical_expr::LogicalPlan;

use super::planner::{self, InputTables};
use super::plans::MadePlans;
use super::report::{self, SqlPlace};
use super::rewrite::type_name;
use super::{Input, InputTable, Planner, TypedModel, add, as_stored, own_table, schema, this_table};
use crate::delta::read_schema;
use crate::diag::{Checked, Code, Diagnostic, Sink};
use crate::name::{ModelName, quoted};
use crate::span::Span;
use crate::template::{ReferenceTarget, RenderedSql};

/// Rows before they have the types of a table's columns.
pub(crate) enum GivenRows<'a> {
    /// Texts, in columns of these names.
    Texts(&'a [String]),
    /// The rows of a plan.
    Plan(&'a LogicalPlan),
}

/// A column that is wanted, and the name under which the given rows have it. `None`: it is null in all of them.
pub(crate) struct GivenColumn<'a> {
    pub field: &'a Field,
    pub from: Option<String>,
}

impl Planner<'_> {
    /// Plans a text of a model over tables that stand in the place of everything that it reads, views too: nothing is
    /// inlined, so that each can be given.
    pub fn over_given(
        &self,
        sql: &RenderedSql,
        model: &TypedModel,
        typed: &BTreeMap<ModelName, TypedModel>,
        sink: &mut Sink,
    ) -> Checked<TypedModel> {
        let rendered = self.rendered.get(&model.name).expect("a model that was typed was rendered");
        let place = SqlPlace::new(sql, model.file);
        let parsed = planner::parse(&sql.text, &sql.places, &self.functions, self.project.reading.clone())
            .map_err(|error| report::not_parsed(&error, place, sink))?;
        let mut tables = InputTables::new();
        for reference in &sql.references {
            let table = match &reference.target {
                ReferenceTarget::This => this_table(rendered, Arc::clone(&model.schema)),
                ReferenceTarget::Model(_) | ReferenceTarget::Source(_) => self.input(reference, typed, sink)?,
            };
            add(&mut tables, InputTable { inlined: None, partition_by: Vec::new(), ..table });
        }
        let plan = planner::plan(&parsed, &tables, &self.functions, &self.options)
            .map_err(|error| report::not_planned(&error, &parsed, place, self.names(), sink))?;
        // The model itself has told what there is to tell of its columns.
        let plan = schema::with_typed_nulls(plan, rendered, &mut Sink::default());
        let schema = read_schema(plan.schema().as_arrow());
        Ok(model.with_plans(MadePlans::of(as_stored(plan, &schema)), schema))
    }

    /// Plans rows that are a SELECT. It reads no table: a unit test touches none.
    pub fn given_query(&self, sql: &RenderedSql, span: Span, sink: &mut Sink) -> Checked<LogicalPlan> {
        if let Some(reference) = sql.references.first() {
            let message = format!("the rows of a unit test cannot read `{}`", reference.name.table);
            return Err(sink.error(Diagnostic::error(Code::InvalidConfig, message).at(span)));
        }
        let file = sql.map.span(0..0).file;
        let mut faults = Sink::default();
        let planned = self.text(sql, file, &BTreeMap::new(), &mut faults).map(|(plan, _)| plan);
        // The text may have been written in YAML, and has no place there of its own.
        faults.take().into_iter().for_each(|fault| sink.add(fault.labelled(span, "in these rows")));
        planned
    }

    /// Plans the given rows in the types of these columns, as SQL casts to them.
    pub fn converted(
        &self,
        rows: &GivenRows<'_>,
        columns: &[GivenColumn<'_>],
        span: Span,
        sink: &mut Sink,
    ) -> Checked<LogicalPlan> {
        let listed: Vec<String> = columns.iter().map(GivenColumn::sql).collect();
        let text = format!("select {} from karat.given", listed.join(", "));
        let name = own_table("given");
        let table = match rows {
            GivenRows::Texts(names) => {
                let fields = names.iter().map(|name| Field::new(name, DataType::Utf8View, true));
                InputTable::declared(Input::This, name, Arc::new(Schema::new(fields.collect::<Vec<_>>())))
            }
            // It is never read as a table: the plan stands in its place.
            GivenRows::Plan(plan) => {
                let columns = Arc::new(plan.schema().as_arrow().clone());
                let inlined = Some((*plan).clone());
                InputTable { inlined, ..InputTable::declared(Input::This, name, columns) }
            }
        };
        let plan = self.over_table(text, table, span, sink)?;
        let fields: Vec<Field> = columns.iter().map(|column| column.field.clone()).collect();
        Ok(as_stored(plan, &Arc::new(Schema::new(fields))))
    }
}

impl GivenColumn<'_> {
    fn sql(&self) -> String {
        let value = self.from.as_deref().map_or_else(|| "null".to_owned(), quoted);
        let name = quoted(self.field.name());
        // What SQL has no word for is cast by the engine.
        match has_word(self.field.data_type()) {
            true => format!("cast({value} as {}) as {name}", type_name(self.field.data_type())),
            false => format!("{value} as {name}"),
        }
    }
}

/// Whether texts can be cast to the type in SQL.
pub(crate) fn has_word(data_type: &DataType) -> bool {
    match data_type {
        DataType::Dictionary(_, value) => has_word(value),
        DataType::Decimal128(precision, scale) => u8::try_from(*scale).is_ok_and(|scale| scale <= *precision),
        DataType::Utf8
        | DataType::LargeUtf8
        | DataType::Utf8View
        | DataType::Boolean
        | DataType::Int8
        | DataType::Int16
        | DataType::Int32
        | DataType::Int64
        | DataType::Float32
        | DataType::Float64
        | DataType::Date32
        | DataType::Timestamp(_, None) => true,
        _ => false,
    }
}

/// What PostgreSQL calls the type of a column.
pub(crate) fn type_in_words(field: &Field) -> String {
    type_name(field.data_type())
}
