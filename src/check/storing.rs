//! Which data tests keep the rows that break them, and where.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::logical_expr::LogicalPlan;

use crate::analyze::TypedModel;
use crate::name::SchemaName;
use crate::project::{TestKey, TestStorage};

/// Whether a test keeps them if its config says nothing of it: `--store-failures`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct StoredByDefault(pub bool);

/// What decides it for all tests.
#[derive(Debug)]
pub(crate) struct StoringTests {
    pub by_default: StoredByDefault,
    /// dbt's names of the tables, where no config names them.
    pub aliases: BTreeMap<TestKey, String>,
    /// What a macro of the project makes of the schemas that tests name.
    pub schemas: BTreeMap<String, SchemaName>,
}

impl StoringTests {
    /// The table for these rows. Returns `None` if they are not kept.
    pub fn rows(&self, key: &TestKey, storage: &TestStorage, rows: &LogicalPlan) -> Option<Arc<TypedModel>> {
        if !storage.stores.unwrap_or(self.by_default.0) {
            return None;
        }
        let usual = self.aliases.get(key).or(storage.alias.as_ref())?;
        let rows = TypedModel::of_failing_rows(storage.table(usual, &self.schemas), rows.clone(), key.span.file);
        Some(Arc::new(rows))
    }
}
