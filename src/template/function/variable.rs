//! `var()` and `env_var()`: values from outside the template.

use minijinja::Value;

use super::{Call, CallFailure, TemplateFunction};
use crate::diag::Code;
use crate::project::is_template;
use crate::template::render::{Need, Variable};

/// `var('name', default)`
pub(super) struct Var;

/// `env_var('NAME', default)`
pub(super) struct EnvVar;

impl TemplateFunction for Var {
    fn name(&self) -> &'static str {
        "var"
    }

    fn call(&self, call: &Call<'_>) -> Result<Value, CallFailure> {
        call.takes(2, &["default"])?;
        let name = call.text(0, "the variable's name")?;
        let vars = call.render.vars();
        match vars.get(&name).or_else(|| call.argument(1, "default")) {
            Some(value) if value.as_str().is_some_and(is_template) && vars.contains_key(&name) => {
                let message = format!("the variable `{name}` holds a template that cannot be rendered: `{value}`");
                let help = "a template in a variable may use `var()`, `env_var()` and `target`, if they are set";
                Err(CallFailure::new(message).help(help))
            }
            Some(value) => Ok(value.clone()),
            None => Err(unknown_var(&name, vars.keys().map(String::as_str))),
        }
    }

    fn method(&self, method: &str, call: &Call<'_>) -> Result<Value, CallFailure> {
        match method {
            "has_var" => {
                let name = call.text(0, "the variable's name")?;
                Ok(Value::from(call.render.vars().contains_key(&name)))
            }
            _ => Err(CallFailure::new(format!("`var` has no method `{method}`")).suggest(method, ["has_var"])),
        }
    }
}

fn unknown_var<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> CallFailure {
    let failure = CallFailure::new(format!("the variable `{name}` is not set")).code(Code::UnknownVar);
    let set = format!("set it under `vars:` in the project file, or give a default: `var('{name}', 'value')`");
    failure.help(set).suggest(name, known)
}

impl TemplateFunction for EnvVar {
    fn name(&self) -> &'static str {
        "env_var"
    }

    fn call(&self, call: &Call<'_>) -> Result<Value, CallFailure> {
        call.takes(2, &["default"])?;
        let name = call.text(0, "the variable's name")?;
        let Some(found) = call.render.facts().environment.get(&name) else {
            // The world can only be asked between two renders.
            call.render.record().need = Some(Need::Variable(name.clone()));
            return Err(CallFailure::new(format!("the environment variable `{name}` was not read yet")));
        };
        match found {
            Variable::Set(value) => Ok(Value::from(value)),
            Variable::Unset => call.argument(1, "default").cloned().ok_or_else(|| {
                CallFailure::new(format!("the environment variable `{name}` is not set"))
                    .code(Code::UnknownEnvVar)
                    .help(format!("set it, or give a default: `env_var('{name}', 'value')`"))
            }),
            Variable::Refused { is_secret, profile } => Err(refused(&name, *is_secret, profile)),
        }
    }
}

/// What is read becomes text that is shown and kept, so somebody must have said that it may.
fn refused(name: &str, is_secret: bool, profile: &str) -> CallFailure {
    let allow = format!("`env_vars: [{name}]`");
    let message = if is_secret {
        format!("`{name}` may hold a secret, which must not end up in the SQL of a model")
    } else {
        format!("templates are not allowed to read the environment variable `{name}`")
    };
    let failure = CallFailure::new(message).code(Code::EnvVarNotAllowed);
    if is_secret {
        return failure.help(format!("if it is not a secret, write {allow} into your profile `{profile}`"));
    }
    failure.help(format!(
        "write {allow} into the target or into your profile `{profile}`; names that begin with `KARAT_` or `DBT_` need no permission"
    ))
}
