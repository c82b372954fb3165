//! What every artifact says of the command that wrote it.

use std::collections::BTreeMap;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;

use crate::project::DBT_VERSION;

/// The command that artifacts are written by.
#[derive(Debug, Clone)]
pub(crate) struct Invocation {
    pub id: String,
    pub started: DateTime<Utc>,
    /// When the artifact is made.
    pub now: DateTime<Utc>,
    /// The variables of the environment whose names ask to stand in artifacts, without their prefix.
    pub env: BTreeMap<String, String>,
}

/// What the names of such variables begin with.
const CUSTOM_PREFIX: &str = "DBT_ENV_CUSTOM_ENV_";

/// The entry in an artifact that says which target it was written for: dbt's schemas have no place of their own for that.
pub(super) const TARGET: &str = "KARAT_TARGET";

/// `metadata` of an artifact.
#[derive(Debug, Serialize)]
pub(super) struct Metadata<'a> {
    dbt_schema_version: String,
    dbt_version: &'static str,
    generated_at: String,
    invocation_id: &'a str,
    invocation_started_at: String,
    env: &'a BTreeMap<String, String>,
}

impl Invocation {
    pub fn new(id: String, started: DateTime<Utc>, now: DateTime<Utc>, variables: &BTreeMap<String, String>) -> Self {
        let custom = variables.iter().filter_map(|(name, value)| {
            let name = name.strip_prefix(CUSTOM_PREFIX)?;
            Some((name.to_owned(), value.clone()))
        });
        Self { id, started, now, env: custom.collect() }
    }

    /// The same for this target.
    pub fn of_target(mut self, target: &str) -> Self {
        self.env.insert(TARGET.to_owned(), target.to_owned());
        self
    }

    /// `metadata` of an artifact of this schema: `manifest/v12`.
    pub(super) fn metadata(&self, schema: &str) -> Metadata<'_> {
        Metadata {
            dbt_schema_version: format!("https://schemas.getdbt.com/dbt/{schema}.json"),
            dbt_version: DBT_VERSION,
            generated_at: instant(self.now),
            invocation_id: &self.id,
            invocation_started_at: instant(self.started),
            env: &self.env,
        }
    }
}

/// A time in UTC, to the microsecond.
pub(super) fn instant(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Micros, true)
}
