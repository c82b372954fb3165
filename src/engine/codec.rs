//! Plans as bytes, for the machines of a cluster.
//!
//! The engine's own operators and expressions have a form in Protocol Buffers, and Ballista's have one. What karat adds travels as
//! an extension: a header, which names karat's version, and then what the operator is made of. All machines of a cluster must have
//! the same version of karat: what a plan means is decided by code, and not by its bytes.
//!
//! Before anything is encoded, `travels` looks through the plan for what would arrive as something else.

use std::sync::Arc;

use ballista_core::serde::BallistaPhysicalExtensionCodec;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{DataFusionError, Result, exec_err, internal_err, not_impl_err};
use datafusion::datasource::physical_plan::{FileScanConfig, FileScanConfigBuilder, FileSource, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::execution::TaskContext;
use datafusion::logical_expr::{AggregateUDF, HigherOrderUDF, ScalarUDF, WindowUDF};
use datafusion::physical_expr::{PhysicalExpr, ScalarFunctionExpr};
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::execution_plan::{ChildrenPropertiesMode, ReplaceChildrenOptions};
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::windows::BoundedWindowAggExec;
use datafusion::physical_plan::{ExecutionPlan, Partitioning};
use datafusion_proto::physical_plan::{
    AsExecutionPlan, PhysicalExtensionCodec, PhysicalPlanDecodeContext, PhysicalProtoConverterExtension,
};
use datafusion_proto::protobuf::PhysicalPlanNode;

use super::LAKE_URL;
use super::in_slices::InSlices;
use super::lake_scan::LakeScan;
use super::running_windows::RunningWindows;
use super::source_table::SourceScan;
use super::write_node::WriteNode;
use crate::analyze::Functions;

/// What every message of karat begins with. No message of Ballista does: it would be one with the field 13 of a type that it does
/// not have.
const MARK: &[u8] = b"karat";

/// Of what is encoded how. A change of either side of this file is another format.
const FORMAT: u8 = 1;

/// The version that all machines must have in common.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What follows the header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Message {
    Write,
    LakeScan,
    RunningWindows,
    InSlices,
    Function,
}

impl Message {
    const ALL: [Message; 5] =
        [Message::Write, Message::LakeScan, Message::RunningWindows, Message::InSlices, Message::Function];

    fn number(self) -> u8 {
        match self {
            Message::Write => 0,
            Message::LakeScan => 1,
            Message::RunningWindows => 2,
            Message::InSlices => 3,
            Message::Function => 4,
        }
    }

    /// Writes the header and what follows it.
    fn write(self, content: &[u8], bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(MARK);
        bytes.push(FORMAT);
        bytes.push(u8::try_from(VERSION.len()).expect("a version is short"));
        bytes.extend_from_slice(VERSION.as_bytes());
        bytes.push(self.number());
        bytes.extend_from_slice(content);
    }

    /// Takes the header off. Returns `None` if the message is not one of karat's.
    ///
    /// # Errors
    ///
    /// Fails if another version of karat has written it.
    fn read(bytes: &[u8]) -> Result<Option<(Message, &[u8])>> {
        let Some(rest) = bytes.strip_prefix(MARK) else { return Ok(None) };
        let cut = || DataFusionError::Execution("a message of karat is cut off".to_owned());
        let (format, rest) = rest.split_first().ok_or_else(cut)?;
        let (length, rest) = rest.split_first().ok_or_else(cut)?;
        let (version, rest) = rest.split_at_checked(usize::from(*length)).ok_or_else(cut)?;
        if *format != FORMAT || version != VERSION.as_bytes() {
            let theirs = String::from_utf8_lossy(version);
            return exec_err!(
                "a plan of karat {theirs} (format {format}) came to karat {VERSION} (format {FORMAT}): all machines of a \
                 cluster must have the same version"
            );
        }
        let (number, content) = rest.split_first().ok_or_else(cut)?;
        match Message::ALL.into_iter().find(|message| message.number() == *number) {
            Some(message) => Ok(Some((message, content))),
            None => exec_err!("a message of karat is of the kind {number}, which there is not"),
        }
    }
}

/// Encodes and decodes karat's operators and functions, and leaves Ballista's to Ballista.
#[derive(Debug)]
pub(crate) struct KaratCodec {
    ballista: BallistaPhysicalExtensionCodec,
    functions: Arc<Functions>,
}

impl KaratCodec {
    pub fn new(functions: Arc<Functions>) -> KaratCodec {
        KaratCodec { ballista: BallistaPhysicalExtensionCodec::default(), functions }
    }

    /// The plan as bytes.
    ///
    /// # Errors
    ///
    /// Fails if something of it cannot travel; the error says what.
    pub fn encode(&self, plan: &Arc<dyn ExecutionPlan>) -> Result<Vec<u8>> {
        self.travels(plan)?;
        let mut bytes = Vec::new();
        PhysicalPlanNode::try_from_physical_plan(Arc::clone(plan), self)?.try_encode(&mut bytes)?;
        Ok(bytes)
    }

    /// The plan again.
    ///
    /// # Errors
    ///
    /// Fails if the bytes are no plan, or one of another version.
    pub fn decode(&self, bytes: &[u8], context: &TaskContext) -> Result<Arc<dyn ExecutionPlan>> {
        PhysicalPlanNode::try_decode(bytes)?.try_into_physical_plan(context, self)
    }

    /// Fails if a part of the plan would not arrive as what it is, although it can be encoded.
    fn travels(&self, plan: &Arc<dyn ExecutionPlan>) -> Result<()> {
        plan.apply(|node| {
            if node.is::<SourceScan>() {
                return not_impl_err!("it reads source files");
            }
            if let Some(scan) = node.downcast_ref::<DataSourceExec>()
                && let Some((config, _)) = scan.downcast_to_file_source::<ParquetSource>()
            {
                // Rows of source files have their numbers in them, as virtual columns, and those are not in the engine's messages.
                return not_impl_err!("it reads source files of {}", config.object_store_url.as_str());
            }
            if let Some(repartition) = node.downcast_ref::<RepartitionExec>()
                && let Partitioning::Hash(keys, _) = repartition.partitioning()
            {
                keys.iter().try_for_each(|key| self.goes_by_name(key))?;
            }
            Ok(TreeNodeRecursion::Continue)
        })
        .map(|_| ())
    }

    /// Ballista's shuffles encode their keys with its own codec: functions go by name, and what they hold besides is lost.
    fn goes_by_name(&self, key: &Arc<dyn PhysicalExpr>) -> Result<()> {
        key.apply(|part| {
            if let Some(call) = part.downcast_ref::<ScalarFunctionExpr>() {
                let is_named = self.scalar_bytes(call.fun())?.is_empty();
                if !is_named {
                    return not_impl_err!(
                        "it is divided by the function `{}`, which cannot be sent",
                        call.fun().name()
                    );
                }
            }
            Ok(TreeNodeRecursion::Continue)
        })
        .map(|_| ())
    }

    fn scalar_bytes(&self, function: &ScalarUDF) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        if let Some(slices) = function.inner().downcast_ref::<InSlices>() {
            Message::InSlices.write(&slices.to_bytes(), &mut bytes);
            return Ok(bytes);
        }
        let content = self.functions.scalar_bytes(function)?;
        if !content.is_empty() {
            Message::Function.write(&content, &mut bytes);
        }
        Ok(bytes)
    }

    /// A plan inside of a message.
    fn inner_bytes(
        &self,
        plan: &Arc<dyn ExecutionPlan>,
        converter: &dyn PhysicalProtoConverterExtension,
    ) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        converter.execution_plan_to_proto(plan, self)?.try_encode(&mut bytes)?;
        Ok(bytes)
    }

    fn inner_plan(
        &self,
        bytes: &[u8],
        context: &TaskContext,
        converter: &dyn PhysicalProtoConverterExtension,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let node = PhysicalPlanNode::try_decode(bytes)?;
        converter.proto_to_execution_plan(&node, &PhysicalPlanDecodeContext::new(context, self))
    }
}

/// The scan with this in the place of its file source.
fn with_source(config: &FileScanConfig, source: Arc<dyn FileSource>) -> Arc<dyn ExecutionPlan> {
    DataSourceExec::from_data_source(FileScanConfigBuilder::from(config.clone()).with_source(source).build())
}

fn only_input(inputs: &[Arc<dyn ExecutionPlan>]) -> Result<Arc<dyn ExecutionPlan>> {
    match inputs {
        [input] => Ok(Arc::clone(input)),
        _ => internal_err!("the operator has one input, not {}", inputs.len()),
    }
}

impl PhysicalExtensionCodec for KaratCodec {
    fn try_encode(
        &self,
        node: Arc<dyn ExecutionPlan>,
        bytes: &mut Vec<u8>,
        converter: &dyn PhysicalProtoConverterExtension,
    ) -> Result<()> {
        if let Some(write) = node.downcast_ref::<WriteNode>() {
            Message::Write.write(&write.to_bytes()?, bytes);
            return Ok(());
        }
        if let Some(running) = node.downcast_ref::<RunningWindows>() {
            // The input travels beside the message.
            let input: Arc<dyn ExecutionPlan> = Arc::new(EmptyExec::new(running.bounded().input().schema()));
            let bounded: Arc<dyn ExecutionPlan> = Arc::new(BoundedWindowAggExec::try_new(
                running.bounded().window_expr().to_vec(),
                input,
                running.bounded().input_order_mode.clone(),
                !running.bounded().partition_keys().is_empty(),
            )?);
            Message::RunningWindows.write(&self.inner_bytes(&bounded, converter)?, bytes);
            return Ok(());
        }
        if let Some(scan) = node.downcast_ref::<DataSourceExec>()
            && let Some((config, lake)) = scan.downcast_to_file_source::<LakeScan>()
        {
            let address = config.object_store_url.as_str().trim_end_matches('/');
            if address != LAKE_URL {
                return not_impl_err!("it reads the lake of another target, which only this machine knows");
            }
            let parquet = with_source(config, lake.parquet());
            Message::LakeScan.write(&self.inner_bytes(&parquet, converter)?, bytes);
            return Ok(());
        }
        self.ballista.try_encode(node, bytes, converter)
    }

    fn try_decode(
        &self,
        bytes: &[u8],
        inputs: &[Arc<dyn ExecutionPlan>],
        context: &TaskContext,
        converter: &dyn PhysicalProtoConverterExtension,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let Some((message, content)) = Message::read(bytes)? else {
            return self.ballista.try_decode(bytes, inputs, context, converter);
        };
        match message {
            Message::Write => Ok(Arc::new(WriteNode::of_bytes(content, only_input(inputs)?)?)),
            Message::RunningWindows => {
                let placed = self.inner_plan(content, context, converter)?;
                let bounded = placed.replace_children(
                    vec![only_input(inputs)?],
                    ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute),
                )?;
                let running = match bounded.downcast_ref::<BoundedWindowAggExec>() {
                    Some(bounded) => RunningWindows::in_place_of(bounded)?,
                    None => None,
                };
                Ok(running.map_or(bounded, |running| Arc::new(running)))
            }
            Message::LakeScan => {
                let scan = self.inner_plan(content, context, converter)?;
                let source = scan.downcast_ref::<DataSourceExec>();
                match source.and_then(|scan| scan.downcast_to_file_source::<ParquetSource>()) {
                    Some((config, parquet)) => Ok(with_source(config, Arc::new(LakeScan::new(parquet.clone())))),
                    None => internal_err!("a scan of the lake reads Parquet files"),
                }
            }
            Message::InSlices | Message::Function => internal_err!("a function is no operator"),
        }
    }

    fn try_encode_udf(&self, function: &ScalarUDF, bytes: &mut Vec<u8>) -> Result<()> {
        bytes.extend(self.scalar_bytes(function)?);
        Ok(())
    }

    fn try_decode_udf(&self, name: &str, bytes: &[u8]) -> Result<Arc<ScalarUDF>> {
        match Message::read(bytes)? {
            Some((Message::InSlices, content)) => Ok(Arc::new(ScalarUDF::from(InSlices::of_bytes(content)?))),
            Some((Message::Function, content)) => self.functions.scalar_of(name, content),
            Some((other, _)) => internal_err!("{other:?} is no function"),
            None => self.functions.scalar_of(name, bytes),
        }
    }

    fn try_encode_udaf(&self, function: &AggregateUDF, bytes: &mut Vec<u8>) -> Result<()> {
        let content = self.functions.aggregate_bytes(function)?;
        if !content.is_empty() {
            Message::Function.write(&content, bytes);
        }
        Ok(())
    }

    fn try_decode_udaf(&self, name: &str, bytes: &[u8]) -> Result<Arc<AggregateUDF>> {
        match Message::read(bytes)? {
            Some((_, content)) => self.functions.aggregate_of(name, content),
            None => self.functions.aggregate_of(name, bytes),
        }
    }

    fn try_encode_udwf(&self, function: &WindowUDF, _: &mut Vec<u8>) -> Result<()> {
        self.functions.check_window(function)
    }

    fn try_encode_higher_order_function(&self, function: &HigherOrderUDF, _: &mut Vec<u8>) -> Result<()> {
        self.functions.check_higher_order(function)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_of_another_version_is_refused_by_name() {
        let mut bytes = Vec::new();
        Message::Write.write(b"{}", &mut bytes);
        assert_eq!(Message::read(&bytes).unwrap(), Some((Message::Write, &b"{}"[..])));
        let other = [MARK, &[FORMAT, 5], b"9.8.7", &[0], b"{}"].concat();
        let error = Message::read(&other).unwrap_err().to_string();
        assert!(error.contains("a plan of karat 9.8.7 (format 1) came to karat"), "{error}");
        let later = [MARK, &[FORMAT + 1, VERSION.len() as u8], VERSION.as_bytes(), &[0]].concat();
        assert!(Message::read(&later).unwrap_err().to_string().contains("(format 2) came to"));
        assert!(Message::read(&bytes[..8]).unwrap_err().to_string().contains("cut off"));
        assert_eq!(Message::read(b"something else").unwrap(), None);
    }
}
