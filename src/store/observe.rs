//! The newest state of a table: its snapshot, its ledger, and what others did after that.

use std::sync::Arc;

use super::error::StoreError;
use super::table_log::TableLog;
use crate::table::{Ledger, LedgerFound, SinceLedger, TableState};

/// The ledger that a state's log names; the inner error says why it is not known.
pub(super) async fn ledger_of(log: &TableLog, state: &TableState) -> Result<Result<Ledger, String>, StoreError> {
    let Some(name) = state.transaction else {
        return Ok(Err(format!("version {} was written by something else than karat", state.version)));
    };
    let Some(bytes) = log.get(&name.path()).await? else {
        return Ok(Err("its ledger is lost".to_owned()));
    };
    Ok(match Ledger::from_object(name, &bytes) {
        Ok(ledger) if ledger.table == state.id => Ok(ledger),
        Ok(_) => Err("its ledger is another table's".to_owned()),
        Err(error) => Err(format!("its ledger is damaged: {error}")),
    })
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
