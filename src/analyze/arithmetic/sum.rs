//! `sum` of integers and decimals: added up in 128 bits, and an error where the total does not fit the result's type.

use std::collections::HashMap;
use std::hash::{Hash, Hasher};

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::buffer::BooleanBuffer;
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result, ScalarValue};
use datafusion::functions_aggregate::sum::Sum;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::{AggregateOrderSensitivity, format_state_name};
use datafusion::logical_expr::{
    Accumulator, AggregateUDFImpl, GroupsAccumulator, ReversedUDAF, SetMonotonicity, Signature,
};

use super::sum_by_group::SumByGroup;
use super::sum_total::{SumTotal, only, state_type, values};

/// The engine's `sum` with other accumulators for integers and decimals.
#[derive(Debug, Default)]
pub(crate) struct CheckedSum {
    inner: Sum,
    /// How the author's expression reads; `None` before the plan is typed.
    pub text: Option<String>,
}

impl CheckedSum {
    pub fn named(text: String) -> CheckedSum {
        CheckedSum { inner: Sum::default(), text: Some(text) }
    }

    fn total(&self, args: &AccumulatorArgs<'_>) -> SumTotal {
        self.total_of(args.name, args.return_type())
    }

    fn total_of(&self, name: &str, result: &DataType) -> SumTotal {
        SumTotal { name: self.text.as_deref().unwrap_or(name).to_owned(), data_type: result.clone() }
    }

    /// The total after each row of a partition. Returns `None` for a sum of floating-point numbers.
    pub fn running(&self, name: &str, result: &DataType) -> Option<RunningSum> {
        is_checked(result).then(|| RunningSum { total: self.total_of(name, result), sum: None })
    }
}

impl PartialEq for CheckedSum {
    fn eq(&self, other: &CheckedSum) -> bool {
        self.text == other.text
    }
}

impl Eq for CheckedSum {}

impl Hash for CheckedSum {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

fn is_checked(result: &DataType) -> bool {
    matches!(result, DataType::Int64 | DataType::UInt64 | DataType::Decimal128(_, _))
}

impl AggregateUDFImpl for CheckedSum {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        self.inner.return_type(arguments)
    }

    fn accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        // Only totals of these types are kept in 128 bits.
        match (is_checked(args.return_type()), args.is_distinct) {
            (false, _) => self.inner.accumulator(args),
            (true, false) => Ok(Box::new(PlainSum { total: self.total(&args), sum: 0, count: 0 })),
            (true, true) => Ok(Box::new(DistinctSum { total: self.total(&args), counts: HashMap::new() })),
        }
    }

    fn create_sliding_accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        if is_checked(args.return_type()) {
            self.accumulator(args)
        } else {
            self.inner.create_sliding_accumulator(args)
        }
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        if !is_checked(args.return_type()) {
            return self.inner.state_fields(args);
        }
        let state = state_type(args.return_type());
        let field = if args.is_distinct {
            let name = format_state_name(args.name, "sum distinct");
            Field::new_list(name, Field::new_list_field(state, true), false)
        } else {
            Field::new(format_state_name(args.name, "sum"), state, true)
        };
        Ok(vec![field.into()])
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs<'_>) -> bool {
        !args.is_distinct
    }

    fn create_groups_accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn GroupsAccumulator>> {
        if is_checked(args.return_type()) {
            Ok(Box::new(SumByGroup::new(self.total(&args))))
        } else {
            self.inner.create_groups_accumulator(args)
        }
    }

    fn reverse_expr(&self) -> ReversedUDAF {
        ReversedUDAF::Identical
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }

    fn set_monotonicity(&self, data_type: &DataType) -> SetMonotonicity {
        self.inner.set_monotonicity(data_type)
    }
}

/// A sum of all rows, or of the rows of a window's frame.
#[derive(Debug)]
struct PlainSum {
    total: SumTotal,
    sum: i128,
    /// How many values there are that are not null.
    count: u64,
}

impl PlainSum {
    fn current(&self) -> Option<i128> {
        (self.count > 0).then_some(self.sum)
    }
}

impl Accumulator for PlainSum {
    fn update_batch(&mut self, columns: &[ArrayRef]) -> Result<()> {
        for value in values(only(columns)?)?.flatten() {
            self.sum = self.total.add(self.sum, value)?;
            self.count += 1;
        }
        Ok(())
    }

    fn retract_batch(&mut self, columns: &[ArrayRef]) -> Result<()> {
        for value in values(only(columns)?)?.flatten() {
            self.sum = self.total.add(self.sum, -value)?;
            self.count -= 1;
        }
        Ok(())
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.update_batch(states)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let passed_on = self.total.pass_on(std::iter::once(self.current()))?;
        Ok(vec![ScalarValue::try_from_array(&passed_on, 0)?])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        ScalarValue::try_from_array(&self.total.finish(vec![self.current()])?, 0)
    }

    fn size(&self) -> usize {
        size_of_val(self)
    }
}

/// A total that goes on from batch to batch.
#[derive(Debug)]
pub(crate) struct RunningSum {
    total: SumTotal,
    sum: Option<i128>,
}

impl RunningSum {
    /// The totals after each row of a batch. `begins` says of each row whether it is the first of a partition.
    pub fn totals(&mut self, columns: &[ArrayRef], begins: &BooleanBuffer) -> Result<ArrayRef> {
        let mut totals = Vec::with_capacity(begins.len());
        for (value, is_first) in values(only(columns)?)?.zip(begins) {
            let before = self.sum.filter(|_| !is_first);
            self.sum = match value {
                Some(value) => Some(self.total.add(before.unwrap_or(0), value)?),
                None => before,
            };
            totals.push(self.sum);
        }
        self.total.finish(totals)
    }
}

/// `sum(distinct …)`: how often each value is there.
#[derive(Debug)]
struct DistinctSum {
    total: SumTotal,
    counts: HashMap<i128, u64>,
}

impl Accumulator for DistinctSum {
    fn update_batch(&mut self, columns: &[ArrayRef]) -> Result<()> {
        for value in values(only(columns)?)?.flatten() {
            *self.counts.entry(value).or_default() += 1;
        }
        Ok(())
    }

    fn retract_batch(&mut self, columns: &[ArrayRef]) -> Result<()> {
        for value in values(only(columns)?)?.flatten() {
            match self.counts.get_mut(&value) {
                // A frame that moves on drops a value only when its last row leaves.
                Some(count) if *count > 1 => *count -= 1,
                _ => drop(self.counts.remove(&value)),
            }
        }
        Ok(())
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        for list in only(states)?.as_list::<i32>().iter().flatten() {
            self.update_batch(&[list])?;
        }
        Ok(())
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let mut values: Vec<i128> = self.counts.keys().copied().collect();
        values.sort_unstable();
        let passed_on = self.total.pass_on(values.into_iter().map(Some))?;
        let scalars = (0..passed_on.len()).map(|row| ScalarValue::try_from_array(&passed_on, row));
        let list = ScalarValue::new_list_nullable(&scalars.collect::<Result<Vec<_>>>()?, &self.total.state_type());
        Ok(vec![ScalarValue::List(list)])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let mut values: Vec<i128> = self.counts.keys().copied().collect();
        // Whether the total overflows on the way must not depend on the order of a hash map.
        values.sort_unstable();
        let sum = values.iter().try_fold(0, |sum, value| self.total.add(sum, *value))?;
        ScalarValue::try_from_array(&self.total.finish(vec![(!values.is_empty()).then_some(sum)])?, 0)
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.counts.capacity() * size_of::<(i128, u64)>()
    }
}
