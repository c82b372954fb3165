//! Which source files cannot hold a row that passes a filter: read off the ranges that are known since they were read.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, Date32Array, RecordBatch, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, Field, Schema};
use datafusion::catalog::Session;
use datafusion::common::{DFSchema, Result, ScalarValue};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{BinaryExpr, Cast, Expr, Operator};

use crate::table::SourceFileFacts;

/// One comparison `f(column) op value` where a larger column never gives a smaller `f`.
struct ColumnComparison<'e> {
    column: &'e str,
    of: &'e Expr,
    operator: Operator,
    value: &'e ScalarValue,
}

/// For each file whether it may hold a row that passes all `filters`.
pub(crate) fn may_match(
    state: &dyn Session,
    schema: &Schema,
    filters: &[Expr],
    files: &[&SourceFileFacts],
) -> Result<Vec<bool>> {
    let mut kept = vec![true; files.len()];
    let conjuncts = filters.iter().flat_map(datafusion::logical_expr::utils::split_conjunction);
    for comparison in conjuncts.filter_map(comparison) {
        let Ok(field) = schema.field_with_name(comparison.column) else {
            continue;
        };
        let Some(ends) = ends(field, comparison.column, files) else {
            continue;
        };
        let one = Arc::new(Schema::new(vec![field.clone()]));
        // The expression is computed at both ends of each file's range. It is monotone, so all rows of the file lie
        // between the two results.
        let batch = RecordBatch::try_new(Arc::clone(&one), vec![ends])?;
        let bare = datafusion::logical_expr::expr_rewriter::unnormalize_col(comparison.of.clone());
        let expression = state.create_physical_expr(bare, &DFSchema::try_from(one.as_ref().clone())?)?;
        // Where an end of a range cannot be converted, nothing is proved.
        let Ok(values) = expression.evaluate(&batch).and_then(|values| values.into_array(batch.num_rows())) else {
            continue;
        };
        for (index, (keep, facts)) in kept.iter_mut().zip(files).enumerate() {
            match facts.ranges.get(comparison.column) {
                // All values of the column are null in this file.
                Some(None) => *keep &= !is_null_for_null(comparison.operator),
                Some(Some(_)) => {
                    let low = ScalarValue::try_from_array(&values, 2 * index)?;
                    let high = ScalarValue::try_from_array(&values, 2 * index + 1)?;
                    *keep &= possible(&low, &high, comparison.operator, comparison.value);
                }
                None => {}
            }
        }
    }
    Ok(kept)
}

/// Whether a comparison with null is null, so that no row of nulls passes it. `is distinct from` never is.
fn is_null_for_null(operator: Operator) -> bool {
    matches!(operator, Operator::Eq | Operator::NotEq | Operator::Lt | Operator::LtEq | Operator::Gt | Operator::GtEq)
}

fn possible(low: &ScalarValue, high: &ScalarValue, operator: Operator, value: &ScalarValue) -> bool {
    let at_least = |left: &ScalarValue, right: &ScalarValue| left.partial_cmp(right).is_none_or(|order| order.is_ge());
    let above = |left: &ScalarValue, right: &ScalarValue| left.partial_cmp(right).is_none_or(|order| order.is_gt());
    // An end that became null says nothing: it would count as the smallest of all values.
    if low.is_null() || high.is_null() {
        return true;
    }
    match operator {
        Operator::GtEq => at_least(high, value),
        Operator::Gt => above(high, value),
        Operator::LtEq => at_least(value, low),
        Operator::Lt => above(value, low),
        Operator::Eq => at_least(high, value) && at_least(value, low),
        _ => true,
    }
}

/// The smallest and largest value of each file in turn; files where the column is unknown have two nulls.
fn ends(field: &Field, column: &str, files: &[&SourceFileFacts]) -> Option<ArrayRef> {
    let ends = files.iter().flat_map(|facts| {
        let range = facts.ranges.get(column).copied().flatten();
        [range.map(|range| range.0), range.map(|range| range.1)]
    });
    match field.data_type() {
        DataType::Date32 => {
            let days = ends.map(|end| end.and_then(|days| i32::try_from(days).ok()));
            Some(Arc::new(days.collect::<Date32Array>()))
        }
        DataType::Timestamp(arrow::datatypes::TimeUnit::Microsecond, None) => {
            Some(Arc::new(ends.collect::<TimestampMicrosecondArray>()))
        }
        _ => None,
    }
}

fn comparison(filter: &Expr) -> Option<ColumnComparison<'_>> {
    let Expr::BinaryExpr(BinaryExpr { left, op, right }) = filter else {
        return None;
    };
    let (of, operator, value) = match (left.as_ref(), right.as_ref()) {
        (of, Expr::Literal(value, _)) => (of, *op, value),
        (Expr::Literal(value, _), of) => (of, op.swap()?, value),
        _ => return None,
    };
    let column = monotone(of)?;
    (!value.is_null()).then_some(ColumnComparison { column, of, operator, value })
}

/// The one column of an expression that never falls while the column rises.
fn monotone(expression: &Expr) -> Option<&str> {
    match expression {
        Expr::Column(column) => Some(&column.name),
        Expr::Alias(alias) => monotone(&alias.expr),
        Expr::Cast(Cast { expr, field }) => match field.data_type() {
            DataType::Date32 | DataType::Timestamp(_, None) => monotone(expr),
            _ => None,
        },
        Expr::ScalarFunction(ScalarFunction { func, args }) if func.name() == "date_trunc" => match args.as_slice() {
            [Expr::Literal(_, _), of] => monotone(of),
            _ => None,
        },
        _ => None,
    }
}

/// The facts of many files by name.
pub(crate) type KnownFiles = BTreeMap<String, Arc<SourceFileFacts>>;

#[cfg(test)]
mod tests;
