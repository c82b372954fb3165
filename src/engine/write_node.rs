//! The operator at the top of every build: rows in, one row per file written out.

use std::fmt;
use std::sync::{Arc, OnceLock};

use arrow::array::{Array, AsArray, RecordBatch, StringArray, UInt64Array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, UInt64Type};
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

use crate::partition_writer::{Destination, PartitionedWriter, WriterOptions, WrittenFile};

/// Writes its input as partitioned files and puts out what it wrote.
pub(crate) struct WriteNode {
    input: Arc<dyn ExecutionPlan>,
    options: WriterOptions,
    destination: Arc<dyn Destination>,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

impl WriteNode {
    pub fn new(input: Arc<dyn ExecutionPlan>, options: WriterOptions, destination: Arc<dyn Destination>) -> WriteNode {
        let properties = PlanProperties::new(
            EquivalenceProperties::new(output_schema()),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Final,
            Boundedness::Bounded,
        );
        let metrics = ExecutionPlanMetricsSet::new();
        WriteNode { input, options, destination, properties: Arc::new(properties), metrics }
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
            Some(input) => Ok(Arc::new(WriteNode::new(input, self.options.clone(), Arc::clone(&self.destination)))),
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
        let (sender, receiver) = mpsc::channel::<Delivery>(4);
        let partitions = self.input.properties().output_partitioning().partition_count();
        let streams = (0..partitions)
            .map(|partition| self.input.execute(partition, Arc::clone(&context)))
            .collect::<Result<Vec<_>>>()?;
        let writer = PartitionedWriter::new(self.input.schema(), self.options.clone(), Arc::clone(&self.destination))?;
        let rows = MetricBuilder::new(&self.metrics).output_rows(0);
        let written = async move {
            let write = tokio::task::spawn_blocking(move || write_all(writer, receiver));
            let sent = send_all(streams, sender).await;
            let files = write.await.map_err(|error| DataFusionError::External(Box::new(error)))?;
            // A failed input is the cause; that the writer then stopped early is not worth telling.
            sent?;
            let files = files?;
            rows.add(files.iter().map(|file| usize::try_from(file.rows).unwrap_or(0)).sum());
            to_batch(&files)
        };
        let stream = futures::stream::once(written).boxed();
        Ok(Box::pin(RecordBatchStreamAdapter::new(output_schema(), stream)))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }
}

/// What the inputs send to the writer. Without the last word the run was stopped, and nothing is finished.
enum Delivery {
    Rows(RecordBatch),
    Complete,
}

/// Drains all partitions at once. The tasks end with the stream that they belong to.
async fn send_all(streams: Vec<SendableRecordBatchStream>, sender: mpsc::Sender<Delivery>) -> Result<()> {
    let mut tasks = tokio::task::JoinSet::new();
    for mut stream in streams {
        let sender = sender.clone();
        tasks.spawn(async move {
            while let Some(batch) = stream.try_next().await? {
                if sender.send(Delivery::Rows(batch)).await.is_err() {
                    // The writer has stopped; its own error says why.
                    return Ok(());
                }
            }
            Ok::<(), DataFusionError>(())
        });
    }
    while let Some(joined) = tasks.join_next().await {
        joined.map_err(|error| DataFusionError::External(Box::new(error)))??;
    }
    // A writer that has stopped says why itself.
    let _stopped = sender.send(Delivery::Complete).await;
    Ok(())
}

fn write_all(mut writer: PartitionedWriter, mut deliveries: mpsc::Receiver<Delivery>) -> Result<Vec<WrittenFile>> {
    while let Some(delivery) = deliveries.blocking_recv() {
        match delivery {
            Delivery::Rows(batch) => writer.write(batch)?,
            Delivery::Complete => return Ok(writer.finish()?),
        }
    }
    internal_err!("the rows of a build ended before they were complete")
}

fn output_schema() -> SchemaRef {
    static SCHEMA: OnceLock<SchemaRef> = OnceLock::new();
    let field = |name: &str, data_type| Field::new(name, data_type, false);
    Arc::clone(SCHEMA.get_or_init(|| {
        Arc::new(Schema::new(vec![
            field("path", DataType::Utf8),
            field("partition_values", DataType::Utf8),
            field("rows", DataType::UInt64),
            field("bytes", DataType::UInt64),
            field("stats", DataType::Utf8),
        ]))
    }))
}

fn to_batch(files: &[WrittenFile]) -> Result<RecordBatch> {
    let text = |of: &dyn Fn(&WrittenFile) -> String| Arc::new(StringArray::from_iter_values(files.iter().map(of)));
    let values = |file: &WrittenFile| serde_json::json!(file.partition_values).to_string();
    let columns: Vec<Arc<dyn Array>> = vec![
        text(&|file| file.path.clone()),
        text(&values),
        Arc::new(UInt64Array::from_iter_values(files.iter().map(|file| file.rows))),
        Arc::new(UInt64Array::from_iter_values(files.iter().map(|file| file.bytes))),
        text(&|file| file.stats.to_string()),
    ];
    Ok(RecordBatch::try_new(output_schema(), columns)?)
}

/// Reads back what a write node put out.
pub(crate) fn written_files(batches: &[RecordBatch]) -> Result<Vec<WrittenFile>> {
    let external = |error: serde_json::Error| DataFusionError::External(Box::new(error));
    let mut files = Vec::new();
    for batch in batches {
        let text = |column: usize| batch.column(column).as_string::<i32>();
        let number = |column: usize| batch.column(column).as_primitive::<UInt64Type>();
        for row in 0..batch.num_rows() {
            files.push(WrittenFile {
                path: text(0).value(row).to_owned(),
                partition_values: serde_json::from_str(text(1).value(row)).map_err(external)?,
                rows: number(2).value(row),
                bytes: number(3).value(row),
                stats: serde_json::from_str(text(4).value(row)).map_err(external)?,
            });
        }
    }
    Ok(files)
}
