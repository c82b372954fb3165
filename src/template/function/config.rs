//! `config()`: what a model says about itself.

use minijinja::Value;
use minijinja::value::{Serde, ValueKind};

use super::{Call, CallFailure, TemplateFunction};
use crate::span::Spanned;
use crate::template::render::RenderSubject;

/// `config(materialized='table')`, `config({...})`, `config.get('key', default)`, `config.require('key')`
pub(super) struct Config;

impl TemplateFunction for Config {
    fn name(&self) -> &'static str {
        "config"
    }

    fn call(&self, call: &Call<'_>) -> Result<Value, CallFailure> {
        call.takes(1, &call.named.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>())?;
        for (key, value) in from_dict(call)?.into_iter().chain(call.named.iter().cloned()) {
            let json = serde_json::to_value(&value)
                .map_err(|_| CallFailure::new(format!("the config `{key}` cannot be {}", value.kind())))?;
            let span = call.render.site_in_template(call.site_of_value(&key));
            let key_span = call.render.site_in_template(call.site_of_key(&key));
            let mut record = call.render.record();
            if let RenderSubject::Text = call.render.subject {
                record.test_config.insert(key, Spanned::new(json, span));
                continue;
            }
            if let Err(diagnostic) = record.settings.set_at(&Spanned::new(key, key_span), Spanned::new(json, span)) {
                record.diagnostics.push(diagnostic);
            }
        }
        Ok(Value::from(""))
    }

    fn method(&self, method: &str, call: &Call<'_>) -> Result<Value, CallFailure> {
        const METHODS: [&str; 4] = ["get", "meta_get", "meta_require", "require"];
        if matches!(method, "persist_relation_docs" | "persist_column_docs") {
            return Ok(Value::from(false));
        }
        let key = call.text(0, "the config's name")?;
        let set = |key: &str| {
            let record = call.render.record();
            let found = match &call.render.subject {
                RenderSubject::Model(_) => record.settings.get(key),
                // The config of a data test; other texts have none.
                RenderSubject::Text => record.test_config.get(key),
            };
            found.map(|value| Value::from(Serde(&value.value)))
        };
        let found = match method {
            "meta_get" | "meta_require" => {
                set("meta").and_then(|meta| meta.get_attr(&key).ok()).filter(|value| !value.is_undefined())
            }
            _ => set(&key),
        };
        match method {
            "get" | "meta_get" => {
                Ok(found.or_else(|| call.argument(1, "default").cloned()).unwrap_or_else(|| Value::from(())))
            }
            "require" | "meta_require" => {
                found.ok_or_else(|| CallFailure::new(format!("the config `{key}` is not set")))
            }
            _ => Err(CallFailure::new(format!("`config` has no method `{method}`")).suggest(method, METHODS)),
        }
    }
}

/// The settings of `config({...})`.
fn from_dict(call: &Call<'_>) -> Result<Vec<(String, Value)>, CallFailure> {
    let Some(dict) = call.positional.first() else {
        return Ok(Vec::new());
    };
    let pairs = dict.as_object().filter(|_| dict.kind() == ValueKind::Map);
    let Some(pairs) = pairs.and_then(|object| object.try_iter_pairs()) else {
        return Err(CallFailure::new(format!("`config()` takes a dict or named arguments, not {}", dict.kind()))
            .help("write `config(materialized='table')`"));
    };
    Ok(pairs.map(|(key, value)| (key.to_string(), value)).collect())
}
