//! What readers are shown of a table: the state that a release has of it.

use std::sync::Arc;

use crate::name::TableName;
use crate::store::{Lake, Released, StoreError};
use crate::table::TableState;

/// What readers are shown of a table.
pub(super) enum ForReaders {
    /// None if the table does not exist.
    Released(Option<Arc<TableState>>),
    /// Only a run that did not come to its end has built it.
    Unreleased,
}

pub(super) async fn state_for_readers(
    lake: &Lake,
    name: &TableName,
    released: Option<&Released>,
) -> Result<ForReaders, StoreError> {
    let state = match released {
        Some(released) => as_released(lake, name, released).await?,
        None => None,
    };
    match state {
        Some(state) => Ok(ForReaders::Released(Some(state))),
        None => match lake.observe(name).await? {
            Some(_) => Ok(ForReaders::Unreleased),
            None => Ok(ForReaders::Released(None)),
        },
    }
}

/// A table as a release has it. Returns `None` if it was removed since, and perhaps made anew.
async fn as_released(
    lake: &Lake,
    name: &TableName,
    released: &Released,
) -> Result<Option<Arc<TableState>>, StoreError> {
    match lake.at_version(name, released.version).await {
        Ok(state) => Ok(state.filter(|state| state.id == released.id)),
        // Another table under the same name does not have as many versions yet.
        Err(error @ StoreError::Corrupt { .. }) => match lake.observe(name).await? {
            Some(now) if now.id != released.id => Ok(None),
            _ => Err(error),
        },
        Err(error) => Err(error),
    }
}
