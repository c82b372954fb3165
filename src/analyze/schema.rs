//! The columns of tables: what sources declare, what models put out, and whether configs name real ones.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::Result;
use datafusion::common::tree_node::Transformed;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, cast};

use super::TypedModel;
use super::column_name;
use super::find::{self, OutputColumn};
use super::input::InputTable;
use super::planner;
use super::report::{SqlPlace, find_word};
use super::rewrite::type_name;
use crate::day::{Grain, Window};
use crate::delta::read_schema;
use crate::diag::{Checked, Code, Diagnostic, Reported, Sink, nearest};
use crate::name::{RESCUED, SOURCE_FILE, SOURCE_LINE};
use crate::project::{Column, Source};
use crate::span::{Span, Spanned, TracedSpan};
use crate::template::{OnChange, RenderedModel};

/// The column that is carried through a plan to tell which source file a row came from, and never written.
pub(crate) const ORIGIN: &str = "__karat_source_file";

/// The columns of a source: the declared ones, then where a row comes from and what did not convert, if it shows that.
pub(crate) fn source_schema(source: &Source) -> SchemaRef {
    let declared = source.columns.iter().map(|column| (column.name.value.as_str(), column.data_type.arrow()));
    let file = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    let added = [(SOURCE_FILE, file), (SOURCE_LINE, DataType::Int64), (RESCUED, DataType::Utf8)];
    let added = added.into_iter().filter(|_| source.has_origin_columns);
    let fields: Vec<Field> = declared.chain(added).map(|(name, data_type)| Field::new(name, data_type, true)).collect();
    Arc::new(Schema::new(fields))
}

/// The plan with texts for columns that are always null and have no type, as PostgreSQL makes them.
pub(super) fn with_typed_nulls(plan: LogicalPlan, rendered: &RenderedModel, sink: &mut Sink) -> LogicalPlan {
    let fields = plan.schema().fields().clone();
    let is_untyped = |field: &Field| field.data_type() == &DataType::Null;
    for field in fields.iter().filter(|field| is_untyped(field)) {
        let name = field.name();
        let message = format!("the column `{name}` is always null: without another type it is a text");
        let place = SqlPlace { sql: &rendered.full, whole: rendered.full.map.span(0..0) };
        let warning = Diagnostic::warning(Code::WrongType, message).traced(find_word(name, place));
        sink.warn(warning.help(format!("give it the type of the values to come: `cast(null as bigint) as {name}`")));
    }
    if !fields.iter().any(|field| is_untyped(field)) {
        return plan;
    }
    let columns = plan.schema().columns().into_iter().zip(fields.iter());
    let columns: Vec<Expr> = columns
        .map(|(column, field)| {
            let name = column.name.clone();
            let value = Expr::Column(column);
            if is_untyped(field) { cast(value, DataType::Utf8View).alias(name) } else { value }
        })
        .collect();
    LogicalPlanBuilder::from(plan)
        .project(columns)
        .and_then(LogicalPlanBuilder::build)
        .expect("a projection of a plan's own columns can be built")
}

/// Checks what a model puts out against what its config and its YAML name.
pub(super) fn check(
    plan: &LogicalPlan,
    rendered: &RenderedModel,
    columns: &[Column],
    sink: &mut Sink,
) -> Checked<SchemaRef> {
    let schema = read_schema(plan.schema().as_arrow());
    let whole = rendered.full.map.span(0..0);
    let mut checked = check_output(plan.schema().as_arrow(), rendered, sink);
    checked = checked.and(check_instants(plan.schema().as_arrow(), whole, sink));
    let config = &rendered.config;
    let time = config.event_time.as_ref().filter(|_| config.materialized.is_sliced());
    let layout = config.partition_by.iter().chain(&config.sort_by).filter(|_| config.materialized.is_stored());
    let named = time.into_iter().chain(layout).chain(&config.unique_key).chain(config.updated_columns.named());
    let found = sink.check_all(named, |column, sink| check_named(&schema, column, sink));
    checked = checked.and(found.map(drop));
    if let Some(event_time) = time {
        checked = checked.and(check_event_time(&schema, event_time, config.batch_size, sink));
    }
    for column in columns {
        if schema.field_with_name(&column.name.value).is_err() {
            let message = format!("`{}` has no column `{}`", rendered.name, column.name.value);
            let warning = Diagnostic::warning(Code::MissingColumn, message).at(column.name.span);
            let warning = warning.suggest(&column.name.value, names(&schema));
            // Its tests cannot be run, so the table could not be published. One message is enough for all of them.
            match column.tests.is_empty() {
                true => sink.warn(warning),
                false => checked = Err(sink.error(warning)),
            }
        }
    }
    checked.map(|()| schema)
}

fn names(schema: &Schema) -> impl Iterator<Item = &str> {
    schema.fields().iter().map(|field| field.name().as_str())
}

/// Every column has a name of its own and a type that a file can hold. These are the types as the query has them: what is
/// narrowed to be stored no longer shows that nobody gave it a type.
fn check_output(schema: &Schema, rendered: &RenderedModel, sink: &mut Sink) -> Checked<()> {
    let whole = rendered.full.map.span(0..0);
    let is_stored = rendered.config.materialized.is_stored();
    let mut seen = std::collections::BTreeSet::new();
    sink.check_all(schema.fields().iter().enumerate(), |(index, field), sink| {
        let name = field.name();
        if !seen.insert(name.to_lowercase()) {
            let message = format!("two columns of the output are called `{name}`");
            let place = output_place(&OutputColumn::LastNamed(name), rendered);
            let diagnostic = Diagnostic::error(Code::InvalidPlan, message).traced(place);
            return Err(sink.error(diagnostic.help("give one of them another name with `as`")));
        }
        if column_name::is_made_up(name) {
            let message = "a column of the output has no name of its own";
            let place = output_place(&OutputColumn::Unnamed(index), rendered);
            let diagnostic = Diagnostic::error(Code::InvalidPlan, message).traced(place);
            let note = match name.rsplit_once('?') {
                Some((first, _)) if first != "?column" && !first.is_empty() => {
                    format!("two columns would be called `{}`", first.trim_end_matches("??"))
                }
                _ => "an expression with operators, or a constant, has none".to_owned(),
            };
            return Err(sink.error(diagnostic.note(note).help("give it a name with `as`")));
        }
        if let Some(help) = what_no_table_holds(field.data_type(), name).filter(|_| is_stored) {
            let shown = type_name(field.data_type());
            let message = format!("the column `{name}` is of the type {shown}, which no table can hold");
            let place = SqlPlace { sql: &rendered.full, whole };
            return Err(
                sink.error(Diagnostic::error(Code::WrongType, message).traced(find_word(name, place)).help(help))
            );
        }
        Ok(())
    })
    .map(drop)
}

/// Where a column of the output is written, or the whole text.
pub(super) fn output_place(column: &OutputColumn<'_>, rendered: &RenderedModel) -> TracedSpan {
    let sql = &rendered.full;
    let place = SqlPlace { sql, whole: sql.map.span(0..0) };
    let found = planner::first_statement(&sql.text).and_then(|statement| find::output_column(column, &statement));
    found.map_or_else(|| place.whole.into(), |span| place.span_of_parser(&span))
}

/// What to write instead of a column of this type; `None` if a table can hold it.
pub(super) fn what_no_table_holds(data_type: &DataType, name: &str) -> Option<String> {
    match data_type {
        DataType::Duration(_) | DataType::Interval(_) => {
            Some(format!("store its seconds: `extract(epoch from …) as {name}`"))
        }
        DataType::Time32(_) | DataType::Time64(_) => Some(format!("store it as a text: `cast(… as text) as {name}`")),
        DataType::Decimal256(..) => {
            Some(format!("a decimal has at most 38 digits: `cast(… as decimal(38, 10)) as {name}`"))
        }
        DataType::Decimal128(precision, scale) if !(0..=i16::from(*precision)).contains(&i16::from(*scale)) => {
            Some(format!("cast it: `cast(… as decimal(38, 10)) as {name}`"))
        }
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
            what_no_table_holds(item.data_type(), name)
        }
        DataType::Struct(fields) => fields.iter().find_map(|field| what_no_table_holds(field.data_type(), name)),
        DataType::Dictionary(_, value) => what_no_table_holds(value, name),
        _ => None,
    }
}

/// A table's reader sees clock times in UTC. An instant that became one on the way out of a model would be taken for
/// something else by the next `at time zone`, so the author says which clock is meant.
fn check_instants(schema: &Schema, whole: Span, sink: &mut Sink) -> Checked<()> {
    let instants = schema.fields().iter().filter(|field| matches!(field.data_type(), DataType::Timestamp(_, Some(_))));
    sink.check_all(instants, |field, sink| {
        let name = field.name();
        let message = format!("the column `{name}` is a timestamp with time zone, which a model cannot output");
        let diagnostic = Diagnostic::error(Code::WrongType, message).at(whole);
        let help =
            format!("store the time in UTC, `… at time zone 'UTC' as {name}`, or in another zone of your choice");
        Err::<(), _>(sink.error(diagnostic.help(help)))
    })
    .map(drop)
}

/// Reports a config that names no column of the model.
pub(crate) fn check_named(schema: &Schema, column: &Spanned<String>, sink: &mut Sink) -> Checked<()> {
    if schema.field_with_name(&column.value).is_ok() {
        return Ok(());
    }
    let message = format!("the model has no output column `{}`", column.value);
    let known: Vec<&str> = names(schema).collect();
    let diagnostic = Diagnostic::error(Code::MissingColumn, message).at(column.span);
    let diagnostic = match nearest(&column.value, known.iter().copied()) {
        Some(near) if near.eq_ignore_ascii_case(&column.value) => {
            diagnostic.help(format!("names are case-sensitive here: write `{near}`"))
        }
        Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
        None => diagnostic.help(format!("its columns are {}", known.join(", "))),
    };
    Err(sink.error(diagnostic))
}

fn check_event_time(schema: &Schema, column: &Spanned<String>, grain: Grain, sink: &mut Sink) -> Checked<()> {
    let Ok(field) = schema.field_with_name(&column.value) else {
        return Ok(());
    };
    match field.data_type() {
        DataType::Date32 if grain == Grain::Hour => {
            let message = format!("hourly slices need a timestamp, but `{}` is a date", column.value);
            let help = "set `batch_size` to `day`, or use a timestamp as `event_time`";
            Err(sink.error(Diagnostic::error(Code::WrongType, message).at(column.span).help(help)))
        }
        DataType::Date32 | DataType::Timestamp(_, _) => Ok(()),
        other => {
            let message = format!("`event_time` must be a date or a timestamp, and `{}` is {other}", column.value);
            let help = format!("cast it in the model: `cast(… as date) as {}`", column.value);
            Err(sink.error(Diagnostic::error(Code::WrongType, message).at(column.span).help(help)))
        }
    }
}

/// The text for a run over a range must give the same columns as the one for the whole table.
pub(super) fn check_same(
    plan: &LogicalPlan,
    schema: &SchemaRef,
    rendered: &RenderedModel,
    sink: &mut Sink,
) -> Checked<()> {
    let sliced = read_schema(plan.schema().as_arrow());
    if sliced.fields() == schema.fields() {
        return Ok(());
    }
    Err(other_columns(rendered, sink))
}

pub(super) fn other_columns(rendered: &RenderedModel, sink: &mut Sink) -> Reported {
    let message = "with `is_incremental()` the model has other columns than without";
    let span = rendered.full.map.span(0..0);
    sink.error(Diagnostic::error(Code::InvalidPlan, message).at(span))
}

/// The plan of a view as it stands in another model, read through that model's windows.
///
/// A window on the view widens every window inside it. Without one the rows of all times may be read, so windows
/// inside the view, which are relative to its own slices, mean nothing. To rebuild on a change is the stronger wish.
///
/// # Errors
///
/// As [`TypedModel::plan`].
pub(super) fn inline(model: &TypedModel, outer: &[Window], on_change: OnChange) -> Result<LogicalPlan> {
    let rebuilt = model.plan()?.clone().transform_up_with_subqueries(|node| {
        let LogicalPlan::TableScan(mut scan) = node else {
            return Ok(Transformed::no(node));
        };
        let Some(table) = super::input_table(scan.source.as_ref()) else {
            return Ok(Transformed::no(LogicalPlan::TableScan(scan)));
        };
        let windows = match outer.is_empty() || table.windows.is_empty() {
            true => Vec::new(),
            false => outer.iter().chain(&table.windows).copied().collect(),
        };
        scan.source = Arc::new(InputTable { windows, on_change: table.on_change.max(on_change), ..table.clone() });
        Ok(Transformed::yes(LogicalPlan::TableScan(scan)))
    });
    let plan = rebuilt.expect("changing the windows of scans cannot fail").data;
    Ok(as_stored(plan, &model.schema))
}

/// The plan with the column types that a reader of the stored table sees.
pub(crate) fn as_stored(plan: LogicalPlan, schema: &SchemaRef) -> LogicalPlan {
    let same =
        plan.schema().fields().iter().zip(schema.fields()).all(|(is, wanted)| is.data_type() == wanted.data_type());
    if same {
        return plan;
    }
    let columns = plan.schema().columns();
    let types = plan.schema().fields().iter().map(|field| field.data_type().clone()).collect::<Vec<_>>();
    let casts = columns.into_iter().zip(types).zip(schema.fields()).map(|((column, is), field)| {
        let column = Expr::Column(column);
        if &is == field.data_type() { column } else { cast(column, field.data_type().clone()).alias(field.name()) }
    });
    LogicalPlanBuilder::from(plan)
        .project(casts.collect::<Vec<_>>())
        .and_then(LogicalPlanBuilder::build)
        .expect("a projection of a plan's own columns can be built")
}
