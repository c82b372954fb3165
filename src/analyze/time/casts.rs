//! Casts that the engine has made, or the author has written, with PostgreSQL's meaning.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, TimeUnit};
use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchema, DFSchemaRef, DataFusionError, Result, ScalarValue, plan_err};
use datafusion::config::ConfigOptions;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan, cast, try_cast};
use datafusion::optimizer::AnalyzerRule;

use super::function::TimeFunctionKind;
use super::{instant, parse, pattern, pattern_read, timestamp, zone};
use crate::analyze::rewrite::with_expressions_only;

/// Runs when everything is typed, and leaves no other timestamps than those of microseconds.
#[derive(Debug)]
pub(in crate::analyze) struct TimeCasts;

impl AnalyzerRule for TimeCasts {
    fn name(&self) -> &str {
        "time_casts"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        plan.transform_up_with_subqueries(|node| {
            if matches!(node, LogicalPlan::TableScan(_)) {
                return Ok(Transformed::no(node));
            }
            retyped(with_expressions_only(node, &rewritten)?.data).map(Transformed::yes)
        })
        .map(|plan| plan.data)
    }
}

/// The node with the types that its inputs and expressions have now.
fn retyped(node: LogicalPlan) -> Result<LogicalPlan> {
    match node {
        LogicalPlan::Union(mut union) => {
            union.schema = in_microseconds(&union.schema)?;
            Ok(LogicalPlan::Union(union))
        }
        LogicalPlan::Values(mut values) => {
            values.schema = in_microseconds(&values.schema)?;
            Ok(LogicalPlan::Values(values))
        }
        other => other.recompute_schema(),
    }
}

fn in_microseconds(schema: &DFSchemaRef) -> Result<DFSchemaRef> {
    if schema.fields().iter().all(|field| normal(field.data_type()) == *field.data_type()) {
        return Ok(Arc::clone(schema));
    }
    let fields = schema.iter().map(|(qualifier, field)| {
        let field: Field = field.as_ref().clone();
        let data_type = normal(field.data_type());
        (qualifier.cloned(), Arc::new(field.with_data_type(data_type)))
    });
    let renewed = DFSchema::new_with_metadata(fields.collect(), schema.metadata().clone())?;
    Ok(Arc::new(renewed))
}

/// The type with microseconds in the place of every other unit, and with UTC in the place of every other zone.
fn normal(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Timestamp(_, None) => timestamp(),
        DataType::Timestamp(_, Some(_)) => instant(),
        other => other.clone(),
    }
}

fn rewritten(expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    match expr {
        Expr::Cast(found) => {
            let from = found.expr.get_type(schema)?;
            let to = normal(found.field.data_type());
            converted(*found.expr, &from, &to, false)
        }
        Expr::TryCast(found) => {
            let from = found.expr.get_type(schema)?;
            let to = normal(found.field.data_type());
            converted(*found.expr, &from, &to, true)
        }
        Expr::Literal(ScalarValue::TimestampNanosecond(Some(nanos), None), metadata) => {
            let micros = ScalarValue::TimestampMicrosecond(Some(nanos.div_euclid(1000)), None);
            Ok(Transformed::yes(Expr::Literal(micros, metadata)))
        }
        Expr::ScalarFunction(function) => called(function, schema),
        other => Ok(Transformed::no(other)),
    }
}

/// `cast(value as to)`.
fn converted(value: Expr, from: &DataType, to: &DataType, is_try: bool) -> Result<Transformed<Expr>> {
    let is_timestamp = matches!(to, DataType::Timestamp(_, _));
    if from == to {
        return Ok(Transformed::yes(value));
    }
    if to.is_string() {
        let is_time = matches!(from, DataType::Timestamp(_, _) | DataType::Date32);
        if is_time || matches!(from, DataType::Duration(_) | DataType::Interval(_)) {
            let text = TimeFunctionKind::Text.call(vec![value]);
            return Ok(Transformed::yes(if *to == DataType::Utf8 { text } else { cast(text, to.clone()) }));
        }
    } else if from.is_string() && (is_timestamp || *to == DataType::Date32) {
        return read(value, to, is_try).map(Transformed::yes);
    } else if let (DataType::Duration(_), DataType::Interval(_)) = (from, to) {
        return Ok(Transformed::yes(TimeFunctionKind::Interval.call(vec![value])));
    } else if from.is_numeric() && is_timestamp {
        return plan_err!("a number is not cast to a timestamp: write `to_timestamp(…)` for seconds since 1970");
    } else if *from == DataType::Int64 && *to == DataType::Date32 {
        return plan_err!("a number is not cast to a date: write `date '1970-01-01' + …` for days since 1970");
    }
    let cast = if is_try { try_cast(value, to.clone()) } else { cast(value, to.clone()) };
    Ok(Transformed::yes(cast))
}

/// A text as a time; a literal is read at once.
fn read(value: Expr, to: &DataType, is_try: bool) -> Result<Expr> {
    if is_try {
        return Ok(reader(to, true).call(vec![value]));
    }
    let literal = match &value {
        Expr::Literal(ScalarValue::Utf8(text) | ScalarValue::Utf8View(text) | ScalarValue::LargeUtf8(text), _) => text,
        _ => return Ok(reader(to, false).call(vec![value])),
    };
    let text = literal.as_deref();
    let found = match to {
        DataType::Date32 => ScalarValue::Date32(text.map(parse::date).transpose().map_err(failed)?),
        DataType::Timestamp(TimeUnit::Microsecond, Some(zone)) => {
            let micros = text.map(parse::instant).transpose().map_err(failed)?;
            ScalarValue::TimestampMicrosecond(micros, Some(Arc::clone(zone)))
        }
        _ => ScalarValue::TimestampMicrosecond(text.map(parse::timestamp).transpose().map_err(failed)?, None),
    };
    Ok(Expr::Literal(found, None))
}

fn reader(to: &DataType, is_try: bool) -> TimeFunctionKind {
    match to {
        DataType::Date32 => TimeFunctionKind::ParseDate { is_try },
        DataType::Timestamp(_, Some(_)) => TimeFunctionKind::ParseInstant { is_try },
        _ => TimeFunctionKind::ParseTimestamp { is_try },
    }
}

fn failed(reason: String) -> DataFusionError {
    DataFusionError::Plan(reason)
}

/// A function's zone and pattern are looked at before anything runs, and its result is in microseconds.
fn called(function: ScalarFunction, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let literal = |at: usize| function.args.get(at).and_then(text_of);
    match function.func.name() {
        "timezone" => {
            if let Some(name) = literal(0) {
                zone::parse(name).map_err(failed)?;
            }
        }
        name @ ("to_char" | "to_date" | "to_timestamp") => {
            if let Some(found) = literal(1) {
                let items = pattern::parse(found).map_err(failed)?;
                if name != "to_char" {
                    pattern_read::check(&items).map_err(failed)?;
                }
            }
        }
        _ => {}
    }
    let expr = Expr::ScalarFunction(function);
    let found = expr.get_type(schema)?;
    let wanted = normal(&found);
    if found == wanted { Ok(Transformed::no(expr)) } else { Ok(Transformed::yes(cast(expr, wanted))) }
}

fn text_of(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Literal(ScalarValue::Utf8(text) | ScalarValue::Utf8View(text) | ScalarValue::LargeUtf8(text), _) => {
            text.as_deref()
        }
        _ => None,
    }
}
