//! The newest state of a table: its snapshot, its ledger, and what others did after that.

use std::sync::Arc;

use futures::stream::{self, StreamExt, TryStreamExt};

use super::READ_AT_ONCE;
use super::error::StoreError;
use super::table_log::TableLog;
use crate::table::{Ledger, LedgerFound, LedgerLayer, LedgerName, SinceLedger, TableState};

/// The ledger that a state's log names; the inner error says why it is not known.
pub(super) async fn ledger_of(log: &TableLog, state: &TableState) -> Result<Result<Ledger, String>, StoreError> {
    let Some(name) = state.transaction else {
        return Ok(Err(format!("version {} was written by something other than karat", state.version)));
    };
    let read = read_ledger(log, name).await?;
    Ok(read.and_then(|ledger| match ledger.table == state.id {
        true => Ok(ledger),
        false => Err("its ledger is another table's".to_owned()),
    }))
}

/// The uppermost object names those that it lies on, which are then read side by side.
async fn read_ledger(log: &TableLog, name: LedgerName) -> Result<Result<Ledger, String>, StoreError> {
    let top = match ledger_layer(log, name).await? {
        Ok(top) => top,
        Err(reason) => return Ok(Err(reason)),
    };
    let below = stream::iter(top.below().to_vec()).map(|name| ledger_layer(log, name)).buffered(READ_AT_ONCE);
    let below: Vec<Result<LedgerLayer, String>> = below.try_collect().await?;
    let layers: Result<Vec<LedgerLayer>, String> = below.into_iter().chain([Ok(top)]).collect();
    Ok(layers.and_then(|layers| Ledger::of_layers(layers).map_err(|error| damaged(&error))))
}

/// One object of a ledger; the inner error says why it is none.
pub(super) async fn ledger_layer(log: &TableLog, name: LedgerName) -> Result<Result<LedgerLayer, String>, StoreError> {
    let Some(bytes) = log.get(&name.path()).await? else {
        return Ok(Err("its ledger is lost".to_owned()));
    };
    Ok(LedgerLayer::read(name, &bytes).map_err(|error| damaged(&error)))
}

fn damaged(error: &std::io::Error) -> String {
    format!("its ledger is damaged: {error}")
}

/// The state with what is known of its ledger.
pub(super) fn with_ledger(state: TableState, ledger: Result<Ledger, String>, since: SinceLedger) -> TableState {
    let ledger = match ledger {
        Ok(ledger) => LedgerFound::Known(Arc::new(ledger)),
        Err(reason) => LedgerFound::Unknown(reason),
    };
    TableState { ledger, since, ..state }
}

/// Completes what the snapshot says by the ledger and by the commits of others after it.
pub(super) async fn complete(log: &TableLog, mut state: TableState) -> Result<TableState, StoreError> {
    let ledger = ledger_of(log, &state).await?;
    let mut since = SinceLedger::Nothing;
    if let Ok(ledger) = &ledger
        && ledger.version < state.version
    {
        state.data_version = ledger.version;
        for version in ledger.version + 1..=state.version {
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
    Ok(with_ledger(state, ledger, since))
}
