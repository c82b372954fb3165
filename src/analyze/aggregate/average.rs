//! `avg` of integers and decimals: the exact total, divided once.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Decimal128Array};
use arrow::datatypes::{DataType, Decimal128Type};
use datafusion::common::{Result, exec_err};

use super::rule::AggregateRule;
use crate::analyze::arithmetic::{overflow_of, quotient};

#[derive(Debug, Clone)]
pub(super) struct Average {
    /// As the author wrote it.
    name: String,
    /// The digits of the values behind the point.
    from_scale: i8,
    precision: u8,
    scale: i8,
}

impl Average {
    pub fn new(name: String, from: Option<&DataType>, precision: u8, scale: i8) -> Result<Average> {
        match from {
            Some(DataType::Decimal128(_, from_scale)) => {
                Ok(Average { name, from_scale: *from_scale, precision, scale })
            }
            other => exec_err!("`avg` of {other:?} is not a decimal"),
        }
    }

    fn data_type(&self) -> DataType {
        DataType::Decimal128(self.precision, self.scale)
    }
}

/// A total, counted in the last digit of the values.
#[derive(Debug, Clone, Default)]
pub(super) struct Total {
    sum: i128,
    count: i128,
}

impl AggregateRule for Average {
    type RowValue = i128;
    type Running = Total;

    const WORDS: usize = 2;

    fn each(&self, columns: &[ArrayRef], visit: &mut dyn FnMut(usize, i128) -> Result<()>) -> Result<()> {
        let [column] = columns else { return exec_err!("`avg` takes one argument") };
        let values = column.as_primitive::<Decimal128Type>().iter().enumerate();
        values.filter_map(|(place, value)| Some((place, value?))).try_for_each(|(place, value)| visit(place, value))
    }

    fn add(&self, state: &mut Total, value: i128) -> Result<()> {
        self.combine(state, &Total { sum: value, count: 1 })
    }

    fn combine(&self, state: &mut Total, other: &Total) -> Result<()> {
        state.count += other.count;
        match state.sum.checked_add(other.sum) {
            Some(sum) => state.sum = sum,
            None => return Err(overflow_of(&self.name, &self.data_type())),
        }
        Ok(())
    }

    fn finish(&self, states: &[Total]) -> Result<ArrayRef> {
        let values = states.iter().map(|Total { sum, count }| {
            // The average of no values is null.
            if *count == 0 {
                return Ok(None);
            }
            let value = quotient(*sum, *count, self.scale - self.from_scale, self.precision);
            value.map(Some).ok_or_else(|| overflow_of(&self.name, &self.data_type()))
        });
        let values = values.collect::<Result<Decimal128Array>>()?;
        Ok(Arc::new(values.with_precision_and_scale(self.precision, self.scale)?))
    }

    fn words(state: &Total) -> Vec<i128> {
        vec![state.sum, state.count]
    }

    fn of_words(words: &[i128]) -> Total {
        match words {
            [sum, count] => Total { sum: *sum, count: *count },
            _ => Total::default(),
        }
    }

    fn key(value: i128) -> Option<i128> {
        Some(value)
    }

    fn of_key(key: i128) -> i128 {
        key
    }
}
