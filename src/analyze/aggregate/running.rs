//! Aggregates of the rows from the first of a partition up to each row: running totals, counts and extremes.
//!
//! The engine adds row by row to an accumulator and asks it for a scalar after each. These go through the columns of a batch once.

use std::cmp::Ordering;
use std::fmt::Debug;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Int64Array, make_comparator, new_null_array};
use arrow::buffer::BooleanBuffer;
use arrow::compute::{SortOptions, interleave};
use arrow::datatypes::{DataType, Schema};
use datafusion::common::{Result, exec_err};
use datafusion::functions_aggregate::count::Count;
use datafusion::functions_aggregate::min_max::{Max, Min};
use datafusion::physical_expr::aggregate::AggregateFunctionExpr;

use super::rule::AggregateRule;
use super::{Aggregate, AggregateCall, WithRule};
use crate::analyze::arithmetic::{CheckedSum, RunningSum};

/// An aggregate that goes on from batch to batch.
pub(crate) trait RunningAggregate: Debug + Send {
    /// The results after each row of a batch. `begins` says of each row whether it is the first of a partition.
    fn after_each(&mut self, columns: &[ArrayRef], begins: &BooleanBuffer) -> Result<ArrayRef>;
}

/// The running form of an aggregate over the columns of a schema. Returns `None` if there is none.
///
/// # Errors
///
/// Returns an error if the arguments are not those that the planner gives the function.
pub(crate) fn running(call: &AggregateFunctionExpr, schema: &Schema) -> Result<Option<Box<dyn RunningAggregate>>> {
    if call.is_distinct() || call.ignore_nulls() || call.is_reversed() || !call.order_bys().is_empty() {
        return Ok(None);
    }
    let arguments = call.expressions();
    let [argument] = arguments.as_slice() else { return aggregate_of_ours(call, None) };
    let argument = argument.data_type(schema)?;
    let function = call.fun().inner();
    if let Some(sum) = function.downcast_ref::<CheckedSum>() {
        let running = sum.running(call.name(), call.field().data_type());
        return Ok(running.map(|running| Box::new(running) as Box<dyn RunningAggregate>));
    }
    if function.is::<Count>() {
        return Ok(Some(Box::new(RunningCount::default())));
    }
    if has_plain_order(&argument) && function.is::<Max>() {
        return Ok(Some(Box::new(RunningExtreme::new(Ordering::Greater))));
    }
    if has_plain_order(&argument) && function.is::<Min>() {
        return Ok(Some(Box::new(RunningExtreme::new(Ordering::Less))));
    }
    aggregate_of_ours(call, Some(&argument))
}

/// Whether the engine compares values of a type as arrow does: extremes of numbers with a point are ours, and months have no order.
fn has_plain_order(data_type: &DataType) -> bool {
    let is_text = matches!(data_type, DataType::Utf8 | DataType::Utf8View | DataType::Binary | DataType::BinaryView);
    let is_number = data_type.is_primitive() && !data_type.is_floating();
    (is_text || is_number || *data_type == DataType::Boolean) && !matches!(data_type, DataType::Interval(_))
}

fn aggregate_of_ours(
    call: &AggregateFunctionExpr,
    argument: Option<&DataType>,
) -> Result<Option<Box<dyn RunningAggregate>>> {
    let Some(aggregate) = call.fun().inner().downcast_ref::<Aggregate>() else { return Ok(None) };
    let field = call.field();
    let call = AggregateCall { name: call.name(), result: field.data_type(), argument };
    aggregate.with_rule(&call, OfRunning).map(Some)
}

struct OfRunning;

impl WithRule for OfRunning {
    type Output = Box<dyn RunningAggregate>;

    fn of<R: AggregateRule>(self, rule: R) -> Result<Box<dyn RunningAggregate>> {
        Ok(Box::new(RunningRule { rule, state: R::Running::default() }))
    }
}

/// An aggregate of ours: its summary after the last row.
#[derive(Debug)]
struct RunningRule<R: AggregateRule> {
    rule: R,
    state: R::Running,
}

impl<R: AggregateRule> RunningRule<R> {
    /// Notes the summary of rows that add nothing to it, up to one.
    fn pass(&mut self, begins: &BooleanBuffer, end: usize, states: &mut Vec<R::Running>) {
        for row in states.len()..end {
            if begins.value(row) {
                self.state = R::Running::default();
            }
            states.push(self.state.clone());
        }
    }
}

impl<R: AggregateRule> RunningAggregate for RunningRule<R> {
    fn after_each(&mut self, columns: &[ArrayRef], begins: &BooleanBuffer) -> Result<ArrayRef> {
        let mut states = Vec::with_capacity(begins.len());
        // The rule visits rows with values alone: those between them repeat the summary that they find.
        let rule = self.rule.clone();
        rule.each(columns, &mut |row, value| {
            self.pass(begins, row, &mut states);
            if begins.value(row) {
                self.state = R::Running::default();
            }
            rule.add(&mut self.state, value)?;
            states.push(self.state.clone());
            Ok(())
        })?;
        self.pass(begins, begins.len(), &mut states);
        rule.finish(&states)
    }
}

impl RunningAggregate for RunningSum {
    fn after_each(&mut self, columns: &[ArrayRef], begins: &BooleanBuffer) -> Result<ArrayRef> {
        self.totals(columns, begins)
    }
}

/// How many values were not null.
#[derive(Debug, Default)]
struct RunningCount {
    count: i64,
}

impl RunningAggregate for RunningCount {
    fn after_each(&mut self, columns: &[ArrayRef], begins: &BooleanBuffer) -> Result<ArrayRef> {
        let [column] = columns else { return exec_err!("`count` takes one argument") };
        // The nulls of a column of a dictionary or of the type of nulls are not those of its own bits.
        let nulls = column.logical_nulls();
        let after = |row: usize| {
            if begins.value(row) {
                self.count = 0;
            }
            self.count += i64::from(nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row)));
            self.count
        };
        Ok(Arc::new(Int64Array::from_iter_values((0..begins.len()).map(after))))
    }
}

/// The greatest or the least value.
#[derive(Debug)]
struct RunningExtreme {
    /// How a value compares to the best so far if it takes its place.
    wanted: Ordering,
    /// The best value so far, in a column of one row.
    best: Option<ArrayRef>,
}

/// Where the best value is: nowhere, in the column of the last batches, or in that of the batch at hand.
const NO_VALUE: (usize, usize) = (0, 0);
const BEFORE: (usize, usize) = (1, 0);
const IN_BATCH: usize = 2;

impl RunningExtreme {
    fn new(wanted: Ordering) -> RunningExtreme {
        RunningExtreme { wanted, best: None }
    }
}

impl RunningAggregate for RunningExtreme {
    fn after_each(&mut self, columns: &[ArrayRef], begins: &BooleanBuffer) -> Result<ArrayRef> {
        let [column] = columns else { return exec_err!("an extreme is one of one column") };
        let none = new_null_array(column.data_type(), 1);
        // Only places are noted on the way, so that each value is copied once, at the end.
        let known = self.best.take();
        let mut place = if known.is_some() { BEFORE } else { NO_VALUE };
        let before = known.unwrap_or_else(|| Arc::clone(&none));
        let among = make_comparator(column, column, SortOptions::default())?;
        let with_before = make_comparator(column, &before, SortOptions::default())?;
        let nulls = column.logical_nulls();
        let mut places = Vec::with_capacity(column.len());
        for row in 0..column.len() {
            if begins.value(row) {
                place = NO_VALUE;
            }
            if nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row)) {
                let compared = match place {
                    // The first value is the best whatever it is.
                    NO_VALUE => self.wanted,
                    BEFORE => with_before(row, 0),
                    (_, best) => among(row, best),
                };
                if compared == self.wanted {
                    place = (IN_BATCH, row);
                }
            }
            places.push(place);
        }
        self.best = match place {
            NO_VALUE => None,
            BEFORE => Some(Arc::clone(&before)),
            // A copy, because a slice would hold on to the whole column.
            (_, row) => Some(interleave(&[column.as_ref()], &[(0, row)])?),
        };
        Ok(interleave(&[none.as_ref(), before.as_ref(), column.as_ref()], &places)?)
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{Decimal128Array, Float64Array};
    use arrow::datatypes::{Field, SchemaRef};
    use datafusion::execution::SessionStateDefaults;
    use datafusion::logical_expr::{Accumulator, AggregateUDF};
    use datafusion::physical_expr::aggregate::AggregateExprBuilder;
    use datafusion::physical_expr::expressions::Column;

    use super::super::checked;
    use super::*;

    fn call(name: &str, schema: &SchemaRef) -> AggregateFunctionExpr {
        let known = SessionStateDefaults::default_aggregate_functions();
        let function: Arc<AggregateUDF> = known.into_iter().find(|function| function.name() == name).unwrap();
        let data_type = schema.field(0).data_type().clone();
        let function = checked(&function, &[data_type], name.to_owned()).unwrap_or(function);
        let arguments = vec![Arc::new(Column::new("x", 0)) as _];
        AggregateExprBuilder::new(function, arguments).schema(Arc::clone(schema)).alias(name).build().unwrap()
    }

    /// What an accumulator says after each row, one accumulator for each partition.
    fn row_by_row(call: &AggregateFunctionExpr, column: &ArrayRef, begins: &BooleanBuffer) -> Vec<String> {
        let mut accumulator: Box<dyn Accumulator> = call.create_accumulator().unwrap();
        let mut results = Vec::new();
        for row in 0..column.len() {
            if begins.value(row) {
                accumulator = call.create_accumulator().unwrap();
            }
            accumulator.update_batch(&[column.slice(row, 1)]).unwrap();
            results.push(accumulator.evaluate().unwrap().to_string());
        }
        results
    }

    fn in_batches(call: &AggregateFunctionExpr, column: &ArrayRef, begins: &BooleanBuffer, size: usize) -> Vec<String> {
        use datafusion::common::ScalarValue;
        let schema = Schema::new(vec![Field::new("x", column.data_type().clone(), true)]);
        let mut running = running(call, &schema).unwrap().unwrap();
        let mut results = Vec::new();
        for start in (0..column.len()).step_by(size) {
            let rows = size.min(column.len() - start);
            let batch = [column.slice(start, rows)];
            let found = running.after_each(&batch, &begins.slice(start, rows)).unwrap();
            results.extend((0..rows).map(|row| ScalarValue::try_from_array(&found, row).unwrap().to_string()));
        }
        results
    }

    fn check(name: &str, column: &ArrayRef) {
        let schema = Arc::new(Schema::new(vec![Field::new("x", column.data_type().clone(), true)]));
        let call = call(name, &schema);
        let begins: BooleanBuffer = (0..column.len()).map(|row| row % 17 == 0).collect();
        let expected = row_by_row(&call, column, &begins);
        for size in [1, 5, 17, 100] {
            assert_eq!(in_batches(&call, column, &begins, size), expected, "{name} in batches of {size}");
        }
    }

    #[test]
    fn running_aggregates_have_the_results_of_an_accumulator_after_each_row() {
        // Every partition begins with a null, and the third has nothing else.
        let value = |row: i32| Some(f64::from(row * 7 % 23) / 4.0).filter(|_| row % 17 != 0 && row / 17 != 2);
        let numbers: ArrayRef = Arc::new((0..90).map(value).collect::<Float64Array>());
        let cents = (0..90).map(|row| value(row).map(|value| (value * 4.0) as i128));
        let cents = cents.collect::<Decimal128Array>().with_precision_and_scale(12, 2).unwrap();
        let cents: ArrayRef = Arc::new(cents);
        for name in ["sum", "avg", "min", "max", "stddev", "var_pop", "count"] {
            check(name, &numbers);
        }
        for name in ["avg", "min", "max", "count"] {
            check(name, &cents);
        }
    }

    #[test]
    fn a_running_total_that_leaves_its_type_is_an_error() {
        let column: ArrayRef = Arc::new(Int64Array::from(vec![i64::MAX, 1]));
        let schema = Schema::new(vec![Field::new("x", DataType::Int64, true)]);
        let sum = Arc::new(AggregateUDF::from(CheckedSum::named("sum(x)".to_owned())));
        let call = AggregateExprBuilder::new(sum, vec![Arc::new(Column::new("x", 0)) as _]);
        let call = call.schema(Arc::new(schema.clone())).alias("sum(x)").build().unwrap();
        let mut running = running(&call, &schema).unwrap().unwrap();
        let begins = BooleanBuffer::from(vec![true, false]);
        let error = running.after_each(&[column], &begins).unwrap_err().to_string();
        assert!(error.contains("sum(x)"), "{error}");
    }
}
