//! The flags of dbt, by what they mean here.

use std::collections::BTreeMap;

/// Flags of dbt without a value that change nothing here; each may have `no-` before it.
pub const IGNORED: [&str; 22] = [
    "cache-selected-only",
    "defer",
    "fail-fast",
    "favor-state",
    "introspect",
    "inject-ephemeral-ctes",
    "log-cache-events",
    "populate-cache",
    "print",
    "quote",
    "send-anonymous-usage-stats",
    "show-all-deprecations",
    "single-threaded",
    "static-parser",
    "upload-to-artifacts-ingest-api",
    "use-colors",
    "use-colors-file",
    "use-experimental-parser",
    "use-fast-test-edges",
    "version-check",
    "write-json",
    "write-manifest",
];

/// The same for flags with a value.
pub const IGNORED_WITH_VALUE: [&str; 11] = [
    "defer-state",
    "indirect-selection",
    "log-format-file",
    "log-level",
    "log-level-file",
    "log-path",
    "macro-debugging",
    "printer-width",
    "record-timing-info",
    "warn-error-options",
    "upgrade",
];

/// Flags that are off anyway.
pub const OFF: [&str; 10] = [
    "no-debug",
    "no-defer",
    "no-empty",
    "no-favor-state",
    "no-full-refresh",
    "no-quiet",
    "no-sample",
    "no-store-failures",
    "no-warn-error",
    "partial-parse",
];

/// Flags that would change which rows there are, and what to do instead.
pub const REFUSED: [(&str, &str); 2] = [
    ("empty", "`karat compile` checks every model, types included, without reading data"),
    ("sample", "`--start` and `--end` build a few slices of incremental models"),
];

/// Flags that the environment may set, as `KARAT_…` or `DBT_…`, with the name that they have here.
pub const OF_ENVIRONMENT: [(&str, &str, bool); 26] = [
    ("DEBUG", "debug", false),
    ("DEFER", "defer", false),
    ("DEFER", "no-defer", false),
    ("DEFER_STATE", "defer-state", true),
    ("DEFER_TO", "defer-to", true),
    ("EMPTY", "empty", false),
    ("EVENT_TIME_END", "end", true),
    ("EVENT_TIME_START", "start", true),
    ("FAVOR_STATE", "favor-state", false),
    ("FULL_REFRESH", "full-refresh", false),
    ("LOG_FORMAT", "log-format", true),
    ("METRICS_FILE", "metrics-file", true),
    ("PARTIAL_PARSE", "no-partial-parse", false),
    ("PROFILE", "profile", true),
    ("PROFILES_DIR", "profiles-dir", true),
    ("PROJECT_DIR", "project-dir", true),
    ("QUIET", "quiet", false),
    ("SELECTOR", "selector", true),
    ("STATE", "state", true),
    ("STORE_FAILURES", "store-failures", false),
    ("TARGET", "target", true),
    ("TARGET_PATH", "target-path", true),
    ("THREADS", "threads", true),
    ("VARS", "vars", true),
    ("WARN_ERROR", "warn-error", false),
    ("WRITE_JSON", "no-write-json", false),
];

/// A variable of the environment that asks for what would change rows.
#[derive(Debug)]
pub struct RefusedVariable {
    pub name: String,
    pub flag: &'static str,
    pub instead: &'static str,
}

/// The variables among these, as `DBT_SAMPLE`.
pub fn refused_in(variables: &BTreeMap<String, String>) -> impl Iterator<Item = RefusedVariable> {
    const OFF_WORDS: [&str; 7] = ["", "0", "false", "f", "no", "n", "off"];
    let is_set = |value: &str| !OFF_WORDS.contains(&value.to_ascii_lowercase().as_str());
    let all = REFUSED.into_iter().flat_map(|(flag, instead)| {
        ["KARAT_", "DBT_"].map(|prefix| RefusedVariable {
            name: format!("{prefix}{}", flag.to_uppercase()),
            flag,
            instead,
        })
    });
    all.filter(move |found| variables.get(&found.name).is_some_and(|value| is_set(value)))
}
