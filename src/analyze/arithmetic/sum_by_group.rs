//! The sums of many groups at once, as the hash aggregation wants them.

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray};
use arrow::datatypes::{DataType, Decimal128Type, Int64Type, UInt64Type};
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{EmitTo, GroupsAccumulator};

use super::sum_total::{SumTotal, only, values};
use crate::analyze::filter::passes;

/// A total of each group; `None` for a group without values.
#[derive(Debug)]
pub(super) struct SumByGroup {
    total: SumTotal,
    sums: Vec<Option<i128>>,
}

impl SumByGroup {
    pub fn new(total: SumTotal) -> SumByGroup {
        SumByGroup { total, sums: Vec::new() }
    }

    fn add(&mut self, group: usize, value: i128) -> Result<()> {
        let Some(slot) = self.sums.get_mut(group) else {
            return exec_err!("there is no group {group}");
        };
        match slot.unwrap_or(0).checked_add(value) {
            Some(sum) => *slot = Some(sum),
            None => return Err(self.total.overflow()),
        }
        Ok(())
    }

    /// The usual case: no nulls and no filter.
    fn add_all(&mut self, groups: &[usize], values: impl Iterator<Item = i128>) -> Result<()> {
        groups.iter().zip(values).try_for_each(|(group, value)| self.add(*group, value))
    }
}

impl GroupsAccumulator for SumByGroup {
    fn update_batch(
        &mut self,
        columns: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        count: usize,
    ) -> Result<()> {
        self.sums.resize(count, None);
        let column = only(columns)?;
        if filter.is_none() && column.null_count() == 0 {
            return match column.data_type() {
                DataType::Int64 => {
                    self.add_all(groups, column.as_primitive::<Int64Type>().values().iter().map(|v| i128::from(*v)))
                }
                DataType::UInt64 => {
                    self.add_all(groups, column.as_primitive::<UInt64Type>().values().iter().map(|v| i128::from(*v)))
                }
                _ => self.add_all(groups, column.as_primitive::<Decimal128Type>().values().iter().copied()),
            };
        }
        for (row, (group, value)) in groups.iter().zip(values(column)?).enumerate() {
            if let Some(value) = value.filter(|_| passes(filter, row)) {
                self.add(*group, value)?;
            }
        }
        Ok(())
    }

    fn merge_batch(&mut self, states: &[ArrayRef], groups: &[usize], count: usize) -> Result<()> {
        self.update_batch(states, groups, None, count)
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let sums = emit_to.take_needed(&mut self.sums);
        self.total.finish(sums)
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        let sums = emit_to.take_needed(&mut self.sums);
        Ok(vec![self.total.pass_on(sums.into_iter())?])
    }

    fn convert_to_state(&self, columns: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        let rows = values(only(columns)?)?.enumerate();
        Ok(vec![self.total.pass_on(rows.map(|(row, value)| value.filter(|_| passes(filter, row))))?])
    }

    fn size(&self) -> usize {
        self.sums.capacity() * size_of::<Option<i128>>()
    }
}
