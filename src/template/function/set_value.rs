//! Sets: what `set([1, 2])` gives.

use std::cmp::Ordering;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use indexmap::IndexSet;
use minijinja::value::{DynObject, Enumerator, Object, ObjectRepr};
use minijinja::{Error, ErrorKind, State, Value};

use super::CallFailure;

/// Each value once, in the order in which they came: Python's order is not the same on any two runs.
pub(super) struct SetValue(Mutex<IndexSet<Value>>);

impl SetValue {
    pub fn value(items: IndexSet<Value>) -> Value {
        Value::from_object(SetValue(Mutex::new(items)))
    }

    fn items(&self) -> MutexGuard<'_, IndexSet<Value>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The items of lists that can be in a set: those that hold nothing else.
pub(super) fn hashable(list: &Value) -> Result<IndexSet<Value>, Error> {
    if list.is_none() || list.is_undefined() {
        return Err(CallFailure::new("none is not a list").into());
    }
    let mut items = IndexSet::new();
    for item in list.try_iter()? {
        check(&item)?;
        items.insert(item);
    }
    Ok(items)
}

fn check(item: &Value) -> Result<(), CallFailure> {
    let is_fixed = item.as_object().is_none()
        || item.is_tuple()
        || item.downcast_object_ref::<super::relation::Relation>().is_some();
    match is_fixed {
        true => Ok(()),
        false => Err(CallFailure::new(format!("a {} cannot be in a set", item.kind()))),
    }
}

impl fmt::Debug for SetValue {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("<set>")
    }
}

impl Object for SetValue {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Iterable
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.items().iter().cloned().collect())
    }

    fn enumerator_len(self: &Arc<Self>) -> Option<usize> {
        Some(self.items().len())
    }

    fn render(self: &Arc<Self>, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let items = self.items().clone();
        if items.is_empty() {
            return formatter.write_str("set()");
        }
        formatter.debug_set().entries(&items).finish()
    }

    fn custom_cmp(self: &Arc<Self>, other: &DynObject) -> Option<Ordering> {
        let other = other.downcast_ref::<SetValue>()?.items().clone();
        let own = self.items().clone();
        if own.len() == other.len() && own.iter().all(|item| other.contains(item)) {
            return Some(Ordering::Equal);
        }
        Some(own.iter().cmp(other.iter()).then(Ordering::Less))
    }

    fn call_method(
        self: &Arc<Self>,
        state: &mut State<'_, '_>,
        method: &str,
        arguments: &[Value],
    ) -> Result<Value, Error> {
        state.consume_fuel(self.items().len() as u64)?;
        let others = |own: IndexSet<Value>, keep: &dyn Fn(&Value, &IndexSet<Value>) -> bool| {
            arguments.iter().try_fold(own, |mut left, list| {
                let other = hashable(list)?;
                left.retain(|item| keep(item, &other));
                Ok::<_, Error>(left)
            })
        };
        let own = self.items().clone();
        let nothing = Ok(Value::from(()));
        match (method, arguments) {
            ("add", [item]) => {
                check(item)?;
                self.items().insert(item.clone());
                nothing
            }
            ("update", lists) => {
                for list in lists {
                    let more = hashable(list)?;
                    state.consume_fuel(more.len() as u64)?;
                    self.items().extend(more);
                }
                nothing
            }
            ("discard", [item]) => {
                self.items().shift_remove(item);
                nothing
            }
            ("remove", [item]) => match self.items().shift_remove(item) {
                true => nothing,
                false => Err(CallFailure::new(format!("{item} is not in the set")).into()),
            },
            ("pop", []) => {
                self.items().shift_remove_index(0).ok_or_else(|| CallFailure::new("the set is empty").into())
            }
            ("clear", []) => {
                self.items().clear();
                nothing
            }
            ("copy", []) => Ok(SetValue::value(own)),
            ("union", lists) => {
                let mut all = own;
                for list in lists {
                    all.extend(hashable(list)?);
                }
                Ok(SetValue::value(all))
            }
            ("intersection", _) => Ok(SetValue::value(others(own, &|item, other| other.contains(item))?)),
            ("difference", _) => Ok(SetValue::value(others(own, &|item, other| !other.contains(item))?)),
            ("symmetric_difference", [list]) => {
                let other = hashable(list)?;
                let (left, right) = (own.difference(&other), other.difference(&own));
                Ok(SetValue::value(left.chain(right).cloned().collect()))
            }
            ("issubset", [list]) => Ok(Value::from(own.is_subset(&hashable(list)?))),
            ("issuperset", [list]) => Ok(Value::from(own.is_superset(&hashable(list)?))),
            ("isdisjoint", [list]) => Ok(Value::from(own.is_disjoint(&hashable(list)?))),
            _ => Err(Error::from(ErrorKind::UnknownMethod)),
        }
    }
}
