//! The data of the page. Lists refer to nodes by their place in [`Payload::nodes`].

use serde::Serialize;

use crate::chart::PageChart;

/// The format of the data, which grows when a field is taken away or means something else.
pub(super) const FORMAT: u32 = 1;

/// All that the page knows.
#[derive(Debug, Serialize)]
pub(crate) struct Payload {
    pub format: u32,
    pub project: ProjectFacts,
    /// The layers, from sources to what reads tables from outside.
    pub layers: Vec<String>,
    pub nodes: Vec<PageNode>,
    /// The newest first.
    pub runs: Vec<RunFacts>,
}

#[derive(Debug, Serialize)]
pub(crate) struct ProjectFacts {
    pub name: String,
    pub version: Option<String>,
    pub target: String,
    /// The version of karat.
    pub karat: String,
    /// When the page was made, in UTC: `2024-01-01 10:00`.
    pub made: String,
    /// Why nothing is known of freshness, if so.
    pub unplanned: Option<String>,
}

#[derive(Debug, Serialize)]
pub(crate) struct PageNode {
    /// `model/daily_active_users`: a link to the node ends with it.
    pub id: String,
    pub name: String,
    /// `model`, `source`, `seed`, `snapshot`, `exposure`, …
    pub kind: &'static str,
    /// Its place in the list of layers.
    pub layer: usize,
    pub table: Option<String>,
    pub path: Option<String>,
    pub materialized: Option<&'static str>,
    /// HTML without anything that the author wrote as HTML.
    pub description: String,
    pub tags: Vec<String>,
    pub columns: Vec<ColumnFacts>,
    /// The columns that decide which rows there are.
    pub rows_from: Vec<OriginFacts>,
    pub tests: Vec<PageTest>,
    pub sql: Option<String>,
    pub compiled: Option<String>,
    pub reads: Vec<usize>,
    pub standing: TableStanding,
    /// Why it stands so.
    pub why: Option<String>,
    pub state: Option<StateFacts>,
    pub calendar: Option<Calendar>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub charts: Vec<PageChart>,
    /// The column of the picture.
    pub x: usize,
    /// The place in it, in the height of a node.
    pub y: f64,
}

/// The slices of a table, oldest first, each list as long as the others.
#[derive(Debug, Serialize)]
pub(crate) struct Calendar {
    /// `hour`, `day`, `month`, …
    pub grain: &'static str,
    /// `2023-05-01`, `2023-05-01T10:00:00` or `null`
    pub keys: Vec<String>,
    /// A digit for each: 0 fresh, 1 stale, 2 missing, 3 if only a run can say, 4 if the last run failed to build it.
    pub states: String,
    pub rows: Vec<u64>,
    /// `None` for all of them if files hold rows of several slices.
    pub files: Option<Vec<(u64, u64)>>,
    /// The version that changed the rows last; 0 for those that were never built.
    pub versions: Vec<u64>,
    /// Why slices are stale or missing, in words.
    pub reasons: Vec<String>,
    /// For each slice one more than the place of its reason; 0 if it is fresh.
    pub reason_of: Vec<usize>,
}

/// How a table stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum TableStanding {
    Fresh,
    /// A run would build all of it or a part.
    Stale,
    /// It was never built.
    Missing,
    /// Its model has an error.
    Broken,
    /// It has no table of its own, or nobody has looked.
    None,
}

#[derive(Debug, Serialize)]
pub(crate) struct ColumnFacts {
    pub name: String,
    pub r#type: Option<String>,
    /// HTML, as that of a node.
    pub description: String,
    pub tests: Vec<String>,
    pub from: Vec<OriginFacts>,
}

/// A column of another node: the node, the column, and what it is used for.
#[derive(Debug, Serialize)]
pub(crate) struct OriginFacts(pub usize, pub String, pub &'static str);

#[derive(Debug, Serialize)]
pub(crate) struct PageTest {
    pub name: String,
    /// `data` or `unit`
    pub kind: &'static str,
    /// `passed`, `warned` or `failed`, the last time that it ran.
    pub status: Option<&'static str>,
    pub failures: Option<u64>,
    pub sql: Option<String>,
}

/// The newest version of a table.
#[derive(Debug, Serialize)]
pub(crate) struct StateFacts {
    pub version: u64,
    /// `None` if a file does not say.
    pub rows: Option<u64>,
    pub bytes: u64,
    pub files: usize,
}

#[derive(Debug, Serialize)]
pub(crate) struct RunFacts {
    pub id: String,
    pub line: String,
    /// Milliseconds since 1970.
    pub started: i64,
    pub ended: i64,
    pub status: &'static str,
    pub steps: Vec<StepFacts>,
}

#[derive(Debug, Serialize)]
pub(crate) struct StepFacts {
    pub model: String,
    pub status: &'static str,
    pub why: String,
    pub started: Option<i64>,
    pub ended: Option<i64>,
    pub rows: u64,
}
