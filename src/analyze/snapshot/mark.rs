//! What a plan of a snapshot needs of a run, and gets when it is done: the time, and whether the table lacks columns.
//!
//! A plan is made without a clock and without a look at tables. Calls of functions that nobody can write stand in it for
//! what only a run knows.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, TimeUnit};
use chrono::{DateTime, Utc};
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Result, ScalarValue, internal_err};
use datafusion::logical_expr::{
    ColumnarValue, Expr, LogicalPlan, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility, lit,
};

use super::sql::{NEW_COLUMNS, RUN_TIME};

/// What stands for it in a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum RunFact {
    Time,
    /// Whether a column that is compared is new in the table.
    NewColumns,
}

/// What a run knows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SnapshotRun {
    pub time: DateTime<Utc>,
    pub has_new_columns: bool,
}

impl RunFact {
    /// The column in which it is beside rows.
    pub(super) fn column(self) -> &'static str {
        match self {
            RunFact::Time => RUN_TIME,
            RunFact::NewColumns => NEW_COLUMNS,
        }
    }

    /// The call that stands for it.
    pub(super) fn call(self) -> Expr {
        ScalarUDF::from(RunFactFunction { fact: self, signature: Signature::exact(Vec::new(), Volatility::Volatile) })
            .call(Vec::new())
    }

    fn data_type(self) -> DataType {
        match self {
            RunFact::Time => DataType::Timestamp(TimeUnit::Microsecond, None),
            RunFact::NewColumns => DataType::Boolean,
        }
    }

    fn value(self, run: SnapshotRun) -> ScalarValue {
        match self {
            RunFact::Time => ScalarValue::TimestampMicrosecond(Some(run.time.timestamp_micros()), None),
            RunFact::NewColumns => ScalarValue::Boolean(Some(run.has_new_columns)),
        }
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct RunFactFunction {
    fact: RunFact,
    signature: Signature,
}

impl ScalarUDFImpl for RunFactFunction {
    fn name(&self) -> &'static str {
        match self.fact {
            RunFact::Time => "snapshot_time",
            RunFact::NewColumns => "snapshot_has_new_columns",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(self.fact.data_type())
    }

    fn return_field_from_args(&self, _arguments: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        // Never null, as the literal that will stand in its place: the plan keeps its schema.
        Ok(Arc::new(Field::new(self.name(), self.fact.data_type(), false)))
    }

    fn invoke_with_args(&self, _arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        internal_err!("{} is known to a run alone", self.name())
    }
}

/// The plan with what the run knows.
pub(super) fn with_facts(plan: LogicalPlan, run: SnapshotRun) -> Result<LogicalPlan> {
    let replaced = plan.transform_up_with_subqueries(|node| {
        node.map_expressions(|expression| {
            expression.transform_up(|inner| match fact_of(&inner) {
                Some(fact) => Ok(Transformed::yes(lit(fact.value(run)))),
                None => Ok(Transformed::no(inner)),
            })
        })
    });
    Ok(replaced?.data)
}

fn fact_of(expression: &Expr) -> Option<RunFact> {
    let Expr::ScalarFunction(function) = expression else { return None };
    let inner: &dyn std::any::Any = function.func.inner().as_ref();
    inner.downcast_ref::<RunFactFunction>().map(|function| function.fact)
}
