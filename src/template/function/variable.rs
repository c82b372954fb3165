//! `var()` and `env_var()`: values from outside the template.

use std::sync::Arc;

use minijinja::{Error, ErrorKind, State, Value};

use super::{Call, CallFailure, Root, TemplateFunction};
use crate::diag::Code;
use crate::project::is_template;
use crate::template::environment::LONGEST_TEXT;
use crate::template::render::{Need, Variable, VariableFrame};
use crate::template::rewrite::{TemplateKind, rewrite};
use crate::template::token::ScannedText;

/// How often one render may render variables that refer to tables: each time, the references are others.
const MOST_RENDERS: usize = 256;
/// How many variables may stand in each other.
const DEEPEST: usize = 16;

/// `var('name', default)`
pub(super) struct Var;

/// `env_var('NAME', default)`
pub(super) struct EnvVar;

impl TemplateFunction for Var {
    fn name(&self) -> &'static str {
        "var"
    }

    fn call_in(&self, state: &mut State<'_, '_>, call: &Call<'_>) -> Result<Value, Error> {
        call.takes(2, &["default"])?;
        let name = call.text(0, "the variable's name")?;
        let vars = call.render.vars();
        match (vars.get(&name), call.argument(1, "default")) {
            (Some(value), _) => match value.as_str().filter(|text| is_template(text)) {
                Some(template) => Ok(rendered(state, call, &name, template)?),
                None => Ok(value.clone()),
            },
            (None, Some(default)) => Ok(default.clone()),
            (None, None) => Err(unknown_var(&name, vars.keys().map(String::as_str)).into()),
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

/// The text of a variable that is a template, rendered where it is asked for: it may name what the asking template may.
fn rendered(state: &State<'_, '_>, call: &Call<'_>, name: &str, template: &str) -> Result<Value, CallFailure> {
    let render = call.render;
    let mut record = render.record();
    if let Some(value) = record.variables.get(name) {
        return Ok(value.clone());
    }
    if record.open_variables.iter().any(|open| open.name == name) || record.open_variables.len() == DEEPEST {
        return Err(CallFailure::new(format!("`var('{name}')` needs its own value, or too many others")));
    }
    if record.referring_variables == MOST_RENDERS {
        let message = format!("`var('{name}')` is asked for too often: it refers to a table each time");
        return Err(CallFailure::new(message).help(format!("keep it: `{{% set table = var('{name}') %}}`")));
    }
    record.open_variables.push(VariableFrame { name: name.to_owned(), site: call.site });
    let references = record.references.len();
    drop(record);

    let package = render.package();
    let callables = render.facts().library.callables(&package);
    let source = rewrite(&ScannedText::of(template), TemplateKind::Text, &callables).text;
    let parsed = state.env().template_from_named_str("a variable", &source);
    let text = parsed.and_then(|template| template.render(Value::from_object(Root(Arc::clone(render)))));

    let mut record = render.record();
    record.open_variables.pop();
    let text = text.map_err(|error| unrendered(name, template, &error))?;
    // Variables of variables could double a text with each of them.
    if text.len() > LONGEST_TEXT {
        let message = format!("the text of the variable `{name}` is longer than {} MiB", LONGEST_TEXT / 1024 / 1024);
        return Err(CallFailure::new(message).code(Code::TemplateFuel));
    }
    let value = Value::from(text);
    if record.references.len() == references {
        record.variables.insert(name.to_owned(), value.clone());
    } else {
        record.referring_variables += 1;
    }
    Ok(value)
}

/// Why a variable has no text, in the words of what is wrong with its template.
fn unrendered(name: &str, template: &str, error: &Error) -> CallFailure {
    let errors = std::iter::successors(Some(error as &dyn std::error::Error), |error| error.source());
    let cause = errors.clone().filter_map(|error| error.downcast_ref::<CallFailure>()).last();
    // Those around the innermost say only which macros it has left.
    let innermost = errors.filter_map(|error| error.downcast_ref::<Error>()).last().unwrap_or(error);
    let why = match (cause, innermost.detail()) {
        (Some(cause), _) => cause.message.clone(),
        (None, Some(detail)) if innermost.kind() == ErrorKind::UnknownFunction => {
            format!("no macro or function is called `{}`", detail.trim_end_matches(" is unknown"))
        }
        (None, Some(detail)) => detail.to_owned(),
        (None, None) => innermost.kind().to_string(),
    };
    let message = format!("the variable `{name}` holds a template that cannot be rendered: {why}");
    let code = match (cause, innermost.kind()) {
        (Some(cause), _) => cause.code,
        (None, ErrorKind::OutOfFuel) => Code::TemplateFuel,
        (None, _) => Code::TemplateError,
    };
    CallFailure::new(message).code(code).help(format!("its template is `{template}`"))
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
