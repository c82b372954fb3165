//! Functions for what depends on the type of a value: quotients, averages, whole numbers, texts. They stand in the statement until
//! types are known, and are then written in the words of PostgreSQL.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchema, DataFusionError, Diagnostic, Result, internal_err, plan_err};
use datafusion::functions::math;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{
    BinaryExpr, ColumnarValue, Expr, ExprSchemable, Operator, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility, cast,
};
use sqlparser::ast::{CastKind, DataType as SqlType, Expr as SqlExpr, Value};

use super::super::duckdb::values::rounding;
use super::super::{call, literal};
use super::Warehouse;
use crate::analyze::arithmetic;
use crate::analyze::comparison::first_span;
use crate::analyze::rewrite::type_name;

/// What a function makes of its argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum EngineKind {
    /// `a / b`.
    Quotient,
    /// What `avg` is computed of.
    Averaged,
    /// An average with the digits that the engine gives it.
    RoundedAverage,
    /// What is cast to a whole number.
    Whole,
    /// How many units a time is moved by.
    Count,
    /// What is cast to a text.
    Text,
    /// What is joined to a text.
    Operand,
    /// The second argument, as a date where the first is one.
    Like,
    Round,
}

impl EngineKind {
    const ALL: [EngineKind; 9] = [
        EngineKind::Quotient,
        EngineKind::Averaged,
        EngineKind::RoundedAverage,
        EngineKind::Whole,
        EngineKind::Count,
        EngineKind::Text,
        EngineKind::Operand,
        EngineKind::Like,
        EngineKind::Round,
    ];

    fn word(self) -> &'static str {
        match self {
            EngineKind::Quotient => "quotient",
            EngineKind::Averaged => "averaged",
            EngineKind::RoundedAverage => "rounded_average",
            EngineKind::Whole => "whole",
            EngineKind::Count => "count",
            EngineKind::Text => "text",
            EngineKind::Operand => "operand",
            EngineKind::Like => "like",
            EngineKind::Round => "round",
        }
    }
}

fn name(engine: Warehouse, kind: EngineKind) -> String {
    format!("{}_{}", engine.word(), kind.word())
}

pub(super) fn quotient(engine: Warehouse, left: &SqlExpr, right: &SqlExpr) -> SqlExpr {
    call(&name(engine, EngineKind::Quotient), [left.clone(), right.clone()])
}

pub(super) fn averaged(engine: Warehouse, value: &SqlExpr) -> SqlExpr {
    call(&name(engine, EngineKind::Averaged), [value.clone()])
}

pub(super) fn rounded_average(engine: Warehouse, value: &SqlExpr) -> SqlExpr {
    call(&name(engine, EngineKind::RoundedAverage), [value.clone()])
}

pub(super) fn whole(engine: Warehouse, value: &SqlExpr) -> SqlExpr {
    unless_text(engine, EngineKind::Whole, value)
}

/// A text and a null are what they are to every engine.
fn unless_text(engine: Warehouse, kind: EngineKind, value: &SqlExpr) -> SqlExpr {
    match literal(value) {
        Some(Value::SingleQuotedString(_) | Value::Null) => value.clone(),
        _ => call(&name(engine, kind), [value.clone()]),
    }
}

pub(super) fn count(engine: Warehouse, value: &SqlExpr) -> SqlExpr {
    match literal(value) {
        Some(Value::Number(digits, _)) if digits.bytes().all(|digit| digit.is_ascii_digit()) => value.clone(),
        _ => call(&name(engine, EngineKind::Count), [value.clone()]),
    }
}

pub(super) fn text(engine: Warehouse, value: &SqlExpr) -> SqlExpr {
    unless_text(engine, EngineKind::Text, value)
}

pub(super) fn operand(engine: Warehouse, value: &SqlExpr) -> SqlExpr {
    unless_text(engine, EngineKind::Operand, value)
}

/// A value as a date, where `original` is one.
pub(super) fn like(engine: Warehouse, original: &SqlExpr, value: &SqlExpr) -> SqlExpr {
    call(&name(engine, EngineKind::Like), [original.clone(), value.clone()])
}

pub(super) fn round(engine: Warehouse, value: &SqlExpr, digits: Option<&SqlExpr>) -> SqlExpr {
    match digits {
        Some(digits) => call(&name(engine, EngineKind::Round), [value.clone(), digits.clone()]),
        None => call(&name(engine, EngineKind::Round), [value.clone()]),
    }
}

/// `try_cast(value as data_type)`.
pub(super) fn tried(value: SqlExpr, data_type: SqlType) -> SqlExpr {
    SqlExpr::Cast { kind: CastKind::TryCast, expr: Box::new(value), data_type, array: false, format: None }
}

/// The functions by their names.
pub(in crate::analyze) fn functions() -> impl Iterator<Item = (String, Arc<ScalarUDF>)> {
    let all = Warehouse::ALL.into_iter().flat_map(|engine| EngineKind::ALL.into_iter().map(move |kind| (engine, kind)));
    all.map(|(engine, kind)| {
        let signature = Signature::variadic_any(Volatility::Immutable);
        let function = EngineFunction { name: name(engine, kind), engine, kind, signature };
        (name(engine, kind), Arc::new(ScalarUDF::from(function)))
    })
}

/// The call of one of these functions in PostgreSQL's words, now that the types of its arguments are known.
pub(in crate::analyze) fn typed(expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let Expr::ScalarFunction(ScalarFunction { func, args }) = &expr else { return Ok(Transformed::no(expr)) };
    let Some(function) = func.inner().downcast_ref::<EngineFunction>() else { return Ok(Transformed::no(expr)) };
    let settler = Settler { engine: function.engine, schema };
    let settled = match (function.kind, args.as_slice()) {
        (EngineKind::Quotient, [left, right]) => settler.quotient(left, right),
        (EngineKind::Averaged, [value]) => settler.averaged(value),
        (EngineKind::RoundedAverage, [value]) => settler.rounded_average(value),
        (EngineKind::Whole, [value]) => settler.whole(value),
        (EngineKind::Count, [value]) => settler.count(value),
        (EngineKind::Text, [value]) => settler.text(value),
        (EngineKind::Operand, [value]) => settler.text(value),
        (EngineKind::Like, [original, value]) => match original.get_type(schema)? {
            DataType::Date32 => Ok(cast(value.clone(), DataType::Date32)),
            _ => Ok(value.clone()),
        },
        (EngineKind::Round, [value, digits @ ..]) => settler.round(value, digits),
        (kind, _) => plan_err!("`{}` does not take so many arguments", kind.word()),
    };
    settled.map(Transformed::yes)
}

struct Settler<'s> {
    engine: Warehouse,
    schema: &'s DFSchema,
}

impl Settler<'_> {
    fn type_of(&self, expr: &Expr) -> Result<DataType> {
        expr.get_type(self.schema)
    }

    /// An expression of numbers, as PostgreSQL types it.
    fn typed(&self, expr: Expr) -> Result<Expr> {
        Ok(arithmetic::typed(expr, self.schema)?.data)
    }

    fn cast(&self, expr: Expr, to: DataType) -> Result<Expr> {
        self.typed(cast(expr, to))
    }

    fn divided(&self, left: Expr, right: Expr) -> Result<Expr> {
        self.typed(Expr::BinaryExpr(BinaryExpr::new(Box::new(left), Operator::Divide, Box::new(right))))
    }

    fn quotient(&self, left: &Expr, right: &Expr) -> Result<Expr> {
        let of_left = self.type_of(left)?;
        let of_right = self.type_of(right)?;
        let is_number = |data_type: &DataType| data_type.is_numeric();
        // What is no number is told as PostgreSQL tells it.
        if !is_number(&of_left) || !is_number(&of_right) {
            return self.divided(left.clone(), right.clone());
        }
        let is_exact = |data_type: &DataType| data_type.is_integer() || data_type.is_decimal();
        let in_doubles = || {
            let left = self.cast(left.clone(), DataType::Float64)?;
            let right = self.cast(right.clone(), DataType::Float64)?;
            self.divided(left, right)
        };
        if !is_exact(&of_left) || !is_exact(&of_right) {
            return in_doubles();
        }
        let is_whole = of_left.is_integer() && of_right.is_integer();
        let digits = match self.engine {
            Warehouse::Snowflake => {
                let scale = scale(&of_left);
                scale.max((scale + 6).min(12))
            }
            Warehouse::BigQuery | Warehouse::Spark if is_whole => return in_doubles(),
            Warehouse::BigQuery => 9,
            Warehouse::Spark => {
                let fact = "the digits of a quotient of decimals are not those of Spark";
                return refused(fact, "`cast(a as double) / b`, and a cast of the result to a decimal", left);
            }
        };
        // Two integers would be divided without a fraction.
        let left = match of_left.is_integer() {
            true => self.cast(left.clone(), DataType::Decimal128(20, 0))?,
            false => left.clone(),
        };
        let quotient = self.divided(left, right.clone())?;
        self.cast(quotient, DataType::Decimal128(38, digits))
    }

    fn averaged(&self, value: &Expr) -> Result<Expr> {
        let data_type = self.type_of(value)?;
        if self.engine == Warehouse::Spark && data_type.is_decimal() {
            let fact = "the digits of an average of decimals are not those of Spark";
            return refused(fact, "`avg(cast(a as double))`", value);
        }
        match data_type.is_integer() {
            true => self.cast(value.clone(), DataType::Float64),
            false => Ok(value.clone()),
        }
    }

    fn rounded_average(&self, value: &Expr) -> Result<Expr> {
        match self.type_of(value)?.is_decimal() {
            true => self.cast(value.clone(), DataType::Decimal128(38, 9)),
            false => Ok(value.clone()),
        }
    }

    /// Snowflake and BigQuery round halves away from zero, as PostgreSQL does with decimals; Spark cuts off.
    fn whole(&self, value: &Expr) -> Result<Expr> {
        let data_type = self.type_of(value)?;
        if self.engine == Warehouse::Spark && data_type.is_decimal() {
            let fact = "a decimal that becomes a whole number is cut off in Spark";
            return refused(
                fact,
                "`cast(cast(a as double) as int)`, or `cast(cast(round(a) as double) as int)`",
                value,
            );
        }
        if !data_type.is_floating() {
            return Ok(value.clone());
        }
        let double = self.cast(value.clone(), DataType::Float64)?;
        let function = if self.engine == Warehouse::Spark { math::trunc() } else { rounding() };
        Ok(function.call(vec![double]))
    }

    fn count(&self, value: &Expr) -> Result<Expr> {
        match self.type_of(value)? {
            data_type if data_type.is_integer() || data_type.is_null() => Ok(value.clone()),
            data_type => {
                let shown = type_name(&data_type);
                let fact = format!("a time is moved by a whole number, and this is {shown}");
                refused(&fact, "`cast(a as bigint)`", value)
            }
        }
    }

    /// A value as a text, if it reads as in PostgreSQL.
    fn text(&self, value: &Expr) -> Result<Expr> {
        let data_type = self.type_of(value)?;
        let otherwise = |remedy: &str| -> Result<Expr> {
            let shown = type_name(&data_type);
            let fact = format!("a text of {shown} does not read as in the dialect `{}`", self.engine.word());
            refused(&fact, remedy, value)
        };
        match &data_type {
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Null => Ok(value.clone()),
            other if other.is_floating() => otherwise("a cast to a decimal or an integer before it"),
            DataType::Decimal128(..) if self.engine == Warehouse::BigQuery => {
                otherwise("`cast(cast(a * 100 as int64) as string)`, which has no zeros behind a point")
            }
            DataType::Timestamp(..) if self.engine == Warehouse::BigQuery => {
                otherwise("`format_timestamp('%Y-%m-%d %H:%M:%S', t)`")
            }
            DataType::Timestamp(..) if self.engine == Warehouse::Snowflake => {
                otherwise("`to_char(t, 'YYYY-MM-DD HH24:MI:SS')`")
            }
            other if other.is_nested() => otherwise("`array_to_string(list, ',')`"),
            DataType::Binary | DataType::LargeBinary | DataType::BinaryView => otherwise("`encode(a, 'hex')`"),
            DataType::Interval(_) | DataType::Duration(_) => otherwise("its parts: `extract(day from a)`"),
            _ => Ok(cast(value.clone(), DataType::Utf8View)),
        }
    }

    fn round(&self, value: &Expr, digits: &[Expr]) -> Result<Expr> {
        let data_type = self.type_of(value)?;
        if !data_type.is_floating() {
            let mut arguments = vec![value.clone()];
            arguments.extend(digits.iter().cloned());
            return self.typed(math::round().call(arguments));
        }
        if !digits.is_empty() {
            let fact = "engines round a floating-point number to other digits";
            return refused(fact, "`round(cast(a as decimal(18, 6)), 2)`", value);
        }
        let double = self.cast(value.clone(), DataType::Float64)?;
        Ok(rounding().call(vec![double]))
    }
}

/// An error at the place of an expression.
fn refused<T>(fact: &str, remedy: &str, at: &Expr) -> Result<T> {
    let diagnostic = Diagnostic::new_error(fact, first_span(at)).with_help(format!("write {remedy}"), None);
    Err(DataFusionError::Plan(fact.to_owned()).with_diagnostic(diagnostic))
}

/// The digits behind the point.
fn scale(data_type: &DataType) -> i8 {
    match data_type {
        DataType::Decimal128(_, scale) => *scale,
        _ => 0,
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct EngineFunction {
    name: String,
    engine: Warehouse,
    kind: EngineKind,
    signature: Signature,
}

impl ScalarUDFImpl for EngineFunction {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        // Before it is settled it has the type of its argument, which is near enough for the planner.
        Ok(match (self.kind, types) {
            (EngineKind::Text | EngineKind::Operand, _) => DataType::Utf8View,
            (EngineKind::Quotient, [left, _]) if !left.is_integer() => left.clone(),
            (EngineKind::Quotient, _) => DataType::Float64,
            (EngineKind::Like, [_, value]) => value.clone(),
            (_, [value, ..]) => value.clone(),
            (_, []) => return plan_err!("`{}` takes an argument", self.name),
        })
    }

    fn invoke_with_args(&self, _: ScalarFunctionArgs) -> Result<ColumnarValue> {
        internal_err!("`{}` was not settled", self.name)
    }
}
