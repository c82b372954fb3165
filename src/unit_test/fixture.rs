//! Rows that are written down, in the types of a table's columns. A value that does not convert is an error at its place.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringViewArray, new_null_array};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::json::ReaderBuilder;
use datafusion::catalog::TableProvider;
use datafusion::datasource::MemTable;
use datafusion::logical_expr::LogicalPlan;
use serde_json::{Map, Value};

use super::plan::FixtureSource;
use crate::analyze::{GivenColumn, GivenRows, Planner, as_stored, has_word, type_in_words};
use crate::diag::{Checked, Code, Diagnostic, Sink};
use crate::execute::{Engine, Joins};
use crate::failure::Failure;
use crate::incremental::{Bound, bind};
use crate::project::{FixtureCell, FixtureRow, FixtureValue};
use crate::span::Span;

/// What makes rows of what is written down.
pub(super) struct FixtureBuilder<'a> {
    pub planner: &'a Planner<'a>,
    pub engine: &'a Engine,
    /// Where the unit test stands.
    pub span: Span,
}

/// A table whose columns a fixture may name.
#[derive(Clone, Copy)]
pub(super) struct FixtureTable<'a> {
    pub name: &'a str,
    pub schema: &'a SchemaRef,
}

impl FixtureBuilder<'_> {
    /// All columns of a table: those that are not written down are null.
    pub async fn table(
        &self,
        rows: &FixtureSource<'_>,
        table: FixtureTable<'_>,
        sink: &mut Sink,
    ) -> Checked<RecordBatch> {
        match rows {
            FixtureSource::Written(rows) => self.values(rows, table, sink).await,
            FixtureSource::Query(sql, span) => {
                let plan = self.planner.given_query(sql, *span, sink)?;
                self.of_plan(&plan, table, *span, sink).await
            }
            FixtureSource::Seed(seed) => {
                let plan = seed.plan().map_err(|error| self.broken(&error.strip_backtrace(), sink))?;
                let plan = as_stored(plan.clone(), &seed.schema);
                self.collected(&plan, table.schema, self.span, sink).await
            }
        }
    }

    /// The columns of a table that the rows of a plan have by name.
    pub async fn of_plan(
        &self,
        plan: &LogicalPlan,
        table: FixtureTable<'_>,
        span: Span,
        sink: &mut Sink,
    ) -> Checked<RecordBatch> {
        for name in plan.schema().fields().iter().map(|field| field.name()) {
            find(name, table, span, sink)?;
        }
        let columns: Vec<GivenColumn<'_>> =
            table.schema.fields().iter().map(|field| given_column(field, plan)).collect();
        let converted = self.planner.converted(&GivenRows::Plan(plan), &columns, span, sink)?;
        self.collected(&converted, table.schema, span, sink).await
    }

    async fn values(&self, rows: &[FixtureRow], table: FixtureTable<'_>, sink: &mut Sink) -> Checked<RecordBatch> {
        let mut columns: BTreeMap<usize, Vec<Option<&FixtureCell>>> = BTreeMap::new();
        for (number, row) in rows.iter().enumerate() {
            for cell in &row.cells {
                let index = find(&cell.column.value, table, cell.column.span, sink)?;
                let cells = columns.entry(index).or_insert_with(|| vec![None; rows.len()]);
                if let Some(place) = cells.get_mut(number) {
                    *place = Some(cell);
                }
            }
        }
        let mut arrays: Vec<ArrayRef> = Vec::new();
        for (index, field) in table.schema.fields().iter().enumerate() {
            arrays.push(match columns.get(&index) {
                Some(cells) => self.column(field, cells, sink).await?,
                None => new_null_array(field.data_type(), rows.len()),
            });
        }
        let schema = nullable(table.schema);
        let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(rows.len()));
        let batch = RecordBatch::try_new_with_options(schema, arrays, &options);
        batch.map_err(|error| self.broken(&error.to_string(), sink))
    }

    async fn column(&self, field: &Field, cells: &[Option<&FixtureCell>], sink: &mut Sink) -> Checked<ArrayRef> {
        if !has_word(field.data_type()) {
            return self.nested_column(field, cells, sink);
        }
        let mut texts: Vec<Option<String>> = Vec::new();
        for cell in cells {
            texts.push(match cell.map(|cell| (&cell.value, cell)) {
                None | Some((FixtureValue::Null, _)) => None,
                Some((FixtureValue::Text(text), _)) => Some(text_for(field.data_type(), text)),
                Some((FixtureValue::Nested(_), cell)) => {
                    return Err(sink.error(unconverted(field, cell, "a list or a mapping")));
                }
            });
        }
        match self.cast(field, &texts).await {
            Ok(array) => Ok(array),
            Err(message) => {
                // One by one, to point at the value that it is.
                for (text, cell) in texts.iter().zip(cells) {
                    if let (Some(text), Some(cell)) = (text, cell)
                        && let Err(reason) = self.cast(field, &[Some(text.clone())]).await
                    {
                        let diagnostic = unconverted(field, cell, &format!("`{text}`"));
                        // That a cast failed was said in other words.
                        let is_news = !reason.contains("is not of the type");
                        return Err(sink.error(if is_news { diagnostic.note(reason) } else { diagnostic }));
                    }
                }
                Err(self.broken(&message, sink))
            }
        }
    }

    /// Texts as values of a column, or why they are none.
    async fn cast(&self, field: &Field, texts: &[Option<String>]) -> Result<ArrayRef, String> {
        let first = |faults: Vec<Diagnostic>| faults.first().map_or_else(String::new, told);
        let names = ["value".to_owned()];
        let column = GivenColumn { field, from: names.first().cloned() };
        let mut sink = Sink::default();
        let plan = self.planner.converted(&GivenRows::Texts(&names), &[column], self.span, &mut sink);
        let plan = plan.map_err(|_| first(sink.take()))?;
        let texts: ArrayRef = Arc::new(texts.iter().map(Option::as_deref).collect::<StringViewArray>());
        let schema = Arc::new(Schema::new(vec![Field::new("value", DataType::Utf8View, true)]));
        let batch = RecordBatch::try_new(schema, vec![texts]).map_err(|error| error.to_string())?;
        let bound = bind(&plan, Bound::Whole, &mut |_| memory_table(&batch));
        let bound = bound.map_err(|error| error.strip_backtrace())?;
        let batches = self.engine.collect(&bound, Joins::Hash).await;
        let batches = batches.map_err(|error| told(Failure::from(error).diagnostic()))?;
        let schema = Arc::new(Schema::new(vec![field.clone().with_nullable(true)]));
        let all = concat_batches(&schema, &batches).map_err(|error| error.to_string())?;
        Ok(Arc::clone(all.column(0)))
    }

    /// Lists and mappings as YAML writes them; a text may hold them as JSON.
    fn nested_column(&self, field: &Field, cells: &[Option<&FixtureCell>], sink: &mut Sink) -> Checked<ArrayRef> {
        let schema = Arc::new(Schema::new(vec![field.clone().with_nullable(true)]));
        let mut columns = Vec::new();
        for cell in cells {
            let (value, cell) = match cell.map(|cell| (&cell.value, cell)) {
                None | Some((FixtureValue::Null, _)) => {
                    columns.push(new_null_array(field.data_type(), 1));
                    continue;
                }
                Some((FixtureValue::Nested(value), cell)) => (value.clone(), cell),
                Some((FixtureValue::Text(text), cell)) => {
                    let parsed = serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.clone()));
                    (parsed, cell)
                }
            };
            let shown = format!("`{value}`");
            let row = Value::Object(Map::from_iter([(field.name().clone(), value)]));
            let decoded = ReaderBuilder::new(Arc::clone(&schema)).with_coerce_primitive(true).build_decoder();
            let decoded = decoded.and_then(|mut decoder| {
                decoder.serialize(&[row])?;
                decoder.flush()
            });
            match decoded {
                Ok(Some(batch)) => columns.push(Arc::clone(batch.column(0))),
                Ok(None) => columns.push(new_null_array(field.data_type(), 1)),
                Err(error) => return Err(sink.error(unconverted(field, cell, &shown).note(error.to_string()))),
            }
        }
        let columns: Vec<&dyn arrow::array::Array> = columns.iter().map(AsRef::as_ref).collect();
        if columns.is_empty() {
            return Ok(new_null_array(field.data_type(), 0));
        }
        arrow::compute::concat(&columns).map_err(|error| self.broken(&error.to_string(), sink))
    }

    /// The rows of a plan that reads no table.
    async fn collected(
        &self,
        plan: &LogicalPlan,
        schema: &SchemaRef,
        span: Span,
        sink: &mut Sink,
    ) -> Checked<RecordBatch> {
        let batches = self.engine.collect(plan, Joins::Hash).await.map_err(|error| {
            let diagnostic = Failure::from(error).diagnostic().clone();
            sink.error(Diagnostic { labels: Vec::new(), ..diagnostic }.at(span))
        })?;
        concat_batches(&nullable(schema), &batches).map_err(|error| self.broken(&error.to_string(), sink))
    }

    fn broken(&self, message: &str, sink: &mut Sink) -> crate::diag::Reported {
        sink.error(Diagnostic::error(Code::RunFailed, message).at(self.span))
    }
}

/// The columns, all of which may hold nulls.
pub(super) fn nullable(schema: &SchemaRef) -> SchemaRef {
    let fields = schema.fields().iter().map(|field| field.as_ref().clone().with_nullable(true));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// Rows as a table.
pub(super) fn memory_table(batch: &RecordBatch) -> datafusion::common::Result<Arc<dyn TableProvider>> {
    Ok(Arc::new(MemTable::try_new(batch.schema(), vec![vec![batch.clone()]])?))
}

/// The place of a column, whatever the case of its name, as SQL names it.
pub(super) fn find(name: &str, table: FixtureTable<'_>, span: Span, sink: &mut Sink) -> Checked<usize> {
    let fields = table.schema.fields();
    let exact = fields.iter().position(|field| field.name() == name);
    let found = exact.or_else(|| fields.iter().position(|field| field.name().eq_ignore_ascii_case(name)));
    found.ok_or_else(|| {
        let message = format!("`{}` has no column `{name}`", table.name);
        let known: Vec<&str> = fields.iter().map(|field| field.name().as_str()).collect();
        let diagnostic = Diagnostic::error(Code::MissingColumn, message).at(span);
        match crate::diag::nearest(name, known.iter().copied()) {
            Some(near) => sink.error(diagnostic.help(format!("did you mean `{near}`?"))),
            None => sink.error(diagnostic.help(format!("its columns are {}", known.join(", ")))),
        }
    })
}

fn given_column<'f>(field: &'f Field, plan: &LogicalPlan) -> GivenColumn<'f> {
    let fields = plan.schema().fields();
    let exact = fields.iter().find(|given| given.name() == field.name());
    let found = exact.or_else(|| fields.iter().find(|given| given.name().eq_ignore_ascii_case(field.name())));
    GivenColumn { field, from: found.map(|given| given.name().clone()) }
}

/// What is cast in the place of a text: `2.0` is an integer too.
fn text_for(data_type: &DataType, text: &str) -> String {
    let is_whole =
        |text: &str| text.split_once('.').is_some_and(|(_, places)| places.bytes().all(|place| place == b'0'));
    match text.split_once('.') {
        Some((whole, _)) if data_type.is_integer() && is_whole(text) && !whole.is_empty() => whole.to_owned(),
        Some(_) | None => text.to_owned(),
    }
}

fn unconverted(field: &Field, cell: &FixtureCell, value: &str) -> Diagnostic {
    let message = format!("{value} does not convert to {}, the type of `{}`", type_in_words(field), field.name());
    Diagnostic::error(Code::WrongType, message).at(cell.span)
}

/// What is wrong with a value, and how it is written.
fn told(fault: &Diagnostic) -> String {
    match fault.helps.iter().find(|help| help.starts_with("write it like")) {
        Some(help) => format!("{}: {help}", fault.message),
        None => fault.message.clone(),
    }
}
