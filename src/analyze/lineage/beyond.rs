//! What an expression looks at besides the values of its own row.

use datafusion::logical_expr::{Expr, Volatility};

/// Why the value of an expression may differ between equal rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Beyond<'e> {
    SubQuery,
    Unnest,
    Aggregate,
    WindowFunction,
    /// A function whose value depends on more than its arguments, by its name.
    Function(&'e str, Volatility),
    /// Something else that has another value each time.
    Volatile,
}

impl Beyond<'_> {
    /// Looks at one part of an expression, not at the parts of it. Returns `None` if its value is made of those alone.
    pub fn of_part(part: &Expr) -> Option<Beyond<'_>> {
        match part {
            Expr::Exists(_) | Expr::InSubquery(_) | Expr::ScalarSubquery(_) | Expr::SetComparison(_) => {
                Some(Beyond::SubQuery)
            }
            Expr::Unnest(_) => Some(Beyond::Unnest),
            Expr::AggregateFunction(_) => Some(Beyond::Aggregate),
            Expr::WindowFunction(_) => Some(Beyond::WindowFunction),
            Expr::ScalarFunction(call) if call.func.signature().volatility != Volatility::Immutable => {
                Some(Beyond::Function(call.func.name(), call.func.signature().volatility))
            }
            part if part.is_volatile_node() => Some(Beyond::Volatile),
            _ => None,
        }
    }
}
