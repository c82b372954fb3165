//! What YAML switches off: nothing reads it and nothing builds it, and artifacts list it.

use std::collections::BTreeMap;

use super::model::{DeclaredTest, Model};
use super::resource::Resource;
use super::source::Source;
use super::source_properties::SourceProperties;
use super::sources::DeclaredSources;
use super::unit_test::UnitTest;
use crate::name::{ModelName, TableName, UnitTestName};

/// All that is switched off.
#[derive(Debug, Clone, Default)]
pub struct Disabled {
    /// Models, seeds and snapshots. Those that switch themselves off by `config()` are among the others, and are not rendered.
    pub models: BTreeMap<ModelName, Model>,
    pub sources: BTreeMap<TableName, SourceProperties>,
    pub tests: Vec<DisabledTest>,
    pub unit_tests: BTreeMap<UnitTestName, UnitTest>,
    /// Exposures, metrics and their like.
    pub resources: Vec<Resource>,
}

/// A data test that is switched off.
#[derive(Debug, Clone)]
pub struct DisabledTest {
    pub test: DeclaredTest,
    pub declared_on: TestedNode,
    /// The column below which it stands.
    pub column: Option<String>,
}

/// What a data test is declared on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TestedNode {
    Model(ModelName),
    Source(TableName),
}

impl Disabled {
    /// Takes out what is switched off.
    pub(super) fn take(models: &mut BTreeMap<ModelName, Model>, sources: &mut DeclaredSources) -> Self {
        let off = models.extract_if(.., |_, model| model.is_disabled()).collect();
        let mut disabled = Self { models: off, sources: std::mem::take(&mut sources.disabled), ..Self::default() };
        let is_off = |name: &TableName, _: &mut Source| {
            disabled.sources.contains_key(name) && !sources.properties.contains_key(name)
        };
        sources.located.retain(|name, source| !is_off(name, source));
        for (name, model) in models {
            let declared_on = TestedNode::Model(name.clone());
            disabled.take_tests(&mut model.tests, &declared_on, None);
            for column in &mut model.columns {
                disabled.take_tests(&mut column.tests, &declared_on, Some(&column.name.value));
            }
        }
        for (name, source) in &mut sources.located {
            let declared_on = TestedNode::Source(name.clone());
            disabled.take_tests(&mut source.tests, &declared_on, None);
            for column in &mut source.columns {
                disabled.take_tests(&mut column.tests, &declared_on, Some(&column.name.value));
            }
        }
        disabled
    }

    /// With what was switched off where it was read.
    pub(super) fn with(self, unit_tests: BTreeMap<UnitTestName, UnitTest>, resources: Vec<Resource>) -> Self {
        Self { unit_tests, resources, ..self }
    }

    fn take_tests(&mut self, tests: &mut Vec<DeclaredTest>, declared_on: &TestedNode, column: Option<&str>) {
        self.tests.extend(tests.extract_if(.., |test| !test.is_enabled).map(|test| DisabledTest {
            test,
            declared_on: declared_on.clone(),
            column: column.map(str::to_owned),
        }));
    }
}
