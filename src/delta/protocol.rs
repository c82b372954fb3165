//! What a table's log asks of those who read or write it, beyond what karat does (Delta protocol, "Table Features").
//!
//! Who does not know a feature must not write: rows would break a rule that others trust, or nobody could read the
//! table any more. So such a table is refused before anything is built, and again by the commit.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::schema::TableSchema;

/// The `protocol` action of a log.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Protocol {
    pub min_reader_version: i64,
    pub min_writer_version: i64,
    /// `None` if the versions alone tell the features.
    #[serde(default)]
    pub reader_features: Option<Vec<String>>,
    #[serde(default)]
    pub writer_features: Option<Vec<String>>,
}

/// The features by name that karat may find listed: whether they are in use, properties and columns tell.
const HARMLESS: [&str; 2] = ["appendOnly", "invariants"];

/// What the versions before lists of features ask for.
const OLD_READER: (i64, &str) = (2, "column mapping");
const OLD_WRITERS: [(i64, &str); 4] = [
    (3, "CHECK constraints"),
    (4, "generated columns and a change data feed"),
    (5, "column mapping"),
    (6, "identity columns"),
];

/// Versions with which features are listed by name.
const LISTED_READER: i64 = 3;
const LISTED_WRITER: i64 = 7;

/// Properties that ask for something if they are `true`.
const SWITCHES: [&str; 3] = ["delta.appendOnly", "delta.enableRowTracking", "delta.enableInCommitTimestamps"];

impl Protocol {
    /// What karat gives to its own tables.
    pub const OWN: Protocol =
        Protocol { min_reader_version: 1, min_writer_version: 2, reader_features: None, writer_features: None };

    /// What it asks for that karat does not know, in words.
    fn beyond(&self) -> Vec<String> {
        let mut beyond = Vec::new();
        match self.min_reader_version {
            ..=1 => {}
            version if version == OLD_READER.0 => beyond.push(format!("reader version {version} ({})", OLD_READER.1)),
            LISTED_READER => beyond.extend(unknown(self.reader_features.as_ref())),
            version => beyond.push(format!("reader version {version}")),
        }
        match self.min_writer_version {
            ..=2 => {}
            LISTED_WRITER => beyond.extend(unknown(self.writer_features.as_ref())),
            version => {
                let known = OLD_WRITERS.iter().find(|(of, _)| *of == version).map(|(_, what)| format!(" ({what})"));
                beyond.push(format!("writer version {version}{}", known.unwrap_or_default()));
            }
        }
        beyond
    }
}

fn unknown(listed: Option<&Vec<String>>) -> impl Iterator<Item = String> {
    let listed = listed.into_iter().flatten().filter(|name| !HARMLESS.contains(&name.as_str()));
    listed.map(|name| format!("the table feature `{name}`"))
}

/// What a table asks of its writers that karat does not do. Returns `None` if karat may write to it.
pub(crate) fn unsupported(
    protocol: &Protocol,
    properties: &BTreeMap<String, String>,
    schema: &TableSchema,
) -> Option<String> {
    let mut beyond = protocol.beyond();
    beyond.extend(by_properties(properties));
    beyond.extend(schema.rules());
    beyond.sort();
    beyond.dedup();
    (!beyond.is_empty()).then(|| beyond.join(", "))
}

fn by_properties(properties: &BTreeMap<String, String>) -> impl Iterator<Item = String> {
    properties
        .iter()
        .filter(|(name, value)| match name.as_str() {
            "delta.columnMapping.mode" => value.as_str() != "none",
            name if SWITCHES.contains(&name) => value.eq_ignore_ascii_case("true"),
            name => name.starts_with("delta.constraints."),
        })
        .map(|(name, value)| format!("the property `{name}` = `{value}`"))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn refused(protocol: &Value) -> String {
        let protocol: Protocol = serde_json::from_value(protocol.clone()).unwrap();
        unsupported(&protocol, &BTreeMap::new(), &TableSchema::default()).unwrap_or_default()
    }

    #[test]
    fn what_a_protocol_asks_for_is_told_by_its_name() {
        let old = |reader: i64, writer: i64| refused(&json!({"minReaderVersion": reader, "minWriterVersion": writer}));
        assert_eq!(old(1, 1), "");
        assert_eq!(old(1, 2), "");
        assert_eq!(old(1, 3), "writer version 3 (CHECK constraints)");
        assert_eq!(old(1, 4), "writer version 4 (generated columns and a change data feed)");
        assert_eq!(old(2, 5), "reader version 2 (column mapping), writer version 5 (column mapping)");
        assert_eq!(old(1, 6), "writer version 6 (identity columns)");
        assert_eq!(old(4, 8), "reader version 4, writer version 8");
        let listed = |reader: &[&str], writer: &[&str]| {
            let (least_reader, least_writer) = (LISTED_READER, LISTED_WRITER);
            refused(&json!({
                "minReaderVersion": least_reader, "minWriterVersion": least_writer,
                "readerFeatures": reader, "writerFeatures": writer,
            }))
        };
        assert_eq!(listed(&[], &["appendOnly", "invariants"]), "");
        assert_eq!(listed(&["deletionVectors"], &["deletionVectors"]), "the table feature `deletionVectors`");
        assert_eq!(listed(&[], &["quantumRows"]), "the table feature `quantumRows`");
    }

    #[test]
    fn properties_and_columns_ask_for_something_too() {
        let with = |name: &str, value: &str| {
            let properties = BTreeMap::from([(name.to_owned(), value.to_owned())]);
            unsupported(&Protocol::OWN, &properties, &TableSchema::default())
        };
        assert_eq!(with("delta.appendOnly", "false"), None);
        assert_eq!(with("delta.appendOnly", "TRUE").unwrap(), "the property `delta.appendOnly` = `TRUE`");
        assert_eq!(with("delta.constraints.c", "b < 4").unwrap(), "the property `delta.constraints.c` = `b < 4`");
        assert_eq!(with("delta.columnMapping.mode", "none"), None);
        assert!(with("delta.columnMapping.mode", "name").is_some());
        assert_eq!(with("owner", "true"), None);
        let column = |field: Value| {
            let schema = TableSchema::from(json!({"type": "struct", "fields": [field]}).to_string());
            unsupported(&Protocol::OWN, &BTreeMap::new(), &schema)
        };
        let plain = json!({"name": "a", "type": "long", "nullable": true, "metadata": {"comment": "false delta."}});
        assert_eq!(column(plain), None);
        let required = json!({"name": "a", "type": "long", "nullable": false, "metadata": {}});
        assert_eq!(column(required.clone()).unwrap(), "NOT NULL on column `a`");
        let nested = json!({"type": "array", "elementType": {"type": "struct", "fields": [required]}});
        let nested = json!({"name": "outer", "type": nested, "nullable": true, "metadata": {}});
        assert_eq!(column(nested).unwrap(), "NOT NULL on column `a`");
        let generated =
            json!({"name": "y", "type": "long", "nullable": true, "metadata": {"delta.generationExpression": "a"}});
        assert_eq!(column(generated).unwrap(), "`delta.generationExpression` on column `y`");
    }
}
