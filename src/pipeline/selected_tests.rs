//! Data tests as nodes that are selected: by their own names, or with the tables that they refer to.

use std::collections::BTreeMap;

use super::load::Loaded;
use crate::artifacts::test_ids;
use crate::check::{CheckBatch, Guards, PlannedCheck};
use crate::diag::{Checked, Sink};
use crate::graph::{NodeId, NodeName};
use crate::name::{ModelName, TableName};
use crate::project::TestKey;
use crate::select::{Selection, SelectionRequest, TestNode};
use crate::template::ReferenceTarget;
use crate::unit_test::UnitTestResult;

/// What was selected, with the data tests among it.
#[derive(Debug)]
pub(crate) struct TestedSelection {
    pub selection: Selection,
    /// The selected tests, by the models that they guard.
    pub guards: Guards,
    /// How the selected unit tests ended, if they were run.
    pub units: Vec<UnitTestResult>,
}

impl Loaded {
    /// What a person selects, tests too.
    pub fn select_tests(
        &self,
        request: SelectionRequest<'_>,
        named: Option<&str>,
        all: &Guards,
        sink: &mut Sink,
    ) -> Checked<TestedSelection> {
        let nodes = self.test_nodes(all);
        let selection = self.select(request, named, Some(&nodes), sink)?;
        let mut index = 0;
        let mut guards = Guards::new();
        for (model, batches) in all {
            let mut kept = Vec::new();
            for batch in batches {
                let checks: Vec<usize> =
                    (0..batch.checks.len()).filter(|check| selection.has_test(index + check)).collect();
                index += batch.checks.len();
                kept.extend(batch.only(&checks));
            }
            guards.insert(model.clone(), kept);
        }
        Ok(TestedSelection { selection, guards, units: Vec::new() })
    }

    /// The tests in the order of what they guard, as selectors see them.
    fn test_nodes(&self, guards: &Guards) -> Vec<TestNode> {
        let ids = test_ids(&self.project);
        let mut nodes = Vec::new();
        for (model, batches) in guards {
            for batch in batches {
                let tables = self.tables_of(batch, model);
                nodes.extend(batch.checks.iter().map(|check| self.test_node(check, &ids, tables.clone())));
            }
        }
        nodes
    }

    fn test_node(&self, check: &PlannedCheck, ids: &BTreeMap<TestKey, String>, tables: Vec<NodeId>) -> TestNode {
        let key = TestKey { span: check.span, declared_on: check.declared_on.clone() };
        let path = self.files.path(check.span.file).to_owned();
        let package = check.origin.package.clone();
        let mut folders: Vec<&str> = path.split('/').collect();
        folders.pop();
        // The folders of a package, and then that of its models or tests, are no part of a name.
        let above = if package == self.project.name.value { 1 } else { 3 };
        let folders = folders.into_iter().skip(above);
        let fqn = [package.as_str()].into_iter().chain(folders).chain([check.name.as_str()]);
        TestNode {
            unique_id: ids.get(&key).cloned().unwrap_or_default(),
            name: check.name.clone(),
            kind: check.origin.kind.clone(),
            fqn: fqn.map(str::to_owned).collect(),
            package,
            path,
            tags: check.origin.tags.clone(),
            tables,
        }
    }

    /// The tables that tests refer to. Those that refer to none go with what they guard.
    fn tables_of(&self, batch: &CheckBatch, guarded: &ModelName) -> Vec<NodeId> {
        let source = |name: &TableName| NodeId::new(self.project.package(), NodeName::Source(name.clone()));
        let mut nodes = Vec::new();
        for target in &batch.tables {
            match target {
                ReferenceTarget::Model(name) => nodes.extend(self.dag.referred(name).cloned()),
                ReferenceTarget::Source(name) => nodes.push(source(name)),
                ReferenceTarget::This => {}
            }
        }
        if nodes.is_empty() {
            nodes.extend(self.dag.referred(guarded).cloned());
        }
        nodes
    }
}
