//! The end of a run: one object makes all of its tables visible together.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use super::step::Workshop;
use crate::incremental::{Decider, Observed, Refresh};
use crate::name::ModelName;
use crate::store::{Release, Released, StoreError};
use crate::table::behind;

/// Releases every table as this run has read or left it. Gives the number of the release; nothing if the newest
/// release says the same already, or if other runs were at work and not all tables were made of each other: then the
/// run that comes last releases them.
pub(crate) async fn publish_release(shop: &Workshop<'_>, order: &[ModelName]) -> Result<Option<u64>, StoreError> {
    if !belong_together(shop, order) {
        return Ok(None);
    }
    let release = {
        let states = shop.tables.lock().expect("no thread panics while it holds this lock");
        let tables = states.iter().filter_map(|(name, state)| {
            let state = state.as_ref()?;
            Some((name.to_string(), Released { id: state.id.clone(), version: state.version, by: None }))
        });
        let tables: BTreeMap<String, Released> = tables.collect();
        Release { run: shop.run_id.clone(), released: shop.now.timestamp_millis(), git: shop.git.clone(), tables }
    };
    shop.lake.release(&release).await
}

/// Whether the tables were made of each other as they are now. Other runs may have brought one further than its inputs
/// are here, or an input that was looked at once more may be newer than what others were made of.
fn belong_together(shop: &Workshop<'_>, order: &[ModelName]) -> bool {
    let (sources, files) = (shop.source_digests(), shop.files_seen());
    let tables = shop.tables.lock().expect("no thread panics while it holds this lock");
    let states = tables.iter().filter_map(|(name, state)| Some((name.to_string(), state.as_deref()?)));
    if !behind(states).is_empty() {
        return false;
    }
    let observed = Observed {
        typed: shop.typed,
        windows: &shop.windows,
        tables: &tables,
        unreadable: &shop.unreadable,
        sources: &sources,
        files: &files,
    };
    let decider = Decider::new(observed, Refresh::Stale);
    let is_current = || decider.decide_all(order).values().all(|decision| !decision.may_build());
    !shop.inputs_moved.load(Ordering::Relaxed) || is_current()
}
