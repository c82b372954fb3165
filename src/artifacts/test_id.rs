//! dbt's names and ids of data tests: the arguments of a test are part of its name, and a digest of all of them part of its id.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::digest::md5;
use super::node_id::{NodeIds, base_name, version};
use super::python_text::{repr, str_of};
use crate::name::{SchemaName, TableName, UnitTestName};
use crate::project::{DeclaredTest, Model, Project, TestKey, UnitTest};
use crate::span::Span;
use crate::template::ReferenceTarget;

/// What is known of tests once they are rendered or planned.
pub(crate) type TestFacts = BTreeMap<TestKey, TestFact>;

/// What is known of a test once it is rendered or planned.
#[derive(Debug, Clone, Default)]
pub(crate) struct TestFact {
    pub targets: Vec<ReferenceTarget>,
    /// The SELECT for the offending rows.
    pub sql: Option<String>,
}

/// What a line of YAML tests.
#[derive(Debug, Clone)]
pub(super) struct TestedTable {
    pub package: String,
    /// `orders`, or `raw_orders` for the table `orders` of the source `raw`.
    name: String,
    /// `ref('orders')`
    pub call: String,
    pub is_source: bool,
}

/// A test of a line of YAML, by dbt's names.
#[derive(Debug, Clone)]
pub(super) struct TestIdentity {
    pub unique_id: String,
    /// With all arguments.
    pub name: String,
    /// The same with a digest in the place of arguments if it would be too long for a file.
    pub short_name: String,
    /// The package of its macro, if the line names it.
    pub namespace: Option<String>,
    /// The name of its macro without `test_`.
    pub kind: String,
    /// What its macro is given.
    pub arguments: Map<String, Value>,
}

impl TestedTable {
    pub fn of_model(model: &Model) -> Self {
        let base = base_name(model);
        let (name, call) = match version(model) {
            Some(version) => (format!("{base}_v{version}"), format!("ref('{base}', version='{version}')")),
            None => (base.to_owned(), format!("ref('{base}')")),
        };
        Self { package: model.package.clone(), name, call, is_source: false }
    }

    pub fn of_source(package: &str, source: &str, table: &str) -> Self {
        let call = format!("source('{source}', '{table}')");
        Self { package: package.to_owned(), name: format!("{source}_{table}"), call, is_source: true }
    }
}

impl TestIdentity {
    pub fn new(test: &DeclaredTest, tested: &TestedTable, column: Option<&str>) -> Self {
        let (namespace, kind) = match test.kind.value.split_once('.') {
            Some((namespace, kind)) => (Some(namespace.to_owned()), kind.to_owned()),
            None => (None, test.kind.value.clone()),
        };
        let mut arguments = test.arguments.clone();
        if let Some(column) = column {
            // As in dbt, the column comes before what stands below `arguments:`, and gives way to it.
            arguments.entry("column_name").or_insert_with(|| Value::from(column));
        }
        let (short_name, name) = match &test.name {
            Some(given) => (given.value.clone(), given.value.clone()),
            None => synthesized(&prefixed(namespace.as_deref(), &kind, tested.is_source), &tested.name, &arguments),
        };
        // The macro's first argument is part of the digest and of no name.
        arguments.insert("model".to_owned(), Value::from(format!("{{{{ get_where_subquery({}) }}}}", tested.call)));
        let mut metadata = Map::new();
        metadata.insert("namespace".to_owned(), namespace.clone().map_or(Value::Null, Value::from));
        metadata.insert("name".to_owned(), Value::from(kind.as_str()));
        metadata.insert("kwargs".to_owned(), Value::Object(arguments.clone()));
        // Of the digest dbt keeps the last ten digits.
        let digest = md5(&format!("{name}{}", repr(&hashable(&Value::Object(metadata)))));
        let unique_id = format!("test.{}.{name}.{}", tested.package, digest.get(22..).unwrap_or_default());
        Self { unique_id, name, short_name, namespace, kind, arguments }
    }
}

fn prefixed(namespace: Option<&str>, kind: &str, is_source: bool) -> String {
    let kind = if is_source { format!("source_{kind}") } else { kind.to_owned() };
    namespace.map_or(kind.clone(), |namespace| format!("{namespace}_{kind}"))
}

/// A short name, and one with all arguments in the order of their names.
fn synthesized(kind: &str, tested: &str, arguments: &Map<String, Value>) -> (String, String) {
    /// So long the name of a table may be in every database.
    const LONGEST: usize = 63;
    /// So much of what identifies a test stays in a short name.
    const KEPT: usize = 30;
    // YAML gives arguments in the order of the author, and dbt sorts them before it makes a name.
    let mut sorted: Vec<(&String, &Value)> = arguments.iter().collect();
    sorted.sort_by_key(|(name, _)| name.as_str());
    let mut parts = Vec::new();
    for (_, value) in sorted {
        match value {
            Value::Object(entries) => parts.extend(entries.values().map(str_of)),
            Value::Array(items) => parts.extend(items.iter().map(str_of)),
            other => parts.push(str_of(other)),
        }
    }
    let parts: Vec<String> = parts.iter().map(|part| plain(part)).collect();
    let identifier = format!("{kind}_{tested}");
    let full = format!("{identifier}_{}", parts.join("__"));
    if full.chars().count() <= LONGEST {
        return (full.clone(), full);
    }
    let kept: String = identifier.chars().take(KEPT).collect();
    (format!("{kept}_{}", md5(&full)), full)
}

/// The text with one `_` for each run of what is neither a letter, a digit nor `_`.
fn plain(text: &str) -> String {
    let mut written = String::with_capacity(text.len());
    let mut is_replacing = false;
    for letter in text.chars() {
        let is_plain = letter.is_ascii_alphanumeric() || letter == '_';
        if is_plain {
            written.push(letter);
        } else if !is_replacing {
            written.push('_');
        }
        is_replacing = !is_plain;
    }
    written
}

/// The value with sorted keys and with everything in it as a text.
fn hashable(value: &Value) -> Value {
    match value {
        Value::Object(entries) => {
            let sorted: BTreeMap<&String, &Value> = entries.iter().collect();
            Value::Object(sorted.into_iter().map(|(key, value)| (key.clone(), hashable(value))).collect())
        }
        Value::Array(items) => items.iter().map(hashable).collect(),
        other => Value::from(str_of(other)),
    }
}

/// The id of a unit test.
pub(crate) fn unit_test_id(project: &Project, test: &UnitTest) -> String {
    let UnitTestName { model, test: name } = &test.id;
    let tested = project.models.get(model).map_or(model.as_str(), base_name);
    match project.models.get(model).and_then(version) {
        None => format!("unit_test.{}.{tested}.{name}", test.package),
        // As in dbt, a test of a model with versions is one test for each of them.
        Some(version) => format!("unit_test.{}.{tested}.{name}_v{version}", test.package),
    }
}

/// The ids of all data tests, by where and on what they are declared.
pub(crate) fn test_ids(project: &Project) -> BTreeMap<TestKey, String> {
    let mut ids = BTreeMap::new();
    super::data_tests::each_declared(project, &mut |declared| {
        let identity = TestIdentity::new(declared.test, &declared.tested, declared.column);
        ids.insert(declared.key(), identity.unique_id);
    });
    for test in &project.singular_tests {
        let key = TestKey { span: Span::new(test.file, 0..0), declared_on: None };
        ids.insert(key, format!("test.{}.{}", test.package, test.name));
    }
    ids
}

/// The tables that dbt keeps the failing rows of tests in, without their schema, as far as no config names them.
pub(crate) fn test_aliases(project: &Project) -> BTreeMap<TestKey, String> {
    let mut aliases = BTreeMap::new();
    super::data_tests::each_declared(project, &mut |declared| {
        let identity = TestIdentity::new(declared.test, &declared.tested, declared.column);
        aliases.insert(declared.key(), table_name(&identity.short_name));
    });
    for test in &project.singular_tests {
        let key = TestKey { span: Span::new(test.file, 0..0), declared_on: None };
        aliases.insert(key, table_name(&test.name));
    }
    aliases
}

/// A name that a table can have: an author may call a test anything.
fn table_name(name: &str) -> String {
    let plain = plain(name);
    let begins_well = plain.starts_with(|first: char| first.is_ascii_alphabetic());
    let name = if begins_well { plain } else { format!("test_{plain}") };
    name.chars().take(LONGEST_TABLE).collect()
}

/// So many letters a table's name has at most.
const LONGEST_TABLE: usize = 100;

/// Shows every test that a line of YAML declares.
pub(crate) fn each_test<'a>(project: &'a Project, see: &mut dyn FnMut(TestKey, &'a DeclaredTest)) {
    super::data_tests::each_declared(project, &mut |declared| see(declared.key(), declared.test));
}

/// What an argument like `to: ref('orders')` names.
pub(super) fn called(ids: NodeIds<'_>, text: &str) -> Option<ReferenceTarget> {
    let text = text.trim().trim_start_matches("{{").trim_end_matches("}}").trim();
    let (function, rest) = text.split_once('(')?;
    let arguments = rest.trim_end().strip_suffix(')')?;
    let plain = |word: &str| word.trim().trim_matches(['\'', '"']).to_owned();
    let words: Vec<String> = arguments.split(',').map(plain).filter(|word| !word.is_empty()).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let model = match (function.trim(), words.as_slice()) {
        ("ref", [name]) => ids.referred(name, None),
        // The second word is a version, or it is the name and the first one the package.
        ("ref", [name, second]) => match second.split_once('=') {
            Some((_, version)) => ids.referred(name, Some(&plain(version))),
            None => ids.referred(second, None),
        },
        ("source", [source, table]) => {
            let schema = SchemaName::parse(source).ok()?;
            return Some(ReferenceTarget::Source(TableName { schema, table: (*table).to_owned() }));
        }
        _ => None,
    };
    model.map(|model| ReferenceTarget::Model(model.name.clone()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_hold_the_arguments_and_long_ones_a_digest() {
        let arguments = |value: Value| value.as_object().unwrap().clone();
        let short = synthesized("not_null", "orders", &arguments(json!({"column_name": "id"})));
        assert_eq!(short, ("not_null_orders_id".to_owned(), "not_null_orders_id".to_owned()));
        let values = json!({"values": ["placed", "shipped", "completed", "return_pending", "returned"], "column_name": "status"});
        let (short, full) = synthesized("accepted_values", "orders", &arguments(values));
        assert_eq!(full, "accepted_values_orders_status__placed__shipped__completed__return_pending__returned");
        assert_eq!(short, "accepted_values_orders_1ce6ab157c285f7cd2ac656013faf758", "as dbt shortens it");
    }
}
