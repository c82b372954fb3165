//! Lakes that are run often clean up after themselves: now and then a run removes what no version that is kept needs.

use std::time::Duration;

use super::context::RunContext;
use crate::analyze::{TypedModel, quarantine_table};
use crate::store::{Collection, StoreError};

/// One in so many releases is asked whether it is time.
const RELEASES: u64 = 100;

/// What is not done then, the next one does.
const LONGEST: Duration = Duration::from_secs(60);

/// What a run has removed of the lake.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tidied {
    pub objects: usize,
    pub bytes: u64,
}

/// Removes what is older than the retention and needed by nobody, if it is this release's turn.
pub(crate) async fn tidy_up(context: &RunContext<'_>, release: u64) -> Result<Tidied, StoreError> {
    let horizon = match context.catalog.project.target.retention.horizon(context.identity.now.naive_utc()) {
        Some(horizon) if release.is_multiple_of(RELEASES) => horizon.and_utc().timestamp_millis(),
        Some(_) | None => return Ok(Tidied::default()),
    };
    if !context.catalog.lake.is_collection_worth_it(horizon).await? {
        return Ok(Tidied::default());
    }
    let tables = context.catalog.typed.values().filter(|model| model.config.materialized.is_stored());
    let of_bad_records = |model: &TypedModel| model.reads_sources().then(|| quarantine_table(&model.table));
    let tables = tables.flat_map(|model| [Some(model.table.clone()), of_bad_records(model)]).flatten().collect();
    let collecting = context.catalog.lake.collect(&tables, Collection { horizon, removes: true });
    let collected = match tokio::time::timeout(LONGEST, collecting).await {
        Ok(collected) => collected?,
        Err(_elapsed) => return Ok(Tidied::default()),
    };
    let mut removals = vec![collected.lake];
    for (table, removal) in collected.tables {
        match removal {
            Ok(removal) => removals.push(removal),
            Err(error) => tracing::info!(%table, %error, "what is not needed of it was not removed"),
        }
    }
    let sums = removals.iter().flat_map(|removal| removal.sums());
    Ok(sums.fold(Tidied::default(), |all, (_, objects, bytes)| Tidied {
        objects: all.objects + objects,
        bytes: all.bytes + bytes,
    }))
}
