//! Functions of arithmetic as they travel to other machines: what their names do not tell.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::functions::math;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{Expr, Operator, ScalarUDF, col};
use serde::{Deserialize, Serialize};

use super::decimal::Digits;
use super::decimal_places::{DecimalPlaces, Direction};
use super::function::CheckedResults;
use super::number_cast::NumberCast;
use super::operator::CheckedOperator;
use super::places::{self, RoundToPlaces};
use super::text::{self, FloatText};
use super::zero::{UnsignedZero, without_sign_of_zero};
use crate::analyze::guarded::GuardedFunction;

/// A function of arithmetic. Types are written as the engine writes them.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::analyze) enum ShippedArithmetic {
    /// A function of the engine whose results are checked.
    Checked {
        text: Option<String>,
    },
    /// `round` and `trunc` of floating-point numbers.
    ToPlaces {
        truncates: bool,
    },
    DecimalPlaces {
        function: String,
        from: String,
        to: String,
        text: String,
    },
    Cast {
        to: String,
        is_try: bool,
        text: String,
    },
    Operator {
        sign: String,
        text: String,
    },
    FloatText,
    UnsignedZero,
}

/// The operators that are checked.
const OPERATORS: [Operator; 5] =
    [Operator::Plus, Operator::Minus, Operator::Multiply, Operator::Divide, Operator::Modulo];

impl ShippedArithmetic {
    /// Returns `None` if the function is none of arithmetic.
    pub fn of(function: &ScalarUDF) -> Option<ShippedArithmetic> {
        let inner = function.inner();
        if let Some(checked) = inner.downcast_ref::<GuardedFunction<CheckedResults>>() {
            return Some(ShippedArithmetic::Checked { text: checked.guard.text.clone() });
        }
        if let Some(places) = inner.downcast_ref::<DecimalPlaces>() {
            return Some(ShippedArithmetic::DecimalPlaces {
                function: function.name().trim_end_matches("_decimal").to_owned(),
                from: places.from.data_type().to_string(),
                to: places.to.data_type().to_string(),
                text: places.text.clone(),
            });
        }
        if let Some(cast) = inner.downcast_ref::<NumberCast>() {
            let to = cast.to.to_string();
            return Some(ShippedArithmetic::Cast { to, is_try: cast.is_try, text: cast.text.clone() });
        }
        if let Some(checked) = inner.downcast_ref::<CheckedOperator>() {
            let sign = checked.operator.to_string();
            return Some(ShippedArithmetic::Operator { sign, text: checked.text.clone() });
        }
        if let Some(places) = inner.downcast_ref::<RoundToPlaces>() {
            return Some(ShippedArithmetic::ToPlaces { truncates: places.truncates });
        }
        if inner.is::<FloatText>() {
            return Some(ShippedArithmetic::FloatText);
        }
        inner.is::<UnsignedZero>().then_some(ShippedArithmetic::UnsignedZero)
    }

    /// The function again. `known` is what stands under its name in SQL. Returns `None` if it is not what `of` has made.
    pub fn function(self, known: Option<&Arc<ScalarUDF>>) -> Option<Arc<ScalarUDF>> {
        let value = col("value");
        let call = match self {
            ShippedArithmetic::Checked { text } => {
                let known = known?.inner().downcast_ref::<GuardedFunction<CheckedResults>>()?;
                return Some(GuardedFunction::function(&known.inner, CheckedResults { text }));
            }
            ShippedArithmetic::DecimalPlaces { function, from, to, text } => {
                let direction = Direction::of(&function)?;
                let from = Digits::of(&from.parse().ok()?)?;
                let to = Digits::of(&to.parse().ok()?)?;
                let places = DecimalPlaces::new(&function, direction, from, to, text);
                return Some(Arc::new(ScalarUDF::from(places)));
            }
            ShippedArithmetic::Cast { to, is_try, text } => {
                NumberCast::call(value, to.parse::<DataType>().ok()?, is_try, text)
            }
            ShippedArithmetic::Operator { sign, text } => {
                let operator = OPERATORS.into_iter().find(|operator| operator.to_string() == sign)?;
                CheckedOperator::call(text, value.clone(), operator, value)
            }
            ShippedArithmetic::ToPlaces { truncates } => {
                let named = if truncates { math::trunc() } else { math::round() };
                let call = ScalarFunction::new_udf(named, vec![value]);
                places::of_doubles(call, &DataType::Float64).ok()?
            }
            ShippedArithmetic::FloatText => text::call(value, &DataType::Utf8),
            ShippedArithmetic::UnsignedZero => without_sign_of_zero(value),
        };
        match call {
            Expr::ScalarFunction(call) => Some(call.func),
            _ => None,
        }
    }
}
