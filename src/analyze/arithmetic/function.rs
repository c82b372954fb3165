//! Functions of floating-point numbers that fail where PostgreSQL's do: `ln(0)`, `sqrt(-1)`, `exp(1000)`.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, FieldRef, Float64Type};
use datafusion::common::tree_node::Transformed;
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::sort_properties::{ExprProperties, SortProperties};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use super::decimal::{MAX_DIGITS, QUOTIENT_SCALE};
use super::fault::{overflow_of, undefined, vanishing};
use super::operator::argument;

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
    let checked = of_doubles.map(|(name, function)| {
        let checked = CheckedFunction { inner: Arc::clone(function), text: None };
        (name.clone(), Arc::new(ScalarUDF::from(checked)))
    });
    checked.collect()
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
    let Some(function) = call.func.inner().downcast_ref::<CheckedFunction>() else {
        return Transformed::no(Expr::ScalarFunction(call));
    };
    let arguments: Vec<String> = call.args.iter().map(argument).collect();
    let text = Some(format!("{}({})", function.inner.name(), arguments.join(", ")));
    let inner = Arc::clone(&function.inner);
    call.func = Arc::new(ScalarUDF::from(CheckedFunction { inner, text }));
    Transformed::yes(Expr::ScalarFunction(call))
}

/// A function of the engine whose results are looked at.
#[derive(Debug, PartialEq, Eq)]
struct CheckedFunction {
    inner: Arc<ScalarUDF>,
    /// How the author's expression reads; `None` before the plan is typed.
    text: Option<String>,
}

impl Hash for CheckedFunction {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.inner.hash(state);
        self.text.hash(state);
    }
}

impl CheckedFunction {
    fn check(&self, arguments: &[ColumnarValue], results: &ArrayRef) -> Result<()> {
        let results = doubles(results)?;
        let results = results.as_primitive::<Float64Type>();
        let name = self.inner.name();
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

impl ScalarUDFImpl for CheckedFunction {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn aliases(&self) -> &[String] {
        self.inner.aliases()
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.inner.return_type(types)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        self.inner.return_field_from_args(args)
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        self.inner.coerce_types(types)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let given = args.args.clone();
        // The engine itself stops at some of the values that have no result, in words of its own.
        let text = self.text.as_deref().unwrap_or(self.inner.name());
        let result = self.inner.invoke_with_args(args).map_err(|_| undefined(text))?;
        if result.data_type().is_floating() {
            let rows = match &result {
                ColumnarValue::Array(values) => Arc::clone(values),
                ColumnarValue::Scalar(value) => value.to_array()?,
            };
            self.check(&given, &rows)?;
        }
        Ok(result)
    }

    fn output_ordering(&self, inputs: &[ExprProperties]) -> Result<SortProperties> {
        self.inner.output_ordering(inputs)
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
