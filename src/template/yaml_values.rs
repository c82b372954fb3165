//! Templates in YAML values: `{{ var('x') }}`, `{{ env_var('Y') | as_bool }}`, `{{ doc('z') }}`.
//!
//! They have few names, and no macros: what they say decides what the project is, before there is one.

use std::collections::BTreeMap;
use std::sync::Arc;

use minijinja::value::{Kwargs, Serde};
use minijinja::{Environment, Error, ErrorKind, UndefinedBehavior, Value};

use crate::diag::{Code, Diagnostic, nearest};
use crate::host::Host;
use crate::project::{Profile, VariableAccess, YamlScope, YamlTemplates, holds_credentials, variable_access};

/// The work that one value may cause.
const FUEL: u64 = 100_000;

/// Renders the values of YAML with what a host knows of the environment.
pub struct YamlValues<'a> {
    host: &'a dyn Host,
}

impl std::fmt::Debug for YamlValues<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("YamlValues")
    }
}

impl<'a> YamlValues<'a> {
    pub fn new(host: &'a dyn Host) -> YamlValues<'a> {
        YamlValues { host }
    }
}

impl YamlTemplates for YamlValues<'_> {
    fn render(&self, text: &str, scope: &YamlScope) -> Result<serde_json::Value, Box<Diagnostic>> {
        let environment = self.environment(text, scope);
        let rendered = match only_expression(text) {
            Some(expression) => environment.compile_expression(expression).and_then(|found| found.eval(())),
            None => environment.render_str(text, ()).map(Value::from),
        };
        let value = rendered.map_err(|error| Box::new(described(&error)))?;
        if value.is_undefined() {
            return Err(Box::new(Diagnostic::error(Code::TemplateError, format!("`{}` is undefined", text.trim()))));
        }
        serde_json::to_value(&value).map_err(|_| {
            let message = format!("`{}` is not a value that YAML can hold", text.trim());
            Box::new(Diagnostic::error(Code::TemplateError, message))
        })
    }
}

impl YamlValues<'_> {
    fn environment(&self, text: &str, scope: &YamlScope) -> Environment<'static> {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::SemiStrict);
        environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
        environment.set_fuel(Some(FUEL));
        environment.remove_global("debug");
        add_filters(&mut environment);
        environment.add_global("target", target(&scope.target));
        let vars: BTreeMap<String, Value> =
            scope.vars.iter().map(|(name, value)| (name.clone(), Value::from(Serde(value)))).collect();
        environment.add_function("var", move |name: &str, default: Option<Value>, named: Kwargs| {
            let default = default.or(named.get::<Option<Value>>("default")?);
            vars.get(name).cloned().or(default).ok_or_else(|| unknown_var(name, vars.keys().map(String::as_str)))
        });
        if text.contains("env_var") {
            let variables = Arc::new(EnvironmentVariables::of(self.host, scope));
            environment.add_function("env_var", move |name: &str, default: Option<Value>, named: Kwargs| {
                let default = default.or(named.get::<Option<Value>>("default")?);
                variables.get(name, default)
            });
        }
        if text.contains("doc") {
            let docs = scope.docs.clone();
            environment.add_function("doc", move |first: &str, second: Option<&str>| {
                let name = second.map_or_else(|| first.to_owned(), |name| format!("{first}.{name}"));
                docs.get(&name).map(Value::from).ok_or_else(|| unknown_doc(&name, docs.keys().map(String::as_str)))
            });
        }
        environment
    }
}

/// What dbt tells templates of its target. There is no database behind it here.
fn target(name: &str) -> Value {
    let facts = [("name", name), ("target_name", name), ("type", "datafusion")];
    Value::from_pairs(facts)
}

/// dbt's filters for the type of a value.
fn add_filters(environment: &mut Environment<'static>) {
    environment.add_filter("as_text", |value: Value| value.to_string());
    environment.add_filter("as_native", |value: Value| native(&value));
    environment.add_filter("as_bool", |value: Value| match native(&value) {
        value if value.kind() == minijinja::value::ValueKind::Bool => Ok(value),
        value => Err(Error::new(ErrorKind::InvalidOperation, format!("`{value}` is not a truth value"))),
    });
    environment.add_filter("as_number", |value: Value| match native(&value) {
        value if value.is_number() => Ok(value),
        value => Err(Error::new(ErrorKind::InvalidOperation, format!("`{value}` is not a number"))),
    });
}

/// A text as the value that it spells, in Python's words.
fn native(value: &Value) -> Value {
    let Some(text) = value.as_str() else { return value.clone() };
    match text.trim() {
        "True" | "true" => Value::from(true),
        "False" | "false" => Value::from(false),
        "None" => Value::from(()),
        number => match (number.parse::<i64>(), number.parse::<f64>()) {
            (Ok(integer), _) => Value::from(integer),
            (Err(_), Ok(float)) if float.is_finite() => Value::from(float),
            (Err(_), _) => value.clone(),
        },
    }
}

/// The expression, if the text is one and nothing else.
fn only_expression(text: &str) -> Option<&str> {
    let inside = text.trim().strip_prefix("{{")?.strip_suffix("}}")?;
    let is_one = !["{{", "}}", "{%", "{#"].iter().any(|tag| inside.contains(tag));
    is_one.then(|| inside.trim_matches('-').trim())
}

/// The environment with what templates may read of it.
struct EnvironmentVariables {
    variables: BTreeMap<String, String>,
    listed: std::collections::BTreeSet<String>,
    allowed: std::collections::BTreeSet<String>,
}

impl EnvironmentVariables {
    fn of(host: &dyn Host, scope: &YamlScope) -> EnvironmentVariables {
        // A profile that cannot be read allows nothing; commands that need it say what is wrong with it.
        let profile = Profile::of_user(host, &mut crate::diag::Sink::default()).unwrap_or_default();
        EnvironmentVariables {
            variables: host.variables().clone(),
            listed: scope.env_vars.clone(),
            allowed: profile.env_vars,
        }
    }

    fn get(&self, name: &str, default: Option<Value>) -> Result<Value, Error> {
        let value = self.variables.get(name);
        let access = variable_access(name, &self.listed);
        let is_secret = access == VariableAccess::Secret || value.is_some_and(|value| holds_credentials(value));
        let is_free = !is_secret && (value.is_none() || access == VariableAccess::Open);
        if !is_free && !self.allowed.contains(name) {
            let message = format!("templates are not allowed to read the environment variable `{name}`");
            return Err(placed(
                Code::EnvVarNotAllowed,
                message,
                format!("write `env_vars: [{name}]` into your profile"),
            ));
        }
        value.map(Value::from).or(default).ok_or_else(|| {
            let message = format!("the environment variable `{name}` is not set");
            placed(Code::UnknownEnvVar, message, format!("set it, or give a default: `env_var('{name}', 'value')`"))
        })
    }
}

fn unknown_var<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Error {
    let help = match nearest(name, known) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("set it under `vars:` in the project file, or give a default: `var('{name}', 'value')`"),
    };
    placed(Code::UnknownVar, format!("the variable `{name}` is not set"), help)
}

fn unknown_doc<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Error {
    let help = match nearest(name, known) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("write it into a `.md` file: `{{% docs {name} %}} … {{% enddocs %}}`"),
    };
    placed(Code::TemplateError, format!("no block of documentation is called `{name}`"), help)
}

/// A failure with its code and its help.
#[derive(Debug)]
struct ValueFault {
    code: Code,
    message: String,
    help: String,
}

impl std::fmt::Display for ValueFault {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl std::error::Error for ValueFault {}

fn placed(code: Code, message: String, help: String) -> Error {
    Error::new(ErrorKind::InvalidOperation, message.clone()).with_source(ValueFault { code, message, help })
}

fn described(error: &Error) -> Diagnostic {
    let fault = std::error::Error::source(error).and_then(|source| source.downcast_ref::<ValueFault>());
    match fault {
        Some(fault) => Diagnostic::error(fault.code, fault.message.clone()).help(fault.help.clone()),
        None if error.kind() == ErrorKind::SyntaxError => {
            let detail = error.detail().unwrap_or("the template cannot be parsed");
            Diagnostic::error(Code::TemplateSyntax, detail.to_owned())
        }
        None => {
            let detail = error.detail().map_or_else(|| error.kind().to_string(), str::to_owned);
            Diagnostic::error(Code::TemplateError, detail)
                .help("YAML knows `var`, `env_var`, `target` and `doc`; everything else belongs into a model")
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::host::MemoryHost;

    fn rendered(text: &str) -> Result<serde_json::Value, String> {
        let host = MemoryHost::default();
        let scope = YamlScope {
            vars: BTreeMap::from([("n".to_owned(), json!(3)), ("list".to_owned(), json!(["a", 1]))]),
            target: "dev".to_owned(),
            docs: BTreeMap::from([("day".to_owned(), "The day.".to_owned())]),
            ..YamlScope::default()
        };
        YamlValues::new(&host).render(text, &scope).map_err(|diagnostic| diagnostic.message)
    }

    #[test]
    fn an_expression_alone_keeps_its_type() {
        for (text, value) in [
            ("{{ var('n') }}", json!(3)),
            ("{{ var('list') }}", json!(["a", 1])),
            ("{{ var('absent', false) }}", json!(false)),
            ("{{ var('absent', default='x') }}", json!("x")),
            ("{{ env_var('DBT_X', 'true') }}", json!("true")),
            ("{{ env_var('DBT_X', 'true') | as_bool }}", json!(true)),
            ("{{ '7' | as_number }}", json!(7)),
            ("{{ target.name == 'dev' }}", json!(true)),
            ("{{ var('n') }}_raw", json!("3_raw")),
            ("{% if target.name == 'prod' %}a{% else %}b{% endif %}", json!("b")),
            ("About: {{ doc('day') }}", json!("About: The day.")),
        ] {
            assert_eq!(rendered(text).unwrap(), value, "{text}");
        }
    }

    #[test]
    fn what_is_missing_is_said() {
        assert_eq!(rendered("{{ var('m') }}").unwrap_err(), "the variable `m` is not set");
        assert_eq!(rendered("{{ doc('dya') }}").unwrap_err(), "no block of documentation is called `dya`");
        assert_eq!(rendered("{{ env_var('DBT_Y') }}").unwrap_err(), "the environment variable `DBT_Y` is not set");
        assert!(rendered("{{ var('n' }}").is_err());
        assert!(rendered("{{ nothing }}").is_err());
    }
}
