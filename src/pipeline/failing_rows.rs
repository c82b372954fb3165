//! Where the rows that break data tests are kept, for those who test and for those who query.

use std::collections::{BTreeMap, BTreeSet};

use super::load::{Compiled, plan_checks};
use super::query::Query;
use super::test_texts::TestTexts;
use crate::artifacts::{each_test, test_aliases};
use crate::check::{StoredByDefault, TestText};
use crate::diag::{Checked, Diagnostic, Sink};
use crate::name::{SchemaName, TableName};
use crate::project::{AUDIT_SCHEMA, Project, TestKey, TestStorage};
use crate::template::{TextInputs, test_schemas};

/// The tables for failing rows that the data tests of a project have, if they store any. Tests of models that have errors
/// keep theirs.
///
/// # Errors
///
/// Returns what is wrong with tests that cannot be rendered: there is no telling which tables are theirs.
pub(super) fn tables_of_tests(compiled: &Compiled) -> Result<BTreeSet<TableName>, Vec<Diagnostic>> {
    let project = &compiled.loaded.project;
    let mut sink = Sink::default();
    let Ok(TestTexts { texts, broken }) = compiled.test_texts(&mut sink) else { return Err(sink.take()) };
    if !broken.is_empty() {
        return Err(broken.into_iter().flat_map(|test| test.faults).collect());
    }
    let mut storages = storages(project);
    // What a file says of itself, or a macro, is only known once it is rendered.
    for text in &texts {
        storages.insert(text.key(), &text.storage);
    }
    let Ok(schemas) = compiled.schemas_of_tests(&texts, &mut sink) else { return Err(sink.take()) };
    let unsaid = TestStorage::default();
    let storage = |key: &TestKey| storages.get(key).copied().unwrap_or(&unsaid);
    let table = |(key, usual): (TestKey, String)| storage(&key).table(&usual, &schemas);
    Ok(test_aliases(project).into_iter().map(table).collect())
}

/// What the project's own macro makes of the schemas that data tests name.
///
/// # Errors
///
/// Returns an error if the macro fails.
pub(super) fn schemas_of_tests(
    inputs: TextInputs<'_>,
    texts: &[TestText],
    sink: &mut Sink,
) -> Checked<BTreeMap<String, SchemaName>> {
    let mut written: BTreeSet<String> = [AUDIT_SCHEMA.to_owned()].into();
    let declared = storages(inputs.project).into_values();
    let said = declared.chain(texts.iter().map(|text| &text.storage));
    written.extend(said.map(|storage| storage.written_schema().as_str().to_owned()));
    test_schemas(inputs, &written, sink)
}

fn storages(project: &Project) -> BTreeMap<TestKey, &TestStorage> {
    let mut found = BTreeMap::new();
    each_test(project, &mut |key, test| {
        found.insert(key, &test.storage);
    });
    found
}

impl Compiled {
    /// Adds the tables of failing rows, if a query may name one of them: those that can be planned without do not.
    pub fn add_failing_rows(&mut self, sql: &str) {
        let files = &mut self.loaded.files.clone();
        if Query::new(self, sql, files, &mut Sink::default()).is_ok() {
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
