//! Functions of time as they travel to other machines: what their names do not tell.

use std::sync::Arc;

use datafusion::logical_expr::{Expr, ScalarUDF, col};
use serde::{Deserialize, Serialize};

use super::extract::{self, Extract};
use super::function::{TimeFunction, TimeFunctionKind};

/// A function of time that has no name in SQL, or one that has a part.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::analyze) enum ShippedTime {
    Extract { part: String, is_exact: bool },
    Text,
    ParseTimestamp { is_try: bool },
    ParseInstant { is_try: bool },
    ParseDate { is_try: bool },
    Interval,
    Length,
    Times,
}

impl ShippedTime {
    /// Returns `None` if the function is none of time, or if its name tells all.
    pub fn of(function: &ScalarUDF) -> Option<ShippedTime> {
        if let Some(extract) = function.inner().downcast_ref::<Extract>() {
            return Some(ShippedTime::Extract { part: extract.name.clone(), is_exact: extract.is_exact });
        }
        match function.inner().downcast_ref::<TimeFunction>()?.kind {
            TimeFunctionKind::Text => Some(ShippedTime::Text),
            TimeFunctionKind::ParseTimestamp { is_try } => Some(ShippedTime::ParseTimestamp { is_try }),
            TimeFunctionKind::ParseInstant { is_try } => Some(ShippedTime::ParseInstant { is_try }),
            TimeFunctionKind::ParseDate { is_try } => Some(ShippedTime::ParseDate { is_try }),
            TimeFunctionKind::Interval => Some(ShippedTime::Interval),
            TimeFunctionKind::Length => Some(ShippedTime::Length),
            TimeFunctionKind::Times => Some(ShippedTime::Times),
            TimeFunctionKind::Timezone
            | TimeFunctionKind::ToChar
            | TimeFunctionKind::ToDate
            | TimeFunctionKind::ToTimestamp
            | TimeFunctionKind::FromEpoch(..)
            | TimeFunctionKind::DateBin => None,
        }
    }

    /// The function again. Returns `None` if it is not what `of` has made.
    pub fn function(self) -> Option<Arc<ScalarUDF>> {
        let kind = match self {
            ShippedTime::Extract { part, is_exact } => {
                return match extract::call(&part, col("value"), is_exact).ok()? {
                    Expr::ScalarFunction(call) => Some(call.func),
                    _ => None,
                };
            }
            ShippedTime::Text => TimeFunctionKind::Text,
            ShippedTime::ParseTimestamp { is_try } => TimeFunctionKind::ParseTimestamp { is_try },
            ShippedTime::ParseInstant { is_try } => TimeFunctionKind::ParseInstant { is_try },
            ShippedTime::ParseDate { is_try } => TimeFunctionKind::ParseDate { is_try },
            ShippedTime::Interval => TimeFunctionKind::Interval,
            ShippedTime::Length => TimeFunctionKind::Length,
            ShippedTime::Times => TimeFunctionKind::Times,
        };
        Some(Arc::new(kind.function()))
    }
}
