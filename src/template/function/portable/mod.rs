//! `dbt.*`: the macros that dbt brings along so that one text of SQL runs on many databases. They write PostgreSQL's spelling.

mod dates;
mod values;

use std::fmt;
use std::sync::Arc;

use minijinja::value::{Object, ObjectRepr};
use minijinja::{Error, State, Value};

use super::macro_call::MacroCall;
use super::{Call, CallFailure, bound};
use crate::diag::Code;
use crate::template::render::Render;

/// What dbt puts before the name of the version of a macro that every database can run.
const DEFAULT: &str = "default__";

/// Macros that make, change or drop tables, which karat does itself.
const STATEMENTS: [&str; 14] = [
    "alter_column_type",
    "create_schema",
    "create_table_as",
    "create_view_as",
    "drop_relation",
    "drop_relation_if_exists",
    "drop_schema",
    "get_create_index_sql",
    "get_create_table_as_sql",
    "get_create_view_as_sql",
    "load_csv_rows",
    "make_temp_relation",
    "rename_relation",
    "truncate_relation",
];

/// One macro.
pub(super) struct PortableMacro {
    name: &'static str,
    /// Those that may be left out end with `?`.
    parameters: &'static [&'static str],
    write: fn(&MacroArguments<'_>) -> Result<Value, CallFailure>,
}

/// The arguments of a call, by the macro's parameters.
pub(super) struct MacroArguments<'a> {
    call: &'a Call<'a>,
    parameters: &'static [&'static str],
}

impl MacroArguments<'_> {
    fn given(&self, place: usize) -> Option<&Value> {
        let name = self.parameters.get(place)?.trim_end_matches('?');
        self.call.argument(place, name).filter(|value| !value.is_none() && !value.is_undefined())
    }

    /// An argument as it would be printed.
    fn text(&self, place: usize) -> String {
        self.given(place).map(Value::to_string).unwrap_or_default()
    }

    /// An argument that is a word of a few: `day`.
    fn word(&self, place: usize) -> String {
        self.text(place).trim().trim_matches('\'').to_ascii_lowercase()
    }

    /// Refuses arguments that the macro does not have, and asks for those that it needs.
    fn check(&self) -> Result<(), CallFailure> {
        let names: Vec<&str> = self.parameters.iter().map(|name| name.trim_end_matches('?')).collect();
        self.call.takes(names.len(), &names)?;
        for (place, name) in self.parameters.iter().enumerate().filter(|(_, name)| !name.ends_with('?')) {
            if self.call.argument(place, name).is_none() {
                return Err(CallFailure::new(format!("`{}()` needs `{name}`", self.call.name)));
            }
        }
        Ok(())
    }
}

/// The macro of this name, with `default__` or without.
fn find(name: &str) -> Option<&'static PortableMacro> {
    let name = name.strip_prefix(DEFAULT).unwrap_or(name);
    dates::ALL.iter().chain(&values::ALL).find(|known| known.name == name)
}

/// The names of all macros.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    dates::ALL.iter().chain(&values::ALL).map(|known| known.name)
}

/// What a name of dbt's own means without `dbt.` before it. The project's macros of this name come first.
pub(super) fn value(name: &str, render: &Arc<Render>) -> Option<Value> {
    if name.starts_with(DEFAULT) || find(name).is_none() {
        let refused = STATEMENTS.contains(&name);
        return refused.then(|| Value::from_object(StatementMacro(name.to_owned())));
    }
    chosen(name, render)
}

/// What `adapter.dispatch(name, 'dbt')` means: the project's version, else dbt's.
pub(super) fn chosen(name: &str, render: &Arc<Render>) -> Option<Value> {
    match render.facts().library.dispatched(name) {
        Some(own) => Some(MacroCall::value(own, render)),
        None => find(name).map(|known| Value::from_object(BoundMacro { known, render: Arc::clone(render) })),
    }
}

struct BoundMacro {
    known: &'static PortableMacro,
    render: Arc<Render>,
}

impl fmt::Debug for BoundMacro {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "<macro dbt.{}>", self.known.name)
    }
}

impl Object for BoundMacro {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn call(self: &Arc<Self>, state: &mut State<'_, '_>, arguments: &[Value]) -> Result<Value, Error> {
        let call = Call::new(&self.render, self.known.name, state.name(), arguments);
        let arguments = MacroArguments { call: &call, parameters: self.known.parameters };
        arguments.check()?;
        (self.known.write)(&arguments).map_err(Error::from)
    }
}

/// A macro that would change the lake.
struct StatementMacro(String);

impl fmt::Debug for StatementMacro {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "<macro dbt.{}>", self.0)
    }
}

impl Object for StatementMacro {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn call(self: &Arc<Self>, _: &mut State<'_, '_>, _: &[Value]) -> Result<Value, Error> {
        let message = format!("`{}` is not available: karat makes and drops tables itself", self.0);
        Err(CallFailure::new(message).help("write a model: its materialization says what becomes of its rows").into())
    }
}

/// `dbt` as a name space.
pub(super) struct PortableNamespace {
    pub render: Arc<Render>,
}

impl fmt::Debug for PortableNamespace {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("<macros dbt>")
    }
}

impl Object for PortableNamespace {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        if key.starts_with(DEFAULT) {
            let known = find(key)?;
            return Some(Value::from_object(BoundMacro { known, render: Arc::clone(&self.render) }));
        }
        value(key, &self.render).or_else(|| bound(key, &self.render))
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get_value_by_str(key.as_str()?)
    }

    fn call_method(
        self: &Arc<Self>,
        state: &mut State<'_, '_>,
        method: &str,
        arguments: &[Value],
    ) -> Result<Value, Error> {
        match self.get_value_by_str(method) {
            Some(found) => found.call(state, arguments),
            None => {
                let failure = CallFailure::new(format!("karat has no macro `dbt.{method}`")).code(Code::UnknownMacro);
                Err(failure.suggest(method, names()).into())
            }
        }
    }
}
