//! Every name that a template can use: functions, variables and macros.

use std::fmt;
use std::sync::Arc;

use minijinja::Value;
use minijinja::value::{Object, ObjectRepr};

use super::macro_call::{MacroCall, Namespace};
use super::mutable::changeable;
use super::relation::Relation;
use super::{CallFailure, bound};
use crate::template::ReferenceName;
use crate::template::render::{Render, RenderSubject};
use crate::template::rewrite::MUTABLE;

/// The names that are not called.
pub(super) const VARIABLES: [&str; 7] =
    ["execute", "invocation_id", "karat_version", "model", "run_started_at", "target", "this"];

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
        "target" => Value::from_pairs([("name", render.facts().target.as_str()), ("type", "datafusion")]),
        "run_started_at" | "invocation_id" => failed(
            CallFailure::new(format!("`{name}` is not available: the SQL of a model must not depend on the clock"))
                .help("pass a value: `var('run_date')`"),
        ),
        "this" => match &render.subject {
            RenderSubject::Model(model) => {
                let name = ReferenceName::first(model.table.clone());
                Value::from_object(Relation { name, noticed_by: Some(Arc::clone(render)) })
            }
            RenderSubject::Text => failed(CallFailure::new("`this` is only for models")),
        },
        "model" => match &render.subject {
            RenderSubject::Model(model) => {
                Value::from_pairs([("name", model.name.as_str()), ("path", model.path.as_str())])
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
