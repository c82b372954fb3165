//! Functions over values: JSON, YAML, sets, hashes.

use std::collections::BTreeSet;

use indexmap::IndexMap;
use md5::{Digest, Md5};
use minijinja::Value;
use minijinja::value::{Serde, Tuple, ValueKind};

use super::set_value::{self, SetValue};
use super::{Call, CallFailure, TemplateFunction, json_text, mutable, yaml_text};

/// `fromjson('[1]', default)`
pub(super) struct FromJson;

/// `tojson(value, default)`
pub(super) struct ToJson;

/// `set(list, default)`, and `set_strict(list)`, which fails where the other gives its default.
pub(super) struct MakeSet {
    pub is_strict: bool,
}

/// `fromyaml('a: 1', default)`
pub(super) struct FromYaml;

/// `toyaml(value, default, sort_keys)`
pub(super) struct ToYaml;

/// `local_md5('text')`: the hash of a text of the template.
pub(super) struct LocalMd5;

/// `dict(pairs)` and `dict(name=value)`
pub(super) struct MakeDict;

/// `diff_of_two_dicts(a, b)`: what the lists of the first have and those of the second lack.
pub(super) struct DiffOfTwoDicts;

/// `zip(list, list)`: the first of each, the second of each, until one ends.
pub(super) struct Zip {
    pub is_strict: bool,
}

impl TemplateFunction for FromJson {
    fn name(&self) -> &'static str {
        "fromjson"
    }

    fn call(&self, call: &Call<'_>) -> Result<Value, CallFailure> {
        call.takes(2, &["default"])?;
        let text = call.text(0, "a text")?;
        match serde_json::from_str::<serde_json::Value>(&text) {
            Ok(value) => Ok(Value::from(Serde(value))),
            Err(fault) => call
                .argument(1, "default")
                .cloned()
                .ok_or_else(|| CallFailure::new(format!("the text is not JSON: {fault}"))),
        }
    }
}

impl TemplateFunction for ToJson {
    fn name(&self) -> &'static str {
        "tojson"
    }

    fn call(&self, call: &Call<'_>) -> Result<Value, CallFailure> {
        call.takes(3, &["value", "default", "sort_keys"])?;
        let value = call.value(0, "a value")?;
        match json_text(value, sorts_keys(call)) {
            Some(text) => Ok(Value::from(text)),
            None => call
                .argument(1, "default")
                .cloned()
                .ok_or_else(|| CallFailure::new(format!("{} cannot be written as JSON", value.kind()))),
        }
    }
}

impl TemplateFunction for MakeSet {
    fn name(&self) -> &'static str {
        if self.is_strict { "set_strict" } else { "set" }
    }

    fn call(&self, call: &Call<'_>) -> Result<Value, CallFailure> {
        call.takes(2, &["value", "default"])?;
        let value = call.value(0, "value")?;
        let made = set_value::hashable(value).map(SetValue::value);
        match (made, self.is_strict) {
            (Ok(set), _) => Ok(set),
            // As in dbt: what is no list gives the default.
            (Err(_), false) => Ok(call.argument(1, "default").cloned().unwrap_or_else(|| Value::from(()))),
            (Err(_), true) => {
                Err(CallFailure::new(format!("{} is not a list of values that a set can hold", value.kind())))
            }
        }
    }
}

impl TemplateFunction for Zip {
    fn name(&self) -> &'static str {
        if self.is_strict { "zip_strict" } else { "zip" }
    }

    fn call(&self, call: &Call<'_>) -> Result<Value, CallFailure> {
        call.takes(usize::MAX, &["default"])?;
        let lists = match call.positional.iter().map(items).collect::<Result<Vec<_>, _>>() {
            Ok(lists) => lists,
            Err(failure) if self.is_strict => return Err(failure),
            Err(_) => return Ok(call.argument(usize::MAX, "default").cloned().unwrap_or_else(|| Value::from(()))),
        };
        let length = lists.iter().map(Vec::len).min().unwrap_or(0);
        let mut rows: Vec<Value> = Vec::with_capacity(length);
        for index in 0..length {
            let row = lists.iter().filter_map(|list| list.get(index).cloned());
            rows.push(Value::from(Tuple::new(row.collect())));
        }
        Ok(rows.into_iter().collect())
    }
}

impl TemplateFunction for FromYaml {
    fn name(&self) -> &'static str {
        "fromyaml"
    }

    fn call(&self, call: &Call<'_>) -> Result<Value, CallFailure> {
        call.takes(2, &["value", "default"])?;
        let text = call.text(0, "value")?;
        match crate::project::yaml_value(&text) {
            Ok(value) => Ok(Value::from(Serde(value))),
            Err(message) => call
                .argument(1, "default")
                .cloned()
                .ok_or_else(|| CallFailure::new(format!("the text is not YAML: {message}"))),
        }
    }
}

impl TemplateFunction for ToYaml {
    fn name(&self) -> &'static str {
        "toyaml"
    }

    fn call(&self, call: &Call<'_>) -> Result<Value, CallFailure> {
        call.takes(3, &["value", "default", "sort_keys"])?;
        let value = call.value(0, "value")?;
        match serde_json::to_value(value) {
            Ok(json) => Ok(Value::from(yaml_text::document(&json, sorts_keys(call)))),
            Err(_) => call
                .argument(1, "default")
                .cloned()
                .ok_or_else(|| CallFailure::new(format!("{} cannot be written as YAML", value.kind()))),
        }
    }
}

impl TemplateFunction for LocalMd5 {
    fn name(&self) -> &'static str {
        "local_md5"
    }

    fn call(&self, call: &Call<'_>) -> Result<Value, CallFailure> {
        call.takes(1, &["value"])?;
        let digest = Md5::digest(call.text(0, "value")?.as_bytes());
        Ok(Value::from(digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>()))
    }
}

impl TemplateFunction for MakeDict {
    fn name(&self) -> &'static str {
        "dict"
    }

    fn call(&self, call: &Call<'_>) -> Result<Value, CallFailure> {
        call.takes(1, &call.named.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>())?;
        let mut made: IndexMap<Value, Value> = IndexMap::new();
        if let Some(given) = call.positional.first() {
            if given.kind() == ValueKind::Map {
                made.extend(given.as_object().and_then(|object| object.try_iter_pairs()).into_iter().flatten());
            } else {
                for pair in items(given)? {
                    let [key, value] = <[Value; 2]>::try_from(items(&pair)?)
                        .map_err(|_| CallFailure::new("`dict()` takes a dict or a list of pairs"))?;
                    made.insert(key, value);
                }
            }
        }
        made.extend(call.named.iter().map(|(name, value)| (Value::from(name.as_str()), value.clone())));
        mutable::dict(made)
    }
}

impl TemplateFunction for DiffOfTwoDicts {
    fn name(&self) -> &'static str {
        "diff_of_two_dicts"
    }

    fn call(&self, call: &Call<'_>) -> Result<Value, CallFailure> {
        call.takes(2, &["dict_a", "dict_b"])?;
        let pairs = |value: &Value| -> Vec<(Value, Value)> {
            value.as_object().and_then(|object| object.try_iter_pairs()).into_iter().flatten().collect()
        };
        let one = pairs(call.value(0, "dict_a")?);
        let other = pairs(call.value(1, "dict_b")?);
        let mut difference: Vec<(Value, Value)> = Vec::new();
        for (key, values) in one {
            let Some((_, known)) = other.iter().find(|(other, _)| *other == key) else {
                difference.push((key, values));
                continue;
            };
            let known: BTreeSet<String> = items(known)?.iter().map(|value| value.to_string().to_lowercase()).collect();
            let missing =
                items(&values)?.into_iter().filter(|value| !known.contains(&value.to_string().to_lowercase()));
            let missing: Vec<Value> = missing.collect();
            if !missing.is_empty() {
                difference.push((key, Value::from(missing)));
            }
        }
        Ok(Value::from_pairs(difference))
    }
}

fn sorts_keys(call: &Call<'_>) -> bool {
    call.argument(2, "sort_keys").is_some_and(Value::is_true)
}

fn items(list: &Value) -> Result<Vec<Value>, CallFailure> {
    if list.is_none() || list.is_undefined() {
        return Err(CallFailure::new("none is not a list"));
    }
    let items = list.try_iter().map_err(|_| CallFailure::new(format!("{} is not a list", list.kind())))?;
    Ok(items.collect())
}
