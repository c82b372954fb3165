//! What is known of the rows of a plan that count, on the way down from the output's time to the scans.

use datafusion::common::DFSchema;
use datafusion::logical_expr::Expr;

use crate::analyze::lineage::{Inflow, TimeStep, simplified, time_mapping};

/// Which rows of a plan count.
#[derive(Debug, Clone)]
pub(super) enum TimeConstraint {
    /// For a slice only those whose `on` lies in the times that the steps lead to from the slice. Rows without that
    /// time count for no slice.
    Slice { on: Expr, steps: Vec<TimeStep>, evidence: Vec<String> },
    /// For the rows without an event time only those whose `on` is null.
    NullTime { on: Expr },
    /// None.
    Nothing,
    /// Perhaps all, because of this.
    Everything(ProofGap),
}

/// What stands in the way, before it is known in whose words to say it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ProofGap {
    pub what: String,
    /// A word of the SQL that stands where the trouble is.
    pub word: Option<String>,
    pub remedy: Remedy,
}

/// What an author can do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Remedy {
    Lookback,
    JoinOnDate,
    NotExists,
    /// The output's time is made of this column, and the input's event time is another.
    UseEventTime,
    SetEventTime,
    BuildWhole,
}

impl TimeConstraint {
    pub fn blocked(what: impl Into<String>, word: Option<&str>, remedy: Remedy) -> TimeConstraint {
        TimeConstraint::Everything(ProofGap { what: what.into(), word: word.map(str::to_owned), remedy })
    }

    /// The constraint on the rows of an input that gives this to the node's columns.
    pub fn below(self, inflow: &Inflow<'_>) -> TimeConstraint {
        self.map(|on| inflow.replace(&on)).simple(inflow.plan.schema())
    }

    /// The constraint with another expression, if there is one.
    pub fn map(self, change: impl FnOnce(Expr) -> Option<Expr>) -> TimeConstraint {
        let no_column = || {
            TimeConstraint::blocked("the event time of the output is not derived from a column", None, Remedy::Lookback)
        };
        match self {
            TimeConstraint::Slice { on, steps, evidence } => match change(on) {
                Some(on) => TimeConstraint::Slice { on, steps, evidence },
                None => no_column(),
            },
            TimeConstraint::NullTime { on } => change(on).map_or_else(no_column, |on| TimeConstraint::NullTime { on }),
            TimeConstraint::Nothing | TimeConstraint::Everything(_) => self,
        }
    }

    /// The functions around the constraint's column become steps.
    pub fn simple(self, schema: &DFSchema) -> TimeConstraint {
        match self {
            TimeConstraint::Slice { on, mut steps, evidence } => {
                let mapping = time_mapping(&on, schema);
                steps.extend(mapping.steps);
                TimeConstraint::Slice { on: mapping.base.clone(), steps: simplified(steps, false), evidence }
            }
            TimeConstraint::NullTime { on } => TimeConstraint::NullTime { on: time_mapping(&on, schema).base.clone() },
            TimeConstraint::Nothing | TimeConstraint::Everything(_) => self,
        }
    }

    pub fn on(&self) -> Option<&Expr> {
        match self {
            TimeConstraint::Slice { on, .. } | TimeConstraint::NullTime { on } => Some(on),
            TimeConstraint::Nothing | TimeConstraint::Everything(_) => None,
        }
    }
}
