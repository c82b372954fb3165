//! The operator at the top of every build: rows in; out comes one row per file written, one per slice, and one per partition of
//! the plan that is a claim to have written all of its rows.
//!
//! It has as many partitions as its input. The first of them writes the rows of all, with one writer: where a plan is executed
//! whole, it is executed as one. A plan that is divided among machines has a write node in each part, over the partitions of that
//! part, and the claims say whether all parts together are the plan.

use std::fmt;
use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DataFusionError, Result, internal_err};
use datafusion::execution::memory_pool::MemoryLimit;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType, ReplaceChildrenOptions};
use datafusion::physical_plan::metrics::{ExecutionPlanMetricsSet, MetricBuilder, MetricsSet};
use datafusion::physical_plan::stream::{EmptyRecordBatchStream, RecordBatchStreamAdapter};
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties};
use futures::{StreamExt, TryStreamExt};
use tokio::sync::mpsc;

use super::origin_tally::{OriginTally, without_origin};
use super::slice_tally::SliceCut;
use super::write_target::WriteTarget;
use super::written_rows::{WriteAttempt, output_schema, to_batch};
use crate::partition_writer::{PartitionedWriter, WriterOptions, WrittenFile};
use crate::store::attempt_name;
#[cfg(feature = "cluster")]
use crate::{day::Grain, name::TableKey};

/// Writes its input as partitioned files and puts out what it wrote: the files, and the digests of the slices. A last
/// column that tells the source file of each row is tallied and not written.
pub(crate) struct WriteNode {
    input: Arc<dyn ExecutionPlan>,
    options: WriterOptions,
    cut: SliceCut,
    target: WriteTarget,
    /// Which partitions of the plan those of the input are; `None` if they are all of them.
    claimed: Option<Vec<usize>>,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

impl WriteNode {
    pub fn new(input: Arc<dyn ExecutionPlan>, options: WriterOptions, cut: SliceCut, target: WriteTarget) -> WriteNode {
        let properties = PlanProperties::new(
            EquivalenceProperties::new(output_schema()),
            Partitioning::UnknownPartitioning(partition_count(&input)),
            EmissionType::Final,
            Boundedness::Bounded,
        );
        let metrics = ExecutionPlanMetricsSet::new();
        WriteNode { input, options, cut, target, claimed: None, properties: Arc::new(properties), metrics }
    }

    /// The same node over another input.
    fn over(&self, input: Arc<dyn ExecutionPlan>) -> WriteNode {
        let node = WriteNode::new(input, self.options.clone(), self.cut.clone(), self.target.clone());
        WriteNode { claimed: self.claimed.clone(), ..node }
    }

    /// The bytes that may wait in memory: a task of an executor has less than the machine that made the plan.
    fn memory_budget(&self, context: &TaskContext) -> usize {
        match context.memory_pool().memory_limit() {
            MemoryLimit::Finite(limit) => self.options.memory_budget.min((limit / 8).max(16 << 20)),
            MemoryLimit::Infinite | MemoryLimit::Unknown => self.options.memory_budget,
        }
    }

    /// The partitions of the plan whose rows this node writes.
    fn partitions(&self) -> Vec<usize> {
        self.claimed.clone().unwrap_or_else(|| (0..partition_count(&self.input)).collect())
    }
}

/// What a write node is made of, as it travels.
#[cfg(feature = "cluster")]
#[derive(serde::Serialize, serde::Deserialize)]
struct ShippedWrite {
    partition_columns: Vec<String>,
    sort_columns: Vec<String>,
    memory_budget: usize,
    threads: usize,
    file_stem: String,
    max_file_bytes: usize,
    row_group_rows: usize,
    event_time: Option<String>,
    grain: String,
    table: TableKey,
    name: String,
    claimed: Option<Vec<usize>>,
}

#[cfg(feature = "cluster")]
impl WriteNode {
    /// The same node, as the part of a plan that has these partitions of it.
    pub fn claiming(&self, partitions: Vec<usize>) -> WriteNode {
        WriteNode { claimed: Some(partitions), ..self.over(Arc::clone(&self.input)) }
    }

    pub(super) fn to_bytes(&self) -> Result<Vec<u8>> {
        let options = self.options.clone();
        let shipped = ShippedWrite {
            partition_columns: options.partition_columns,
            sort_columns: options.sort_columns,
            memory_budget: options.memory_budget,
            threads: options.threads,
            file_stem: options.file_stem,
            max_file_bytes: options.max_file_bytes,
            row_group_rows: options.row_group_rows,
            event_time: self.cut.event_time.clone(),
            grain: self.cut.grain.word().to_owned(),
            table: self.target.table.key(),
            name: self.target.name.clone(),
            claimed: self.claimed.clone(),
        };
        serde_json::to_vec(&shipped).map_err(|error| DataFusionError::External(Box::new(error)))
    }

    pub(super) fn of_bytes(bytes: &[u8], input: Arc<dyn ExecutionPlan>) -> Result<WriteNode> {
        let shipped: ShippedWrite =
            serde_json::from_slice(bytes).map_err(|error| DataFusionError::External(Box::new(error)))?;
        let (Some(table), Some(grain)) = (shipped.table.name(), Grain::parse(&shipped.grain)) else {
            return internal_err!("a write node names a table and a grain");
        };
        let options = WriterOptions {
            partition_columns: shipped.partition_columns,
            sort_columns: shipped.sort_columns,
            memory_budget: shipped.memory_budget,
            threads: shipped.threads,
            file_stem: shipped.file_stem,
            max_file_bytes: shipped.max_file_bytes,
            row_group_rows: shipped.row_group_rows,
        };
        let cut = SliceCut { event_time: shipped.event_time, grain };
        let node = WriteNode::new(input, options, cut, WriteTarget { table, name: shipped.name });
        Ok(WriteNode { claimed: shipped.claimed, ..node })
    }
}

fn partition_count(input: &Arc<dyn ExecutionPlan>) -> usize {
    input.properties().output_partitioning().partition_count()
}

impl fmt::Debug for WriteNode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("WriteNode").field("options", &self.options).finish_non_exhaustive()
    }
}

impl DisplayAs for WriteNode {
    fn fmt_as(&self, _: DisplayFormatType, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Write: partition_by=[{}]", self.options.partition_columns.join(", "))
    }
}

impl ExecutionPlan for WriteNode {
    fn name(&self) -> &str {
        "Write"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn replace_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
        _options: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        match children.pop() {
            Some(input) => Ok(Arc::new(self.over(input))),
            None => internal_err!("a write node has one input"),
        }
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        let recompute = datafusion::physical_plan::execution_plan::ChildrenPropertiesMode::Recompute;
        self.replace_children(children, ReplaceChildrenOptions::new(recompute))
    }

    fn apply_expressions(
        &self,
        _visit: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        if partition != 0 {
            // The first partition writes the rows of all.
            return Ok(Box::pin(EmptyRecordBatchStream::new(output_schema())));
        }
        let (sender, receiver) = mpsc::channel::<RowOutput>(4);
        let streams = (0..partition_count(&self.input))
            .map(|partition| self.input.execute(partition, Arc::clone(&context)))
            .collect::<Result<Vec<_>>>()?;
        let schema = without_origin(&self.input.schema())?;
        let attempt = attempt_name()?;
        let file_stem = format!("{}-{attempt}", self.options.file_stem);
        let options = WriterOptions { file_stem, memory_budget: self.memory_budget(&context), ..self.options.clone() };
        let files = self.target.open(&context)?;
        let writer = PartitionedWriter::new(schema, options, files.destination())?;
        let tally = OriginTally::new(&self.input.schema(), &self.cut)?;
        let rows = MetricBuilder::new(&self.metrics).output_rows(0);
        let partitions = self.partitions();
        let written = async move {
            let write = tokio::task::spawn_blocking(move || write_all(writer, receiver));
            let sent = send_all(streams, tally, sender).await;
            let written = write.await.map_err(|error| DataFusionError::External(Box::new(error)))?;
            // A failed input is the cause; that the writer then stopped early is not worth telling.
            let tally = sent?;
            let written = written?;
            rows.add(written.iter().map(|file| usize::try_from(file.rows).unwrap_or(0)).sum());
            let slices = tally.finish();
            let batch =
                to_batch(&WriteAttempt { name: &attempt, partitions: &partitions, files: &written, slices: &slices })?;
            files.hand_over();
            Ok(batch)
        };
        let stream = futures::stream::once(written).boxed();
        Ok(Box::pin(RecordBatchStreamAdapter::new(output_schema(), stream)))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }
}

/// What the inputs send to the writer. Without the last word the run was stopped, and nothing is finished.
enum RowOutput {
    Rows(RecordBatch),
    Complete,
}

/// Drains all partitions at once. The tasks end with the stream that they belong to.
async fn send_all(
    streams: Vec<SendableRecordBatchStream>,
    mut tally: OriginTally,
    sender: mpsc::Sender<RowOutput>,
) -> Result<OriginTally> {
    let mut tasks = tokio::task::JoinSet::new();
    for stream in streams {
        tasks.spawn(send(stream, tally.clone(), sender.clone()));
    }
    while let Some(joined) = tasks.join_next().await {
        tally.merge(joined.map_err(|error| DataFusionError::External(Box::new(error)))??);
    }
    // A writer that has stopped says why itself.
    let _stopped = sender.send(RowOutput::Complete).await;
    Ok(tally)
}

/// Rows are tallied by the threads that compute them: the writer is one thread.
async fn send(
    mut stream: SendableRecordBatchStream,
    mut tally: OriginTally,
    sender: mpsc::Sender<RowOutput>,
) -> Result<OriginTally> {
    while let Some(batch) = stream.try_next().await? {
        let batch = tally.add(batch)?;
        if sender.send(RowOutput::Rows(batch)).await.is_err() {
            // The writer has stopped; its own error says why.
            break;
        }
    }
    Ok(tally)
}

fn write_all(mut writer: PartitionedWriter, mut deliveries: mpsc::Receiver<RowOutput>) -> Result<Vec<WrittenFile>> {
    while let Some(delivery) = deliveries.blocking_recv() {
        match delivery {
            RowOutput::Rows(batch) => writer.write(batch)?,
            RowOutput::Complete => return Ok(writer.finish()?),
        }
    }
    internal_err!("the rows of a build ended before they were complete")
}

#[cfg(test)]
mod tests {
    use arrow::array::{ArrayRef, Date32Array, Int64Array};
    use datafusion::catalog::memory::MemorySourceConfig;
    use datafusion::execution::object_store::ObjectStoreUrl;
    use datafusion::physical_plan::execute_stream;
    use object_store::ObjectStoreExt;
    use object_store::memory::InMemory;
    use object_store::path::Path;

    use super::super::LAKE_URL;
    use super::super::claims::claimed;
    use super::super::slice_tally::SliceTally;
    use super::super::written_rows::{written_files, written_slices};
    use super::*;
    use crate::day::Grain;
    use crate::name::{SchemaName, TableName};
    use crate::table::{SliceKey, SliceMap, SliceRows};

    fn batch(days: Vec<Option<i32>>) -> RecordBatch {
        let numbers: Int64Array = (0..days.len() as i64).collect();
        let columns: [(&str, ArrayRef); 2] = [("day", Arc::new(Date32Array::from(days))), ("n", Arc::new(numbers))];
        RecordBatch::try_from_iter_with_nullable(columns.map(|(name, array)| (name, array, true))).unwrap()
    }

    /// A machine that has nothing but the lake.
    fn machine(lake: &Arc<InMemory>) -> Arc<TaskContext> {
        let context = TaskContext::default();
        let url = ObjectStoreUrl::parse(LAKE_URL).unwrap();
        context.runtime_env().register_object_store(url.as_ref(), Arc::clone(lake) as Arc<_>);
        Arc::new(context)
    }

    fn node(streams: &[Vec<RecordBatch>], cut: &SliceCut) -> WriteNode {
        let input = MemorySourceConfig::try_new_exec(streams, batch(Vec::new()).schema(), None).unwrap();
        let options = WriterOptions { partition_columns: vec!["day".to_owned()], ..WriterOptions::new("part-x") };
        let table = TableName { schema: SchemaName::parse("shop").unwrap(), table: "orders".to_owned() };
        WriteNode::new(input, options, cut.clone(), WriteTarget { table, name: "x".to_owned() })
    }

    async fn write(streams: &[Vec<RecordBatch>], cut: &SliceCut) -> Vec<RecordBatch> {
        let node: Arc<dyn ExecutionPlan> = Arc::new(node(streams, cut));
        let stream = execute_stream(node, machine(&Arc::default())).unwrap();
        claimed(&stream.try_collect::<Vec<_>>().await.unwrap(), streams.len()).unwrap().rows
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_slices_are_a_tally_of_the_rows_of_all_inputs() {
        let streams = [
            vec![batch(vec![Some(0), Some(0), Some(1)]), batch(vec![None, Some(-400)])],
            vec![batch(vec![Some(1), Some(31)])],
            vec![],
        ];
        for event_time in [Some("day".to_owned()), None] {
            let cut = SliceCut { event_time, grain: Grain::Month };
            let written = write(&streams, &cut).await;
            let mut tally = SliceTally::new(&batch(Vec::new()).schema(), &cut).unwrap();
            for batch in streams.iter().flatten() {
                tally.add(batch).unwrap();
            }
            assert_eq!(written_slices(&written).unwrap(), tally.finish());
            let files = written_files(&written).unwrap();
            assert_eq!(files.len(), 5);
            assert_eq!(files.iter().map(|file| file.rows).sum::<u64>(), 7);
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn nothing_written_is_the_empty_slice_of_an_uncut_table() {
        let written = write(&[vec![]], &SliceCut { event_time: None, grain: Grain::Day }).await;
        assert_eq!(written_slices(&written).unwrap(), SliceMap::from_iter([(SliceKey::All, SliceRows::default())]));
        assert!(written_files(&written).unwrap().is_empty());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn parts_of_a_plan_write_files_of_their_own_and_claim_what_they_wrote() {
        let streams = [vec![batch(vec![Some(0), Some(1)])], vec![batch(vec![Some(1)])], vec![batch(vec![Some(2)])]];
        let cut = SliceCut { event_time: None, grain: Grain::Day };
        let lake = Arc::new(InMemory::new());
        let mut batches = Vec::new();
        // As on two machines, of which the second has done its part twice.
        for partitions in [vec![0, 1], vec![2], vec![2]] {
            let part: Vec<_> = partitions.iter().map(|partition| streams[*partition].clone()).collect();
            let node = WriteNode { claimed: Some(partitions), ..node(&part, &cut) };
            let stream = node.execute(0, machine(&lake)).unwrap();
            batches.extend(stream.try_collect::<Vec<_>>().await.unwrap());
        }
        let claimed = claimed(&batches, 3).unwrap();
        let files = written_files(&claimed.rows).unwrap();
        assert_eq!(files.iter().map(|file| file.rows).sum::<u64>(), 4);
        assert_eq!(claimed.repeated.len(), 1);
        assert!(files.iter().all(|file| file.path != claimed.repeated[0]));
        let whole = write(&streams, &cut).await;
        assert_eq!(written_slices(&claimed.rows).unwrap(), written_slices(&whole).unwrap());
        for path in files.iter().map(|file| &file.path).chain(&claimed.repeated) {
            lake.head(&Path::parse(format!("shop/orders/{path}")).unwrap()).await.unwrap();
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn only_the_first_partition_of_a_plan_writes() {
        let streams = [vec![batch(vec![Some(0)])], vec![batch(vec![Some(1)])]];
        let node = node(&streams, &SliceCut { event_time: None, grain: Grain::Day });
        assert_eq!(node.properties().output_partitioning().partition_count(), 2);
        let second = node.execute(1, machine(&Arc::default())).unwrap();
        assert!(second.try_collect::<Vec<_>>().await.unwrap().is_empty());
    }
}
