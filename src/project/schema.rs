//! What keys may appear where: unknown ones are errors with a suggestion, some of dbt's are warnings for now.

use super::hidden::is_credential_key;
use super::lake::without_credentials;
use super::node::{Node, YamlFields};
use crate::diag::{Code, Diagnostic, Sink, all_of, nearest};

/// The keys of one kind of mapping.
pub(crate) struct Keys {
    /// The mapping as the end of a sentence: `a model`.
    pub(super) place: &'static str,
    /// What karat uses.
    pub(super) known: &'static [&'static str],
    /// What dbt uses and changes nothing here.
    pub(super) harmless: &'static [&'static str],
    /// What dbt uses, and what would change something: said as a warning.
    pub(super) unused: &'static [&'static str],
    pub(super) others: Others,
}

/// What a key is that nobody knows.
#[derive(PartialEq, Eq)]
pub(super) enum Others {
    /// Other tools read the same mapping, and authors keep notes of their own in it.
    Noted,
    /// The mapping is karat's alone, and says how something is read: a key that does nothing would mislead.
    Refused,
}

pub(crate) const PROJECT: Keys = Keys {
    place: "the project file",
    known: &[
        "name",
        "version",
        "dialect",
        "require-dbt-version",
        "rewrites",
        "model-paths",
        "analysis-paths",
        "docs-paths",
        "function-paths",
        "dispatch",
        "on-run-start",
        "on-run-end",
        "packages-install-path",
        "seed-paths",
        "snapshot-paths",
        "source-paths",
        "data-paths",
        "macro-paths",
        "test-paths",
        "vars",
        "data_tests",
        "models",
        "seeds",
        "snapshots",
        "sources",
        "tests",
        "targets",
        "target",
    ],
    harmless: &[
        "asset-paths",
        "clean-targets",
        "config-version",
        "flags",
        "log-path",
        "profile",
        "query-comment",
        "quoting",
        "target-path",
    ],
    unused: &[
        "analyses",
        "exposures",
        "functions",
        "metrics",
        "packages",
        "saved-queries",
        "selectors",
        "semantic-models",
        "unit_tests",
    ],
    others: Others::Noted,
};

pub(crate) const PROPERTIES: Keys = Keys {
    place: "a properties file",
    known: &[
        "version",
        "models",
        "seeds",
        "snapshots",
        "sources",
        "unit_tests",
        "analyses",
        "data_tests",
        "tests",
        "exposures",
        "groups",
        "metrics",
        "saved_queries",
        "semantic_models",
    ],
    // Descriptions of macros change nothing.
    harmless: &["anchors", "macros"],
    unused: &["functions"],
    others: Others::Noted,
};

pub(crate) const MODEL: Keys = Keys {
    place: "a model",
    known: &[
        "name",
        "description",
        "charts",
        "config",
        "columns",
        "data_tests",
        "tests",
        "meta",
        "tags",
        "access",
        "group",
        "versions",
        "latest_version",
        "constraints",
        "contract",
    ],
    harmless: &["deprecation_date", "docs", "primary_key", "time_spine"],
    unused: &["semantic_model"],
    others: Others::Noted,
};

pub(crate) const CHART: Keys = Keys {
    place: "a chart",
    known: &["name", "type", "title", "description", "x", "y", "split", "where", "limit", "bins", "format"],
    harmless: &[],
    unused: &[],
    others: Others::Refused,
};

pub(crate) const MODEL_VERSION: Keys = Keys {
    place: "a version of a model",
    known: &["v", "defined_in", "description", "access", "config", "columns", "constraints", "data_tests", "tests"],
    harmless: &["deprecation_date", "docs", "name"],
    unused: &[],
    others: Others::Noted,
};

pub(crate) const SEED: Keys = Keys {
    place: "a seed",
    known: &["name", "description", "config", "charts", "columns", "data_tests", "tests", "meta", "tags", "group"],
    harmless: &["docs"],
    unused: &[],
    others: Others::Noted,
};

pub(crate) const SNAPSHOT: Keys = Keys {
    place: "a snapshot",
    known: &[
        "name",
        "relation",
        "description",
        "config",
        "charts",
        "columns",
        "data_tests",
        "tests",
        "meta",
        "tags",
        "group",
    ],
    harmless: &["docs"],
    unused: &[],
    others: Others::Noted,
};

pub(crate) const ANALYSIS: Keys = Keys {
    place: "an analysis",
    known: &["name", "description", "config", "tags", "group"],
    harmless: &["access", "columns", "docs", "meta"],
    unused: &[],
    others: Others::Noted,
};

pub(crate) const EXPOSURE: Keys = Keys {
    place: "an exposure",
    known: &["name", "type", "owner", "description", "depends_on", "maturity", "tags", "config"],
    harmless: &["label", "meta", "url"],
    unused: &[],
    others: Others::Noted,
};

pub(crate) const METRIC: Keys = Keys {
    place: "a metric",
    known: &["name", "type", "type_params", "description", "tags", "group", "config"],
    harmless: &["filter", "label", "meta", "time_granularity"],
    unused: &[],
    others: Others::Noted,
};

pub(crate) const SEMANTIC_MODEL: Keys = Keys {
    place: "a semantic model",
    known: &["name", "model", "measures", "description", "group", "config"],
    harmless: &["defaults", "dimensions", "entities", "label", "meta", "primary_entity"],
    unused: &[],
    others: Others::Noted,
};

pub(crate) const SAVED_QUERY: Keys = Keys {
    place: "a saved query",
    known: &["name", "query_params", "description", "tags", "group", "config"],
    harmless: &["exports", "label", "meta"],
    unused: &[],
    others: Others::Noted,
};

pub(crate) const RESOURCE_CONFIG: Keys = Keys {
    place: "the config of a node that is not built",
    known: &["enabled", "group", "tags"],
    harmless: &["cache", "docs", "export_as", "meta", "schema"],
    unused: &[],
    others: Others::Noted,
};

pub(crate) const GROUP: Keys = Keys {
    place: "a group",
    known: &["name", "owner", "description"],
    harmless: &["config"],
    unused: &[],
    others: Others::Noted,
};

pub(crate) const COLUMN: Keys = Keys {
    place: "a column",
    known: &["name", "description", "data_type", "type", "constraints", "data_tests", "tests"],
    harmless: &["config", "docs", "meta", "policy_tags", "quote", "tags"],
    unused: &["dimension", "entity", "granularity"],
    others: Others::Noted,
};

pub(crate) const SOURCE_COLUMN: Keys = Keys {
    place: "a column of a source",
    known: &["name", "description", "data_type", "type", "max_rescued", "data_tests", "tests"],
    harmless: COLUMN.harmless,
    unused: &["constraints", "dimension", "entity", "granularity"],
    others: Others::Refused,
};

pub(crate) const SOURCE: Keys = Keys {
    place: "a source",
    known: &[
        "name",
        "description",
        "tables",
        "schema",
        "database",
        "config",
        "freshness",
        "loaded_at_field",
        "loaded_at_query",
    ],
    harmless: &["loader", "meta", "quoting", "tags"],
    unused: &["overrides"],
    others: Others::Noted,
};

pub(crate) const TABLE: Keys = Keys {
    place: "a source table",
    known: &[
        "name",
        "description",
        "identifier",
        "location",
        "format",
        "options",
        "columns",
        "event_time",
        "freshness",
        "loaded_at_field",
        "loaded_at_query",
        "on_bad_row",
        "max_bad_rows",
        "max_rescued",
        "on_missing",
        "missing_columns",
        "unknown_columns",
        "config",
        "data_tests",
        "tests",
    ],
    harmless: &["loader", "meta", "quoting", "tags"],
    unused: &["external"],
    others: Others::Refused,
};

pub(crate) const SOURCE_CONFIG: Keys = Keys {
    place: "the config of a source",
    known: &["enabled", "external_location", "freshness", "loaded_at_field", "loaded_at_query", "meta"],
    harmless: &["tags"],
    unused: &["event_time"],
    others: Others::Noted,
};

pub(crate) const CSV_OPTIONS: Keys = Keys {
    place: "the options of a CSV source",
    known: &[
        "header",
        "delimiter",
        "quote",
        "comment",
        "skip",
        "null",
        "trim",
        "numbers",
        "decimal",
        "booleans",
        "date_format",
        "timestamp_format",
    ],
    harmless: &[],
    unused: &[],
    others: Others::Refused,
};

pub(crate) const JSON_OPTIONS: Keys = Keys {
    place: "the options of a JSON source",
    known: &["coerce", "trim", "numbers", "decimal", "booleans", "date_format", "timestamp_format"],
    harmless: &[],
    unused: &[],
    others: Others::Refused,
};

pub(crate) const PARQUET_OPTIONS: Keys = Keys { place: "the options of a Parquet source", ..JSON_OPTIONS };

pub(crate) const TEST_CONFIG: Keys = Keys {
    place: "a data test's config",
    known: &[
        "severity",
        "where",
        "enabled",
        "error_if",
        "warn_if",
        "fail_calc",
        "limit",
        "store_failures",
        "store_failures_as",
        "schema",
        "alias",
        "tags",
    ],
    harmless: &["database", "description", "group", "materialized", "meta", "static_analysis"],
    unused: &[],
    others: Others::Noted,
};

pub(crate) const SINGULAR_TEST: Keys = Keys {
    place: "a data test that is a file",
    known: &["name", "description", "config"],
    harmless: &["docs", "meta"],
    unused: &[],
    others: Others::Noted,
};

pub(crate) const UNIT_TEST: Keys = Keys {
    place: "a unit test",
    known: &["name", "description", "model", "given", "expect", "overrides", "config", "versions", "slice"],
    harmless: &[],
    unused: &[],
    others: Others::Noted,
};

pub(crate) const UNIT_TEST_CONFIG: Keys = Keys {
    place: "the config of a unit test",
    known: &["enabled", "tags", "meta"],
    harmless: &["static_analysis"],
    unused: &[],
    others: Others::Refused,
};

pub(crate) const UNIT_TEST_VERSIONS: Keys = Keys {
    place: "`versions` of a unit test",
    known: &["include", "exclude"],
    harmless: &[],
    unused: &[],
    others: Others::Refused,
};

pub(crate) const GIVEN: Keys = Keys {
    place: "an item of `given`",
    known: &["input", "rows", "format", "fixture"],
    harmless: &[],
    unused: &[],
    others: Others::Refused,
};

pub(crate) const EXPECT: Keys = Keys {
    place: "`expect`",
    known: &["rows", "format", "fixture", "table"],
    harmless: &[],
    unused: &[],
    others: Others::Refused,
};

pub(crate) const UNIT_TEST_OVERRIDES: Keys = Keys {
    place: "`overrides`",
    known: &["macros", "vars", "env_vars"],
    harmless: &[],
    unused: &[],
    others: Others::Refused,
};

pub(crate) const SLICE: Keys =
    Keys { place: "`slice`", known: &["start", "end"], harmless: &[], unused: &[], others: Others::Refused };

impl Keys {
    /// The keys of a mapping within what somebody else reads.
    pub(super) const fn nested(place: &'static str, known: &'static [&'static str]) -> Keys {
        Keys { place, known, harmless: &[], unused: &[], others: Others::Noted }
    }

    /// The mapping as the end of a sentence.
    pub(super) fn place(&self) -> &'static str {
        self.place
    }

    /// Whether a key means something here.
    pub(super) fn knows(&self, key: &str) -> bool {
        self.known.contains(&key)
    }

    /// Reports every key that does not belong here.
    pub(crate) fn check(&self, fields: &YamlFields<'_>, sink: &mut Sink) {
        let mut before: Option<&Node> = None;
        for (key, value) in fields.entries() {
            let word = key.value.as_str();
            // `{ type: decimal(18, 2) }` ends at the comma in YAML: what looks like an unknown key is the second half of a value.
            let halved = before.replace(value).filter(|_| word.contains(')') && !word.contains('('));
            if let Some(diagnostic) = halved.and_then(Node::ended_by_comma) {
                sink.error(diagnostic);
                continue;
            }
            if self.known.contains(&word) || self.harmless.contains(&word) {
                continue;
            }
            if self.unused.contains(&word) {
                sink.warn(Diagnostic::warning(Code::UnknownKey, format!("`{word}` is not used yet")).at(key.span));
                continue;
            }
            // Before the general message: a key that is not known must not lead to a suggestion where to put a password.
            if is_credential_key(word) {
                let message = format!("`{word}` would hold credentials, and {} has none", self.place);
                sink.error(without_credentials(Diagnostic::error(Code::InvalidConfig, message).at(key.span)));
                continue;
            }
            if self.others == Others::Noted && nearest(word, self.known.iter().copied()).is_none() {
                let message = format!("`{word}` is not a key of {}, and does nothing", self.place);
                sink.warn(Diagnostic::warning(Code::UnknownKey, message).at(key.span));
                continue;
            }
            let message = format!("`{word}` is not a key of {}", self.place);
            sink.error(known_keys(Diagnostic::error(Code::UnknownKey, message).at(key.span), word, self.known));
        }
    }
}

/// Adds the nearest key, or, if none is near, all of them.
pub(crate) fn known_keys(diagnostic: Diagnostic, typed: &str, known: &[&str]) -> Diagnostic {
    if nearest(typed, known.iter().copied()).is_some() {
        return diagnostic.suggest(typed, known.iter().copied());
    }
    diagnostic.help(format!("its keys are {}", all_of(known.iter().copied())))
}
