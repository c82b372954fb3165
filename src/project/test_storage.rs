//! `store_failures` and `limit`: whether the rows that break a data test are kept, where, and how many of them.

use std::collections::BTreeMap;

use serde_json::Value;

use super::node::YamlFields;
use crate::diag::{Code, Diagnostic, Sink};
use crate::name::{ModelName, SchemaName, TableName};
use crate::span::Spanned;

/// Where dbt keeps failing rows.
pub const AUDIT_SCHEMA: &str = "dbt_test__audit";

/// What the config of a data test says of the rows that break it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TestStorage {
    /// Whether they are kept. `None` leaves it to the command.
    pub stores: Option<bool>,
    /// Whether `store_failures_as` has said so, which counts more than `store_failures`.
    says_as_what: bool,
    pub schema: Option<SchemaName>,
    pub alias: Option<String>,
    /// At most so many are counted and kept.
    pub limit: Option<u64>,
}

/// The configs that are read here.
const KEYS: [&str; 5] = ["store_failures", "store_failures_as", "schema", "alias", "limit"];

impl TestStorage {
    /// Takes what a mapping says.
    pub(super) fn read(&mut self, config: &YamlFields<'_>, sink: &mut Sink) {
        for key in KEYS {
            let Some(node) = config.get(key) else { continue };
            if let Err(wrong) = self.set(key, &Spanned::new(node.to_json(), node.place())) {
                sink.error(wrong);
            }
        }
    }

    /// Takes one config; keys that say nothing of this are for others.
    ///
    /// # Errors
    ///
    /// Returns what is wrong with the value.
    pub fn set(&mut self, key: &str, value: &Spanned<Value>) -> Result<(), Diagnostic> {
        let invalid = |help: &str| {
            let message = format!("`{key}` cannot be `{}`", shown(&value.value));
            Err(Diagnostic::error(Code::InvalidConfig, message).at(value.span).help(help))
        };
        match (key, &value.value) {
            (_, Value::Null) => {}
            ("store_failures", Value::Bool(stores)) if !self.says_as_what => self.stores = Some(*stores),
            ("store_failures", Value::Bool(_)) => {}
            ("store_failures", _) => return invalid("it can be `true` or `false`"),
            ("store_failures_as", written) => {
                // A view would show other rows than those that the test has seen.
                self.stores = match written.as_str() {
                    Some("table" | "view") => Some(true),
                    Some("ephemeral") => Some(false),
                    _ => return invalid("it can be `table`, `view` or `ephemeral`"),
                };
                self.says_as_what = true;
            }
            ("limit", written) => {
                let rows = written.as_u64().or_else(|| written.as_str()?.parse().ok());
                match rows {
                    Some(rows) => self.limit = Some(rows),
                    None => return invalid("write a number of rows"),
                }
            }
            ("schema", written) => match written.as_str().map(SchemaName::parse) {
                Some(Ok(schema)) => self.schema = Some(schema),
                _ => return invalid("write a name with letters, digits and `_`"),
            },
            ("alias", written) => match written.as_str().map(|name| (name, ModelName::parse(name))) {
                Some((name, Ok(_))) if !name.starts_with('_') => self.alias = Some(name.to_owned()),
                _ => return invalid("write a name with letters, digits and `_` that begins with a letter"),
            },
            _ => {}
        }
        Ok(())
    }

    /// The schema for the rows, unless a macro of the project makes another of it.
    pub fn written_schema(&self) -> SchemaName {
        let audit = || SchemaName::parse(AUDIT_SCHEMA).expect("it is a name");
        self.schema.clone().unwrap_or_else(audit)
    }

    /// The table for the rows, which is called `usual` if nothing names it. `schemas` has what a macro of the project makes of schemas.
    pub fn table(&self, usual: &str, schemas: &BTreeMap<String, SchemaName>) -> TableName {
        let schema = self.written_schema();
        let schema = schemas.get(schema.as_str()).cloned().unwrap_or(schema);
        TableName { schema, table: self.alias.clone().unwrap_or_else(|| usual.to_owned()) }
    }

    /// What this says, and where it says nothing what another does.
    pub fn or(&self, other: &TestStorage) -> TestStorage {
        TestStorage {
            stores: self.stores.or(other.stores),
            says_as_what: self.says_as_what || other.says_as_what,
            schema: self.schema.clone().or_else(|| other.schema.clone()),
            alias: self.alias.clone().or_else(|| other.alias.clone()),
            limit: self.limit.or(other.limit),
        }
    }
}

fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::span::{SourceFiles, Span};

    fn storage(config: &[(&str, Value)]) -> Result<TestStorage, String> {
        let span = Span::new(SourceFiles::default().add("models/a.yml", ""), 0..0);
        let mut storage = TestStorage::default();
        for (key, value) in config {
            storage.set(key, &Spanned::new(value.clone(), span)).map_err(|wrong| wrong.message)?;
        }
        Ok(storage)
    }

    #[test]
    fn the_way_to_store_decides_over_whether_to_store() {
        let stores = |config: &[(&str, Value)]| storage(config).unwrap().stores;
        assert_eq!(stores(&[]), None);
        assert_eq!(stores(&[("store_failures", json!(true))]), Some(true));
        assert_eq!(stores(&[("store_failures", json!(true)), ("store_failures_as", json!("ephemeral"))]), Some(false));
        assert_eq!(stores(&[("store_failures_as", json!("view")), ("store_failures", json!(false))]), Some(true));
        assert_eq!(stores(&[("store_failures", json!(null)), ("store_failures_as", json!(null))]), None);
        assert_eq!(storage(&[("limit", json!(10))]).unwrap().limit, Some(10));
    }

    #[test]
    fn wrong_values_are_named() {
        for (key, value, said) in [
            ("store_failures", json!("yes"), "`store_failures` cannot be `yes`"),
            ("store_failures_as", json!("file"), "`store_failures_as` cannot be `file`"),
            ("limit", json!(-1), "`limit` cannot be `-1`"),
            ("alias", json!("_hidden"), "`alias` cannot be `_hidden`"),
            ("schema", json!("a-b"), "`schema` cannot be `a-b`"),
        ] {
            assert_eq!(storage(&[(key, value)]), Err(said.to_owned()));
        }
    }
}
