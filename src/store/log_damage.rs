//! What is wrong with a log that cannot be read: which object, and whether the log can be read without it.
//!
//! A checkpoint, and the hint that names the newest one, only repeat what commits say. Where the commits are there, a
//! damaged one costs nobody a row: the log is read as if it were not there.

use serde_json::Value;

use super::checkpoint::files_of;
use super::error::StoreError;
use super::log_names::{LogName, LogVersions};
use super::table_log::{TableLog, commit_name};
use crate::delta::{Version, commit_sum};

/// The object that names the newest checkpoint (Delta protocol, "Last Checkpoint File").
pub(super) const HINT: &str = "_delta_log/_last_checkpoint";

/// What was found in a log that cannot be read.
#[derive(Debug, Default)]
pub(super) struct LogDamage {
    /// Objects that only repeat what others say, by their names in the table's folder, with what is wrong with each.
    pub dispensable: Vec<(String, String)>,
    /// The first object that is needed and is not what it should be, or is not there.
    pub fatal: Option<(String, String)>,
}

/// Looks at every object of a log. Nobody does so but for a log that was found to be unreadable.
pub(super) async fn damage(log: &TableLog) -> Result<LogDamage, StoreError> {
    let mut found = LogDamage::default();
    let listed = log.list("_delta_log").await?;
    let mut names: Vec<String> = listed.iter().filter_map(|meta| log.name_of(&meta.location)).collect();
    for name in &names {
        let wrong = match LogName::parse(name) {
            Some(LogName::Checkpoint { .. }) if name.ends_with(".parquet") => wrong_checkpoint(log, name).await?,
            Some(LogName::Commit(_)) => {
                if let (None, Some(wrong)) = (&found.fatal, wrong_commit(log, name).await?) {
                    found.fatal = Some((name.clone(), wrong));
                }
                None
            }
            Some(LogName::Checkpoint { .. } | LogName::Derived(_)) | None => None,
        };
        found.dispensable.extend(wrong.map(|wrong| (name.clone(), wrong)));
    }
    // A gap is looked for without the damaged checkpoints: what stood on them has nothing to stand on.
    names.retain(|name| found.dispensable.iter().all(|(damaged, _)| damaged != name));
    let versions = LogVersions::of(names.iter().map(String::as_str));
    if let Some(wrong) = wrong_hint(log, &versions).await? {
        found.dispensable.push((HINT.to_owned(), wrong));
    }
    if found.fatal.is_none() {
        found.fatal = gap(&versions);
    }
    Ok(found)
}

/// A commit is one JSON object a line.
async fn wrong_commit(log: &TableLog, name: &str) -> Result<Option<String>, StoreError> {
    let Some(bytes) = log.get(name).await? else { return Ok(None) };
    let lines = bytes.split(|byte| *byte == b'\n').enumerate();
    for (number, line) in lines.filter(|(_, line)| !line.trim_ascii().is_empty()) {
        match serde_json::from_slice::<Value>(line) {
            Ok(Value::Object(_)) => {}
            Ok(_) => return Ok(Some(format!("line {} is not an action of a Delta log", number + 1))),
            Err(error) if error.is_eof() => return Ok(Some(format!("it is cut off in line {}", number + 1))),
            Err(_) => return Ok(Some(format!("line {} is not JSON", number + 1))),
        }
    }
    Ok(commit_sum::check(&bytes).err())
}

async fn wrong_checkpoint(log: &TableLog, name: &str) -> Result<Option<String>, StoreError> {
    let Some(bytes) = log.get(name).await? else { return Ok(None) };
    // The decoder of Parquet panics at some damaged bytes.
    let read = tokio::task::spawn_blocking(move || files_of(bytes).map(drop)).await;
    Ok(match read {
        Ok(Ok(())) => None,
        Ok(Err(error)) => Some(format!("it is not a readable Parquet file: {error}")),
        Err(_panic) => Some("it is not a readable Parquet file".to_owned()),
    })
}

async fn wrong_hint(log: &TableLog, versions: &LogVersions) -> Result<Option<String>, StoreError> {
    let Some(bytes) = log.get(HINT).await? else { return Ok(None) };
    let hint = serde_json::from_slice::<Value>(&bytes).ok();
    Ok(match hint.and_then(|hint| hint.get("version")?.as_u64().map(Version::new)) {
        Some(version) if versions.checkpoints.contains(&version) => None,
        Some(version) => Some(format!("it names the checkpoint of version {version}, which does not exist")),
        None => Some("it names no checkpoint".to_owned()),
    })
}

/// The first version that is missing, if the newest cannot be put together.
fn gap(versions: &LogVersions) -> Option<(String, String)> {
    let newest = versions.newest()?;
    if versions.readable().is_some() {
        return None;
    }
    let from = versions.checkpoints.last().map_or(Version::FIRST, |version| version.next());
    let missing = Version::each(from..=newest).find(|version| !versions.commits.contains(version))?;
    Some((commit_name(missing), "it does not exist, and no later checkpoint replaces it".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_is_told_by_the_first_commit_that_is_missing() {
        let names = |names: &[&str]| {
            let names: Vec<String> = names.iter().map(|name| format!("_delta_log/{name}")).collect();
            gap(&LogVersions::of(names.iter().map(String::as_str))).map(|(name, _)| name)
        };
        let commit = |version: Version| format!("{version:020}.json");
        let checkpoint = |version: Version| format!("{version:020}.checkpoint.parquet");
        assert_eq!(names(&[]), None);
        assert_eq!(names(&[&commit(Version::FIRST), &commit(Version::new(1))]), None);
        assert_eq!(names(&[&commit(Version::FIRST), &commit(Version::new(2))]), Some(commit_name(Version::new(1))));
        assert_eq!(names(&[&commit(Version::new(1)), &commit(Version::new(2))]), Some(commit_name(Version::FIRST)));
        assert_eq!(names(&[&checkpoint(Version::new(1)), &commit(Version::new(2))]), None);
        assert_eq!(
            names(&[&checkpoint(Version::new(1)), &commit(Version::new(3))]),
            Some(commit_name(Version::new(2)))
        );
    }
}
