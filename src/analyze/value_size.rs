//! Functions that make large values of small ones, within a limit: else one call could take all memory of the machine, of which no
//! pool of the engine knows.

use std::fmt;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type, IntervalMonthDayNano, IntervalMonthDayNanoType, IntervalUnit, TimeUnit};
use datafusion::common::{DataFusionError, Result, ScalarValue};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF};

use super::guarded::{Guard, GuardedFunction};

/// The largest value that a function may make, in bytes.
const LARGEST: i64 = 64 << 20;

/// The largest list that a function may make, in elements.
const LONGEST: i64 = 1 << 22;

/// The largest sum of the values that one call makes for a batch of rows, in bytes.
const LARGEST_BATCH: i64 = 1 << 30;

const BOUNDED: [&str; 9] =
    ["repeat", "lpad", "rpad", "replace", "array_repeat", "list_repeat", "array_resize", "range", "generate_series"];

const PADS: [&str; 2] = ["lpad", "rpad"];

/// A value that would be larger than any table should hold.
#[derive(Debug)]
pub(crate) struct TooLarge {
    function: String,
    /// Whether it is a list, whose elements are counted.
    is_list: bool,
}

impl fmt::Display for TooLarge {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { function, .. } = self;
        if self.is_list {
            return write!(formatter, "`{function}` would make a list of more than {LONGEST} elements");
        }
        write!(formatter, "`{function}` would make a value of more than {} MiB", LARGEST >> 20)
    }
}

impl std::error::Error for TooLarge {}

impl TooLarge {
    /// What to write instead.
    pub fn help(&self) -> &'static str {
        "bound its arguments: `least(n, 1000)`; or leave such rows out with `where`"
    }
}

/// The functions whose results are bounded, under their names.
pub(super) fn bounded_functions<'f>(
    known: impl Iterator<Item = (&'f String, &'f Arc<ScalarUDF>)>,
) -> Vec<(String, Arc<ScalarUDF>)> {
    let bounded = known.filter(|(_, function)| BOUNDED.contains(&function.name()));
    bounded.map(|(name, function)| (name.clone(), GuardedFunction::function(function, Bounded))).collect()
}

/// Looks at what a function is called with.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Bounded;

/// How large the value of a row becomes at the most, by the lengths and numbers that the function is called with; and how
/// large it may be.
fn largest(function: &str, row: &CallRow<'_>) -> (i64, i64) {
    match function {
        "repeat" => (row.length(0).saturating_mul(row.number(1)), LARGEST),
        // A character has four bytes at the most.
        "lpad" | "rpad" => (row.number(1).saturating_mul(4), LARGEST),
        "replace" => {
            let places = row.length(0) / row.length(1).max(1);
            (row.length(0).saturating_add(places.saturating_mul(row.length(2))), LARGEST)
        }
        "range" | "generate_series" => (row.steps(), LONGEST),
        _ => (row.number(1), LONGEST),
    }
}

fn check(function: &str, args: &ScalarFunctionArgs) -> Result<()> {
    let is_one = args.args.iter().all(|argument| matches!(argument, ColumnarValue::Scalar(_)));
    let rows = if is_one { 1 } else { args.number_rows };
    let arguments: Vec<Argument> =
        args.args.iter().map(|argument| Argument::of(argument, rows)).collect::<Result<_>>()?;
    // Before the call: afterwards the memory would be gone. Saturating, because the arguments are whatever an author gives.
    let mut sum: i64 = 0;
    for row in 0..rows {
        let (size, most) = largest(function, &CallRow { arguments: &arguments, row });
        sum = sum.saturating_add(size.max(0));
        if size > most || sum > LARGEST_BATCH {
            let too_large = TooLarge { function: function.to_owned(), is_list: most == LONGEST };
            return Err(DataFusionError::External(Box::new(too_large)));
        }
    }
    Ok(())
}

/// What one row is called with.
struct CallRow<'a> {
    arguments: &'a [Argument],
    row: usize,
}

impl CallRow<'_> {
    fn length(&self, argument: usize) -> i64 {
        match self.arguments.get(argument) {
            Some(Argument::Texts(texts)) if texts.is_valid(self.row) => {
                i64::try_from(texts.as_string_view().value(self.row).len()).unwrap_or(i64::MAX)
            }
            _ => 0,
        }
    }

    /// The elements of a series that begins at the first argument, ends at the second, and goes on by the third.
    fn steps(&self) -> i64 {
        let (start, end) = match (self.place(0), self.place(1)) {
            (Some(end), None) => (0, end),
            (Some(start), Some(end)) => (start, end),
            (None, _) => return 0,
        };
        let step = self.place(2).unwrap_or(1).unsigned_abs().max(1);
        i64::try_from(end.abs_diff(start) / step).unwrap_or(i64::MAX)
    }

    /// Returns a number or a time; `None` if it is null or not given.
    fn place(&self, argument: usize) -> Option<i64> {
        match self.arguments.get(argument)? {
            Argument::Numbers(values) | Argument::Times(values) if values.is_valid(self.row) => {
                Some(values.as_primitive::<Int64Type>().value(self.row))
            }
            _ => None,
        }
    }

    fn number(&self, argument: usize) -> i64 {
        match self.arguments.get(argument) {
            Some(Argument::Numbers(numbers)) if numbers.is_valid(self.row) => {
                numbers.as_primitive::<Int64Type>().value(self.row)
            }
            _ => 0,
        }
    }
}

enum Argument {
    Texts(ArrayRef),
    Numbers(ArrayRef),
    /// Times or lengths of time, in microseconds.
    Times(ArrayRef),
    /// An element of a list.
    Other,
}

impl Argument {
    fn of(argument: &ColumnarValue, rows: usize) -> Result<Argument> {
        let data_type = argument.data_type();
        let array = |to: &DataType| Ok::<_, DataFusionError>(cast(&argument.clone().into_array(rows)?, to)?);
        if data_type.is_string() {
            return Ok(Argument::Texts(array(&DataType::Utf8View)?));
        }
        if data_type.is_integer() {
            return Ok(Argument::Numbers(array(&DataType::Int64)?));
        }
        match &data_type {
            DataType::Date32 | DataType::Timestamp(..) => {
                let instants = cast(&array(&DataType::Timestamp(TimeUnit::Microsecond, None))?, &DataType::Int64)?;
                Ok(Argument::Times(instants))
            }
            DataType::Interval(IntervalUnit::MonthDayNano) => {
                let intervals = argument.clone().into_array(rows)?;
                let lengths: Int64Array = intervals.as_primitive::<IntervalMonthDayNanoType>().unary(shortest);
                Ok(Argument::Times(Arc::new(lengths)))
            }
            _ => Ok(Argument::Other),
        }
    }
}

/// An interval in microseconds, months as short as they can be.
fn shortest(interval: IntervalMonthDayNano) -> i64 {
    const DAY: i64 = 24 * 60 * 60 * 1_000_000;
    // Short months make many steps: the estimate must not be too small.
    let days = i64::from(interval.months) * 28 + i64::from(interval.days);
    days.saturating_mul(DAY).saturating_add(interval.nanoseconds / 1_000)
}

impl Guard for Bounded {
    fn invoke(&self, inner: &ScalarUDF, mut args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        check(inner.name(), &args)?;
        if PADS.contains(&inner.name())
            && let Some(length) = args.args.get_mut(1)
        {
            *length = not_negative(length)?;
        }
        inner.invoke_with_args(args)
    }
}

/// A text of a negative length is empty, as in PostgreSQL. The engine would reserve memory for it, and panic.
fn not_negative(length: &ColumnarValue) -> Result<ColumnarValue> {
    let lengths = cast(&length.to_array(1)?, &DataType::Int64)?;
    let lengths: Int64Array = lengths.as_primitive::<Int64Type>().unary(|length| length.max(0));
    match length {
        ColumnarValue::Scalar(_) => Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&lengths, 0)?)),
        ColumnarValue::Array(_) => Ok(ColumnarValue::Array(Arc::new(lengths))),
    }
}
