//! Casts that PostgreSQL does not have, and the engine has: what they would give is a number that no other engine gives.
//!
//! Only what an author has written is looked at: the engine and karat cast dates to numbers to compute with them. So the value of
//! a written cast stands in a function of its own until types are known.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::tree_node::{Transformed, TreeNode as _};
use datafusion::common::{DFSchema, DataFusionError, Diagnostic, Result, internal_err, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ExprSchemable, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use sqlparser::ast::{DataType as SqlType, Expr as SqlExpr, Value};

use super::comparison::first_span;
use super::rewrite::type_name;
use super::syntax::call;

/// The value of a cast that an author has written.
pub(super) const OPERAND: &str = "cast_operand";

/// Marks the value of a written cast to a number, a truth value or a time; the types of literals are known to all.
pub(super) fn mark(value: &mut SqlExpr, to: &SqlType) {
    if !matches!(value, SqlExpr::Value(_)) && is_checked(to) {
        let written = std::mem::replace(value, SqlExpr::value(Value::Null));
        *value = call(OPERAND, [written]);
    }
}

fn is_checked(to: &SqlType) -> bool {
    matches!(
        to,
        SqlType::SmallInt(_)
            | SqlType::Int(_)
            | SqlType::Integer(_)
            | SqlType::BigInt(_)
            | SqlType::Real
            | SqlType::DoublePrecision
            | SqlType::Double(_)
            | SqlType::Float(_)
            | SqlType::Numeric(_)
            | SqlType::Decimal(_)
            | SqlType::Dec(_)
            | SqlType::Boolean
            | SqlType::Bool
            | SqlType::Date
            | SqlType::Timestamp(..)
    )
}

/// The function by its name.
pub(super) fn function() -> (String, Arc<ScalarUDF>) {
    let operand = CastOperand { signature: Signature::any(1, Volatility::Immutable) };
    (OPERAND.to_owned(), Arc::new(ScalarUDF::from(operand)))
}

/// Takes the mark off the value of a written cast, and refuses a cast between types of different kinds.
pub(super) fn checked(expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let (value, to) = match &expr {
        Expr::Cast(cast) => (&cast.expr, cast.field.data_type()),
        Expr::TryCast(cast) => (&cast.expr, cast.field.data_type()),
        _ => return Ok(Transformed::no(expr)),
    };
    let Some(value) = operand(value) else { return Ok(Transformed::no(expr)) };
    let from = value.get_type(schema)?;
    if let Some(remedy) = remedy(&from, to) {
        let message = format!("{} is not cast to {}", type_name(&from), type_name(to));
        let diagnostic =
            Diagnostic::new_error(message.clone(), first_span(value)).with_help(format!("write {remedy}"), None);
        return Err(DataFusionError::Plan(message).with_diagnostic(diagnostic));
    }
    let value = Box::new(value.clone());
    Ok(Transformed::yes(match expr {
        Expr::Cast(mut cast) => {
            cast.expr = value;
            Expr::Cast(cast)
        }
        Expr::TryCast(mut cast) => {
            cast.expr = value;
            Expr::TryCast(cast)
        }
        other => other,
    }))
}

/// The expression as its author wrote it.
pub(super) fn without_marks(expr: &Expr) -> Expr {
    let unmarked = expr.clone().transform_up(|expr| match operand(&expr) {
        Some(value) => Ok(Transformed::yes(value.clone())),
        None => Ok(Transformed::no(expr)),
    });
    unmarked.map_or_else(|_| expr.clone(), |unmarked| unmarked.data)
}

/// What is marked as the value of a cast; `None` if nothing is.
fn operand(expr: &Expr) -> Option<&Expr> {
    let Expr::ScalarFunction(function) = expr else { return None };
    function.func.inner().downcast_ref::<CastOperand>()?;
    function.args.first()
}

/// What to write instead of a cast that PostgreSQL does not have.
fn remedy(from: &DataType, to: &DataType) -> Option<&'static str> {
    let is_time = |data_type: &DataType| matches!(data_type, DataType::Date32 | DataType::Timestamp(_, _));
    match (from, to) {
        (DataType::Date32, to) if to.is_numeric() => {
            Some("`d - date '1970-01-01'` for days since 1970, or `extract(year from d)` for a part")
        }
        (DataType::Timestamp(_, _), to) if to.is_numeric() => {
            Some("`extract(epoch from t)` for seconds since 1970, or `extract(year from t)` for a part")
        }
        (DataType::Boolean, to) if is_time(to) => Some("`case when … then … end`"),
        (from, DataType::Boolean) if is_time(from) => Some("`t is not null`"),
        (from, DataType::Boolean) if from.is_floating() || from.is_decimal() => Some("`a <> 0`"),
        _ => None,
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct CastOperand {
    signature: Signature,
}

impl ScalarUDFImpl for CastOperand {
    fn name(&self) -> &str {
        OPERAND
    }

    /// The column is called as if there were no mark: otherwise the name would stay when the mark is gone.
    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        match args {
            [value] => Ok(value.schema_name().to_string()),
            _ => plan_err!("a cast takes one value"),
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        match types {
            [only] => Ok(only.clone()),
            _ => plan_err!("a cast takes one value"),
        }
    }

    fn invoke_with_args(&self, _: ScalarFunctionArgs) -> Result<ColumnarValue> {
        internal_err!("the mark of a cast was not taken off")
    }
}
