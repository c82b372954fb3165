//! The forms in which the engine asks for an aggregate: of all rows, of each group, of a moving frame, of distinct values.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Decimal128Array};
use arrow::datatypes::{DataType, Decimal128Type};
use datafusion::common::{Result, ScalarValue, exec_datafusion_err, exec_err};
use datafusion::logical_expr::{Accumulator, EmitTo, GroupsAccumulator};

use super::rule::AggregateRule;
use crate::analyze::filter::passes;

/// The type in which every word of a summary is passed on: 128 bits, whatever they mean.
pub(super) fn state_type() -> DataType {
    DataType::Decimal128(38, 0)
}

fn words_array(words: impl Iterator<Item = i128>) -> Result<ArrayRef> {
    Ok(Arc::new(words.map(Some).collect::<Decimal128Array>().with_precision_and_scale(38, 0)?))
}

fn pass_on<R: AggregateRule>(states: &[R::Running]) -> Result<Vec<ArrayRef>> {
    let words: Vec<Vec<i128>> = states.iter().map(R::words).collect();
    (0..R::WORDS).map(|word| words_array(words.iter().filter_map(|words| words.get(word).copied()))).collect()
}

/// The summaries that were passed on.
fn passed_on<R: AggregateRule>(columns: &[ArrayRef]) -> Vec<R::Running> {
    // The engine passes states on as columns, one for each word: they are put together again row by row.
    let columns: Vec<&Decimal128Array> = columns.iter().map(|column| column.as_primitive::<Decimal128Type>()).collect();
    let rows = columns.first().map_or(0, |column| column.len());
    (0..rows).map(|row| R::of_words(&columns.iter().map(|column| column.value(row)).collect::<Vec<_>>())).collect()
}

fn result_of<R: AggregateRule>(rule: &R, state: &R::Running) -> Result<ScalarValue> {
    ScalarValue::try_from_array(&rule.finish(std::slice::from_ref(state))?, 0)
}

/// A summary of all rows.
#[derive(Debug)]
pub(super) struct Plain<R: AggregateRule> {
    rule: R,
    state: R::Running,
}

impl<R: AggregateRule> Plain<R> {
    pub fn new(rule: R) -> Plain<R> {
        Plain { rule, state: R::Running::default() }
    }
}

impl<R: AggregateRule> Accumulator for Plain<R> {
    fn update_batch(&mut self, columns: &[ArrayRef]) -> Result<()> {
        let Plain { rule, state } = self;
        rule.each(columns, &mut |_, row| rule.add(state, row))
    }

    fn merge_batch(&mut self, columns: &[ArrayRef]) -> Result<()> {
        passed_on::<R>(columns).iter().try_for_each(|other| self.rule.combine(&mut self.state, other))
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let columns = pass_on::<R>(std::slice::from_ref(&self.state))?;
        columns.iter().map(|column| ScalarValue::try_from_array(column, 0)).collect()
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        result_of(&self.rule, &self.state)
    }

    fn size(&self) -> usize {
        size_of_val(self)
    }
}

/// A summary of the rows in a frame that moves on: a queue made of two stacks, so that no row is ever taken out of a summary.
///
/// Rows enter at the back, where one summary is kept of all of them. They leave at the front, where each row has the summary of
/// itself and all behind it up to the other stack; when that is empty, the rows of the back are turned over to it.
#[derive(Debug)]
pub(super) struct Frame<R: AggregateRule> {
    rule: R,
    front: Vec<R::Running>,
    back: Vec<R::Running>,
    /// Of the rows at the back.
    summary: R::Running,
}

impl<R: AggregateRule> Frame<R> {
    pub fn new(rule: R) -> Frame<R> {
        Frame { rule, front: Vec::new(), back: Vec::new(), summary: R::Running::default() }
    }

    fn turn_over(&mut self) -> Result<()> {
        // From the newest to the oldest, so that the oldest ends on top of the stack with the summary of all that was turned over.
        let mut behind = R::Running::default();
        for mut state in std::mem::take(&mut self.back).into_iter().rev() {
            self.rule.combine(&mut state, &behind)?;
            behind = state.clone();
            self.front.push(state);
        }
        self.summary = R::Running::default();
        Ok(())
    }
}

impl<R: AggregateRule> Accumulator for Frame<R> {
    fn update_batch(&mut self, columns: &[ArrayRef]) -> Result<()> {
        let rows = columns.first().map_or(0, |column| column.len());
        let mut entering = vec![R::Running::default(); rows];
        let Frame { rule, back, summary, .. } = self;
        rule.each(columns, &mut |place, row| {
            rule.add(summary, row)?;
            match entering.get_mut(place) {
                Some(state) => rule.add(state, row),
                None => exec_err!("a batch has no row {place}"),
            }
        })?;
        back.append(&mut entering);
        Ok(())
    }

    fn retract_batch(&mut self, columns: &[ArrayRef]) -> Result<()> {
        for _ in 0..columns.first().map_or(0, |column| column.len()) {
            if self.front.is_empty() {
                self.turn_over()?;
            }
            self.front.pop();
        }
        Ok(())
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let mut all = self.front.last().cloned().unwrap_or_default();
        self.rule.combine(&mut all, &self.summary)?;
        result_of(&self.rule, &all)
    }

    fn merge_batch(&mut self, _: &[ArrayRef]) -> Result<()> {
        exec_err!("frames of a window are not put together")
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        exec_err!("frames of a window are not passed on")
    }

    fn size(&self) -> usize {
        size_of_val(self) + (self.front.capacity() + self.back.capacity()) * size_of::<R::Running>()
    }
}

/// Of each value once, in an order that does not depend on that of the rows.
#[derive(Debug)]
pub(super) struct Distinct<R: AggregateRule> {
    rule: R,
    /// How often each value is there.
    counts: BTreeMap<i128, u64>,
}

impl<R: AggregateRule> Distinct<R> {
    pub fn new(rule: R) -> Distinct<R> {
        Distinct { rule, counts: BTreeMap::new() }
    }
}

fn key_of<R: AggregateRule>(row: R::RowValue) -> Result<i128> {
    R::key(row).ok_or_else(|| exec_datafusion_err!("`distinct` is not computed for pairs of values"))
}

impl<R: AggregateRule> Accumulator for Distinct<R> {
    fn update_batch(&mut self, columns: &[ArrayRef]) -> Result<()> {
        let Distinct { rule, counts } = self;
        rule.each(columns, &mut |_, row| {
            *counts.entry(key_of::<R>(row)?).or_default() += 1;
            Ok(())
        })
    }

    fn retract_batch(&mut self, columns: &[ArrayRef]) -> Result<()> {
        let Distinct { rule, counts } = self;
        rule.each(columns, &mut |_, row| {
            let key = key_of::<R>(row)?;
            match counts.get_mut(&key) {
                Some(count) if *count > 1 => *count -= 1,
                _ => drop(counts.remove(&key)),
            }
            Ok(())
        })
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }

    fn merge_batch(&mut self, columns: &[ArrayRef]) -> Result<()> {
        let Some(lists) = columns.first() else { return Ok(()) };
        for list in lists.as_list::<i32>().iter().flatten() {
            for key in list.as_primitive::<Decimal128Type>().values() {
                *self.counts.entry(*key).or_default() += 1;
            }
        }
        Ok(())
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let keys = words_array(self.counts.keys().copied())?;
        let scalars = (0..keys.len()).map(|row| ScalarValue::try_from_array(&keys, row)).collect::<Result<Vec<_>>>()?;
        Ok(vec![ScalarValue::List(ScalarValue::new_list_nullable(&scalars, &state_type()))])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let mut state = R::Running::default();
        self.counts.keys().try_for_each(|key| self.rule.add(&mut state, R::of_key(*key)))?;
        result_of(&self.rule, &state)
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.counts.len() * 2 * size_of::<(i128, u64)>()
    }
}

/// A summary of each group.
#[derive(Debug)]
pub(super) struct ByGroup<R: AggregateRule> {
    rule: R,
    states: Vec<R::Running>,
}

impl<R: AggregateRule> ByGroup<R> {
    pub fn new(rule: R) -> ByGroup<R> {
        ByGroup { rule, states: Vec::new() }
    }
}

impl<R: AggregateRule> GroupsAccumulator for ByGroup<R> {
    fn update_batch(
        &mut self,
        columns: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        count: usize,
    ) -> Result<()> {
        self.states.resize(count, R::Running::default());
        let ByGroup { rule, states } = self;
        rule.each(columns, &mut |place, row| {
            if !passes(filter, place) {
                return Ok(());
            }
            match groups.get(place).and_then(|group| states.get_mut(*group)) {
                Some(state) => rule.add(state, row),
                None => exec_err!("the row {place} has no group"),
            }
        })
    }

    fn merge_batch(&mut self, columns: &[ArrayRef], groups: &[usize], count: usize) -> Result<()> {
        self.states.resize(count, R::Running::default());
        for (other, group) in passed_on::<R>(columns).iter().zip(groups) {
            match self.states.get_mut(*group) {
                Some(state) => self.rule.combine(state, other)?,
                None => return exec_err!("there is no group {group}"),
            }
        }
        Ok(())
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        self.rule.finish(&emit_to.take_needed(&mut self.states))
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        pass_on::<R>(&emit_to.take_needed(&mut self.states))
    }

    fn convert_to_state(&self, columns: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        let rows = columns.first().map_or(0, |column| column.len());
        let groups: Vec<usize> = (0..rows).collect();
        let mut each = ByGroup::new(self.rule.clone());
        each.update_batch(columns, &groups, filter, rows)?;
        each.state(EmitTo::All)
    }

    fn size(&self) -> usize {
        self.states.capacity() * size_of::<R::Running>()
    }
}
