//! The total of a sum in 128 bits: how it grows, how it is passed on, and whether it fits the result's type.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Decimal128Array, Int64Array, UInt64Array};
use arrow::datatypes::{DataType, Decimal128Type, Int64Type, UInt64Type};
use datafusion::common::{DataFusionError, Result, exec_err};

use super::fault::overflow_of;

/// What a sum is called in messages, and the type that its total must fit.
#[derive(Debug, Clone)]
pub(super) struct SumTotal {
    /// How the author's expression reads.
    pub name: String,
    pub data_type: DataType,
}

impl SumTotal {
    /// The type in which totals are passed on: all integers below 2^127 at the scale of the result.
    pub fn state_type(&self) -> DataType {
        state_type(&self.data_type)
    }

    pub fn overflow(&self) -> DataFusionError {
        overflow_of(&self.name, &self.data_type)
    }

    /// One more value.
    pub fn add(&self, total: i128, value: i128) -> Result<i128> {
        total.checked_add(value).ok_or_else(|| self.overflow())
    }

    /// The totals as the result's type.
    pub fn finish(&self, totals: Vec<Option<i128>>) -> Result<ArrayRef> {
        // Only the total must fit: `9223372036854775807 + 1 - 1` is a `bigint` in whatever order it is added up.
        if !totals.iter().flatten().all(|total| self.fits(*total)) {
            return Err(self.overflow());
        }
        let totals = totals.into_iter();
        Ok(match &self.data_type {
            DataType::UInt64 => {
                Arc::new(totals.map(|total| total.and_then(|total| u64::try_from(total).ok())).collect::<UInt64Array>())
            }
            DataType::Decimal128(precision, scale) => {
                Arc::new(totals.collect::<Decimal128Array>().with_precision_and_scale(*precision, *scale)?)
            }
            _ => {
                Arc::new(totals.map(|total| total.and_then(|total| i64::try_from(total).ok())).collect::<Int64Array>())
            }
        })
    }

    fn fits(&self, total: i128) -> bool {
        match &self.data_type {
            DataType::Int64 => i64::try_from(total).is_ok(),
            DataType::UInt64 => u64::try_from(total).is_ok(),
            DataType::Decimal128(precision, _) => {
                10_u128.checked_pow(u32::from(*precision)).is_none_or(|end| total.unsigned_abs() < end)
            }
            _ => false,
        }
    }

    /// The totals as they are passed on from one stage to the next.
    pub fn pass_on(&self, totals: impl Iterator<Item = Option<i128>>) -> Result<ArrayRef> {
        // The precision is not checked here: a partial total may be longer than 38 digits, as 128 bits are.
        let DataType::Decimal128(precision, scale) = self.state_type() else {
            return exec_err!("totals are passed on as decimals");
        };
        Ok(Arc::new(totals.collect::<Decimal128Array>().with_precision_and_scale(precision, scale)?))
    }
}

pub(super) fn state_type(result: &DataType) -> DataType {
    let scale = match result {
        DataType::Decimal128(_, scale) => *scale,
        _ => 0,
    };
    DataType::Decimal128(38, scale)
}

/// The values of a column of integers or decimals; decimals are counted in their last digit.
pub(super) fn values(column: &ArrayRef) -> Result<Box<dyn Iterator<Item = Option<i128>> + '_>> {
    match column.data_type() {
        DataType::Int64 => Ok(Box::new(column.as_primitive::<Int64Type>().iter().map(|value| value.map(i128::from)))),
        DataType::UInt64 => Ok(Box::new(column.as_primitive::<UInt64Type>().iter().map(|value| value.map(i128::from)))),
        DataType::Decimal128(_, _) => Ok(Box::new(column.as_primitive::<Decimal128Type>().iter())),
        other => exec_err!("`sum` takes a number, and not {other}"),
    }
}

/// The only column of a batch.
pub(super) fn only(columns: &[ArrayRef]) -> Result<&ArrayRef> {
    match columns {
        [column] => Ok(column),
        _ => exec_err!("`sum` takes one argument"),
    }
}
