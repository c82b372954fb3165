//! Functions of floating-point numbers that fail where PostgreSQL's do: `ln(0)`, `sqrt(-1)`, `exp(1000)`.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type};
use datafusion::common::tree_node::Transformed;
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use super::decimal::{MAX_DIGITS, QUOTIENT_SCALE};
use super::fault::{overflow_of, undefined, vanishing};
use super::spelling::argument;
use crate::analyze::guarded::{Guard, GuardedFunction};

/// Functions whose values PostgreSQL computes in double precision.
const OF_DOUBLES: [&str; 28] = [
    "acos", "acosh", "asin", "asinh", "atan", "atan2", "atanh", "cbrt", "cos", "cosh", "cot", "degrees", "exp", "ln",
    "log", "log10", "log2", "pi", "pow", "power", "radians", "sin", "sinh", "sqrt", "tan", "tanh", "isnan", "iszero",
];

/// Those that PostgreSQL lets become infinite.
const MAY_BE_INFINITE: [&str; 5] = ["atanh", "cosh", "cot", "sinh", "tan"];

/// Those whose result must not vanish.
const NEVER_ZERO: [&str; 3] = ["exp", "pow", "power"];

pub(super) fn is_of_doubles(name: &str) -> bool {
    OF_DOUBLES.contains(&name)
}

/// The functions, checked, under their names.
pub(in crate::analyze) fn checked_functions<'f>(
    known: impl Iterator<Item = (&'f String, &'f Arc<ScalarUDF>)>,
) -> Vec<(String, Arc<ScalarUDF>)> {
    let of_doubles = known.filter(|(name, _)| is_of_doubles(name));
    of_doubles
        .map(|(name, function)| (name.clone(), GuardedFunction::function(function, CheckedResults { text: None })))
        .collect()
}

/// What stands for `cast(… as numeric)` until the type of its value is known.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Numeric {
    name: &'static str,
    signature: Signature,
}

/// The two of them, by their names.
pub(in crate::analyze) fn numeric_casts() -> [(String, Arc<ScalarUDF>); 2] {
    ["numeric", "try_numeric"].map(|name| {
        let function = Numeric { name, signature: Signature::any(1, Volatility::Immutable) };
        (name.to_owned(), Arc::new(ScalarUDF::from(function)))
    })
}

impl ScalarUDFImpl for Numeric {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Decimal128(MAX_DIGITS, QUOTIENT_SCALE))
    }

    fn invoke_with_args(&self, _: ScalarFunctionArgs) -> Result<ColumnarValue> {
        exec_err!("`{}` was not replaced by a cast", self.name)
    }
}

/// The call with a function that knows how it reads.
pub(super) fn named(mut call: ScalarFunction) -> Transformed<Expr> {
    let Some(function) = call.func.inner().downcast_ref::<GuardedFunction<CheckedResults>>() else {
        return Transformed::no(Expr::ScalarFunction(call));
    };
    let arguments: Vec<String> = call.args.iter().map(argument).collect();
    let text = Some(format!("{}({})", function.inner.name(), arguments.join(", ")));
    call.func = GuardedFunction::function(&function.inner, CheckedResults { text });
    Transformed::yes(Expr::ScalarFunction(call))
}

/// Looks at the results of a function.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct CheckedResults {
    /// How the author's expression reads; `None` before the plan is typed.
    pub text: Option<String>,
}

impl CheckedResults {
    fn check(&self, name: &str, arguments: &[ColumnarValue], results: &ArrayRef) -> Result<()> {
        let results = doubles(results)?;
        let results = results.as_primitive::<Float64Type>();
        let text = self.text.as_deref().unwrap_or(name);
        let mut given = None;
        for row in 0..results.len() {
            let result = results.value(row);
            let may_vanish = result == 0.0 && NEVER_ZERO.contains(&name);
            if results.is_null(row) || (result.is_finite() && !may_vanish) {
                continue;
            }
            let given = match &mut given {
                Some(given) => given,
                None => given.insert(Given::new(arguments, results.len())?),
            };
            if result.is_nan() && !given.any(row, f64::is_nan) {
                return Err(undefined(text));
            }
            if result.is_infinite() && !given.any(row, f64::is_infinite) && !MAY_BE_INFINITE.contains(&name) {
                let is_pole = name.starts_with('l') || given.any(row, |value| value == 0.0);
                return Err(if is_pole { undefined(text) } else { overflow_of(text, &DataType::Float64) });
            }
            let is_exact = given.any(row, |value| value.is_infinite() || value == 0.0);
            if may_vanish && !is_exact {
                return Err(vanishing(text));
            }
        }
        Ok(())
    }
}

impl Guard for CheckedResults {
    fn invoke(&self, inner: &ScalarUDF, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let given = args.args.clone();
        // The engine itself stops at some of the values that have no result, in words of its own.
        let text = self.text.as_deref().unwrap_or(inner.name());
        let result = inner.invoke_with_args(args).map_err(|_| undefined(text))?;
        if result.data_type().is_floating() {
            let rows = match &result {
                ColumnarValue::Array(values) => Arc::clone(values),
                ColumnarValue::Scalar(value) => value.to_array()?,
            };
            self.check(inner.name(), &given, &rows)?;
        }
        Ok(result)
    }
}

/// What a function was called with, in double precision.
struct Given(Vec<ArrayRef>);

impl Given {
    fn new(arguments: &[ColumnarValue], rows: usize) -> Result<Given> {
        let numbers = arguments.iter().filter(|argument| argument.data_type().is_numeric());
        let doubles = numbers.map(|argument| doubles(&argument.clone().into_array(rows)?));
        Ok(Given(doubles.collect::<Result<_>>()?))
    }

    fn any(&self, row: usize, holds: impl Fn(f64) -> bool) -> bool {
        self.0.iter().any(|values| holds(values.as_primitive::<Float64Type>().value(row)))
    }
}

fn doubles(values: &dyn Array) -> Result<ArrayRef> {
    Ok(cast(values, &DataType::Float64)?)
}
