//! A plan in the shape in which a cluster carries it out.

use std::sync::Arc;

use arrow::datatypes::Schema;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{JoinType, Result, not_impl_err};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_plan::joins::{HashJoinExec, NestedLoopJoinExec, PartitionMode, SortMergeJoinExec};
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties, Partitioning};

/// A plan whose rows are to be written by the tasks of a stage, and how many partitions that stage has.
pub(crate) struct ShippedPlan {
    pub rows: Arc<dyn ExecutionPlan>,
    pub partitions: usize,
}

impl ShippedPlan {
    /// Puts an exchange on top of the rows where the stage that writes would otherwise have other partitions than the plan has
    /// here, or where each task would write a file into each partition of the table.
    ///
    /// The stage of a join is never the stage that writes. An exchange by hash is what the scheduler keeps as it is: it would
    /// take out one that only collects, because a write node does not ask for it. `divided` is into how many parts the cluster
    /// divides rows.
    ///
    /// # Errors
    ///
    /// Fails if the rows have no column that they can be exchanged by, or if the cluster would divide a join in another way.
    pub fn new(rows: Arc<dyn ExecutionPlan>, partition_columns: &[String], divided: usize) -> Result<ShippedPlan> {
        if divided > 1 {
            keeps_its_parts(&rows)?;
        }
        let partitions = rows.output_partitioning().partition_count();
        let is_apart = partitions == 1 || partition_columns.is_empty() || keeps_together(&rows, partition_columns);
        if is_apart && !joins(&rows)? {
            return Ok(ShippedPlan { rows, partitions });
        }
        let keys = keys(&rows.schema(), partition_columns);
        if keys.is_empty() {
            return not_impl_err!("its rows have no column that they can be divided by");
        }
        let exchange = RepartitionExec::try_new(rows, Partitioning::Hash(keys, partitions))?;
        Ok(ShippedPlan { rows: Arc::new(exchange), partitions })
    }
}

/// The columns that rows are exchanged by: those of the table's partitions, or without any all that can be hashed.
fn keys(schema: &Schema, partition_columns: &[String]) -> Vec<Arc<dyn PhysicalExpr>> {
    let mut keys: Vec<Arc<dyn PhysicalExpr>> = Vec::new();
    for (index, field) in schema.fields().iter().enumerate() {
        let is_key = match partition_columns {
            [] => !field.data_type().is_nested(),
            columns => columns.contains(field.name()),
        };
        if is_key {
            keys.push(Arc::new(Column::new(field.name(), index)));
        }
    }
    keys
}

/// Whether rows with the same values in these columns are in one partition already.
fn keeps_together(rows: &Arc<dyn ExecutionPlan>, columns: &[String]) -> bool {
    let Partitioning::Hash(keys, _) = rows.output_partitioning() else { return false };
    let is_one = |key: &Arc<dyn PhysicalExpr>| {
        key.downcast_ref::<Column>().is_some_and(|key| columns.iter().any(|c| c == key.name()))
    };
    !keys.is_empty() && keys.iter().all(is_one)
}

/// Fails if the plan has a join that the scheduler would carry out in other parts than it was planned for, whatever stands above
/// it, or one whose tasks would each put out the rows without a match.
fn keeps_its_parts(plan: &Arc<dyn ExecutionPlan>) -> Result<()> {
    plan.apply(|node| {
        let is_by_rows_of_the_right = |join_type: &JoinType| {
            matches!(
                join_type,
                JoinType::Inner | JoinType::Right | JoinType::RightSemi | JoinType::RightAnti | JoinType::RightMark
            )
        };
        let is_divided_anew = match (node.downcast_ref::<HashJoinExec>(), node.downcast_ref::<NestedLoopJoinExec>()) {
            (Some(join), _) => join.null_aware || *join.partition_mode() != PartitionMode::Partitioned,
            (None, Some(join)) => !is_by_rows_of_the_right(join.join_type()),
            (None, None) => false,
        };
        if is_divided_anew {
            return not_impl_err!("a cluster would divide a join of it in another way");
        }
        Ok(TreeNodeRecursion::Continue)
    })
    .map(|_| ())
}

fn joins(plan: &Arc<dyn ExecutionPlan>) -> Result<bool> {
    let mut found = false;
    plan.apply(|node| {
        found |= node.is::<HashJoinExec>() || node.is::<SortMergeJoinExec>() || node.is::<NestedLoopJoinExec>();
        Ok(if found { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    })?;
    Ok(found)
}

#[cfg(test)]
mod tests {
    use arrow::array::{ArrayRef, Int64Array, RecordBatch};
    use datafusion::catalog::memory::MemorySourceConfig;
    use datafusion::common::NullEquality;
    use datafusion::physical_plan::displayable;

    use super::*;

    fn rows(partitions: usize) -> Arc<dyn ExecutionPlan> {
        let columns = ["day", "n"].map(|name| (name, Arc::new(Int64Array::from(vec![1, 2])) as ArrayRef));
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        let schema = batch.schema();
        MemorySourceConfig::try_new_exec(&vec![vec![batch]; partitions], schema, None).unwrap()
    }

    fn joined(partitions: usize) -> Arc<dyn ExecutionPlan> {
        joined_in(PartitionMode::Partitioned, partitions)
    }

    fn joined_in(mode: PartitionMode, partitions: usize) -> Arc<dyn ExecutionPlan> {
        let key = || Arc::new(Column::new("n", 1)) as Arc<dyn PhysicalExpr>;
        let join = HashJoinExec::try_new(
            rows(if mode == PartitionMode::CollectLeft { 1 } else { partitions }),
            rows(partitions),
            vec![(key(), key())],
            None,
            &JoinType::Inner,
            None,
            mode,
            NullEquality::NullEqualsNothing,
            false,
        );
        Arc::new(join.unwrap())
    }

    #[test]
    fn a_join_that_the_scheduler_would_divide_anew_stays_here() {
        let collected = |divided| ShippedPlan::new(joined_in(PartitionMode::CollectLeft, 1), &[], divided);
        assert!(collected(2).err().unwrap().to_string().contains("divide a join"));
        // There is one part, whatever it does.
        assert_eq!(collected(1).unwrap().partitions, 1);
    }

    #[test]
    fn rows_are_exchanged_before_they_are_written_where_partitions_would_be_others_or_files_too_many() {
        for (rows, partition_columns, exchange) in [
            (rows(1), &["day"][..], None),
            (rows(3), &[], None),
            (rows(3), &["day"], Some("Hash([day@0], 3)")),
            (joined(1), &[], Some("Hash([day@0, n@1, day@2, n@3], 1)")),
            (joined(3), &["day"], Some("Hash([day@0, day@2], 3)")),
        ] {
            let columns: Vec<String> = partition_columns.iter().map(|name| (*name).to_owned()).collect();
            let partitions = rows.output_partitioning().partition_count();
            let shipped = ShippedPlan::new(rows, &columns, 3).unwrap();
            assert_eq!(shipped.partitions, partitions);
            assert_eq!(shipped.rows.output_partitioning().partition_count(), partitions);
            let shown = displayable(shipped.rows.as_ref()).one_line().to_string();
            match exchange {
                Some(exchange) => assert!(shown.contains(exchange), "{shown}"),
                None => assert!(!shown.contains("Repartition"), "{shown}"),
            }
        }
    }
}
