//! Data tests as nodes of a manifest: lines of YAML, and files.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::call_scan::KnownMacros;
use super::config_view::{ConfigView, ConfigsOf, Written};
use super::contract::no_contract;
use super::manifest::ManifestInputs;
use super::models::{Checksum, ColumnViews, DependsOn, NodeCode, NodeDetails, NodeView, RefView};
use super::node_id::{NodeIds, base_name};
use super::paths;
use super::test_id::{TestFact, TestIdentity, TestedTable, called};
use crate::name::{ModelName, TableName};
use crate::project::{DATABASE, DeclaredTest, Model, ModelVersion, Project, SingularTest, TestKey, TestedNode};
use crate::span::Span;
use crate::template::{ReferenceTarget, Rendered};

/// A line of YAML that declares a test.
pub(super) struct ManifestTest<'a> {
    pub test: &'a DeclaredTest,
    pub tested: TestedTable,
    pub column: Option<&'a str>,
    subject: TestSubject<'a>,
}

/// What a test is declared on.
#[derive(Clone)]
enum TestSubject<'a> {
    Model(&'a Model),
    Source(TableName),
}

/// What only a test of a line of YAML has.
#[derive(Debug, Serialize)]
pub(super) struct GenericTestDetails {
    column_name: Option<String>,
    file_key_name: String,
    attached_node: Option<String>,
    test_metadata: TestMetadata,
}

#[derive(Debug, Serialize)]
struct TestMetadata {
    name: String,
    kwargs: Map<String, Value>,
    namespace: Option<String>,
}

impl<'a> ManifestTest<'a> {
    pub fn key(&self) -> TestKey {
        TestKey { span: self.test.span, declared_on: self.model().map(|model| model.name.clone()) }
    }

    fn subject(&self) -> ReferenceTarget {
        match &self.subject {
            TestSubject::Model(model) => ReferenceTarget::Model(model.name.clone()),
            TestSubject::Source(name) => ReferenceTarget::Source(name.clone()),
        }
    }

    /// Whether it tests something that is not switched off.
    pub fn is_of_graph(&self, rendered: &Rendered) -> bool {
        self.model().is_none_or(|model| rendered.outline(&model.name).is_some())
    }

    fn model(&self) -> Option<&'a Model> {
        match self.subject {
            TestSubject::Model(model) => Some(model),
            TestSubject::Source(_) => None,
        }
    }
}

/// Shows every test that YAML declares, in the order of what they are declared on.
pub(super) fn each_declared<'a>(project: &'a Project, see: &mut dyn FnMut(&ManifestTest<'a>)) {
    let mut see_all = |subject: &TestSubject<'a>, tests: &'a [DeclaredTest], column: Option<&'a str>| {
        for test in tests {
            see(&ManifestTest { test, tested: subject.table(project), column, subject: subject.clone() });
        }
    };
    for model in project.models.values() {
        let subject = TestSubject::Model(model);
        see_all(&subject, &model.tests, None);
        for column in &model.columns {
            see_all(&subject, &column.tests, Some(&column.name.value));
        }
    }
    for (name, source) in &project.sources {
        let subject = TestSubject::Source(name.clone());
        see_all(&subject, &source.tests, None);
        for column in &source.columns {
            see_all(&subject, &column.tests, Some(&column.name.value));
        }
    }
}

impl TestSubject<'_> {
    fn table(&self, project: &Project) -> TestedTable {
        match self {
            TestSubject::Model(model) => TestedTable::of_model(model),
            TestSubject::Source(name) => {
                let package = project.package_of_source(name);
                TestedTable::of_source(package, name.schema.as_str(), &name.table)
            }
        }
    }
}

/// Shows every test that YAML switches off and whose table is there.
pub(super) fn each_disabled<'a>(project: &'a Project, see: &mut dyn FnMut(&ManifestTest<'a>)) {
    for disabled in &project.disabled.tests {
        let subject = match &disabled.declared_on {
            TestedNode::Model(name) => project.models.get(name).map(TestSubject::Model),
            TestedNode::Source(name) => Some(TestSubject::Source(name.clone())),
        };
        let Some(subject) = subject else { continue };
        let column = disabled.column.as_deref();
        see(&ManifestTest { test: &disabled.test, tested: subject.table(project), column, subject });
    }
}

/// A test of a line of YAML.
pub(super) fn generic<'a>(
    inputs: &ManifestInputs<'a>,
    declared: &ManifestTest<'a>,
    macros: &KnownMacros<'_>,
) -> NodeView<'a> {
    let identity = TestIdentity::new(declared.test, &declared.tested, declared.column);
    let package = declared.package(inputs.project);
    let original = paths::in_package(inputs.project, package, inputs.files.path(declared.test.span.file));
    let written = Written::Mapping(&declared.test.config);
    let mut code = declared.code(inputs);
    code.depends_on.macros.extend(macros.of_test(&identity.kind, identity.namespace.as_deref(), package));
    // dbt writes the table that is tested as a call of this macro, which the project may have too.
    code.depends_on.macros.extend(macros.called_in("{{ get_where_subquery() }}", package));
    let shortened = (identity.short_name != identity.name).then(|| Value::from(identity.short_name.as_str()));
    let alias = written.get("alias").and_then(Value::as_str).unwrap_or(&identity.short_name).to_owned();
    NodeView {
        name: identity.name.clone(),
        path: format!("{}.sql", identity.short_name),
        unique_id: identity.unique_id.clone(),
        fqn: paths::fqn_in_file(package, original, &[&identity.name]),
        alias,
        config: ConfigView {
            of: ConfigsOf::Tests,
            written,
            fixed: shortened.into_iter().map(|alias| ("alias", alias)).collect(),
        },
        tags: written.tags(),
        description: &declared.test.description,
        meta: written.meta(),
        unrendered_config: written.all(),
        group: declared.model().and_then(|model| model.written.get("group")).and_then(Value::as_str),
        raw_code: Cow::Owned(raw_code(&identity)),
        code: Some(code),
        more: NodeDetails::GenericTest(Box::new(declared.details(inputs.project, identity))),
        ..bare(inputs, package, original)
    }
}

/// A test that is a file.
pub(super) fn singular<'a>(
    inputs: &ManifestInputs<'a>,
    test: &'a SingularTest,
    macros: &KnownMacros<'_>,
) -> NodeView<'a> {
    let original = paths::in_package(inputs.project, &test.package, &test.path);
    let text = inputs.files.text(test.file);
    let fact = inputs.tests.get(&TestKey { span: Span::new(test.file, 0..0), declared_on: None });
    let mut code = code(fact);
    code.add_targets(inputs.project, fact);
    code.depends_on.macros = macros.called_in(text, &test.package);
    NodeView {
        name: test.name.clone(),
        path: paths::below_folder(original).to_owned(),
        unique_id: format!("test.{}.{}", test.package, test.name),
        fqn: paths::fqn_in_file(&test.package, original, &[&test.name]),
        alias: test.name.clone(),
        description: &test.description,
        checksum: Checksum::of_text(text),
        raw_code: Cow::Borrowed(text.trim()),
        code: Some(code),
        ..bare(inputs, &test.package, original)
    }
}

/// A test of which nothing is known yet but its file.
pub(super) fn bare<'a>(inputs: &ManifestInputs<'a>, package: &'a str, original: &str) -> NodeView<'a> {
    NodeView {
        database: DATABASE,
        schema: "dbt_test__audit".to_owned(),
        name: String::new(),
        resource_type: "test",
        package_name: package,
        path: String::new(),
        original_file_path: original.to_owned(),
        unique_id: String::new(),
        fqn: Vec::new(),
        alias: String::new(),
        checksum: Checksum::none(),
        config: ConfigView { of: ConfigsOf::Tests, written: Written::Nothing, fixed: Vec::new() },
        tags: Vec::new(),
        description: "",
        columns: ColumnViews::default(),
        meta: Map::new(),
        group: None,
        docs: json!({"show": true, "node_color": null}),
        patch_path: None,
        build_path: None,
        unrendered_config: Map::new(),
        created_at: inputs.created_at(),
        relation_name: None,
        raw_code: Cow::Borrowed(""),
        doc_blocks: [],
        code: None,
        more: NodeDetails::None {},
    }
}

/// The call of a test's macro, as dbt writes it for a line of YAML.
fn raw_code(identity: &TestIdentity) -> String {
    let macro_name = match &identity.namespace {
        Some(namespace) => format!("{namespace}.test_{}", identity.kind),
        None => format!("test_{}", identity.kind),
    };
    let mut text = format!("{{{{ {macro_name}(**_dbt_generic_test_kwargs) }}}}");
    if identity.short_name != identity.name {
        text.push_str(&format!("{{{{ config(alias=\"{}\") }}}}", identity.short_name));
    }
    text
}

impl<'a> ManifestTest<'a> {
    /// The package whose file declares it.
    fn package(&self, project: &'a Project) -> &'a str {
        match &self.subject {
            TestSubject::Model(model) => &model.package,
            TestSubject::Source(name) => project.package_of_source(name),
        }
    }

    /// What is known of its query. As in dbt, what its arguments name comes before what it is declared on.
    fn code(&self, inputs: &ManifestInputs<'a>) -> NodeCode<'a> {
        let fact = inputs.tests.get(&self.key());
        let mut code = code(fact);
        for argument in self.test.arguments.values().filter_map(Value::as_str) {
            if let Some(target) = called(NodeIds::new(inputs.project), argument) {
                code.add_target(inputs.project, &target);
            }
        }
        code.add_target(inputs.project, &self.subject());
        code.add_targets(inputs.project, fact);
        code
    }

    fn details(&self, project: &Project, identity: TestIdentity) -> GenericTestDetails {
        GenericTestDetails {
            column_name: self.column.map(str::to_owned),
            file_key_name: match &self.subject {
                TestSubject::Model(model) => format!("{}s.{}", model.kind(), base_name(model)),
                TestSubject::Source(name) => format!("sources.{}", name.schema),
            },
            attached_node: self.model().map(|model| NodeIds::new(project).of_model(model)),
            test_metadata: TestMetadata {
                name: identity.kind,
                kwargs: identity.arguments,
                namespace: identity.namespace,
            },
        }
    }
}

/// What is known of a test's query.
pub(super) fn code(fact: Option<&TestFact>) -> NodeCode<'_> {
    let sql = fact.and_then(|fact| fact.sql.as_deref());
    NodeCode {
        language: "sql",
        refs: Vec::new(),
        sources: Vec::new(),
        metrics: [],
        functions: [],
        depends_on: DependsOn::default(),
        compiled_path: None,
        compiled: sql.is_some(),
        compiled_code: sql.map(Cow::Borrowed),
        extra_ctes_injected: sql.is_some(),
        extra_ctes: [],
        contract: no_contract(),
    }
}

impl NodeCode<'_> {
    fn add_targets(&mut self, project: &Project, fact: Option<&TestFact>) {
        for target in fact.into_iter().flat_map(|fact| &fact.targets) {
            self.add_target(project, target);
        }
    }

    pub(super) fn add_target(&mut self, project: &Project, target: &ReferenceTarget) {
        if let Some(id) = NodeIds::new(project).of_target(target) {
            self.depends_on.add(id);
        }
        match target {
            ReferenceTarget::Model(name) => self.add_ref(project, name),
            ReferenceTarget::Source(name) => {
                let source = [name.schema.to_string(), name.table.clone()];
                if !self.sources.contains(&source) {
                    self.sources.push(source);
                }
            }
            ReferenceTarget::This => {}
        }
    }

    fn add_ref(&mut self, project: &Project, name: &ModelName) {
        let Some(model) = project.models.get(name) else { return };
        let version = model.version.as_ref().map(ModelVersion::number);
        let found = RefView { name: base_name(model).to_owned(), package: None, version };
        if !self.refs.contains(&found) {
            self.refs.push(found);
        }
    }
}
