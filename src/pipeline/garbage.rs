//! A collection of garbage: what no version or release needs any more, and tables that nobody makes.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::collection_text::{RemovedObjects, kept_orphan, removed_orphan};
use crate::failure::Failure;
use crate::name::TableName;
use crate::project::Retention;
use crate::store::{Collection, Lake, Maker, Orphan, Removal};

/// A collection at work.
pub(crate) struct GarbageCollection<'a> {
    pub lake: &'a Lake,
    /// What is younger stays, in milliseconds since 1970.
    pub horizon: i64,
    /// Whether anything is removed, and not only found.
    pub removes: bool,
    /// What was done with what is found, as a line begins with it.
    pub word: String,
    /// Hears of each table, in words and as facts.
    pub say: &'a dyn Fn(&str, Value),
    pub total: RemovedObjects,
}

impl GarbageCollection<'_> {
    /// What these tables and the lake itself do not need. Returns what went wrong with single tables.
    ///
    /// # Errors
    ///
    /// Returns an error if the lake cannot be looked at.
    pub async fn collect(&mut self, tables: &BTreeSet<TableName>) -> Result<Vec<Failure>, Vec<Failure>> {
        let how = Collection { horizon: self.horizon, removes: self.removes };
        let collected = self.lake.collect(tables, how).await.map_err(|error| vec![error.into()])?;
        let mut wrong = Vec::new();
        for (table, removal) in collected.tables {
            match removal {
                Ok(removal) => self.tell(&table.to_string(), &removal),
                Err(error) => wrong.push(error.into()),
            }
        }
        self.tell("the lake", &collected.lake);
        Ok(wrong)
    }

    /// Tables of this maker that are none of those that are written.
    ///
    /// # Errors
    ///
    /// Returns an error if the lake cannot be looked at, or a table cannot be removed.
    pub async fn collect_orphans(
        &mut self,
        written: &BTreeSet<TableName>,
        maker: &Maker,
        retention: Retention,
    ) -> Result<(), Vec<Failure>> {
        let found = self.lake.orphans(written, maker).await.map_err(|error| vec![error.into()])?;
        for (table, reason) in found.unclear {
            let text = format!("  kept  {table}: no model makes it, and its origin is unknown: {reason}");
            (self.say)(&text, json!({"of": table.to_string(), "removed": false, "kept": reason}));
        }
        // The store decides once more when it removes: somebody may have written to the table since it was listed.
        for orphan in found.tables {
            let mut kept = orphan.written >= self.horizon;
            if self.removes && !kept {
                let removed = self.lake.remove_orphan(&orphan.table, maker, self.horizon).await;
                kept = removed.map_err(|error| vec![error.into()])?.is_none();
            }
            self.tell_orphan(&orphan, kept.then_some(retention));
        }
        Ok(())
    }

    fn tell_orphan(&mut self, orphan: &Orphan, kept: Option<Retention>) {
        let text = match kept {
            Some(retention) => kept_orphan(orphan, retention),
            None => {
                self.total.add(orphan.objects, orphan.bytes);
                removed_orphan(orphan, &self.word)
            }
        };
        (self.say)(&text, self.total.orphan(orphan, kept.is_none()));
    }

    /// What was found in one table.
    fn tell(&mut self, of: &str, removal: &Removal) {
        if !removal.is_empty() {
            let (text, facts) = self.total.removal(of, removal, &self.word);
            (self.say)(&text, facts);
        }
    }
}
