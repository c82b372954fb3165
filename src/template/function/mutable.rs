//! Lists and dicts that change: what `{% set x = [] %}` gives, so that `{% do x.append(1) %}` works.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use indexmap::IndexMap;
use minijinja::value::{Enumerator, Kwargs, Object, ObjectRepr, ValueKind};
use minijinja::{Error, ErrorKind, State, Value};

use super::relation::Relation;
use super::{CallFailure, python};

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

/// A dict that can change.
pub(super) fn dict(pairs: IndexMap<Value, Value>) -> Result<Value, CallFailure> {
    match pairs.keys().find(|key| !is_key(key)) {
        Some(key) => Err(CallFailure::new(format!("a {} cannot be a key", key.kind()))),
        None => Ok(Value::from_object(DictValue(Mutex::new(pairs)))),
    }
}

/// The filter `list`: a list of its own, which can change.
pub(in crate::template) fn list(state: &State<'_, '_>, items: &Value) -> Result<Value, Error> {
    let items: Vec<Value> = items.try_iter()?.collect();
    state.consume_fuel(items.len() as u64)?;
    let list = Value::from(items);
    changeable(state, &list)
}

/// What happens for a method that a value does not have: Python's methods, else an error.
pub(in crate::template) fn unknown_method(
    state: &mut State<'_, '_>,
    value: &Value,
    method: &str,
    arguments: &[Value],
) -> Result<Value, Error> {
    if let Some(result) = python::method(state, value, method, arguments) {
        return result;
    }
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
                match place_of(at, list.len()) {
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
            ("sort", _) => {
                let sorted = state.apply_filter("sort", &sort_arguments(&own, arguments))?;
                *lock(&self.0) = sorted.try_iter()?.collect();
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

/// The place that a number means, which counts from the end if it is negative, as in Python.
fn place_of(number: &Value, length: usize) -> Option<usize> {
    let place = match number.as_i64().filter(|number| *number < 0) {
        Some(back) => usize::try_from(back.unsigned_abs()).ok().and_then(|back| length.checked_sub(back)),
        None => number.as_usize(),
    };
    place.filter(|place| *place < length)
}

/// `sort(reverse=true)` as arguments of the filter, which unlike Python ignores case unless it is told.
fn sort_arguments(list: &Value, arguments: &[Value]) -> Vec<Value> {
    let keywords = arguments.last().filter(|last| last.is_kwargs());
    let reverse = keywords.and_then(|keywords| keywords.get_attr("reverse").ok()).is_some_and(|value| value.is_true());
    let options = [("case_sensitive", Value::from(true)), ("reverse", Value::from(reverse))];
    vec![list.clone(), Value::from(options.into_iter().collect::<Kwargs>())]
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
            ("popitem", []) => {
                let (key, value) = lock(&self.0).pop().ok_or_else(|| CallFailure::new("the dict is empty"))?;
                Ok(Value::from(minijinja::value::Tuple::new(vec![key, value])))
            }
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
            ("setdefault", [key]) => {
                check_key(key)?;
                Ok(lock(&self.0).entry(key.clone()).or_insert_with(|| Value::from(())).clone())
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
    // A relation is a name, and holds nothing.
    key.as_object().is_none() || key.downcast_object_ref::<Relation>().is_some() || is_plain_tuple(key)
}

/// A tuple of values that can be keys.
fn is_plain_tuple(key: &Value) -> bool {
    key.is_tuple() && key.try_iter().is_ok_and(|mut items| items.all(|item| item.as_object().is_none()))
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
