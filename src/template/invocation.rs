//! Which run this is, for templates and for artifacts.

use chrono::{DateTime, Utc};

/// The same for all that a command renders and writes, and another for each command: it follows from the run's time.
pub fn invocation_id(project: &str, time: DateTime<Utc>) -> String {
    let digest = blake3::hash(format!("{project} {}", time.timestamp_micros()).as_bytes()).to_hex();
    let part = |from: usize, to: usize| digest.get(from..to).unwrap_or_default().to_owned();
    [part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)].join("-")
}
