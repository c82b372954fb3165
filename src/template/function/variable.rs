//! `var()` and `env_var()`: values from outside the template.

use minijinja::Value;

use super::{Call, Failure, TemplateFunction};
use crate::diag::Code;
use crate::project::names_a_secret;
use crate::template::render::Need;

/// `var('name', default)`
pub(super) struct Var;

/// `env_var('NAME', default)`
pub(super) struct EnvVar;

/// Environment variables that begin with these say how storage is reached, or hold secrets.
const KEPT_PREFIXES: [&str; 3] = ["AWS_", "KARAT_", "DBT_ENV_SECRET"];

impl TemplateFunction for Var {
    fn name(&self) -> &'static str {
        "var"
    }

    fn call(&self, call: &Call<'_>) -> Result<Value, Failure> {
        call.takes(2, &["default"])?;
        let name = call.text(0, "the variable's name")?;
        let vars = &call.render.facts().vars;
        match vars.get(&name).or_else(|| call.argument(1, "default")) {
            Some(value) => Ok(value.clone()),
            None => Err(unknown_var(&name, vars.keys().map(String::as_str))),
        }
    }

    fn method(&self, method: &str, call: &Call<'_>) -> Result<Value, Failure> {
        match method {
            "has_var" => {
                let name = call.text(0, "the variable's name")?;
                Ok(Value::from(call.render.facts().vars.contains_key(&name)))
            }
            _ => Err(Failure::new(format!("`var` has no method `{method}`")).suggest(method, ["has_var"])),
        }
    }
}

/// Whether templates may not read a variable of this name.
fn may_hold_a_secret(name: &str) -> bool {
    let upper = name.to_ascii_uppercase();
    names_a_secret(name) || KEPT_PREFIXES.iter().any(|prefix| upper.starts_with(prefix))
}

fn unknown_var<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Failure {
    let failure = Failure::new(format!("the variable `{name}` is not set")).code(Code::UnknownVar);
    let set = format!("set it under `vars:` in the project file, or give a default: `var('{name}', 'value')`");
    failure.help(set).suggest(name, known)
}

impl TemplateFunction for EnvVar {
    fn name(&self) -> &'static str {
        "env_var"
    }

    fn call(&self, call: &Call<'_>) -> Result<Value, Failure> {
        call.takes(2, &["default"])?;
        let name = call.text(0, "the variable's name")?;
        if may_hold_a_secret(&name) {
            let failure = Failure::new(format!("`{name}` may hold a secret, and the text of a model is none"));
            return Err(failure.help("if it holds none, give the variable another name"));
        }
        let Some(found) = call.render.facts().environment.get(&name) else {
            // The world can only be asked between two renders.
            call.render.record().need = Some(Need::Variable(name.clone()));
            return Err(Failure::new(format!("the environment variable `{name}` was not read yet")));
        };
        let default = || call.argument(1, "default").cloned();
        found.as_deref().map(Value::from).or_else(default).ok_or_else(|| {
            Failure::new(format!("the environment variable `{name}` is not set"))
                .code(Code::UnknownEnvVar)
                .help(format!("set it, or give a default: `env_var('{name}', 'value')`"))
        })
    }
}
