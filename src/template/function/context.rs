//! What a template may know of the project, the target and dbt itself, besides functions.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use minijinja::value::{Enumerator, Object, ObjectRepr, Serde};
use minijinja::{Error, State, Value};

use super::column::ColumnClass;
use super::{Call, CallFailure, ENGINE, Root, bound, relation};
use crate::template::render::{NodeColumn, NodeFacts, Render, RenderSubject, TargetNames};

/// `target`: where the tables are.
pub(super) fn target(render: &Render) -> Value {
    let TargetNames { name, schema, database, profile } = &render.facts().target;
    Value::from_pairs([
        ("name", Value::from(name.as_str())),
        ("target_name", Value::from(name.as_str())),
        ("type", Value::from(ENGINE)),
        ("schema", Value::from(schema.as_str())),
        ("database", Value::from(&**database)),
        ("profile_name", Value::from(profile.as_str())),
        // What a model's text may depend on: not on the machine's cores.
        ("threads", Value::from(1)),
    ])
}

/// `flags`. A text does not depend on the command that asks for it, so these are always the same.
pub(super) fn flags() -> Value {
    let off = [
        "FULL_REFRESH",
        "STORE_FAILURES",
        "DEBUG",
        "FAIL_FAST",
        "EMPTY",
        "DEFER",
        "QUIET",
        "WARN_ERROR",
        "INDIRECT_SELECTION",
        "PARTIAL_PARSE",
    ];
    let flags = [("WHICH", Value::from("run")), ("INVOCATION_COMMAND", Value::from("karat run"))];
    let off = off.into_iter().map(|name| (name, Value::from(false)));
    Value::from_pairs(flags.into_iter().chain(off))
}

/// `model`: what is known of the model that is rendered, as dbt names it.
pub(super) fn model(render: &Render) -> Option<Value> {
    match &render.subject {
        RenderSubject::Model(model) => {
            let node = render.nodes().and_then(|nodes| nodes.get(&model.unique_id));
            let settings = render.record().settings.clone();
            let pairs = node.map(|node| node_pairs(node, render, Some(&settings))).unwrap_or_default();
            Some(Value::from_pairs(pairs))
        }
        RenderSubject::Text => None,
    }
}

/// A model, seed or source as `graph` and `model` show it.
fn node_pairs(
    node: &NodeFacts,
    render: &Render,
    settings: Option<&crate::project::Settings>,
) -> Vec<(&'static str, Value)> {
    let settings = settings.unwrap_or(&node.settings);
    let value = |key: &str| settings.get(key).map(|value| Value::from(Serde(&value.value)));
    let empty = || Value::from(Vec::<Value>::new());
    let config = settings.values.iter().map(|(key, value)| (key.as_str(), Value::from(Serde(&value.value))));
    let config: BTreeMap<&str, Value> =
        [("materialized", Value::from("view")), ("enabled", Value::from(true)), ("tags", empty())]
            .into_iter()
            .chain(config)
            .collect();
    let own_table = match &render.subject {
        RenderSubject::Model(model) if model.name.as_str() == node.name => Some(model.table.clone()),
        RenderSubject::Model(_) | RenderSubject::Text => None,
    };
    let known = node.model.as_ref().and_then(|name| render.facts().tables.get(name)).cloned();
    let table = own_table.or(known).unwrap_or_else(|| node.table.clone());
    vec![
        ("unique_id", Value::from(node.unique_id.as_str())),
        ("name", Value::from(node.name.as_str())),
        ("resource_type", Value::from(node.resource_type)),
        ("package_name", Value::from(node.package.as_str())),
        ("path", Value::from(node.path.as_str())),
        ("original_file_path", Value::from(node.path.as_str())),
        ("fqn", Value::from(node.fqn.clone())),
        ("database", Value::from(&*render.facts().database_of(&table))),
        ("schema", Value::from(table.schema.as_str())),
        ("alias", Value::from(table.table.as_str())),
        ("identifier", Value::from(table.table.as_str())),
        ("relation_name", Value::from(table.to_string())),
        ("description", Value::from(node.description.as_str())),
        ("source_name", Value::from(node.source_name.as_str())),
        ("source_meta", Value::from_pairs(Vec::<(&str, Value)>::new())),
        ("language", Value::from("sql")),
        ("tags", value("tags").unwrap_or_else(empty)),
        ("meta", value("meta").unwrap_or_else(|| Value::from_pairs(Vec::<(&str, Value)>::new()))),
        ("config", Value::from_pairs(config)),
        ("columns", Value::from_pairs(node.columns.iter().map(|column| (column.name.as_str(), column_value(column))))),
        ("refs", empty()),
        ("sources", empty()),
        ("depends_on", Value::from_pairs([("nodes", empty()), ("macros", empty())])),
    ]
}

/// A column as a node shows it: what stands in its `config` is beside it too.
fn column_value(column: &NodeColumn) -> Value {
    let config = column.written.get("config");
    let said = |key: &str, unset: fn() -> serde_json::Value| {
        let found = column.written.get(key).or_else(|| config?.get(key)).filter(|value| !value.is_null());
        let found = found.cloned().unwrap_or_else(unset);
        // A single tag is a list of one.
        if found.is_string() && key == "tags" { serde_json::json!([found]) } else { found }
    };
    let empty = || serde_json::json!({});
    let none = || serde_json::json!([]);
    let meta = said("meta", empty);
    let tags = said("tags", none);
    let mut all = serde_json::Map::new();
    if let Some(serde_json::Value::Object(config)) = config {
        all.extend(config.clone());
    }
    all.insert("meta".to_owned(), meta.clone());
    all.insert("tags".to_owned(), tags.clone());
    Value::from_pairs([
        ("name", Value::from(column.name.as_str())),
        ("description", Value::from(column.description.as_str())),
        ("data_type", column.data_type.as_deref().map_or_else(|| Value::from(()), Value::from)),
        ("meta", Value::from(Serde(&meta))),
        ("tags", Value::from(Serde(&tags))),
        ("config", Value::from(Serde(&serde_json::Value::Object(all)))),
        ("constraints", Value::from(Serde(&said("constraints", none)))),
        ("quote", Value::from(Serde(&said("quote", || serde_json::Value::Null)))),
    ])
}

/// `graph`: the nodes of the project, as far as they are known before anything is rendered.
pub(super) struct Graph(pub Arc<Render>);

impl fmt::Debug for Graph {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("<graph>")
    }
}

impl Object for Graph {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Map
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Str(&["nodes", "sources", "exposures", "metrics", "groups"])
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let is_source = match key.as_str()? {
            "nodes" => false,
            "sources" => true,
            "exposures" | "metrics" | "groups" | "semantic_models" | "saved_queries" => {
                return Some(Value::from_pairs(Vec::<(&str, Value)>::new()));
            }
            _ => return None,
        };
        let nodes = self
            .0
            .nodes()
            .into_iter()
            .flat_map(BTreeMap::values)
            .filter(|node| (node.resource_type == "source") == is_source);
        let nodes = nodes.map(|node| (node.unique_id.as_str(), Value::from_pairs(node_pairs(node, &self.0, None))));
        Some(Value::from_pairs(nodes))
    }
}

/// `builtins`: the functions of karat, also where the project has a macro of the same name.
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

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        bound(key.as_str()?, &self.0)
    }

    fn call_method(
        self: &Arc<Self>,
        state: &mut State<'_, '_>,
        method: &str,
        arguments: &[Value],
    ) -> Result<Value, Error> {
        match bound(method, &self.0) {
            Some(found) => found.call(state, arguments),
            None => {
                let failure = CallFailure::new(format!("`builtins` has no function `{method}`"));
                Err(failure.suggest(method, super::names()).into())
            }
        }
    }
}

/// `context`: every name as a dict, for those that are computed.
pub(super) struct Context(pub Arc<Render>);

impl fmt::Debug for Context {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("<context>")
    }
}

impl Object for Context {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Map
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        let package = self.0.package();
        let library = self.0.facts().library.names(&package).map(Value::from);
        Enumerator::Values(super::names().map(Value::from).chain(library).collect())
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        Arc::new(Root(Arc::clone(&self.0))).get_value(key)
    }

    fn call_method(
        self: &Arc<Self>,
        state: &mut State<'_, '_>,
        method: &str,
        arguments: &[Value],
    ) -> Result<Value, Error> {
        if method == "get"
            && let Some(key) = arguments.first()
        {
            let default = || arguments.get(1).cloned().unwrap_or_else(|| Value::from(()));
            return Ok(self.get_value(key).unwrap_or_else(default));
        }
        match self.get_value(&Value::from(method)) {
            Some(found) => found.call(state, arguments),
            None => Err(Error::from(minijinja::ErrorKind::UnknownMethod)),
        }
    }
}

/// `api`: the classes of relations and columns.
pub(super) struct Api(pub Arc<Render>);

impl fmt::Debug for Api {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("<api>")
    }
}

impl Object for Api {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.class(key.as_str()?)
    }

    fn call_method(
        self: &Arc<Self>,
        state: &mut State<'_, '_>,
        method: &str,
        arguments: &[Value],
    ) -> Result<Value, Error> {
        match self.get_value(&Value::from(method)) {
            Some(class) => class.call(state, arguments),
            None => Err(CallFailure::new(format!("`api` has no class `{method}`")).into()),
        }
    }
}

impl Api {
    /// The class of this name.
    pub fn class(&self, name: &str) -> Option<Value> {
        match name {
            "Column" => Some(Value::from_object(ColumnClass)),
            "Relation" => Some(Value::from_object(RelationClass(Arc::clone(&self.0)))),
            _ => None,
        }
    }
}

struct RelationClass(Arc<Render>);

impl fmt::Debug for RelationClass {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("<class Relation>")
    }
}

impl Object for RelationClass {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        // The words for what a relation may be.
        let word = key.as_str()?;
        ["Table", "View", "CTE", "External"].contains(&word).then(|| Value::from(word.to_ascii_lowercase()))
    }

    fn call_method(
        self: &Arc<Self>,
        state: &mut State<'_, '_>,
        method: &str,
        arguments: &[Value],
    ) -> Result<Value, Error> {
        if method != "create" {
            return Err(CallFailure::new(format!("`api.Relation` has no method `{method}`")).into());
        }
        let call = Call::new(&self.0, "api.Relation.create", state.name(), arguments);
        relation::create(&call).map_err(Error::from)
    }
}
