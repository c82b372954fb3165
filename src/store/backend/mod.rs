//! Where a lake lies: the only code of the engine that touches files.

mod away;
mod local;
mod s3;
mod synced_files;
mod uploads;
mod whole_answers;

pub(crate) use away::{Away, Watch};
pub(crate) use local::{LeadsOut, LinkPolicy, LocalBackend};
pub(crate) use s3::open_bucket;
pub(crate) use synced_files::SyncedFiles;
pub(crate) use uploads::Uploads;
