//! What a person or a program at the other end of a command sees: data, talk, and work as it goes on.

mod backfill_progress;
mod console;
mod progress;
mod stops;
mod unified_diff;

pub(crate) use backfill_progress::BackfillProgress;
pub(crate) use console::{Console, LogFormat, Manners, Tone};
pub(crate) use progress::Progress;
pub(crate) use stops::Stops;
pub(crate) use unified_diff::ChangedText;
