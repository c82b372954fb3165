//! `adapter.dispatch()`, and what cannot be answered because it would look into the lake.

use std::sync::Arc;

use minijinja::Value;

use super::column::{columns_in_relation, missing_columns};
use super::context::Api;
use super::macro_call::MacroCall;
use super::reference::refer;
use super::relation::Relation;
use super::{Call, CallFailure, ENGINE, TemplateFunction};
use crate::diag::Code;
use crate::name::{TableName, quoted};
use crate::template::ReferenceTarget;
use crate::template::render::{Render, RenderSubject};

/// `adapter.dispatch('name')`
pub(super) struct Adapter;

/// `load_relation(relation)`: the relation if the table exists. What a model reads exists when it is built; its own table does where
/// `is_incremental()` is true.
pub(super) struct LoadRelation(pub &'static str);

/// A function of other tools that would make a model's text depend on what the lake holds.
pub(super) struct UnavailableFunction(pub &'static str);

impl TemplateFunction for Adapter {
    fn name(&self) -> &'static str {
        "adapter"
    }

    fn methods(&self) -> &'static [&'static str] {
        &["dispatch", "get_columns_in_relation", "get_missing_columns", "get_relation", "quote", "type"]
    }

    /// `adapter.Relation` and `adapter.Column`, which `api` has too.
    fn attribute(&self, name: &str, render: &Arc<Render>) -> Option<Value> {
        Api(Arc::clone(render)).class(name)
    }

    fn method(&self, method: &str, call: &Call<'_>) -> Result<Value, CallFailure> {
        match method {
            "dispatch" => {}
            "quote" | "quote_as_configured" => {
                return Ok(Value::from(quoted(&call.value(0, "a name")?.to_string())));
            }
            "quote_seed_column" => return Ok(call.value(0, "a name")?.clone()),
            "type" => return Ok(Value::from(ENGINE)),
            "get_columns_in_relation" => return columns_in_relation(call),
            "get_missing_columns" => return missing_columns(call),
            "get_relation" => return relation_called(call),
            _ => return Err(refusal(&format!("adapter.{method}"))),
        }
        let name = call.text(0, "the macro's name")?;
        let namespace = call.argument(1, "macro_namespace").and_then(Value::as_str);
        let library = &call.render.facts().library;
        match library.dispatched(&call.render.package(), &name, namespace) {
            Some(full) => Ok(MacroCall::value(full, call.render)),
            None => Err(CallFailure::new(format!("no macro is called `default__{name}`"))
                .code(Code::UnknownMacro)
                .help(format!("define `datafusion__{name}` or `default__{name}` in a macro file"))),
        }
    }
}

impl TemplateFunction for LoadRelation {
    fn name(&self) -> &'static str {
        self.0
    }

    fn call(&self, call: &Call<'_>) -> Result<Value, CallFailure> {
        call.takes(1, &["relation"])?;
        let relation = call.value(0, "relation")?;
        match relation.downcast_object_ref::<Relation>() {
            Some(found) if found.noticed_by.is_some() => Ok(own_table(call)),
            Some(_) => Ok(relation.clone()),
            None => Err(CallFailure::new(format!("`{}()` needs a relation", call.name))
                .help("pass what `ref()`, `source()` or `this` gives")),
        }
    }
}

impl TemplateFunction for UnavailableFunction {
    fn name(&self) -> &'static str {
        self.0
    }

    fn call(&self, _call: &Call<'_>) -> Result<Value, CallFailure> {
        Err(refusal(self.0))
    }

    fn method(&self, _method: &str, _call: &Call<'_>) -> Result<Value, CallFailure> {
        Err(refusal(self.0))
    }
}

/// `adapter.get_relation(database, schema, identifier)`: a table that the project makes or reads, or nothing. To ask for it is to
/// read it: which tables the lake holds changes with every run.
fn relation_called(call: &Call<'_>) -> Result<Value, CallFailure> {
    call.takes(3, &["database", "schema", "identifier"])?;
    let schema = call.text(1, "schema")?;
    let identifier = call.text(2, "identifier")?;
    let is_called = |table: &TableName| {
        table.schema.as_str().eq_ignore_ascii_case(&schema) && table.table.eq_ignore_ascii_case(&identifier)
    };
    if let RenderSubject::Model(model) = &call.render.subject
        && is_called(&model.table)
    {
        return Ok(own_table(call));
    }
    let facts = call.render.facts();
    if let Some((name, table)) = facts.tables.iter().find(|(_, table)| is_called(table)) {
        return Ok(refer(call, ReferenceTarget::Model(name.clone()), table));
    }
    match facts.sources.iter().find(|table| is_called(table)) {
        Some(table) => Ok(refer(call, ReferenceTarget::Source(table.clone()), table)),
        None => Ok(Value::from(())),
    }
}

/// `this` where the model's own table can be read, and nothing elsewhere.
fn own_table(call: &Call<'_>) -> Value {
    call.render.record().asked_incremental = true;
    match &call.render.subject {
        RenderSubject::Model(model) if call.render.is_sliced() => {
            Value::from_object(Relation::this(model.table.clone(), call.render))
        }
        RenderSubject::Model(_) | RenderSubject::Text => Value::from(()),
    }
}

fn refusal(name: &str) -> CallFailure {
    CallFailure::new(format!("`{name}` is not available: the SQL of a model must not depend on what the lake holds"))
        .help("list the values with `var()` or in the model, or compute them in SQL with a join")
}
