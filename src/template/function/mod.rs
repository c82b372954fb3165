//! What a template can call: one file per family of functions, and the list of them.

mod adapter;
mod call;
mod column;
mod config;
mod context;
mod data;
mod incremental;
mod json_text;
mod macro_call;
mod message;
mod modules;
mod mutable;
mod overridden;
mod python;
mod query;
mod reference;
mod relation;
mod root;
mod set_value;
mod time;
mod variable;
mod yaml_text;

use std::fmt;
use std::sync::Arc;

use minijinja::value::Object;
use minijinja::{Error, ErrorKind, State, Value};

pub(super) use call::{Call, CallFailure};
pub(super) use json_text::json_text;
pub(super) use macro_call::{Calls, MacroFrame};
pub(super) use mutable::{list, unknown_method};
pub(super) use root::Root;

use super::render::Render;

/// A function that templates can call by its name.
pub(super) trait TemplateFunction: Send + Sync {
    fn name(&self) -> &'static str;

    /// `name(…)`
    fn call(&self, call: &Call<'_>) -> Result<Value, CallFailure> {
        Err(CallFailure::new(format!("`{}` cannot be called itself", call.name)))
    }

    /// The same where the function calls back what it is given.
    fn call_in(&self, _state: &mut State<'_, '_>, call: &Call<'_>) -> Result<Value, Error> {
        self.call(call).map_err(Error::from)
    }

    /// The methods that a template may hold without calling them.
    fn methods(&self) -> &'static [&'static str] {
        &[]
    }

    /// `name.attribute`
    fn attribute(&self, _name: &str, _render: &Arc<Render>) -> Option<Value> {
        None
    }

    /// `name.method(…)`
    fn method(&self, method: &str, _call: &Call<'_>) -> Result<Value, CallFailure> {
        Err(CallFailure::new(format!("`{}` has no method `{method}`", self.name())))
    }
}

/// What `adapter.type()` and `target.type` say.
const ENGINE: &str = "datafusion";

/// Every function, in alphabetical order.
const ALL: [&dyn TemplateFunction; 30] = [
    &adapter::Adapter,
    &config::Config,
    &data::MakeDict,
    &data::DiffOfTwoDicts,
    &variable::EnvVar,
    &message::Exceptions,
    &data::FromJson,
    &data::FromYaml,
    &incremental::IsIncremental,
    &adapter::LoadRelation("load_cached_relation"),
    &adapter::LoadRelation("load_relation"),
    &query::LoadResult,
    &data::LocalMd5,
    &message::LogFunction,
    &message::Print,
    &reference::Ref,
    &macro_call::Return,
    &query::RunQuery,
    &data::MakeSet { is_strict: false },
    &data::MakeSet { is_strict: true },
    &incremental::ShouldFullRefresh,
    &reference::SourceFunction,
    &query::Statement,
    &adapter::UnavailableFunction("store_result"),
    &data::ToJson,
    &data::ToYaml,
    &variable::Var,
    &data::Zip { is_strict: false },
    &data::Zip { is_strict: true },
    &macro_call::Load,
];

/// Whether a name of karat means the same in every project. Functions and variables, and what dbt brings along, may be replaced by macros.
pub(super) fn is_known(name: &str) -> bool {
    name.starts_with("__") || name == "return"
}

/// The names of all functions and variables.
pub(super) fn names<'a>() -> impl Iterator<Item = &'a str> {
    ALL.iter().map(|function| function.name()).chain(root::VARIABLES).filter(|name| !name.starts_with("__"))
}

/// A function and the render that it works for.
struct BoundFunction {
    function: &'static dyn TemplateFunction,
    render: Arc<Render>,
}

/// The function with this name, ready to be called.
fn bound(name: &str, render: &Arc<Render>) -> Option<Value> {
    let function = *ALL.iter().find(|function| function.name() == name)?;
    Some(Value::from_object(BoundFunction { function, render: Arc::clone(render) }))
}

impl fmt::Debug for BoundFunction {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "<function {}>", self.function.name())
    }
}

impl Object for BoundFunction {
    fn repr(self: &Arc<Self>) -> minijinja::value::ObjectRepr {
        minijinja::value::ObjectRepr::Plain
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let key = key.as_str()?;
        let method = self.function.methods().iter().find(|method| **method == key);
        let bound = method.map(|method| BoundMethod { function: Arc::clone(self), method });
        bound.map(Value::from_object).or_else(|| self.function.attribute(key, &self.render))
    }

    fn call(self: &Arc<Self>, state: &mut State<'_, '_>, arguments: &[Value]) -> Result<Value, Error> {
        let call = Call::new(&self.render, self.function.name(), state.name(), arguments);
        self.function.call_in(state, &call)
    }

    fn call_method(
        self: &Arc<Self>,
        state: &mut State<'_, '_>,
        method: &str,
        arguments: &[Value],
    ) -> Result<Value, Error> {
        let call = Call::new(&self.render, self.function.name(), state.name(), arguments);
        self.function.method(method, &call).map_err(Error::from)
    }
}

/// A method that a template holds as a value.
struct BoundMethod {
    function: Arc<BoundFunction>,
    method: &'static str,
}

impl fmt::Debug for BoundMethod {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "<method {}.{}>", self.function.function.name(), self.method)
    }
}

impl Object for BoundMethod {
    fn repr(self: &Arc<Self>) -> minijinja::value::ObjectRepr {
        minijinja::value::ObjectRepr::Plain
    }

    fn call(self: &Arc<Self>, state: &mut State<'_, '_>, arguments: &[Value]) -> Result<Value, Error> {
        self.function.call_method(state, self.method, arguments)
    }
}

impl From<CallFailure> for Error {
    fn from(failure: CallFailure) -> Error {
        Error::new(ErrorKind::InvalidOperation, failure.message.clone()).with_source(failure)
    }
}
