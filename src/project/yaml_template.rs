//! Templates in YAML values, as dbt has them: rendered after the file is parsed, so that every value keeps its place.
//!
//! They see variables, environment variables and the target, and nothing of models: what a project is must be known before them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use minijinja::value::{Rest, Serde, ValueKind};
use minijinja::{Environment, Error, ErrorKind, UndefinedBehavior, Value};

use super::env_vars::{VariableAccess, holds_credentials, variable_access};
use super::node::{Node, YamlKind};
use super::scalar::{Scalar, Typed};
use crate::diag::{Code, Diagnostic, Sink, nearest};
use crate::span::{Span, Spanned};

/// Values that are rendered elsewhere, or never: texts for people, SQL, comments that nobody reads here, and variables themselves.
const RAW: [&str; 15] = [
    "description",
    "loaded_at_query",
    "+loaded_at_query",
    // Filters of metrics name dimensions in braces, which are no templates.
    "metrics",
    "saved_queries",
    "semantic_model",
    "semantic_models",
    "on-run-end",
    "on-run-start",
    "post-hook",
    "post_hook",
    "pre-hook",
    "pre_hook",
    "query-comment",
    "vars",
];

/// Configs of a data test that are SQL, and are rendered with it.
const SQL_OF_TESTS: [&str; 2] = ["fail_calc", "where"];

/// Configs of a data test that may stand beside its arguments.
const CONFIG_OF_TESTS: [&str; 8] =
    ["enabled", "error_if", "limit", "severity", "store_failures", "store_failures_as", "tags", "warn_if"];

/// The work that one value may cause.
const FUEL: u64 = 100_000;

/// What templates in YAML may know.
#[derive(Clone)]
pub(super) struct YamlScope {
    environment: Arc<Environment<'static>>,
    context: Value,
}

/// The names of the environment variables that a text asks for.
pub(super) fn variables_in(text: &str) -> impl Iterator<Item = &str> {
    text.split("env_var").skip(1).filter_map(|rest| {
        let inner = rest.trim_start().strip_prefix('(')?.trim_start();
        let quote = inner.chars().next().filter(|letter| matches!(letter, '\'' | '"'))?;
        inner.get(1..)?.split(quote).next()
    })
}

impl YamlScope {
    /// `variables` are the environment variables that YAML asks for, `listed` those that the target allows.
    pub fn new(
        vars: &BTreeMap<String, serde_json::Value>,
        variables: &BTreeMap<String, String>,
        listed: &BTreeSet<String>,
        target: &[(&str, &str)],
    ) -> YamlScope {
        let target = Value::from_pairs(target.iter().copied());
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::SemiStrict);
        environment.set_fuel(Some(FUEL));
        environment.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
        let variables = variables.clone();
        let listed = listed.clone();
        environment.add_function("env_var", move |name: String, default: Option<String>| {
            environment_variable(&name, &variables, &listed)?.or(default).ok_or_else(|| {
                let message = format!("the environment variable `{name}` is not set");
                Error::new(ErrorKind::UndefinedError, message)
            })
        });
        environment.add_filter("as_bool", |value: Value| truth(&value).map_or(value, Value::from));
        environment.add_filter("as_number", |value: Value| match value.as_str().map(Typed::of) {
            Some(Typed::Integer(number)) => Value::from(number),
            Some(Typed::Float(number)) => Value::from(number),
            _ => value,
        });
        environment.add_filter("as_native", |value: Value| truth(&value).map_or(value, Value::from));
        environment.add_filter("as_text", |value: Value| Value::from(value.to_string()));
        YamlScope { environment: Arc::new(environment), context: Value::from_pairs([("target", target)]) }
            .with_vars(vars)
    }

    /// The same with these variables.
    pub fn with_vars(mut self, vars: &BTreeMap<String, serde_json::Value>) -> YamlScope {
        let vars: BTreeMap<String, Value> =
            vars.iter().map(|(name, value)| (name.clone(), Value::from(Serde(value)))).collect();
        let environment = Arc::make_mut(&mut self.environment);
        environment.add_function("var", move |name: String, default: Rest<Value>| {
            // A default of `None` is one too.
            vars.get(&name).cloned().or_else(|| default.first().cloned()).ok_or_else(|| {
                let message = format!("the variable `{name}` is not set");
                Error::new(ErrorKind::UndefinedError, message)
            })
        });
        self
    }

    /// The same with blocks of documentation, which descriptions name.
    pub fn with_docs(mut self, docs: BTreeMap<String, String>) -> YamlScope {
        let environment = Arc::make_mut(&mut self.environment);
        environment.add_function("doc", move |first: &str, second: Option<&str>| {
            let name = second.map_or_else(|| first.to_owned(), |name| format!("{first}.{name}"));
            docs.get(&name).map(Value::from).ok_or_else(|| {
                let message = format!("no block of documentation is called `{name}`");
                let message = match nearest(&name, docs.keys().map(String::as_str)) {
                    Some(near) => format!("{message}, did you mean `{near}`"),
                    None => message,
                };
                Error::new(ErrorKind::UndefinedError, message)
            })
        });
        self
    }

    /// Renders every value below a node that has a template.
    pub fn render(&self, node: &mut Node, sink: &mut Sink) {
        match &mut node.kind {
            YamlKind::Mapping(entries) => {
                for (key, value) in entries {
                    let word = key.value.trim_start_matches('+');
                    let asks_docs = word == "description" && names_docs(value);
                    match (word, &mut value.kind) {
                        // What the project file says of folders of tests, and a list of tests.
                        ("data_tests" | "tests", YamlKind::Mapping(_)) => self.render(value, sink),
                        ("data_tests" | "tests", YamlKind::Sequence(tests)) => {
                            tests.iter_mut().for_each(|test| self.render_test(test, sink));
                        }
                        ("column_types", YamlKind::Mapping(types)) => {
                            // A column may be called like a key whose values stay as they are.
                            types.iter_mut().for_each(|(_, value)| self.render(value, sink));
                        }
                        _ if RAW.contains(&word) && !asks_docs => {}
                        _ => self.render(value, sink),
                    }
                }
            }
            YamlKind::Sequence(items) => items.iter_mut().for_each(|item| self.render(item, sink)),
            YamlKind::Scalar(scalar) if is_template(&scalar.text) => match self.value(&scalar.text) {
                Ok(value) => node.kind = kind(&value, node.span),
                Err(error) => {
                    let message = error.detail().map_or_else(|| error.to_string(), str::to_owned);
                    let diagnostic = Diagnostic::error(Code::TemplateError, message).at(node.span);
                    let help = "a value in YAML may use `var()`, `env_var()` and `target`";
                    sink.error(diagnostic.help(help));
                }
            },
            YamlKind::Scalar(_) => {}
        }
    }

    /// Renders the config of a data test. Its arguments are rendered with the test, which may refer to models.
    fn render_test(&self, test: &mut Node, sink: &mut Sink) {
        let YamlKind::Mapping(entries) = &mut test.kind else { return };
        for (key, value) in entries {
            match (key.value.as_str(), &mut value.kind) {
                ("config", YamlKind::Mapping(configs)) => {
                    let configs = configs.iter_mut().filter(|(key, _)| !SQL_OF_TESTS.contains(&key.value.as_str()));
                    configs.for_each(|(_, value)| self.render(value, sink));
                }
                ("arguments", _) => {}
                (_, YamlKind::Mapping(_)) => self.render_test(value, sink),
                (word, _) if CONFIG_OF_TESTS.contains(&word) => self.render(value, sink),
                _ => {}
            }
        }
    }

    /// The values of variables, in which templates are rendered as texts. One that asks for more than YAML knows stays as it is, and
    /// is an error where somebody asks for it.
    pub fn variables(&self, mut vars: BTreeMap<String, serde_json::Value>) -> BTreeMap<String, serde_json::Value> {
        for value in vars.values_mut() {
            let template = value.as_str().filter(|text| is_template(text));
            if let Some(text) = template.and_then(|text| self.environment.render_str(text, &self.context).ok()) {
                *value = serde_json::Value::from(text);
            }
        }
        vars
    }

    /// A value that is one expression keeps its type.
    fn value(&self, text: &str) -> Result<Value, Error> {
        let trimmed = text.trim();
        let inner = trimmed.strip_prefix("{{").and_then(|rest| rest.strip_suffix("}}"));
        match inner.filter(|inner| !inner.contains("{{") && !inner.contains("}}")) {
            Some(expression) => {
                let expression = expression.trim_matches('-');
                self.environment.compile_expression(expression)?.eval(&self.context)
            }
            None => self.environment.render_str(text, &self.context).map(Value::from),
        }
    }
}

/// Whether a text has tags of a template.
pub(crate) fn is_template(text: &str) -> bool {
    text.contains("{{") || text.contains("{%")
}

/// Whether a description asks for a block of documentation. Others are texts for people, whatever stands in them.
fn names_docs(description: &Node) -> bool {
    matches!(&description.kind, YamlKind::Scalar(scalar) if scalar.text.contains("{{") && scalar.text.contains("doc("))
}

/// What `env_var()` gives; an error for one that may not be read.
fn environment_variable(
    name: &str,
    variables: &BTreeMap<String, String>,
    listed: &BTreeSet<String>,
) -> Result<Option<String>, Error> {
    let Some(value) = variables.get(name) else { return Ok(None) };
    let is_open = variable_access(name, listed) == VariableAccess::Open && !holds_credentials(value);
    if is_open {
        return Ok(Some(value.clone()));
    }
    let message = format!(
        "YAML may not read the environment variable `{name}`: give it a name that begins with `KARAT_` or `DBT_`, or list it \
         under `env_vars` of the target"
    );
    Err(Error::new(ErrorKind::InvalidOperation, message))
}

/// `true` and `false`, also as texts in Python's spelling.
fn truth(value: &Value) -> Option<bool> {
    match (value.kind(), value.as_str()) {
        (ValueKind::Bool, _) => Some(value.is_true()),
        (_, Some("true" | "True" | "TRUE")) => Some(true),
        (_, Some("false" | "False" | "FALSE")) => Some(false),
        _ => None,
    }
}

/// A rendered value as YAML.
fn kind(value: &Value, span: Span) -> YamlKind {
    if let Some(truth) = truth(value) {
        return YamlKind::Scalar(Scalar { text: truth.to_string(), typed: Typed::Bool(truth) });
    }
    let node = |value: &Value| Node { span, kind: kind(value, span) };
    match value.kind() {
        ValueKind::Seq => YamlKind::Sequence(value.try_iter().into_iter().flatten().map(|item| node(&item)).collect()),
        ValueKind::Map => {
            let pairs = value.as_object().and_then(|object| object.try_iter_pairs()).into_iter().flatten();
            let entries = pairs.map(|(key, value)| (Spanned::new(key.to_string(), span), node(&value)));
            YamlKind::Mapping(entries.collect())
        }
        ValueKind::None | ValueKind::Undefined => YamlKind::Scalar(Scalar { text: String::new(), typed: Typed::Null }),
        ValueKind::Number => YamlKind::Scalar(Scalar { text: value.to_string(), typed: Typed::of(&value.to_string()) }),
        _ => YamlKind::Scalar(Scalar { text: value.to_string(), typed: Typed::Text }),
    }
}

#[cfg(test)]
mod tests {
    use crate::host::MemoryHost;
    use crate::project::LoadRequest;
    use crate::project::testing::{load, load_from, said};

    const MODEL: (&str, &str) = ("models/gold/a.sql", "select 1");

    #[test]
    fn values_of_yaml_may_be_templates_and_keep_their_types() {
        let project = "
name: p
vars: {kind: view, is_on: true, many: [x, y], text: 'False'}
models:
  +materialized: \"{{ var('kind') }}\"
  +tags: \"{{ var('many') }}\"
  +meta: {owner: \"team {{ target.name }}\", limit: \"{{ var('none', 3) }}\"}
  gold: {+enabled: \"{{ var('is_on') and not var('text') | as_bool }}\"}
";
        let yaml = "models: [{name: a, description: \"{{ doc('x') }}\", columns: [{name: c, data_tests: [{r: {to: \"{{ ref('b') }}\"}}]}]}]";
        let docs = ("models/x.md", "{% docs x %}\nAbout a.\n{% enddocs %}");
        let loaded = load(project, &[MODEL, ("models/m.yml", yaml), docs]).unwrap();
        let model = loaded.models.values().next().unwrap();
        let value = |key| model.settings.get(key).map(|found| found.value.to_string());
        assert_eq!(value("materialized").as_deref(), Some("\"view\""));
        assert_eq!(value("tags").as_deref(), Some("[\"x\",\"y\"]"));
        assert_eq!(value("meta").as_deref(), Some("{\"owner\":\"team local\",\"limit\":3}"));
        assert_eq!(value("enabled").as_deref(), Some("true"));
        assert_eq!(model.columns[0].tests[0].arguments["to"], "{{ ref('b') }}");
        assert_eq!(model.description, "About a.");
    }

    #[test]
    fn the_config_of_a_data_test_is_rendered_and_its_arguments_are_not() {
        let yaml = "
models:
- name: a
  columns:
  - name: c
    data_tests:
    - not_null: {enabled: \"{{ var('is_off', None) | as_bool }}\"}
    - unique: {severity: \"{{ 'warn' if target.name == 'local' else 'error' }}\", where: \"{{ var('f') }} > 1\"}
    - r: {arguments: {severity: \"{{ ref('b') }}\"}, config: {enabled: \"{{ target.name == 'local' }}\"}}
";
        let loaded = load("name: p\nvars: {is_off: false, f: c}", &[MODEL, ("models/m.yml", yaml)]).unwrap();
        let model = loaded.models.values().next().unwrap();
        let tests = &model.columns[0].tests;
        assert_eq!(tests.iter().map(|test| test.kind.value.as_str()).collect::<Vec<_>>(), ["unique", "r"]);
        assert_eq!(tests[0].rule.severity, crate::project::TestSeverity::Warn);
        assert_eq!(tests[1].arguments["severity"], "{{ ref('b') }}");
    }

    #[test]
    fn columns_with_the_names_of_keys_have_types_that_are_templates() {
        let yaml = "seeds: [{name: s, config: {column_types: {description: \"{% if var('t', None) %}{{ var('t') }}{% else %}text{% endif %}\"}}}]";
        let loaded = load("name: p", &[("seeds/s.csv", "description\n1\n"), ("seeds/s.yml", yaml)]).unwrap();
        let seed = loaded.models.values().next().unwrap().seed.as_ref().unwrap();
        assert_eq!(seed.config.column_types.len(), 1);
    }

    #[test]
    fn what_a_template_in_yaml_cannot_know_is_an_error_at_its_place() {
        let yaml =
            "models:\n- name: a\n  config:\n    schema: \"{{ var('nowhere') }}\"\n    tags: [\"{{ ref('a') }}\"]\n";
        insta::assert_snapshot!(said("name: p", &[MODEL, ("models/m.yml", yaml)]), @r#"
        error[template-error]: the variable `nowhere` is not set
         --> models/m.yml:4:13
          |
        4 |     schema: "{{ var('nowhere') }}"
          |             ^^^^^^^^^^^^^^^^^^^^^^
          |
          = help: a value in YAML may use `var()`, `env_var()` and `target`

        error[template-error]: ref is unknown
         --> models/m.yml:5:12
          |
        5 |     tags: ["{{ ref('a') }}"]
          |            ^^^^^^^^^^^^^^^^
          |
          = help: a value in YAML may use `var()`, `env_var()` and `target`
        "#);
    }

    #[test]
    fn environment_variables_of_yaml_need_the_same_permission() {
        let files = [
            (
                "project.yml",
                "name: p\nmodels: {+schema: \"{{ env_var('DBT_SCHEMA', 'x') }}\", +tags: \"{{ env_var('TAG', 'y') }}\"}",
            ),
            MODEL,
        ];
        let host = MemoryHost::with_files(files).and_variable("DBT_SCHEMA", "mart");
        let (loaded, said) = load_from(&host, &LoadRequest::default());
        let model = loaded.unwrap_or_else(|| panic!("{said}")).models.into_values().next().unwrap();
        assert_eq!(model.settings.get("schema").map(|found| found.value.to_string()).as_deref(), Some("\"mart\""));
        let host = MemoryHost::with_files(files).and_variable("TAG", "z");
        assert!(
            load_from(&host, &LoadRequest::default()).1.contains("YAML may not read the environment variable `TAG`")
        );
    }
}
