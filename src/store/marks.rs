//! Marks that keep a restore and a removal of old files apart.
//!
//! A restore brings files back that a removal may take for useless. Each first puts a mark and then looks for the
//! other's, so at least one of the two sees the other: a removal leaves a pinned version alone, and a restore gives way
//! to a removal that is under way.

use std::time::Duration;

use object_store::{ObjectStoreExt, PutPayload};

use super::error::StoreError;
use super::random::StoreRandom;
use super::table_log::TableLog;
use crate::delta::Version;

/// A removal ends at the latest after this time …
pub(super) const LONGEST_REMOVAL: Duration = Duration::from_secs(30 * 60);
/// … so that a mark of this age was left by a process that died.
pub(super) const FRESH: Duration = Duration::from_secs(60 * 60);

const PINS: &str = "_karat/pin/";
const REMOVALS: &str = "_karat/removal/";

/// A mark by its name in the table's folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    /// This version's files are about to be needed.
    Pin(Version),
    /// Old files are being removed.
    Removal,
}

impl Mark {
    pub fn parse(name: &str) -> Option<Mark> {
        if name.starts_with(REMOVALS) {
            return Some(Mark::Removal);
        }
        let (version, _) = name.strip_prefix(PINS)?.split_once('-')?;
        version.parse().ok().map(Mark::Pin)
    }

    /// Puts the mark; gives its name.
    pub async fn put(self, log: &TableLog, random: &StoreRandom) -> Result<String, StoreError> {
        let token =
            random.token().map_err(|source| StoreError::Unavailable { path: log.folder.to_string(), source })?;
        // Dekker's handshake: each side raises its flag before it looks for the other's.
        let name = match self {
            Mark::Pin(version) => format!("{PINS}{version:020}-{token}"),
            Mark::Removal => format!("{REMOVALS}{token}"),
        };
        let put = async { log.store.put(&log.path(&name)?, PutPayload::new()).await };
        match put.await {
            Ok(_) => Ok(name),
            Err(error) => Err(StoreError::unavailable(format!("{}/{name}", log.folder), error)),
        }
    }
}
