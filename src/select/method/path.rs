//! `path:` and `file:`: a model or seed by where its file lies.

use super::{Candidate, Method, Pattern};

/// `path:models/gold`, `gold/daily.sql`, with or without the first folder.
pub(super) struct Path;

/// `file:daily.sql` or `file:daily`.
pub(super) struct ByFile;

impl Method for Path {
    fn name(&self) -> &'static str {
        "path"
    }

    fn is_path(&self) -> bool {
        true
    }

    fn matches(&self, pattern: &Pattern, _argument: Option<&str>, node: Candidate<'_>) -> bool {
        let Some(path) = path_of(node) else { return false };
        let wanted = pattern.text().trim_start_matches("./").trim_end_matches('/');
        let Ok(pattern) = Pattern::parse(wanted, true) else {
            return false;
        };
        // dbt takes paths with and without `models/` in front.
        let below_models = path.split_once('/').map(|(_, rest)| rest);
        std::iter::once(path).chain(below_models).any(|path| is_or_is_below(path, &pattern))
    }

    fn values(&self, node: Candidate<'_>) -> Vec<String> {
        let Some(path) = path_of(node) else { return Vec::new() };
        let folders = path.match_indices('/').filter_map(|(at, _)| path.get(..at));
        folders.chain([path]).map(str::to_owned).collect()
    }
}

/// Where the file of a node lies. Returns `None` for a source.
fn path_of(node: Candidate<'_>) -> Option<&str> {
    match node {
        Candidate::Model { model, .. } => Some(&model.path),
        Candidate::UnitTest { test, .. } => Some(&test.path),
        Candidate::Source { .. } => None,
    }
}

/// Whether the path or a folder that it lies in matches.
fn is_or_is_below(path: &str, pattern: &Pattern) -> bool {
    let folders = path.match_indices('/').filter_map(|(at, _)| path.get(..at));
    pattern.matches(path) || folders.into_iter().any(|folder| pattern.matches(folder))
}

impl Method for ByFile {
    fn name(&self) -> &'static str {
        "file"
    }

    fn matches(&self, pattern: &Pattern, _argument: Option<&str>, node: Candidate<'_>) -> bool {
        let Some(path) = path_of(node) else { return false };
        let file = path.rsplit('/').next().unwrap_or(path);
        pattern.matches(file) || file.rsplit_once('.').is_some_and(|(stem, _)| pattern.matches(stem))
    }

    fn values(&self, node: Candidate<'_>) -> Vec<String> {
        let file = path_of(node).and_then(|path| path.rsplit('/').next());
        file.map(str::to_owned).into_iter().collect()
    }
}
