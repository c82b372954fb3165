//! Types as PostgreSQL has them, before the engine casts anything: what is unlike is refused, and what differs between
//! the two is written out, so that the engine finds nothing to decide.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field};
use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchema, Result};
use datafusion::config::ConfigOptions;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, Union};
use datafusion::optimizer::AnalyzerRule;

use super::rewrite::with_expressions;
use super::{arithmetic, comparison, foreign, regular_expression, time, written_casts};

#[derive(Debug)]
pub(super) struct PostgresqlTypes;

impl AnalyzerRule for PostgresqlTypes {
    fn name(&self) -> &str {
        "postgresql_types"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        let typed = plan.transform_up_with_subqueries(|node| {
            let node = with_expressions(node, &|expr, schema| {
                written_casts::checked(expr, schema)?
                    .transform_data(|expr| foreign::duckdb::typed(expr, schema))?
                    .transform_data(|expr| foreign::warehouse::typed(expr, schema))?
                    .transform_data(time::typed)?
                    .transform_data(|expr| arithmetic::typed(expr, schema))?
                    .transform_data(|expr| comparison::compared(expr, schema))?
                    .transform_data(regular_expression::translated)
            })?;
            // Inputs may have other types than before.
            let node = node.map_data(|node| match node {
                scan @ LogicalPlan::TableScan(_) => Ok(scan),
                other => other.recompute_schema(),
            })?;
            comparison::check_node(&node.data)?;
            node.transform_data(|node| match node {
                LogicalPlan::Union(union) => of_one_kind(union),
                other => Ok(Transformed::no(other)),
            })
        })?;
        Ok(typed.data)
    }
}

/// Columns that are floating-point numbers in one branch of a union are so in all: the engine would make decimals of
/// them.
fn of_one_kind(union: Union) -> Result<Transformed<LogicalPlan>> {
    let types = |input: &Arc<LogicalPlan>| -> Vec<DataType> {
        input.schema().fields().iter().map(|field| field.data_type().clone()).collect()
    };
    let branches: Vec<Vec<DataType>> = union.inputs.iter().map(types).collect();
    let mixes = |column: usize| {
        // Integers are left to the engine: with decimals it makes decimals of them, and loses nothing.
        let mut of_column = branches.iter().filter_map(|types| types.get(column));
        of_column.clone().any(DataType::is_floating) && of_column.any(DataType::is_decimal)
    };
    let mixed: Vec<bool> = (0..union.schema.fields().len()).map(mixes).collect();
    if !mixed.contains(&true) {
        return Ok(Transformed::no(LogicalPlan::Union(union)));
    }
    let inputs = union.inputs.into_iter().map(|input| in_doubles(input, &mixed)).collect::<Result<_>>()?;
    let fields = union.schema.iter().zip(&mixed).map(|((qualifier, field), is_mixed)| {
        let data_type = if *is_mixed { DataType::Float64 } else { field.data_type().clone() };
        let field: Field = field.as_ref().clone();
        (qualifier.cloned(), Arc::new(field.with_data_type(data_type)))
    });
    let schema = DFSchema::new_with_metadata(fields.collect(), union.schema.metadata().clone())?;
    Ok(Transformed::yes(LogicalPlan::Union(Union { inputs, schema: Arc::new(schema) })))
}

fn in_doubles(input: Arc<LogicalPlan>, mixed: &[bool]) -> Result<Arc<LogicalPlan>> {
    let columns = input.schema().columns().into_iter().zip(input.schema().fields()).zip(mixed);
    let columns: Vec<Expr> = columns
        .map(|((column, field), is_mixed)| {
            let name = column.name.clone();
            let value = Expr::Column(column);
            if *is_mixed { arithmetic::as_double(value, field.data_type()).alias(name) } else { value }
        })
        .collect();
    Ok(Arc::new(LogicalPlanBuilder::from(Arc::unwrap_or_clone(input)).project(columns)?.build()?))
}
