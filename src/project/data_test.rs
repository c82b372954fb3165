//! Data tests as properties files declare them: `not_null`, or `accepted_values: { values: [...] }`.

use std::collections::BTreeMap;

use super::model::{ArgumentSpans, DeclaredTest};
use super::node::{Node, YamlEntry, YamlFields, YamlKind};
use super::schema::TEST_CONFIG;
use super::test_rule::{TestRule, TestSeverity, Threshold};
use super::test_storage::TestStorage;
use crate::diag::{Checked, Code, Diagnostic, Sink};
use crate::span::Spanned;

/// Whether a key may stand beside the arguments, and belongs to the config.
fn is_config(key: &str) -> bool {
    TEST_CONFIG.knows(key) || matches!(key, "database" | "meta")
}

/// The tests below `data_tests:` or its older name `tests:`; one that is switched off is left out.
pub(super) fn read(fields: &YamlFields<'_>, sink: &mut Sink) -> Vec<DeclaredTest> {
    let nodes = fields.list("data_tests", sink).iter().chain(fields.list("tests", sink));
    let mut declared = Vec::new();
    for node in nodes {
        if let Ok(test) = test(node, sink) {
            declared.push(test);
        }
    }
    declared
}

fn test(node: &Node, sink: &mut Sink) -> Checked<DeclaredTest> {
    let (kind, body) = match &node.kind {
        YamlKind::Scalar(_) => return without_arguments(node, sink),
        YamlKind::Mapping(entries) => match entries.as_slice() {
            [(kind, body)] => (kind.clone(), body),
            // Several keys: none of them alone says which test it is.
            _ => (named_kind(node, entries, sink)?, node),
        },
        YamlKind::Sequence(_) => return Err(sink.error(malformed(node))),
    };
    let test = DeclaredTest {
        kind,
        name: None,
        arguments: serde_json::Map::new(),
        places: BTreeMap::new(),
        config: serde_json::Map::new(),
        description: String::new(),
        rule: TestRule::default(),
        storage: TestStorage::default(),
        tags: Vec::new(),
        is_enabled: true,
        calculation: None,
        text: None,
        filter: None,
        span: node.span,
    };
    if body.is_null() {
        return Ok(test);
    }
    let fields = YamlFields::of(body, &format!("the arguments of `{}`", test.kind.value), sink)?;
    Ok(with_body(test, &fields, sink))
}

fn without_arguments(node: &Node, sink: &mut Sink) -> Checked<DeclaredTest> {
    Ok(DeclaredTest {
        kind: node.expect_text("a data test", sink)?,
        name: None,
        arguments: serde_json::Map::new(),
        places: BTreeMap::new(),
        config: serde_json::Map::new(),
        description: String::new(),
        rule: TestRule::default(),
        storage: TestStorage::default(),
        tags: Vec::new(),
        is_enabled: true,
        calculation: None,
        text: None,
        filter: None,
        span: node.span,
    })
}

/// dbt's other way to write a test: `test_name: unique` beside `name`, `config` and the arguments.
fn named_kind(node: &Node, entries: &[YamlEntry], sink: &mut Sink) -> Checked<Spanned<String>> {
    match entries.iter().find(|(key, _)| key.value == "test_name") {
        Some((_, kind)) => kind.expect_text("`test_name`", sink),
        None => Err(sink.error(malformed(node))),
    }
}

fn malformed(node: &Node) -> Diagnostic {
    Diagnostic::error(Code::InvalidYaml, "a data test is a name, or a mapping with one key")
        .at(node.place())
        .help("indent its arguments below its name: `- accepted_values: { values: [a, b] }`")
}

fn add_argument(test: &mut DeclaredTest, name: &Spanned<String>, value: &Node) {
    test.arguments.insert(name.value.clone(), value.to_json());
    test.places.insert(name.value.clone(), ArgumentSpans { name: name.span, value: value.place() });
}

/// Adds arguments and config.
fn with_body(mut test: DeclaredTest, fields: &YamlFields<'_>, sink: &mut Sink) -> DeclaredTest {
    let mut is_enabled = true;
    for (key, value) in fields.entries() {
        match key.value.as_str() {
            "config" => {
                if let Ok(config) = YamlFields::of(value, "`config`", sink) {
                    TEST_CONFIG.check(&config, sink);
                    is_enabled = config.read("enabled", Node::expect_bool, sink).unwrap_or(true);
                    configure(&mut test, &config, sink);
                    test.config.extend(config.written_without(&[]));
                }
            }
            "name" => test.name = value.expect_text("`name`", sink).ok(),
            "test_name" => {}
            "description" => test.description = fields.description(sink),
            "arguments" => {
                if let Ok(arguments) = value.expect_mapping("`arguments`", sink) {
                    arguments.iter().for_each(|(key, value)| add_argument(&mut test, key, value));
                }
            }
            beside if is_config(beside) => {
                test.config.insert(beside.to_owned(), value.to_json());
            }
            _ => {
                add_argument(&mut test, key, value);
            }
        }
    }
    configure(&mut test, fields, sink);
    test.is_enabled = fields.read("enabled", Node::expect_bool, sink).unwrap_or(is_enabled);
    test
}

fn configure(test: &mut DeclaredTest, config: &YamlFields<'_>, sink: &mut Sink) {
    if let Some(filter) = config.text("where", sink) {
        test.filter = Some(filter);
    }
    test.storage.read(config, sink);
    if let Some(threshold) = threshold(config, "error_if", sink) {
        test.rule.error_if = threshold;
    }
    if let Some(threshold) = threshold(config, "warn_if", sink) {
        test.rule.warn_if = threshold;
    }
    if let Some(calculation) = config.text("fail_calc", sink) {
        test.calculation = Some(calculation);
    }
    let tags = config.read("tags", Node::expect_texts, sink).unwrap_or_default();
    test.tags.extend(tags.into_iter().map(|tag| tag.value));
    let Some(severity) = config.text("severity", sink) else {
        return;
    };
    match severity.value.to_ascii_lowercase().as_str() {
        "error" => test.rule.severity = TestSeverity::Error,
        "warn" => test.rule.severity = TestSeverity::Warn,
        _ => {
            let message = format!("`severity` cannot be `{}`", severity.value);
            sink.error(
                Diagnostic::error(Code::InvalidConfig, message).at(severity.span).help("it can be `error` or `warn`"),
            );
        }
    }
}

/// A number of rows that is too many.
fn threshold(config: &YamlFields<'_>, key: &str, sink: &mut Sink) -> Option<Threshold> {
    let written = config.text(key, sink)?;
    let parsed = written.value.parse();
    if parsed.is_err() {
        let message = format!("`{key}` cannot be `{}`", written.value);
        let help = "write an operator and a number of rows, like `> 10`";
        sink.error(Diagnostic::error(Code::InvalidConfig, message).at(written.span).help(help));
    }
    parsed.ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::project::testing::{load, said};

    const MODEL: (&str, &str) = ("models/a.sql", "select 1");

    fn tests(yaml: &str) -> Vec<DeclaredTest> {
        let loaded = load("name: p", &[MODEL, ("models/a.yml", yaml)]).unwrap();
        loaded.models.into_values().next().unwrap().tests
    }

    #[test]
    fn a_test_is_a_word_or_a_mapping_with_arguments_and_config() {
        let found = tests(
            "
models:
- name: a
  data_tests:
  - unique_rows
  - accepted_values: {column: c, values: [a, 1], severity: warn}
  - relationships:
      name: known_users
      arguments: {to: ref('users'), field: user_id}
      config: {severity: ERROR, where: c > 0}
  - not_null: {config: {enabled: false, store_failures: true}}
  - {test_name: expression_is_true, name: plausible, expression: c > 0}
",
        );
        let kinds: Vec<&str> = found.iter().map(|test| test.kind.value.as_str()).collect();
        assert_eq!(kinds, ["unique_rows", "accepted_values", "relationships", "expression_is_true"]);
        assert_eq!(json!(found[1].arguments), json!({"column": "c", "values": ["a", 1]}));
        assert_eq!(found[1].rule.severity, TestSeverity::Warn);
        assert_eq!(json!(found[2].arguments), json!({"to": "ref('users')", "field": "user_id"}));
        assert_eq!(found[2].name.as_ref().unwrap().value, "known_users");
        assert_eq!(found[2].filter.as_ref().unwrap().value, "c > 0");
        assert_eq!(found[3].name.as_ref().unwrap().value, "plausible");
    }

    #[test]
    fn a_malformed_test_is_an_error() {
        let yaml = "
models:
- name: a
  data_tests:
  - accepted_values:
    values: [a]
  - unique: {config: {severity: fatal, error_if: '10', fail_calc: sum(n)}}
";
        insta::assert_snapshot!(said("name: p", &[MODEL, ("models/a.yml", yaml)]), @r"
        error[invalid-yaml]: a data test is a name, or a mapping with one key
         --> models/a.yml:5:5
          |
        5 |   - accepted_values:
          |     ^^^^^^^^^^^^^^^
          |
          = help: indent its arguments below its name: `- accepted_values: { values: [a, b] }`

        error[invalid-config]: `severity` cannot be `fatal`
         --> models/a.yml:7:33
          |
        7 |   - unique: {config: {severity: fatal, error_if: '10', fail_calc: sum(n)}}
          |                                 ^^^^^
          |
          = help: it can be `error` or `warn`

        error[invalid-config]: `error_if` cannot be `10`
         --> models/a.yml:7:50
          |
        7 |   - unique: {config: {severity: fatal, error_if: '10', fail_calc: sum(n)}}
          |                                                  ^^^^
          |
          = help: write an operator and a number of rows, like `> 10`

        error[invalid-config]: `unique` counts rows, so `fail_calc` cannot be `sum(n)`
         --> models/a.yml:7:67
          |
        7 |   - unique: {config: {severity: fatal, error_if: '10', fail_calc: sum(n)}}
          |                                                                   ^^^^^^
          |
          = help: write a test of your own: `{% test name(model, column_name) %} … {% endtest %}`
        ");
    }
}
