//! Where the rows that break data tests are kept, for those who test and for those who query.

use std::collections::{BTreeMap, BTreeSet};

use super::load::{Compiled, plan_checks};
use crate::artifacts::{each_test, test_aliases};
use crate::check::StoredByDefault;
use crate::diag::Sink;
use crate::name::{SchemaName, TableName};
use crate::project::{Project, TestKey, TestStorage};

/// The tables for failing rows that the data tests of a project have, if they store any.
pub(super) fn tables_of_tests(project: &Project) -> BTreeSet<TableName> {
    let storages = storages(project);
    let unsaid = TestStorage::default();
    let table = |(key, usual): (TestKey, String)| storages.get(&key).copied().unwrap_or(&unsaid).table(&usual);
    test_aliases(project).into_iter().map(table).collect()
}

fn storages(project: &Project) -> BTreeMap<TestKey, &TestStorage> {
    let mut found = BTreeMap::new();
    each_test(project, &mut |key, test| {
        found.insert(key, &test.storage);
    });
    found
}

impl Compiled {
    /// Adds the tables of failing rows, if a query may name one of them.
    pub fn add_failing_rows(&mut self, sql: &str) {
        let schemas: BTreeSet<SchemaName> =
            tables_of_tests(&self.loaded.project).into_iter().map(|table| table.schema).collect();
        let text = sql.to_lowercase();
        if !schemas.iter().any(|schema| text.contains(&schema.as_str().to_lowercase())) {
            return;
        }
        // What is wrong with tests is said by those who run them.
        let Ok(planned) = plan_checks(self, StoredByDefault(true), &mut Sink::default()) else { return };
        let checks = planned.guards.into_values().flatten().flat_map(|batch| batch.checks);
        for rows in checks.filter_map(|check| check.stored) {
            self.typed.entry(rows.name.clone()).or_insert_with(|| (*rows).clone());
        }
    }
}
