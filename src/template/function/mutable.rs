//! Lists and dicts that change: what `{% set x = [] %}` gives, so that `{% do x.append(1) %}` works.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use indexmap::IndexMap;
use minijinja::value::{Enumerator, Object, ObjectRepr, ValueKind};
use minijinja::{Error, ErrorKind, State, Value};

use super::CallFailure;
use super::relation::Relation;

/// How deep values may be nested into a changeable one.
const DEPTH: usize = 32;

/// The methods that change a value.
const CHANGES: [&str; 10] =
    ["add", "append", "clear", "extend", "insert", "pop", "remove", "reverse", "setdefault", "update"];

/// Makes a literal changeable. Templates call it without knowing.
pub(super) fn changeable(state: &State<'_, '_>, literal: &Value) -> Result<Value, Error> {
    let Some(object) = literal.as_object() else {
        return Ok(literal.clone());
    };
    // What is checked here is also bounded: a value that repeats another can be printed in the end.
    check_nesting(state, None, literal)?;
    Ok(match literal.kind() {
        ValueKind::Seq => Value::from_object(ListValue(Mutex::new(object.try_iter().into_iter().flatten().collect()))),
        ValueKind::Map => {
            Value::from_object(DictValue(Mutex::new(object.try_iter_pairs().into_iter().flatten().collect())))
        }
        _ => literal.clone(),
    })
}

/// What happens for a method that a value does not have: Python's methods, else an error.
pub(in crate::template) fn unknown_method(
    state: &mut State<'_, '_>,
    value: &Value,
    method: &str,
    arguments: &[Value],
) -> Result<Value, Error> {
    minijinja_contrib::pycompat::unknown_method_callback(state, value, method, arguments).map_err(|error| {
        let is_fixed = matches!(value.kind(), ValueKind::Seq | ValueKind::Map) && CHANGES.contains(&method);
        match error.kind() {
            ErrorKind::UnknownMethod if is_fixed => CallFailure::new(format!("this {} cannot change", value.kind()))
                .help("start with `{% set x = [] %}` or `{% set x = {} %}` and change that")
                .into(),
            _ => error,
        }
    })
}

struct ListValue(Mutex<Vec<Value>>);

struct DictValue(Mutex<IndexMap<Value, Value>>);

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for ListValue {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("<list>")
    }
}

impl fmt::Debug for DictValue {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("<dict>")
    }
}

impl Object for ListValue {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Seq
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        lock(&self.0).get(key.as_usize()?).cloned()
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Seq(lock(&self.0).len())
    }

    fn call_method(
        self: &Arc<Self>,
        state: &mut State<'_, '_>,
        method: &str,
        arguments: &[Value],
    ) -> Result<Value, Error> {
        let nothing = Ok(Value::from(()));
        let own = Value::from_dyn_object(Arc::clone(self));
        match (method, arguments) {
            ("append" | "add", [item]) => {
                check_nesting(state, Some(&own), item)?;
                lock(&self.0).push(item.clone());
                nothing
            }
            ("extend", [items]) => {
                let items: Vec<Value> = items.try_iter()?.collect();
                state.consume_fuel(items.len() as u64)?;
                items.iter().try_for_each(|item| check_nesting(state, Some(&own), item))?;
                lock(&self.0).extend(items);
                nothing
            }
            // `insert` moves all items behind it, so it costs fuel by the length of the list.
            ("insert", [at, item]) => {
                check_nesting(state, Some(&own), item)?;
                let mut list = lock(&self.0);
                state.consume_fuel(list.len() as u64 / 64)?;
                let at = at.as_usize().unwrap_or(usize::MAX).min(list.len());
                list.insert(at, item.clone());
                nothing
            }
            ("pop", []) => lock(&self.0).pop().ok_or_else(|| CallFailure::new("the list is empty").into()),
            ("pop", [at]) => {
                let mut list = lock(&self.0);
                match at.as_usize().filter(|at| *at < list.len()) {
                    Some(at) => Ok(list.remove(at)),
                    None => Err(CallFailure::new(format!("the list has no item {at}")).into()),
                }
            }
            ("remove", [item]) => {
                // Comparing looks into the values, which may be this list, so it must not be locked.
                let items = lock(&self.0).clone();
                state.consume_fuel(items.len() as u64)?;
                let Some(at) = items.iter().position(|known| known == item) else {
                    return Err(CallFailure::new("the list does not have this item").into());
                };
                lock(&self.0).remove(at);
                nothing
            }
            ("reverse", []) => {
                lock(&self.0).reverse();
                nothing
            }
            ("clear", []) => {
                lock(&self.0).clear();
                nothing
            }
            // A shallow copy, as in Python: what it holds is shared.
            ("copy", []) => Ok(Value::from_object(ListValue(Mutex::new(lock(&self.0).clone())))),
            _ => Err(Error::from(ErrorKind::UnknownMethod)),
        }
    }
}

impl Object for DictValue {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Map
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        is_key(key).then(|| lock(&self.0).get(key).cloned()).flatten()
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(lock(&self.0).keys().cloned().collect())
    }

    fn enumerator_len(self: &Arc<Self>) -> Option<usize> {
        Some(lock(&self.0).len())
    }

    fn call_method(
        self: &Arc<Self>,
        state: &mut State<'_, '_>,
        method: &str,
        arguments: &[Value],
    ) -> Result<Value, Error> {
        let own = Value::from_dyn_object(Arc::clone(self));
        match (method, arguments) {
            ("update", [other]) => {
                let pairs = other.as_object().and_then(|object| object.try_iter_pairs());
                let pairs: Vec<(Value, Value)> = pairs.into_iter().flatten().collect();
                state.consume_fuel(pairs.len() as u64)?;
                for (key, value) in pairs {
                    check_key(&key)?;
                    check_nesting(state, Some(&own), &value)?;
                    lock(&self.0).insert(key, value);
                }
                Ok(Value::from(()))
            }
            ("setdefault", [key, value]) => {
                check_key(key)?;
                check_nesting(state, Some(&own), value)?;
                Ok(lock(&self.0).entry(key.clone()).or_insert_with(|| value.clone()).clone())
            }
            ("pop", [key, default @ ..]) => {
                check_key(key)?;
                // The order of the others stays: templates print dicts, and the SQL may not depend on what was removed.
                let found = lock(&self.0).shift_remove(key);
                found
                    .or_else(|| default.first().cloned())
                    .ok_or_else(|| CallFailure::new(format!("the dict has no key `{key}`")).into())
            }
            ("clear", []) => {
                lock(&self.0).clear();
                Ok(Value::from(()))
            }
            ("copy", []) => Ok(Value::from_object(DictValue(Mutex::new(lock(&self.0).clone())))),
            _ => Err(Error::from(ErrorKind::UnknownMethod)),
        }
    }
}

/// Keys are compared while the dict is locked, so they may not be able to hold it. A relation holds texts only.
fn is_key(key: &Value) -> bool {
    key.as_object().is_none() || key.downcast_object_ref::<Relation>().is_some()
}

fn check_key(key: &Value) -> Result<(), Error> {
    match is_key(key) {
        true => Ok(()),
        false => Err(CallFailure::new(format!("a {} cannot be a key", key.kind())).into()),
    }
}

/// A value that holds itself could never be printed.
fn check_nesting(state: &State<'_, '_>, container: Option<&Value>, item: &Value) -> Result<(), Error> {
    // Breadth first, level by level: depth is bounded, and each value that is looked at costs fuel, so that a value which holds
    // another twice at every level (2^32 values in 32 levels) runs out of fuel and not out of time.
    let own = container.and_then(address);
    let mut level = vec![item.clone()];
    for _ in 0..DEPTH {
        let mut next = Vec::new();
        for value in &level {
            let Some(object) = value.as_object() else { continue };
            if own.is_some() && address(value) == own {
                return Err(CallFailure::new(format!("a {} cannot hold itself", value.kind())).into());
            }
            if matches!(object.repr(), ObjectRepr::Seq | ObjectRepr::Map) {
                state.consume_fuel(1 + object.enumerator_len().unwrap_or(0) as u64)?;
                let inner = object.try_iter_pairs().into_iter().flatten().map(|(_, value)| value);
                next.extend(inner.filter(|value| value.as_object().is_some()));
            }
        }
        if next.is_empty() {
            return Ok(());
        }
        level = next;
    }
    Err(CallFailure::new(format!("values can be nested at most {DEPTH} deep")).into())
}

/// What tells two changeable values apart.
fn address(value: &Value) -> Option<*const ()> {
    let list = value.downcast_object_ref::<ListValue>().map(|list| std::ptr::from_ref(list).cast());
    list.or_else(|| value.downcast_object_ref::<DictValue>().map(|dict| std::ptr::from_ref(dict).cast()))
}
