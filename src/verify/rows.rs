//! Rows that one way to a slice gives and another does not: how many, and a few of them to look at.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Schema, SchemaRef};
use datafusion::common::{Column, Result as EngineResult, ScalarValue};
use datafusion::functions_aggregate::expr_fn::sum;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, cast, lit};

use super::ways::{VerifySubject, Way};
use crate::analyze::as_stored;
use crate::execute::{Joins, Reader};
use crate::table::SliceKey;

/// How many rows of each side are shown.
const MOST_SHOWN: usize = 5;

/// How often a row is there more on one side than on the other.
const MORE: &str = "_karat_more";

/// Rows that are on one side only.
#[derive(Debug, Clone)]
pub(crate) struct OneSided {
    /// A row that is there twice counts twice.
    pub count: u64,
    /// The first of them.
    pub schema: SchemaRef,
    pub rows: Vec<RecordBatch>,
}

/// What two ways to one slice have not in common.
#[derive(Debug, Clone)]
pub(crate) struct RowDifference {
    pub left: OneSided,
    pub right: OneSided,
}

impl VerifySubject<'_> {
    /// The rows of a slice that only `left` gives, and those that only `right` gives.
    pub async fn difference(&self, left: Way<'_>, right: Way<'_>, slice: SliceKey) -> EngineResult<RowDifference> {
        let reader = Reader::new(self.catalog);
        let more = self.more(&reader, left, right, slice)?;
        Ok(RowDifference { left: self.one_sided(&more, 1).await?, right: self.one_sided(&more, -1).await? })
    }

    /// Every row that is not on both sides equally often, and how much more often it is on the left.
    fn more(&self, reader: &Reader<'_>, left: Way<'_>, right: Way<'_>, slice: SliceKey) -> EngineResult<LogicalPlan> {
        let mut plans = self.marked(reader, left, 1, slice)?;
        plans.extend(self.marked(reader, right, -1, slice)?);
        let mut plans = plans.into_iter();
        let first = plans.next().map_or_else(|| LogicalPlanBuilder::empty(false), LogicalPlanBuilder::from);
        let both = plans.try_fold(first, LogicalPlanBuilder::union)?.build()?;
        let counted = LogicalPlanBuilder::from(both).aggregate(self.columns(), vec![sum(column(MORE)).alias(MORE)])?;
        counted.filter(column(MORE).not_eq(lit(0_i64)))?.build()
    }

    /// The plans of a way, each with the column that says from which side a row is.
    fn marked(&self, reader: &Reader<'_>, way: Way<'_>, side: i64, slice: SliceKey) -> EngineResult<Vec<LogicalPlan>> {
        let marked = |plan: LogicalPlan| {
            let plan = as_stored(plan, &self.model.schema);
            let schema = Arc::clone(plan.schema());
            let plainly = |(table, field): (Option<&_>, &Arc<_>)| {
                let field: &arrow::datatypes::Field = field;
                let table: Option<&datafusion::common::TableReference> = table;
                Expr::Column(Column::new(table.cloned(), field.name())).alias(field.name())
            };
            let columns = schema.iter().map(plainly).chain([lit(side).alias(MORE)]);
            LogicalPlanBuilder::from(plan).project(columns.collect::<Vec<_>>())?.build()
        };
        self.plans(reader, way, &[slice])?.into_iter().map(marked).collect()
    }

    fn columns(&self) -> Vec<Expr> {
        self.model.schema.fields().iter().map(|field| column(field.name())).collect()
    }

    async fn one_sided(&self, more: &LogicalPlan, side: i64) -> EngineResult<OneSided> {
        let times = column(MORE) * lit(side);
        let of_side = LogicalPlanBuilder::from(more.clone()).filter(times.clone().gt(lit(0_i64)))?.build()?;
        let total = LogicalPlanBuilder::from(of_side.clone())
            .aggregate(Vec::<Expr>::new(), vec![cast(sum(times), DataType::Int64).alias(MORE)])?
            .build()?;
        let count = self.run(&total).await?.iter().filter(|batch| batch.num_rows() > 0).map(first_number).sum();
        let order = self.columns().into_iter().map(|column| column.sort(true, false)).collect::<Vec<_>>();
        let shown = LogicalPlanBuilder::from(of_side)
            .project(self.columns())?
            .sort_with_limit(order, Some(MOST_SHOWN))?
            .build()?;
        let schema: &Schema = shown.schema().as_arrow();
        Ok(OneSided { count, schema: Arc::new(schema.clone()), rows: self.run(&shown).await? })
    }

    async fn run(&self, plan: &LogicalPlan) -> EngineResult<Vec<RecordBatch>> {
        self.engine.collect(plan, Joins::Hash).await
    }
}

fn column(name: &str) -> Expr {
    Expr::Column(Column::new_unqualified(name))
}

/// The number in the first row; a sum of nothing is null.
fn first_number(batch: &RecordBatch) -> u64 {
    let found = ScalarValue::try_from_array(batch.column(0), 0);
    match found {
        Ok(ScalarValue::Int64(Some(number))) => u64::try_from(number).unwrap_or(0),
        _ => 0,
    }
}
