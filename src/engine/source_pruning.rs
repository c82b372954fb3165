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
struct Comparison<'e> {
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
        let batch = RecordBatch::try_new(Arc::clone(&one), vec![ends])?;
        let bare = datafusion::logical_expr::expr_rewriter::unnormalize_col(comparison.of.clone());
        let expression = state.create_physical_expr(bare, &DFSchema::try_from(one.as_ref().clone())?)?;
        let values = expression.evaluate(&batch)?.into_array(batch.num_rows())?;
        for (index, (keep, facts)) in kept.iter_mut().zip(files).enumerate() {
            match facts.ranges.get(comparison.column) {
                Some(None) => *keep &= may_be_true_of_null(comparison.operator),
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

/// Whether `null op value` may be true. Only comparisons in the strict sense are known not to be: `null is distinct from 1`
/// is true.
fn may_be_true_of_null(operator: Operator) -> bool {
    use Operator::{Eq, Gt, GtEq, Lt, LtEq, NotEq};
    !matches!(operator, Eq | NotEq | Gt | GtEq | Lt | LtEq)
}

fn possible(low: &ScalarValue, high: &ScalarValue, operator: Operator, value: &ScalarValue) -> bool {
    let at_least = |left: &ScalarValue, right: &ScalarValue| left.partial_cmp(right).is_none_or(|order| order.is_ge());
    let above = |left: &ScalarValue, right: &ScalarValue| left.partial_cmp(right).is_none_or(|order| order.is_gt());
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

fn comparison(filter: &Expr) -> Option<Comparison<'_>> {
    let Expr::BinaryExpr(BinaryExpr { left, op, right }) = filter else {
        return None;
    };
    let (of, operator, value) = match (left.as_ref(), right.as_ref()) {
        (of, Expr::Literal(value, _)) => (of, *op, value),
        (Expr::Literal(value, _), of) => (of, op.swap()?, value),
        _ => return None,
    };
    let column = monotone(of)?;
    (!value.is_null()).then_some(Comparison { column, of, operator, value })
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
mod tests {
    use arrow::array::AsArray;
    use arrow::datatypes::TimeUnit;
    use datafusion::execution::SessionState;
    use datafusion::execution::session_state::SessionStateBuilder;
    use datafusion::functions::expr_fn::date_trunc;
    use datafusion::logical_expr::{binary_expr, case, cast, col, lit};
    use proptest::prelude::*;

    use super::*;
    use crate::table::Conversions;

    /// Rows of a file: a date in days and a timestamp in microseconds, both around the beginning of 1970.
    type Row = (Option<i32>, Option<i64>);

    const DAY: i64 = 86_400_000_000;

    fn schema() -> Schema {
        let timestamp = DataType::Timestamp(TimeUnit::Microsecond, None);
        Schema::new(vec![Field::new("day", DataType::Date32, true), Field::new("at", timestamp, true)])
    }

    fn batch(rows: &[Row]) -> RecordBatch {
        let days: Date32Array = rows.iter().map(|row| row.0).collect();
        let times: TimestampMicrosecondArray = rows.iter().map(|row| row.1).collect();
        RecordBatch::try_new(Arc::new(schema()), vec![Arc::new(days), Arc::new(times)]).unwrap()
    }

    /// What a reader of the file remembers of it.
    fn facts(rows: &[Row]) -> SourceFileFacts {
        let range = |values: Vec<i64>| Some((*values.iter().min()?, *values.iter().max()?));
        let days = rows.iter().filter_map(|row| row.0.map(i64::from)).collect();
        let times = rows.iter().filter_map(|row| row.1).collect();
        SourceFileFacts {
            size: 1,
            modified: 1,
            records: rows.len() as u64,
            quarantined: 0,
            ranges: BTreeMap::from([("day".to_owned(), range(days)), ("at".to_owned(), range(times))]),
            slices: None,
            gone: false,
            conversions: Conversions::default(),
        }
    }

    fn passing(state: &SessionState, filter: &Expr, rows: &[Row]) -> usize {
        let batch = batch(rows);
        let schema = DFSchema::try_from(schema()).unwrap();
        let passes = state.create_physical_expr(filter.clone(), &schema).unwrap().evaluate(&batch).unwrap();
        let passes = passes.into_array(batch.num_rows()).unwrap();
        passes.as_boolean().iter().filter(|passes| *passes == Some(true)).count()
    }

    /// Expressions of one column with a value to compare them with.
    fn compared() -> impl Strategy<Value = (Expr, Expr)> {
        let day = |days: Option<i32>| lit(ScalarValue::Date32(days));
        let at = |micros: Option<i64>| lit(ScalarValue::TimestampMicrosecond(micros, None));
        let days = prop::option::weighted(0.9, -3_i32..4);
        let times = prop::option::weighted(0.9, prop::sample::select(vec![-DAY, -1, 0, 1, DAY - 1, DAY, 2 * DAY]));
        let nanos = DataType::Timestamp(TimeUnit::Microsecond, None);
        prop_oneof![
            days.clone().prop_map(move |value| (col("day"), day(value))),
            times.clone().prop_map(move |value| (col("at"), at(value))),
            days.prop_map(move |value| (cast(col("at"), DataType::Date32), day(value))),
            times.clone().prop_map(move |value| (cast(col("day"), nanos.clone()), at(value))),
            times.prop_map(move |value| (date_trunc(lit("day"), col("at")), at(value))),
        ]
    }

    fn leaf() -> impl Strategy<Value = Expr> {
        use Operator::{Eq, Gt, GtEq, IsDistinctFrom, IsNotDistinctFrom, Lt, LtEq, NotEq};
        let operators = vec![Eq, NotEq, Lt, LtEq, Gt, GtEq, IsDistinctFrom, IsNotDistinctFrom];
        let comparison = (compared(), prop::sample::select(operators), any::<bool>());
        let comparison = comparison.prop_map(|((of, value), operator, swapped)| {
            if swapped { binary_expr(value, operator, of) } else { binary_expr(of, operator, value) }
        });
        prop_oneof![
            6 => comparison,
            1 => compared().prop_map(|(of, _)| of.is_null()),
            1 => compared().prop_map(|(of, _)| of.is_not_null()),
            1 => (compared(), any::<bool>()).prop_map(|((of, value), negated)| of.in_list(vec![value], negated)),
            1 => compared().prop_map(|(of, value)| of.clone().between(value.clone(), value)),
        ]
    }

    fn filter() -> impl Strategy<Value = Expr> {
        leaf().prop_recursive(3, 12, 2, |inner| {
            prop_oneof![
                (inner.clone(), inner.clone()).prop_map(|(left, right)| left.and(right)),
                (inner.clone(), inner.clone()).prop_map(|(left, right)| left.or(right)),
                inner.clone().prop_map(|of| Expr::Not(Box::new(of))),
                inner.clone().prop_map(|of| of.is_not_true()),
                inner.prop_map(|of| case(of).when(lit(true), lit(false)).otherwise(lit(true)).unwrap()),
            ]
        })
    }

    fn files() -> impl Strategy<Value = Vec<Vec<Row>>> {
        let day = prop::option::of(-3_i32..4);
        let at = prop::option::of(prop::sample::select(vec![-DAY, -DAY / 2, -1, 0, 1, DAY / 2, DAY, 2 * DAY]));
        let mixed = prop::collection::vec((day.clone(), at.clone()), 0..4);
        let without_days = prop::collection::vec((Just(None), at), 0..4);
        let without_times = prop::collection::vec((day, Just(None)), 0..4);
        prop::collection::vec(prop_oneof![mixed, without_days, without_times], 1..6)
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

        /// Random filters over random files, with nulls, against reading everything.
        #[test]
        fn a_file_that_is_skipped_has_no_row_that_passes(filters in prop::collection::vec(filter(), 1..3), files in files()) {
            let state = SessionStateBuilder::new_with_default_features().build();
            let known: Vec<SourceFileFacts> = files.iter().map(|rows| facts(rows)).collect();
            let kept = may_match(&state, &schema(), &filters, &known.iter().collect::<Vec<_>>()).unwrap();
            let all = filters.iter().cloned().reduce(Expr::and).unwrap();
            for (rows, kept) in files.iter().zip(kept) {
                prop_assert!(kept || passing(&state, &all, rows) == 0, "{all} is true of a row of {rows:?}");
            }
        }
    }

    #[test]
    fn a_range_that_says_enough_is_used() {
        let state = SessionStateBuilder::new_with_default_features().build();
        let (first, second, unknown) = (facts(&[(Some(1), None)]), facts(&[(Some(3), None)]), facts(&[(None, None)]));
        let filters = [col("day").gt(lit(ScalarValue::Date32(Some(2))))];
        let kept = may_match(&state, &schema(), &filters, &[&first, &second, &unknown]).unwrap();
        assert_eq!(kept, [false, true, false]);
    }
}
