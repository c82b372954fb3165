//! The end of a run: one object makes all of its tables visible together.

use std::collections::BTreeMap;

use super::step::Workshop;
use crate::store::{Release, Released, StoreError};

/// Releases every table as this run has read or left it. Gives the number of the release; nothing if the newest
/// release says the same already.
pub(crate) async fn publish_release(shop: &Workshop<'_>) -> Result<Option<u64>, StoreError> {
    let release = {
        let states = shop.tables.lock().expect("no thread panics while it holds this lock");
        let tables = states.iter().filter_map(|(name, state)| {
            let state = state.as_ref()?;
            Some((name.to_string(), Released { id: state.id.clone(), version: state.version }))
        });
        let tables: BTreeMap<String, Released> = tables.collect();
        Release { run: shop.run_id.clone(), released: shop.now.timestamp_millis(), git: shop.git.clone(), tables }
    };
    shop.lake.release(&release).await
}
