//! What is known of the rows of a plan that count, on the way down from the output's time to the scans.

use datafusion::common::DFSchema;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::Expr;

use crate::analyze::lineage::{TimeStep, simplified, time_mapping};

/// Which rows of a plan count.
#[derive(Debug, Clone)]
pub(super) enum Claim {
    /// For a slice only those whose `on` lies in the times that the steps lead to from the slice. Rows without that
    /// time count for no slice.
    Slice { on: Expr, steps: Vec<TimeStep>, evidence: Vec<String> },
    /// For the rows without an event time only those whose `on` is null.
    Timeless { on: Expr },
    /// None.
    Nothing,
    /// Perhaps all, because of this.
    Everything(Block),
}

/// What stands in the way, before it is known in whose words to say it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Block {
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

impl Claim {
    pub fn blocked(what: impl Into<String>, word: Option<&str>, remedy: Remedy) -> Claim {
        Claim::Everything(Block { what: what.into(), word: word.map(str::to_owned), remedy })
    }

    /// The claim on the rows below, where every column of `schema` is made by the expression at its place.
    pub fn below(self, schema: &DFSchema, made_by: &[Expr], input: &DFSchema) -> Claim {
        self.map(|on| replace(&on, schema, made_by)).simple(input)
    }

    /// The claim with another expression, if there is one.
    pub fn map(self, change: impl FnOnce(Expr) -> Option<Expr>) -> Claim {
        let no_column =
            || Claim::blocked("the event time of the output is not derived from a column", None, Remedy::Lookback);
        match self {
            Claim::Slice { on, steps, evidence } => match change(on) {
                Some(on) => Claim::Slice { on, steps, evidence },
                None => no_column(),
            },
            Claim::Timeless { on } => change(on).map_or_else(no_column, |on| Claim::Timeless { on }),
            Claim::Nothing | Claim::Everything(_) => self,
        }
    }

    /// The functions around the claim's column become steps.
    pub fn simple(self, schema: &DFSchema) -> Claim {
        match self {
            Claim::Slice { on, mut steps, evidence } => {
                let mapping = time_mapping(&on, schema);
                steps.extend(mapping.steps);
                Claim::Slice { on: mapping.base.clone(), steps: simplified(steps, false), evidence }
            }
            Claim::Timeless { on } => Claim::Timeless { on: time_mapping(&on, schema).base.clone() },
            Claim::Nothing | Claim::Everything(_) => self,
        }
    }

    pub fn on(&self) -> Option<&Expr> {
        match self {
            Claim::Slice { on, .. } | Claim::Timeless { on } => Some(on),
            Claim::Nothing | Claim::Everything(_) => None,
        }
    }
}

/// The expression over the rows below, where every column of `schema` is made by the expression at its place.
pub(super) fn replace(on: &Expr, schema: &DFSchema, made_by: &[Expr]) -> Option<Expr> {
    let mut known = true;
    let replaced = on.clone().transform_up(|expression| {
        let Expr::Column(column) = &expression else { return Ok(Transformed::no(expression)) };
        let made = schema.maybe_index_of_column(column).and_then(|index| made_by.get(index));
        known &= made.is_some();
        // What has been put in is not looked at again.
        Ok(made.map_or(Transformed::no(expression.clone()), |made| {
            Transformed::new(made.clone().unalias(), true, TreeNodeRecursion::Jump)
        }))
    });
    let replaced = replaced.ok()?.data;
    let is_sure = known && !replaced.is_volatile() && !replaced.column_refs().is_empty();
    is_sure.then_some(replaced)
}
