//! What a unit test says of names: values of variables, and what calls of macros give.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use minijinja::value::{Object, ObjectRepr};
use minijinja::{State, Value};

use crate::project::DBT_PACKAGE;

/// What a unit test says of a name, alone or in a package.
pub(super) fn overridden<'v>(
    overrides: &'v BTreeMap<String, Value>,
    package: Option<&str>,
    name: &str,
) -> Option<&'v Value> {
    // Most renders have none.
    if overrides.is_empty() {
        return None;
    }
    match package {
        Some(package) => overrides.get(&format!("{package}.{name}")),
        // As in dbt, a macro of dbt's own has no other meaning without its package.
        None => overrides.get(name).or_else(|| overrides.get(&format!("{DBT_PACKAGE}.{name}"))),
    }
}

/// A macro that gives one value whatever it is called with.
pub(super) struct OverriddenMacro(Value);

impl OverriddenMacro {
    pub fn value(given: &Value) -> Value {
        Value::from_object(OverriddenMacro(given.clone()))
    }
}

impl fmt::Debug for OverriddenMacro {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("<overridden macro>")
    }
}

impl Object for OverriddenMacro {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn call(self: &Arc<Self>, _: &mut State<'_, '_>, _: &[Value]) -> Result<Value, minijinja::Error> {
        Ok(self.0.clone())
    }
}
