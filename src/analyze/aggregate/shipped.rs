//! Aggregates as they travel to other machines: what their names do not tell.

use std::sync::Arc;

use datafusion::logical_expr::AggregateUDF;
use serde::{Deserialize, Serialize};

use super::Aggregate;
use crate::analyze::arithmetic::CheckedSum;

/// An aggregate that is not just the one of its name in SQL.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::analyze) enum ShippedAggregate {
    /// karat's accumulators; `text` is how the author's expression reads.
    Own { text: Option<String> },
    /// A sum of integers or decimals.
    Sum { text: Option<String> },
    /// The function of the name, after the optimizer has seen whether its rows come in its order.
    Ordered { is_ordered: bool },
}

impl ShippedAggregate {
    /// The ways in which the function may be made of the one of its name, the likeliest first.
    pub fn of(function: &AggregateUDF) -> Vec<ShippedAggregate> {
        if let Some(own) = function.inner().downcast_ref::<Aggregate>() {
            return vec![ShippedAggregate::Own { text: own.text.clone() }];
        }
        if let Some(sum) = function.inner().downcast_ref::<CheckedSum>() {
            return vec![ShippedAggregate::Sum { text: sum.text.clone() }];
        }
        [true, false].map(|is_ordered| ShippedAggregate::Ordered { is_ordered }).into()
    }

    /// The function again; `known` is what stands under its name in SQL. Returns `None` if it is not what `of` has made.
    pub fn function(self, known: &Arc<AggregateUDF>) -> Option<Arc<AggregateUDF>> {
        match self {
            ShippedAggregate::Own { text } => {
                let inner = match known.inner().downcast_ref::<Aggregate>() {
                    Some(aggregate) => &aggregate.inner,
                    None => known,
                };
                Some(Aggregate::function(inner, text))
            }
            ShippedAggregate::Sum { text } => {
                let sum = text.map_or_else(CheckedSum::default, CheckedSum::named);
                Some(Arc::new(AggregateUDF::from(sum)))
            }
            ShippedAggregate::Ordered { is_ordered } => {
                let ordered = known.as_ref().clone().with_beneficial_ordering(is_ordered);
                ordered.ok().flatten().map(Arc::new)
            }
        }
    }
}
