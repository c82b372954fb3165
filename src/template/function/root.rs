//! Every name that a template can use: functions, variables and macros.

use std::fmt;
use std::sync::{Arc, OnceLock};

use minijinja::value::{Object, ObjectRepr};
use minijinja::{State, Value};

use super::context::{Api, Builtins, Context, Graph};
use super::macro_call::{MacroCall, Namespace};
use super::mutable::changeable;
use super::overridden::{OverriddenMacro, overridden};
use super::relation::Relation;
use super::{CallFailure, bound, context, modules, python, time};
use crate::project::DBT_VERSION;
use crate::template::invocation::invocation_id;
use crate::template::operators::{MINUS, MODULO, PLUS};
use crate::template::render::{Render, RenderSubject};
use crate::template::rewrite::MUTABLE;

/// The names that are not called.
pub(super) const VARIABLES: [&str; 15] = [
    "api",
    "builtins",
    "context",
    "dbt_version",
    "execute",
    "flags",
    "graph",
    "invocation_id",
    "karat_version",
    "model",
    "modules",
    "project_name",
    "run_started_at",
    "target",
    "this",
];

/// The outermost scope of a template.
pub(in crate::template) struct Root(pub Arc<Render>);

impl fmt::Debug for Root {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("<names>")
    }
}

impl Object for Root {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        let render = &self.0;
        let facts = render.facts();
        if let Some(value) = overridden(&facts.overrides, None, key) {
            return Some(if VARIABLES.contains(&key) { value.clone() } else { OverriddenMacro::value(value) });
        }
        // A macro of the project may take the place of a function, which `builtins` still has.
        if let Some(name) = facts.library.resolve(&render.package(), key) {
            return Some(MacroCall::value(name, render));
        }
        if let Some(value) = bound(key, render).or_else(|| variable(key, render)) {
            return Some(value);
        }
        let namespace = || Namespace { package: key.to_owned(), render: Arc::clone(render) };
        if facts.library.is_package(key) {
            return Some(Value::from_object(namespace()));
        }
        render.assigns(key).then(unset)
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get_value_by_str(key.as_str()?)
    }
}

fn variable(name: &str, render: &Arc<Render>) -> Option<Value> {
    Some(match name {
        MUTABLE => Value::from_function(|state: &State<'_, '_>, literal: &Value| changeable(state, literal)),
        MODULO => Value::from_function(|state: &mut State<'_, '_>, left: &Value, right: &Value| {
            python::modulo(state, left, right)
        }),
        PLUS => Value::from_function(|state: &mut State<'_, '_>, left: &Value, right: &Value| {
            python::sum(state, left, right, false)
        }),
        MINUS => Value::from_function(|state: &mut State<'_, '_>, left: &Value, right: &Value| {
            python::sum(state, left, right, true)
        }),
        "execute" => Value::from(true),
        "karat_version" => Value::from(env!("CARGO_PKG_VERSION")),
        "target" => context::target(render),
        "flags" => context::flags(),
        "dbt_version" => Value::from(DBT_VERSION),
        "project_name" => Value::from(render.facts().project.as_str()),
        "run_started_at" => time::run_started_at(render),
        "invocation_id" => Value::from(invocation_id(&render.facts().project, render.logical_time())),
        "modules" => modules::value(render),
        "graph" => Value::from_object(Graph(Arc::clone(render))),
        "builtins" => Value::from_object(Builtins(Arc::clone(render))),
        "context" => Value::from_object(Context(Arc::clone(render))),
        "api" => Value::from_object(Api(Arc::clone(render))),
        "this" => match &render.subject {
            RenderSubject::Model(model) => Value::from_object(Relation::this(model.table.clone(), render)),
            RenderSubject::Text => failed(CallFailure::new("`this` is only for models")),
        },
        "model" => context::model(render).unwrap_or_else(|| failed(CallFailure::new("`model` is only for models"))),
        _ => return None,
    })
}

/// A name that a `{% set %}` has not reached. As in Jinja2 it prints as nothing; a name that nothing ever sets is an error.
fn unset() -> Value {
    static UNSET: OnceLock<Value> = OnceLock::new();
    let unset = UNSET.get_or_init(|| {
        let environment = minijinja::Environment::new();
        let expression = environment.compile_expression("'' if false").expect("it is an expression");
        expression.eval(()).expect("an `if` without `else` has a value")
    });
    unset.clone()
}

/// A value that is an error as soon as it is used.
fn failed(failure: CallFailure) -> Value {
    Value::from(minijinja::Error::from(failure))
}
