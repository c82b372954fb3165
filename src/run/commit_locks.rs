//! One step of this run at a time commits to a table.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use tokio::sync::OwnedMutexGuard;

use crate::name::TableName;

type Lock = Arc<tokio::sync::Mutex<()>>;

/// A lock for each table: batches of one run would only take each other's slots. Other processes are not held up; between
/// those a taken slot decides.
#[derive(Debug, Default)]
pub(crate) struct CommitLocks(Mutex<BTreeMap<TableName, Lock>>);

impl CommitLocks {
    /// Waits until no other step of this run commits to the table.
    pub async fn lock(&self, table: &TableName) -> OwnedMutexGuard<()> {
        let lock = {
            let mut locks = self.0.lock().expect("no thread panics while it holds this lock");
            Arc::clone(locks.entry(table.clone()).or_default())
        };
        lock.lock_owned().await
    }
}
