//! `contract`: whether a model promises the columns that YAML declares.

use serde_json::Value;

use super::{setting, wrong_type};
use crate::diag::{Checked, Sink, nearest};
use crate::project::settings::Settings;
use crate::span::Span;

/// Reads where a contract is enforced. Returns `None` if none is.
pub(super) fn read(settings: &Settings, sink: &mut Sink) -> Checked<Option<Span>> {
    let Some(found) = setting(settings, "contract") else { return Ok(None) };
    let Value::Object(contract) = &found.value else {
        return Err(sink.error(wrong_type("contract", "a mapping: `contract: { enforced: true }`", found)));
    };
    const KEYS: [&str; 3] = ["enforced", "alias_types", "checksum"];
    if let Some(unknown) = contract.keys().find(|key| !KEYS.contains(&key.as_str())) {
        let message = format!("`contract` has no key `{unknown}`");
        let diagnostic = super::invalid(Some(found.span), message);
        return Err(sink.error(match nearest(unknown, KEYS) {
            Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
            None => diagnostic.help("write `contract: { enforced: true }`"),
        }));
    }
    for key in ["enforced", "alias_types"] {
        if contract.get(key).is_some_and(|value| !value.is_boolean() && !value.is_null()) {
            let message = format!("`{key}` of `contract` must be `true` or `false`");
            return Err(sink.error(super::invalid(Some(found.span), message)));
        }
    }
    let is_enforced = contract.get("enforced") == Some(&Value::Bool(true));
    Ok(is_enforced.then_some(found.span))
}

/// As in dbt, a table whose columns are promised neither loses columns nor lacks those that are new.
pub(super) fn check_schema_change(settings: &Settings, sink: &mut Sink) -> Checked<()> {
    let Some(found) = setting(settings, "on_schema_change") else { return Ok(()) };
    match found.value.as_str() {
        Some(word @ ("ignore" | "sync_all_columns")) => {
            let message = format!("`on_schema_change` cannot be `{word}` under a contract");
            let diagnostic = super::invalid(Some(found.span), message);
            Err(sink.error(diagnostic.help("write `append_new_columns` or `fail`")))
        }
        _ => Ok(()),
    }
}
