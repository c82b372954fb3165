//! The table of a model's bad records, as an input of plans.

use super::TypedModel;
use super::input::{Input, InputTable};
use crate::delta::read_schema;
use crate::name::{QUARANTINE_SUFFIX, TableName};
use crate::raw::quarantine_schema;
use crate::template::{OnChange, ReferenceName};

/// The bad records of a model's sources.
pub(crate) fn quarantine_input(model: &TypedModel) -> InputTable {
    InputTable {
        input: Input::Quarantine(model.name.clone()),
        name: ReferenceName::first(quarantine_table(&model.table)),
        schema: read_schema(&quarantine_schema()),
        event_time: None,
        partition_by: Vec::new(),
        windows: Vec::new(),
        on_change: OnChange::Ignore,
        keeps_partitions: false,
        inlined: None,
    }
}

/// Where the bad records of a model's sources go: `bronze.interactions_quarantine`.
pub(crate) fn quarantine_table(model: &TableName) -> TableName {
    TableName { schema: model.schema.clone(), table: format!("{}{QUARANTINE_SUFFIX}", model.table) }
}
