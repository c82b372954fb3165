//! The table of a model's bad records, as an input of plans.

use super::TypedModel;
use super::input::{Input, InputTable};
use crate::delta::read_schema;
use crate::name::{QUARANTINE_SUFFIX, TableName};
use crate::raw::quarantine_schema;

/// The bad records of a model's sources.
pub(crate) fn quarantine_input(model: &TypedModel) -> InputTable {
    let schema = read_schema(&quarantine_schema());
    InputTable::declared(Input::Quarantine(model.name.clone()), quarantine_table(&model.table), schema)
}

/// Where the bad records of a model's sources go: `bronze.interactions_quarantine`.
pub(crate) fn quarantine_table(model: &TableName) -> TableName {
    TableName { schema: model.schema.clone(), table: format!("{}{QUARANTINE_SUFFIX}", model.table) }
}
