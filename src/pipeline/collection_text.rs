//! What a collection of garbage has found, in words and in numbers.

use serde_json::{Map, Value, json};

use crate::figures::{bytes, counted, grouped};
use crate::project::Retention;
use crate::store::{Orphan, Removal};

/// How many objects, and how many bytes.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct RemovedObjects {
    objects: usize,
    bytes: u64,
    /// Whether they were removed, and not only found.
    is_done: bool,
}

impl RemovedObjects {
    /// None yet.
    pub fn new(is_done: bool) -> Self {
        Self { is_done, ..Self::default() }
    }

    /// Counts some more.
    pub fn add(&mut self, objects: usize, bytes: u64) {
        self.objects += objects;
        self.bytes += bytes;
    }

    /// What one table does not need, in a line that begins with `word`, and for programs. It is counted.
    pub fn removal(&mut self, of: &str, removal: &Removal, word: &str) -> (String, Value) {
        let mut facts = Map::from_iter([("of".to_owned(), json!(of)), ("removed".to_owned(), json!(self.is_done))]);
        let mut parts = Vec::new();
        for (kind, objects, size) in removal.sums() {
            let (one, many) = kind.nouns();
            let noun = if objects == 1 { one } else { many };
            parts.push(format!("{} {noun} ({})", grouped(objects as u64), bytes(size)));
            facts.insert(many.replace(' ', "_"), json!({"objects": objects, "bytes": size}));
            self.add(objects, size);
        }
        (format!("  {word}  {of}: {}", parts.join(", ")), Value::Object(facts))
    }

    /// What programs are told of a table that no model makes: its size, if it goes.
    pub fn orphan(self, orphan: &Orphan, goes: bool) -> Value {
        let table = orphan.table.to_string();
        match goes {
            true => json!({
                "of": table, "removed": self.is_done, "orphan": true, "objects": orphan.objects, "bytes": orphan.bytes,
            }),
            false => json!({"of": table, "removed": false, "orphan": true}),
        }
    }

    /// The last line; `removed` is that word as it is shown.
    pub fn to_text(self, removed: &str, with_orphans: bool, kept: Retention) -> String {
        let size = bytes(self.bytes);
        let what = counted(self.objects, "object");
        match (self.objects, self.is_done) {
            (0, _) => format!("nothing to remove: all is needed, or younger than {kept}"),
            (_, true) => format!("{removed}: {what}, {size}"),
            (_, false) => {
                let option = if with_orphans { " --orphans" } else { "" };
                format!("{what}, {size}; nothing was removed: `karat gc{option} --yes` does that")
            }
        }
    }

    /// The same for programs.
    pub fn to_json(self) -> Value {
        json!({"objects": self.objects, "bytes": self.bytes, "removed": self.is_done})
    }
}

/// A table that no model makes and that is too young to be removed.
pub(crate) fn kept_orphan(orphan: &Orphan, retention: Retention) -> String {
    let table = &orphan.table;
    format!("  kept  {table}: no model makes it, and it is younger than {retention}: {}", size_of(orphan))
}

/// A table that no model makes and that goes, in a line that begins with `word`.
pub(crate) fn removed_orphan(orphan: &Orphan, word: &str) -> String {
    format!("  {word}  {}, which no model makes: all of it, {}", orphan.table, size_of(orphan))
}

fn size_of(orphan: &Orphan) -> String {
    format!("{} ({})", counted(orphan.objects, "object"), bytes(orphan.bytes))
}
