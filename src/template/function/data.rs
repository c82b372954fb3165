//! Functions over values: `fromjson`, `tojson`, `set`, `zip`.

use std::collections::BTreeSet;

use minijinja::Value;
use minijinja::value::Serde;

use super::{Call, CallFailure, TemplateFunction};

/// `fromjson('[1]', default)`
pub(super) struct FromJson;

/// `tojson(value, default)`
pub(super) struct ToJson;

/// `set(list)`: each value once, sorted, so that two sets of the same values are equal.
pub(super) struct MakeSet;

/// `zip(list, list)`: the first of each, the second of each, until one ends.
pub(super) struct Zip;

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
        call.takes(2, &["default", "sort_keys"])?;
        let value = call.value(0, "a value")?;
        match serde_json::to_string(value) {
            Ok(text) => Ok(Value::from(text)),
            Err(_) => call
                .argument(1, "default")
                .cloned()
                .ok_or_else(|| CallFailure::new(format!("{} cannot be written as JSON", value.kind()))),
        }
    }
}

impl TemplateFunction for MakeSet {
    fn name(&self) -> &'static str {
        "set"
    }

    fn call(&self, call: &Call<'_>) -> Result<Value, CallFailure> {
        call.takes(1, &[])?;
        let values: BTreeSet<Value> = items(call.value(0, "a list")?)?.into_iter().collect();
        Ok(values.into_iter().collect())
    }
}

impl TemplateFunction for Zip {
    fn name(&self) -> &'static str {
        "zip"
    }

    fn call(&self, call: &Call<'_>) -> Result<Value, CallFailure> {
        call.takes(usize::MAX, &[])?;
        let lists = call.positional.iter().map(items).collect::<Result<Vec<_>, _>>()?;
        let length = lists.iter().map(Vec::len).min().unwrap_or(0);
        let mut rows: Vec<Value> = Vec::with_capacity(length);
        for index in 0..length {
            rows.push(lists.iter().filter_map(|list| list.get(index).cloned()).collect());
        }
        Ok(rows.into_iter().collect())
    }
}

fn items(list: &Value) -> Result<Vec<Value>, CallFailure> {
    let items = list.try_iter().map_err(|_| CallFailure::new(format!("{} is not a list", list.kind())))?;
    Ok(items.collect())
}
