//! The operator at the top of every build: rows in, one row per file written and one per slice out.

use std::fmt;
use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DataFusionError, Result, internal_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType, ReplaceChildrenOptions};
use datafusion::physical_plan::metrics::{ExecutionPlanMetricsSet, MetricBuilder, MetricsSet};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties};
use futures::{StreamExt, TryStreamExt};
use tokio::sync::mpsc;

use super::origin_tally::{OriginTally, without_origin};
use super::slice_tally::SliceCut;
use super::written_rows::{output_schema, to_batch};
use crate::partition_writer::{Destination, PartitionedWriter, WriterOptions, WrittenFile};

/// Writes its input as partitioned files and puts out what it wrote: the files, and the digests of the slices. A last
/// column that tells the source file of each row is tallied and not written.
pub(crate) struct WriteNode {
    input: Arc<dyn ExecutionPlan>,
    options: WriterOptions,
    cut: SliceCut,
    destination: Arc<dyn Destination>,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

impl WriteNode {
    pub fn new(
        input: Arc<dyn ExecutionPlan>,
        options: WriterOptions,
        cut: SliceCut,
        destination: Arc<dyn Destination>,
    ) -> WriteNode {
        let properties = PlanProperties::new(
            EquivalenceProperties::new(output_schema()),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Final,
            Boundedness::Bounded,
        );
        let metrics = ExecutionPlanMetricsSet::new();
        WriteNode { input, options, cut, destination, properties: Arc::new(properties), metrics }
    }
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
            Some(input) => {
                let options = self.options.clone();
                let cut = self.cut.clone();
                Ok(Arc::new(WriteNode::new(input, options, cut, Arc::clone(&self.destination))))
            }
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
            return internal_err!("a write node has one partition");
        }
        let (sender, receiver) = mpsc::channel::<RowOutput>(4);
        let partitions = self.input.properties().output_partitioning().partition_count();
        let streams = (0..partitions)
            .map(|partition| self.input.execute(partition, Arc::clone(&context)))
            .collect::<Result<Vec<_>>>()?;
        let written = without_origin(&self.input.schema())?;
        let writer = PartitionedWriter::new(written, self.options.clone(), Arc::clone(&self.destination))?;
        let tally = OriginTally::new(&self.input.schema(), &self.cut)?;
        let rows = MetricBuilder::new(&self.metrics).output_rows(0);
        let written = async move {
            let write = tokio::task::spawn_blocking(move || write_all(writer, receiver));
            let sent = send_all(streams, tally, sender).await;
            let files = write.await.map_err(|error| DataFusionError::External(Box::new(error)))?;
            // A failed input is the cause; that the writer then stopped early is not worth telling.
            let tally = sent?;
            let files = files?;
            rows.add(files.iter().map(|file| usize::try_from(file.rows).unwrap_or(0)).sum());
            to_batch(&files, &tally.finish())
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
    use std::io;

    use arrow::array::{ArrayRef, Date32Array, Int64Array};
    use datafusion::catalog::memory::MemorySourceConfig;

    use super::super::slice_tally::SliceTally;
    use super::super::written_rows::{written_files, written_slices};
    use super::*;
    use crate::day::Grain;
    use crate::partition_writer::{OutputFile, SpillFile};
    use crate::table::{SliceKey, SliceMap, SliceRows};

    /// Swallows what is written.
    struct Nowhere;

    struct Sunk;

    impl Destination for Nowhere {
        fn create(&self, _: &str) -> io::Result<Box<dyn OutputFile>> {
            Ok(Box::new(Sunk))
        }

        fn spill(&self) -> io::Result<Box<dyn SpillFile>> {
            Ok(Box::new(io::Cursor::new(Vec::new())))
        }
    }

    impl io::Write for Sunk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl OutputFile for Sunk {
        fn finish(self: Box<Self>) -> io::Result<()> {
            Ok(())
        }
    }

    fn batch(days: Vec<Option<i32>>) -> RecordBatch {
        let numbers: Int64Array = (0..days.len() as i64).collect();
        let columns: [(&str, ArrayRef); 2] = [("day", Arc::new(Date32Array::from(days))), ("n", Arc::new(numbers))];
        RecordBatch::try_from_iter_with_nullable(columns.map(|(name, array)| (name, array, true))).unwrap()
    }

    async fn write(streams: &[Vec<RecordBatch>], cut: &SliceCut) -> Vec<RecordBatch> {
        let input = MemorySourceConfig::try_new_exec(streams, batch(Vec::new()).schema(), None).unwrap();
        let options = WriterOptions { partition_columns: vec!["day".to_owned()], ..WriterOptions::new("part-x") };
        let node = WriteNode::new(input, options, cut.clone(), Arc::new(Nowhere));
        let stream = node.execute(0, Arc::new(TaskContext::default())).unwrap();
        stream.try_collect().await.unwrap()
    }

    #[tokio::test]
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

    #[tokio::test]
    async fn nothing_written_is_the_empty_slice_of_an_uncut_table() {
        let written = write(&[vec![]], &SliceCut { event_time: None, grain: Grain::Day }).await;
        assert_eq!(written_slices(&written).unwrap(), SliceMap::from_iter([(SliceKey::All, SliceRows::default())]));
        assert!(written_files(&written).unwrap().is_empty());
    }
}
