//! Arithmetic of integers that is exact or an error: the engine's own wraps around where a number does not fit its type.

mod operator;
mod sum;
mod sum_by_group;

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchema, Result};
use datafusion::config::ConfigOptions;
use datafusion::logical_expr::{AggregateUDF, BinaryExpr, Expr, ExprSchemable, LogicalPlan, Operator, cast};
use datafusion::optimizer::AnalyzerRule;

use super::rewrite::rewritten;
use operator::CheckedOperator;
pub(crate) use operator::Overflow;
use sum::CheckedSum;

/// `sum` that is exact for integers and decimals, or an error.
pub(super) fn checked_sum() -> Arc<AggregateUDF> {
    Arc::new(AggregateUDF::from(CheckedSum::default()))
}

/// Makes every count and rank a `bigint` before arithmetic: the engine types them without a sign, and the difference of
/// two ranks may be negative.
#[derive(Debug)]
pub(super) struct SignedOperands;

impl AnalyzerRule for SignedOperands {
    fn name(&self) -> &str {
        "signed_operands"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        rewritten(plan, &|expr, schema| match expr {
            Expr::BinaryExpr(BinaryExpr { left, op, right }) if is_arithmetic(op) => {
                let left = signed(*left, schema)?;
                let right = signed(*right, schema)?;
                let is_new = left.transformed || right.transformed;
                let both = BinaryExpr::new(Box::new(left.data), op, Box::new(right.data));
                Ok(Transformed::new_transformed(Expr::BinaryExpr(both), is_new))
            }
            other => Ok(Transformed::no(other)),
        })
    }
}

fn signed(operand: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    match operand.get_type(schema)? {
        DataType::UInt64 => Ok(Transformed::yes(cast(operand, DataType::Int64))),
        _ => Ok(Transformed::no(operand)),
    }
}

/// Puts checked operators in the place of `+`, `-` and `*` of two integers. It runs when both sides have one type.
#[derive(Debug)]
pub(super) struct CheckedIntegers;

impl AnalyzerRule for CheckedIntegers {
    fn name(&self) -> &str {
        "checked_integers"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        rewritten(plan, &|expr, schema| match expr {
            Expr::BinaryExpr(BinaryExpr { left, op, right }) if is_arithmetic(op) => {
                let is_integer =
                    left.get_type(schema)?.is_integer() && right.get_type(schema)? == left.get_type(schema)?;
                if is_integer {
                    return Ok(Transformed::yes(CheckedOperator::call(*left, op, *right)));
                }
                Ok(Transformed::no(Expr::BinaryExpr(BinaryExpr { left, op, right })))
            }
            Expr::AggregateFunction(mut function) if function.func.inner().is::<CheckedSum>() => {
                function.func = named_sum(&function.params.args, function.params.distinct);
                Ok(Transformed::yes(Expr::AggregateFunction(function)))
            }
            other => Ok(Transformed::no(other)),
        })
    }
}

/// A sum that knows how it reads, because the optimizer gives its argument other names.
fn named_sum(arguments: &[Expr], distinct: bool) -> Arc<AggregateUDF> {
    let argument = arguments.first().map(operator::operand).unwrap_or_default();
    let text = format!("sum({}{argument})", if distinct { "distinct " } else { "" });
    Arc::new(AggregateUDF::from(CheckedSum::named(text)))
}

fn is_arithmetic(op: Operator) -> bool {
    matches!(op, Operator::Plus | Operator::Minus | Operator::Multiply)
}
