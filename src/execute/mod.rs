//! Plans over a catalog, run: what a query, a data test, a verification and a run have in common.

mod anomalies;
mod checks;
mod engine;
mod engine_error;
mod keys;
mod missing;
mod observer;
mod parts;
mod peek;
mod raw_format;
mod reader;
mod rows;
mod versions;
mod watch;

pub(crate) use checks::{Checking, Tester, failed};
pub(crate) use engine::{Engine, EngineSettings, Joins};
pub(crate) use keys::{
    BATCH, KeyedRows, check_keys, files_with_keys, key_columns, rows_of_keys, rows_of_other_keys, scan_batch,
};
pub(crate) use observer::{BackfillEvent, Built, Event, Observer, Unheard, WrittenSlice};
pub(crate) use parts::parts_of;
pub(crate) use peek::peek;
pub(crate) use reader::{FoundInSources, Instead, Reader};
pub(crate) use rows::{begins, in_columns, own_rows, since_begin, slice_cut, whole_plans};
pub(crate) use versions::Versions;
