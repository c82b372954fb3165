//! A FROM that uses columns of the tables before it: `cross join unnest(t.list)`, `cross join lateral (select t.a + 1 as b)`.
//!
//! The engine joins a subquery that depends on the other side only where it can turn it into a plain join. A subquery over no
//! table of its own needs no join: its expressions are columns more of the rows before it, and what it unnests makes several rows
//! of one.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, JoinType, Result, ScalarValue, TableReference};
use datafusion::logical_expr::logical_plan::{Join, Unnest};
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder};

/// What a list is called while it is unnested.
const LIST: &str = "\u{FDD2}list\u{FDD3}";

/// The plan without joins to subqueries that have no rows but those of the other side.
pub(super) fn without_laterals(plan: LogicalPlan) -> Result<LogicalPlan> {
    let joined = plan.transform_up_with_subqueries(|node| match node {
        LogicalPlan::Join(join) => {
            Ok(widened(&join)?.map_or_else(|| Transformed::no(LogicalPlan::Join(join)), Transformed::yes))
        }
        other => Ok(Transformed::no(other)),
    })?;
    Ok(joined.data)
}

/// The left side of a join with the columns of the right side, if the right side has no table of its own.
fn widened(join: &Join) -> Result<Option<LogicalPlan>> {
    let LogicalPlan::SubqueryAlias(alias) = join.right.as_ref() else { return Ok(None) };
    let LogicalPlan::Subquery(subquery) = alias.input.as_ref() else { return Ok(None) };
    let is_true = |filter: &Expr| matches!(filter, Expr::Literal(ScalarValue::Boolean(Some(true)), _));
    if subquery.outer_ref_columns.is_empty() || !join.on.is_empty() || !join.filter.as_ref().is_none_or(is_true) {
        return Ok(None);
    }
    let Some(steps) = steps(&subquery.subquery) else { return Ok(None) };
    // A row without elements stays in a left join, which an unnested list has no word for.
    let keeps_all_rows = steps.iter().all(|step| matches!(step, LogicalPlan::Projection(_)));
    match join.join_type {
        JoinType::Inner => {}
        JoinType::Left if keeps_all_rows => {}
        _ => return Ok(None),
    }
    let mut wide = Wide { plan: join.left.as_ref().clone(), columns: BTreeMap::new() };
    for step in steps.into_iter().rev() {
        match step {
            LogicalPlan::Projection(projection) => {
                let names = projection.schema.fields().iter().map(|field| field.name().clone());
                let columns = names.zip(&projection.expr).map(|(name, expr)| {
                    let column = wide.over_left(expr.clone().unalias())?;
                    Ok((name, column))
                });
                wide.columns = columns.collect::<Result<_>>()?;
            }
            LogicalPlan::Filter(filter) => {
                let condition = wide.over_left(filter.predicate.clone())?;
                wide.plan = LogicalPlanBuilder::from(wide.plan).filter(condition)?.build()?;
            }
            LogicalPlan::Unnest(unnest) => wide = wide.unnested(unnest)?,
            _ => {}
        }
    }
    wide.with_columns(&alias.alias, alias.schema.fields().iter().map(|field| field.name().as_str())).map(Some)
}

/// The steps from a subquery down to its one row without columns; `None` if there is another step or a table.
fn steps(subquery: &LogicalPlan) -> Option<Vec<&LogicalPlan>> {
    let mut found = Vec::new();
    let mut step = subquery;
    loop {
        step = match step {
            LogicalPlan::EmptyRelation(empty) => return empty.produce_one_row.then_some(found),
            LogicalPlan::Projection(projection) => {
                found.push(step);
                &projection.input
            }
            LogicalPlan::Filter(filter) => {
                found.push(step);
                &filter.input
            }
            LogicalPlan::Unnest(unnest) if is_of_one_list(unnest) => {
                found.push(step);
                &unnest.input
            }
            LogicalPlan::SubqueryAlias(alias) => &alias.input,
            LogicalPlan::Subquery(inner) => &inner.subquery,
            _ => return None,
        };
    }
}

fn is_of_one_list(unnest: &Unnest) -> bool {
    let [(_, list)] = unnest.list_type_columns.as_slice() else { return false };
    unnest.struct_type_columns.is_empty() && unnest.exec_columns.len() == 1 && list.depth == 1
}

/// The left side, and the columns of the right side as expressions over it.
struct Wide {
    plan: LogicalPlan,
    columns: BTreeMap<String, Expr>,
}

impl Wide {
    /// An expression of the subquery over the left side.
    fn over_left(&self, expr: Expr) -> Result<Expr> {
        let replaced = expr.transform_down(|expr| {
            Ok(match expr {
                // What is put in place is over the left side already, and is not gone through again.
                Expr::OuterReferenceColumn(_, column) if self.plan.schema().has_column(&column) => {
                    Transformed::new(Expr::Column(column), true, TreeNodeRecursion::Jump)
                }
                Expr::Column(column) => match self.columns.get(&column.name) {
                    Some(known) => Transformed::new(known.clone(), true, TreeNodeRecursion::Jump),
                    None => Transformed::no(Expr::Column(column)),
                },
                other => Transformed::no(other),
            })
        })?;
        Ok(replaced.data)
    }

    fn unnested(self, unnest: &Unnest) -> Result<Wide> {
        let Wide { plan, mut columns } = self;
        let of_list = unnest.exec_columns.first().and_then(|column| columns.remove(&column.name));
        let Some(list) = of_list else { return Ok(Wide { plan, columns }) };
        let name = format!("{LIST}{}", plan.schema().fields().len());
        let mut wide: Vec<Expr> = plan.schema().columns().into_iter().map(Expr::Column).collect();
        wide.push(list.alias(&name));
        let plan = LogicalPlanBuilder::from(plan)
            .project(wide)?
            .unnest_column_with_options(Column::new_unqualified(&name), unnest.options.clone())?
            .build()?;
        for (_, made) in &unnest.list_type_columns {
            columns.insert(made.output_column.name.clone(), Expr::Column(Column::new_unqualified(&name)));
        }
        Ok(Wide { plan, columns })
    }

    /// The rows with the columns of the right side behind those of the left.
    fn with_columns<'n>(self, table: &TableReference, names: impl Iterator<Item = &'n str>) -> Result<LogicalPlan> {
        let kept = self.plan.schema().columns().into_iter().filter(|column| !column.name.starts_with(LIST));
        let mut all: Vec<Expr> = kept.map(Expr::Column).collect();
        for name in names {
            if let Some(column) = self.columns.get(name) {
                all.push(column.clone().alias_qualified(Some(table.clone()), name));
            }
        }
        Ok(LogicalPlan::Projection(datafusion::logical_expr::Projection::try_new(all, Arc::new(self.plan))?))
    }
}
