//! The newest state of a table: its snapshot, its ledger, and what others did after that.

use std::sync::Arc;

use futures::stream::{self, StreamExt, TryStreamExt};

use super::READ_AT_ONCE;
use super::error::StoreError;
use super::table_log::TableLog;
use crate::delta::Version;
use crate::table::{Ledger, LedgerFound, LedgerLayer, LedgerName, SinceLedger, TableState};

/// One object of a ledger, or why there is none.
pub(super) enum LayerFound {
    Known(Box<LedgerLayer>),
    Unknown(String),
}

/// The ledger that a state's log names.
pub(super) async fn ledger_of(log: &TableLog, state: &TableState) -> Result<LedgerFound, StoreError> {
    let Some(name) = state.transaction else {
        return Ok(LedgerFound::Unknown(format!(
            "version {} was written by something other than karat",
            state.version
        )));
    };
    Ok(match read_ledger(log, name).await? {
        // A folder that was copied over another brings a log and ledgers that do not belong together.
        LedgerFound::Known(ledger) if ledger.table != state.id => {
            LedgerFound::Unknown("its ledger is another table's".to_owned())
        }
        found => found,
    })
}

/// The uppermost object names those that it lies on, which are then read side by side.
async fn read_ledger(log: &TableLog, name: LedgerName) -> Result<LedgerFound, StoreError> {
    let top = match ledger_layer(log, name).await? {
        LayerFound::Known(top) => top,
        LayerFound::Unknown(reason) => return Ok(LedgerFound::Unknown(reason)),
    };
    let below = stream::iter(top.below().to_vec()).map(|name| ledger_layer(log, name)).buffered(READ_AT_ONCE);
    let below: Vec<LayerFound> = below.try_collect().await?;
    let mut layers = Vec::with_capacity(below.len() + 1);
    for found in below {
        match found {
            LayerFound::Known(layer) => layers.push(*layer),
            // A ledger with a hole says wrong things of the slices that the lost layer changed: better to know nothing.
            LayerFound::Unknown(reason) => return Ok(LedgerFound::Unknown(reason)),
        }
    }
    layers.push(*top);
    Ok(match Ledger::of_layers(layers) {
        Ok(ledger) => LedgerFound::Known(Arc::new(ledger)),
        Err(error) => LedgerFound::Unknown(damaged(&error)),
    })
}

/// One object of a ledger.
pub(super) async fn ledger_layer(log: &TableLog, name: LedgerName) -> Result<LayerFound, StoreError> {
    let Some(bytes) = log.get(&name.path()).await? else {
        return Ok(LayerFound::Unknown("its ledger is lost".to_owned()));
    };
    Ok(match LedgerLayer::read(name, &bytes) {
        Ok(layer) => LayerFound::Known(Box::new(layer)),
        Err(error) => LayerFound::Unknown(damaged(&error)),
    })
}

fn damaged(error: &std::io::Error) -> String {
    format!("its ledger is damaged: {error}")
}

/// Completes what the snapshot says by the ledger and by the commits of others after it.
pub(super) async fn complete(log: &TableLog, mut state: TableState) -> Result<TableState, StoreError> {
    let ledger = ledger_of(log, &state).await?;
    let mut since = SinceLedger::Nothing;
    if let LedgerFound::Known(ledger) = &ledger
        && ledger.version < state.version
    {
        state.data_version = ledger.version;
        for version in Version::each(ledger.version.next()..=state.version) {
            match log.commit(version).await? {
                Some(actions) => {
                    if actions.changes_data {
                        state.data_version = version;
                    }
                    since = since.and(&actions);
                }
                None => {
                    state.data_version = state.version;
                    since = SinceLedger::Unreadable;
                    break;
                }
            }
        }
    }
    Ok(TableState { ledger, since, ..state })
}
