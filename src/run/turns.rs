//! Whose turn it is to commit to a table: one of this run's steps at a time.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use tokio::sync::Mutex as Turn;

use crate::name::TableName;

/// One turn a table. Other processes are not held up: a taken slot decides between those.
#[derive(Debug, Default)]
pub(crate) struct Turns(Mutex<BTreeMap<TableName, Arc<Turn<()>>>>);

impl Turns {
    pub fn of(&self, table: &TableName) -> Arc<Turn<()>> {
        let mut turns = self.0.lock().expect("no thread panics while it holds this lock");
        Arc::clone(turns.entry(table.clone()).or_default())
    }
}
