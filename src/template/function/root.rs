//! Every name that a template can use: functions, variables and macros.

use std::fmt;
use std::sync::Arc;

use minijinja::Value;
use minijinja::value::{Object, ObjectRepr};

use super::macro_call::{MacroCall, Namespace};
use super::mutable::changeable;
use super::relation::Relation;
use super::{CallFailure, bound, names};
use crate::template::ReferenceName;
use crate::template::render::{Render, RenderSubject};
use crate::template::rewrite::MUTABLE;

/// The names that are not called.
pub(super) const VARIABLES: [&str; 12] = [
    "api",
    "builtins",
    "dbt_version",
    "execute",
    "flags",
    "invocation_id",
    "karat_version",
    "model",
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
        if let Some(value) = bound(key, render).or_else(|| variable(key, render)) {
            return Some(value);
        }
        if let Some(name) = facts.library.resolve(&render.package(), key) {
            return Some(MacroCall::value(name, render));
        }
        let namespace = || Namespace { package: key.to_owned(), render: Arc::clone(render) };
        facts.library.is_package(key).then(|| Value::from_object(namespace()))
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get_value_by_str(key.as_str()?)
    }
}

fn variable(name: &str, render: &Arc<Render>) -> Option<Value> {
    Some(match name {
        MUTABLE => Value::from_function(|state: &minijinja::State<'_, '_>, literal: &Value| changeable(state, literal)),
        "execute" => Value::from(true),
        "karat_version" => Value::from(env!("CARGO_PKG_VERSION")),
        "target" => names::target(render),
        "flags" => names::flags(),
        "api" => names::api(render),
        "builtins" => Value::from_object(names::Builtins(Arc::clone(render))),
        "dbt_version" => Value::from(names::DBT_VERSION),
        "project_name" => Value::from(render.facts().project.as_str()),
        "run_started_at" | "invocation_id" => failed(
            CallFailure::new(format!("`{name}` is not available: the SQL of a model must not depend on the clock"))
                .help("pass a value: `var('run_date')`"),
        ),
        "this" => match &render.subject {
            RenderSubject::Model(model) => {
                let name = ReferenceName::first(model.table.clone());
                Value::from_object(Relation { noticed_by: Some(Arc::clone(render)), ..Relation::of(name) })
            }
            RenderSubject::Text => failed(CallFailure::new("`this` is only for models")),
        },
        "model" => match &render.subject {
            RenderSubject::Model(model) => {
                let id = format!("model.{}.{}", render.package(), model.name);
                let texts = [
                    ("name", model.name.as_str()),
                    ("alias", model.table.table.as_str()),
                    ("identifier", model.table.table.as_str()),
                    ("schema", model.table.schema.as_str()),
                    ("path", model.path.as_str()),
                    ("original_file_path", model.path.as_str()),
                    ("resource_type", "model"),
                    ("unique_id", id.as_str()),
                ];
                Value::from_pairs(texts)
            }
            RenderSubject::Text => failed(CallFailure::new("`model` is only for models")),
        },
        _ => return None,
    })
}

/// A value that is an error as soon as it is used.
fn failed(failure: CallFailure) -> Value {
    Value::from(minijinja::Error::from(failure))
}
