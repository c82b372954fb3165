//! Aggregates with PostgreSQL's results, where the engine's are others.
//!
//! An average of integers and decimals is a decimal. Aggregates of floating-point numbers follow PostgreSQL step by step
//! (`moments.rs`): what leaves the range of the type is an error, and nothing is ever subtracted again from a sum when a window
//! moves on, because `1e300 + 1 - 1e300` is not 1.

mod accumulators;
mod average;
mod doubles;
mod first_by_group;
mod in_order;
mod moments;
mod own;
mod rule;
mod running;
#[cfg(feature = "cluster")]
mod shipped;

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::Result;
use datafusion::logical_expr::expr::{AggregateFunction, WindowFunction, WindowFunctionDefinition};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::{AggregateOrderSensitivity, format_state_name};
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, Expr, GroupsAccumulator, ReversedUDAF, SetMonotonicity, Signature,
};

use super::arithmetic::average_type;
use accumulators::{ByGroup, Distinct, Frame, Plain, state_type};
use average::Average;
use doubles::{DoubleSum, Extreme};
use in_order::InOrder;
use moments::Moments;
pub(crate) use own::UseOwnAggregates;
use rule::AggregateRule;
pub(crate) use running::{RunningAggregate, running};
#[cfg(feature = "cluster")]
pub(super) use shipped::ShippedAggregate;

/// The engine's function with accumulators of karat.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Aggregate {
    inner: Arc<AggregateUDF>,
    /// How the author's expression reads; `None` before the plan is typed.
    text: Option<String>,
}

/// The functions that have other types or accumulators than the engine's, under their names.
pub(super) fn functions<'f>(
    known: impl Iterator<Item = (&'f String, &'f Arc<AggregateUDF>)>,
) -> Vec<(String, Arc<AggregateUDF>)> {
    let own = |function: &Arc<AggregateUDF>| match function.name() {
        "avg" => Some(Aggregate::function(function, None)),
        _ => InOrder::function(function),
    };
    known.filter_map(|(name, function)| Some((name.clone(), own(function)?))).collect()
}

/// The call of an aggregate with karat's function, if it is one of these; `text` is how it reads.
pub(super) fn of_rows(mut call: AggregateFunction, types: &[DataType], text: String) -> Option<Expr> {
    call.func = checked(&call.func, types, text)?;
    Some(Expr::AggregateFunction(call))
}

/// The same over a window.
pub(super) fn of_window(mut call: Box<WindowFunction>, types: &[DataType], text: String) -> Option<Expr> {
    let WindowFunctionDefinition::AggregateUDF(function) = &call.fun else { return None };
    call.fun = WindowFunctionDefinition::AggregateUDF(checked(function, types, text)?);
    Some(Expr::WindowFunction(call))
}

fn checked(function: &Arc<AggregateUDF>, types: &[DataType], text: String) -> Option<Arc<AggregateUDF>> {
    let inner = match function.inner().downcast_ref::<Aggregate>() {
        Some(aggregate) => &aggregate.inner,
        None => function,
    };
    let first = types.first()?;
    let is_ours = match inner.name() {
        "avg" => first.is_decimal() || first.is_floating(),
        "sum" | "max" | "min" => first.is_floating(),
        other => Moments::is_for(other),
    };
    is_ours.then(|| Aggregate::function(inner, Some(text)))
}

/// A call of an aggregate, as far as it decides how its rows are summed up.
struct AggregateCall<'c> {
    name: &'c str,
    result: &'c DataType,
    /// The type of the first argument.
    argument: Option<&'c DataType>,
}

impl<'c> AggregateCall<'c> {
    fn of(args: &'c AccumulatorArgs<'_>) -> AggregateCall<'c> {
        let argument = args.expr_fields.first().map(|field| field.data_type());
        AggregateCall { name: args.name, result: args.return_type(), argument }
    }
}

/// What makes an accumulator for a rule.
enum Made {
    Plain,
    Sliding,
}

impl Aggregate {
    fn function(inner: &Arc<AggregateUDF>, text: Option<String>) -> Arc<AggregateUDF> {
        Arc::new(AggregateUDF::from(Aggregate { inner: Arc::clone(inner), text }))
    }

    fn with_rule<V: WithRule>(&self, call: &AggregateCall<'_>, with: V) -> Result<V::Output> {
        let name = self.text.as_deref().unwrap_or(call.name).to_owned();
        match (self.inner.name(), call.result) {
            ("avg", DataType::Decimal128(precision, scale)) => {
                with.of(Average::new(name, call.argument, *precision, *scale)?)
            }
            ("sum", _) => with.of(DoubleSum { name }),
            ("max", result) => with.of(Extreme { is_max: true, data_type: result.clone() }),
            ("min", result) => with.of(Extreme { is_max: false, data_type: result.clone() }),
            (function, _) => with.of(Moments::new(function, name)?),
        }
    }

    fn made(&self, args: &AccumulatorArgs<'_>, made: Made) -> Result<Box<dyn Accumulator>> {
        self.with_rule(&AggregateCall::of(args), OfRows { made, is_distinct: args.is_distinct })
    }
}

/// What is done with the rule of an aggregate, whatever its type.
trait WithRule {
    type Output;

    fn of<R: AggregateRule>(self, rule: R) -> Result<Self::Output>;
}

struct OfRows {
    made: Made,
    is_distinct: bool,
}

impl WithRule for OfRows {
    type Output = Box<dyn Accumulator>;

    fn of<R: AggregateRule>(self, rule: R) -> Result<Box<dyn Accumulator>> {
        Ok(match self.made {
            _ if self.is_distinct => Box::new(Distinct::new(rule)),
            Made::Plain => Box::new(Plain::new(rule)),
            Made::Sliding => Box::new(Frame::new(rule)),
        })
    }
}

struct OfGroups;

impl WithRule for OfGroups {
    type Output = Box<dyn GroupsAccumulator>;

    fn of<R: AggregateRule>(self, rule: R) -> Result<Box<dyn GroupsAccumulator>> {
        Ok(Box::new(ByGroup::new(rule)))
    }
}

impl AggregateUDFImpl for Aggregate {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn aliases(&self) -> &[String] {
        self.inner.aliases()
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        self.inner.coerce_types(types)
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        match types.first().and_then(average_type) {
            Some(average) if self.inner.name() == "avg" => Ok(average),
            _ => self.inner.return_type(types),
        }
    }

    fn accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        self.made(&args, Made::Plain)
    }

    fn create_sliding_accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        self.made(&args, Made::Sliding)
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs<'_>) -> bool {
        !args.is_distinct
    }

    fn create_groups_accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn GroupsAccumulator>> {
        self.with_rule(&AggregateCall::of(&args), OfGroups)
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        if args.is_distinct {
            let name = format_state_name(args.name, "distinct");
            return Ok(vec![Field::new_list(name, Field::new_list_field(state_type(), true), false).into()]);
        }
        let words = match self.inner.name() {
            "avg" if args.return_field.data_type().is_decimal() => Average::WORDS,
            "sum" => DoubleSum::WORDS,
            "max" | "min" => Extreme::WORDS,
            _ => Moments::WORDS,
        };
        let names = (0..words).map(|word| format_state_name(args.name, &format!("word{word}")));
        Ok(names.map(|name| Field::new(name, state_type(), true).into()).collect())
    }

    fn reverse_expr(&self) -> ReversedUDAF {
        ReversedUDAF::Identical
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }

    fn set_monotonicity(&self, _: &DataType) -> SetMonotonicity {
        SetMonotonicity::NotMonotonic
    }
}
