//! `sum`, `min` and `max` of floating-point numbers.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Float64Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type};
use datafusion::common::{Result, exec_err};

use super::rule::AggregateRule;
use crate::analyze::arithmetic::overflow_of;

/// The bits of a number as a word: equal numbers have equal words.
pub(super) fn word(value: f64) -> i128 {
    // NaN has many bit patterns and zero has two: one of each stands for all.
    let one_of_all_equal = if value.is_nan() { f64::NAN } else { value + 0.0 };
    i128::from(one_of_all_equal.to_bits())
}

pub(super) fn of_word(word: i128) -> f64 {
    f64::from_bits(u64::try_from(word).unwrap_or_default())
}

/// Goes through the numbers of the only column.
fn each_double(columns: &[ArrayRef], visit: &mut dyn FnMut(usize, f64) -> Result<()>) -> Result<()> {
    let [column] = columns else { return exec_err!("an aggregate takes one argument") };
    // A `real` is added up in double precision, as PostgreSQL does.
    let doubles = cast(column, &DataType::Float64)?;
    let values = doubles.as_primitive::<Float64Type>().iter().enumerate();
    values.filter_map(|(place, value)| Some((place, value?))).try_for_each(|(place, value)| visit(place, value))
}

/// `sum`, which stops where the total leaves the range of the type.
#[derive(Debug, Clone)]
pub(super) struct DoubleSum {
    /// As the author wrote it.
    pub name: String,
}

/// `None` for no rows.
type Double = Option<f64>;

fn words(state: &Double) -> Vec<i128> {
    vec![state.map_or(0, word), i128::from(state.is_some())]
}

fn of_words(words: &[i128]) -> Double {
    match words {
        [value, 1] => Some(of_word(*value)),
        _ => None,
    }
}

impl AggregateRule for DoubleSum {
    type RowValue = f64;
    type Running = Double;

    const WORDS: usize = 2;

    fn each(&self, columns: &[ArrayRef], visit: &mut dyn FnMut(usize, f64) -> Result<()>) -> Result<()> {
        each_double(columns, visit)
    }

    fn add(&self, state: &mut Double, value: f64) -> Result<()> {
        let sum = match *state {
            None => value,
            Some(before) => {
                let sum = before + value;
                // An infinite value makes an infinite sum. One that only became so has left the range of the type.
                if sum.is_infinite() && !before.is_infinite() && !value.is_infinite() {
                    return Err(overflow_of(&self.name, &DataType::Float64));
                }
                sum
            }
        };
        *state = Some(sum);
        Ok(())
    }

    fn combine(&self, state: &mut Double, other: &Double) -> Result<()> {
        other.map_or(Ok(()), |value| self.add(state, value))
    }

    fn finish(&self, states: &[Double]) -> Result<ArrayRef> {
        Ok(Arc::new(Float64Array::from(states.to_vec())))
    }

    fn words(state: &Double) -> Vec<i128> {
        words(state)
    }

    fn of_words(words: &[i128]) -> Double {
        of_words(words)
    }

    fn key(value: f64) -> Option<i128> {
        Some(word(value))
    }

    fn of_key(key: i128) -> f64 {
        of_word(key)
    }
}

/// `min` or `max`: a number that is undefined is greater than all others.
#[derive(Debug, Clone)]
pub(super) struct Extreme {
    pub is_max: bool,
    pub data_type: DataType,
}

impl Extreme {
    fn replaces(&self, value: f64, known: f64) -> bool {
        if self.is_max { value > known || (value.is_nan() && !known.is_nan()) } else { value < known || known.is_nan() }
    }
}

impl AggregateRule for Extreme {
    type RowValue = f64;
    type Running = Double;

    const WORDS: usize = 2;

    fn each(&self, columns: &[ArrayRef], visit: &mut dyn FnMut(usize, f64) -> Result<()>) -> Result<()> {
        each_double(columns, visit)
    }

    fn add(&self, state: &mut Double, value: f64) -> Result<()> {
        if state.is_none_or(|known| self.replaces(value, known)) {
            *state = Some(value);
        }
        Ok(())
    }

    fn combine(&self, state: &mut Double, other: &Double) -> Result<()> {
        other.map_or(Ok(()), |value| self.add(state, value))
    }

    fn finish(&self, states: &[Double]) -> Result<ArrayRef> {
        let found: ArrayRef = Arc::new(Float64Array::from(states.to_vec()));
        Ok(cast(&found, &self.data_type)?)
    }

    fn words(state: &Double) -> Vec<i128> {
        words(state)
    }

    fn of_words(words: &[i128]) -> Double {
        of_words(words)
    }

    fn key(value: f64) -> Option<i128> {
        Some(word(value))
    }

    fn of_key(key: i128) -> f64 {
        of_word(key)
    }
}
