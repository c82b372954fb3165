//! Names that dbt's macros look things up by: `target`, `flags`, `api`, `builtins`.

use std::fmt;
use std::sync::Arc;

use minijinja::value::{Object, ObjectRepr};
use minijinja::{Error, ErrorKind, State, Value};

use super::adapter::ENGINE;
use super::column::ColumnValue;
use super::relation::{DATABASE, Relation};
use super::{Call, CallFailure, bound};
use crate::name::{SchemaName, TableName};
use crate::template::ReferenceName;
use crate::template::introspection::RelationColumn;
use crate::template::render::Render;

/// The version of dbt whose words are spoken here: packages ask whether they are understood.
pub(super) const DBT_VERSION: &str = "1.11.0";

/// `target`: what a profile of dbt says. There is one schema for each folder here, so `schema` is the project's name.
pub(super) fn target(render: &Render) -> Value {
    let facts = render.facts();
    let texts = [
        ("name", facts.target.as_str()),
        ("target_name", facts.target.as_str()),
        ("profile_name", facts.project.as_str()),
        ("schema", facts.project.as_str()),
        ("dataset", facts.project.as_str()),
        ("database", DATABASE),
        ("dbname", DATABASE),
        ("project", DATABASE),
        ("type", ENGINE),
    ];
    let threads = std::iter::once(("threads", Value::from(1)));
    Value::from_pairs(texts.into_iter().map(|(key, value)| (key, Value::from(value))).chain(threads))
}

/// `flags`: how dbt was called. A text must not depend on that, so these are the usual ones.
pub(super) fn flags() -> Value {
    let switches =
        ["FULL_REFRESH", "STORE_FAILURES", "DEBUG", "EMPTY", "INTROSPECT"].map(|name| (name, Value::from(false)));
    Value::from_pairs(switches.into_iter().chain([("WHICH", Value::from("run"))]))
}

/// `builtins`: karat's functions, whatever macros are called.
pub(super) struct Builtins(pub Arc<Render>);

impl fmt::Debug for Builtins {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("<builtins>")
    }
}

impl Object for Builtins {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        bound(key, &self.0)
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get_value_by_str(key.as_str()?)
    }

    fn call_method(self: &Arc<Self>, state: &mut State<'_, '_>, method: &str, given: &[Value]) -> Result<Value, Error> {
        match self.get_value_by_str(method) {
            Some(function) => function.call(state, given),
            None => Err(Error::new(ErrorKind::UnknownFunction, format!("{method} is unknown"))),
        }
    }
}

/// `api`, with `api.Column` and `api.Relation`.
pub(super) fn api(render: &Arc<Render>) -> Value {
    let class = |class| Value::from_object(Class { class, render: Arc::clone(render) });
    Value::from_pairs([("Column", class(ClassKind::Column)), ("Relation", class(ClassKind::Relation))])
}

/// A class of dbt: called, it makes a value.
struct Class {
    class: ClassKind,
    render: Arc<Render>,
}

#[derive(Debug, Clone, Copy)]
enum ClassKind {
    Column,
    Relation,
}

impl fmt::Debug for Class {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "<class {:?}>", self.class)
    }
}

impl Object for Class {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn call(self: &Arc<Self>, state: &mut State<'_, '_>, arguments: &[Value]) -> Result<Value, Error> {
        self.call_method(state, "create", arguments)
    }

    fn call_method(
        self: &Arc<Self>,
        state: &mut State<'_, '_>,
        method: &str,
        arguments: &[Value],
    ) -> Result<Value, Error> {
        match (self.class, method) {
            (ClassKind::Column, "create" | "from_description") => {
                let call = Call::new(&self.render, "api.Column", state.name(), arguments);
                let data_type = call.text(1, "dtype")?;
                let name = call.text(0, "column")?;
                Ok(ColumnValue::value(RelationColumn { name, data_type }))
            }
            (ClassKind::Column, "translate_type") => {
                let call = Call::new(&self.render, "api.Column.translate_type", state.name(), arguments);
                Ok(Value::from(translated_type(&call.text(0, "dtype")?)))
            }
            (ClassKind::Column, "string_type") => Ok(Value::from("text")),
            (ClassKind::Column, "numeric_type") => Ok(Value::from("numeric")),
            (ClassKind::Relation, "create") => {
                let call = Call::new(&self.render, "api.Relation.create", state.name(), arguments);
                Ok(relation(&call)?)
            }
            (_, method) => Err(Error::new(ErrorKind::UnknownMethod, format!("{self:?} has no method `{method}`"))),
        }
    }
}

/// The name of a table, whether there is one or not. What reads it must refer to it by `ref()` or `source()`.
fn relation(call: &Call<'_>) -> Result<Value, CallFailure> {
    let table = call.text(2, "identifier")?;
    let schema = match call.argument(1, "schema").and_then(Value::as_str) {
        Some(schema) => schema.to_owned(),
        None => call.render.facts().project.clone(),
    };
    let schema = SchemaName::parse(&schema)
        .map_err(|wrong| CallFailure::new(format!("`{schema}` is not a name for a schema: {wrong}")))?;
    Ok(Value::from_object(Relation::of(ReferenceName::first(TableName { schema, table }))))
}

/// dbt's names of types in PostgreSQL's words.
fn translated_type(name: &str) -> String {
    let word = match name.to_ascii_lowercase().as_str() {
        "string" => "text",
        "float" => "double precision",
        _ => return name.to_owned(),
    };
    word.to_owned()
}
