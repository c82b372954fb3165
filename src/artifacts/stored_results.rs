//! What became of nodes in an earlier command, and how fresh sources were: stored `run_results.json` and `sources.json`.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Deserialize;

#[derive(Deserialize)]
struct StoredResults {
    results: Vec<StoredResult>,
}

#[derive(Deserialize)]
struct StoredResult {
    unique_id: String,
    status: String,
}

#[derive(Deserialize)]
struct StoredSources {
    results: Vec<StoredSource>,
}

#[derive(Deserialize)]
struct StoredSource {
    unique_id: String,
    /// `None` if it could not be found.
    max_loaded_at: Option<DateTime<Utc>>,
}

/// What became of each node, by ids: the text of a `run_results.json`.
///
/// # Errors
///
/// Returns what is wrong with the text, in words that follow its name.
pub(crate) fn stored_results(text: &str) -> Result<BTreeMap<String, String>, String> {
    let found: StoredResults = serde_json::from_str(text).map_err(|error| format!("has no results: {error}"))?;
    Ok(found.results.into_iter().map(|result| (result.unique_id, result.status)).collect())
}

/// The newest row of each source where there was one to find, by ids: the text of a `sources.json`.
///
/// # Errors
///
/// As [`stored_results`].
pub(crate) fn stored_sources(text: &str) -> Result<BTreeMap<String, DateTime<Utc>>, String> {
    let found: StoredSources = serde_json::from_str(text).map_err(|error| format!("has no results: {error}"))?;
    Ok(found.results.into_iter().filter_map(|source| Some((source.unique_id, source.max_loaded_at?))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_and_times_are_read_by_id() {
        let text =
            r#"{"metadata": {}, "results": [{"unique_id": "model.p.a", "status": "error", "timing": []}], "args": {}}"#;
        assert_eq!(stored_results(text).unwrap(), BTreeMap::from([("model.p.a".to_owned(), "error".to_owned())]));
        let text = r#"{"results": [
            {"unique_id": "source.p.raw.a", "max_loaded_at": "2023-05-01T00:00:00Z", "status": "pass"},
            {"unique_id": "source.p.raw.b", "error": "gone", "status": "runtime error"}]}"#;
        let found = stored_sources(text).unwrap();
        let times: Vec<(String, String)> = found.into_iter().map(|(id, time)| (id, time.to_rfc3339())).collect();
        assert_eq!(times, [("source.p.raw.a".to_owned(), "2023-05-01T00:00:00+00:00".to_owned())]);
        assert!(stored_results("{}").unwrap_err().starts_with("has no results: missing field `results`"));
    }
}
