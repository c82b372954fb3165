//! What is known of source files, kept beside the tables that were made of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::{StreamExt, TryStreamExt};

use super::error::StoreError;
use super::{Lake, READ_AT_ONCE};
use crate::name::TableName;
use crate::table::{FactsName, SourceFacts, StoredFacts};

impl Lake {
    /// The facts about source files that a ledger names; nothing is known if they are gone.
    pub async fn source_files(&self, name: &TableName, facts: &FactsName) -> Arc<SourceFacts> {
        Arc::clone(&self.stored_facts(name, facts).await.facts)
    }

    async fn stored_facts(&self, name: &TableName, facts: &FactsName) -> Arc<StoredFacts> {
        if let Some(known) = self.lock_facts().get(facts) {
            return Arc::clone(known);
        }
        let Ok(log) = self.log(name) else { return Arc::default() };
        let paths: Vec<String> = facts.paths().collect();
        let read = |path: String| {
            let log = &log;
            async move { log.get(&path).await.ok().flatten().ok_or(()) }
        };
        let objects = futures::stream::iter(paths).map(read).buffered(READ_AT_ONCE).try_collect::<Vec<_>>().await;
        let Some(stored) = objects.ok().and_then(|objects| StoredFacts::read(facts, &objects)) else {
            return Arc::default();
        };
        Arc::clone(self.lock_facts().entry(facts.clone()).or_insert_with(|| Arc::new(stored)))
    }

    fn lock_facts(&self) -> std::sync::MutexGuard<'_, BTreeMap<FactsName, Arc<StoredFacts>>> {
        self.shared.facts.lock()
    }

    /// Keeps facts about source files, as what changed after those that were known before; returns their name.
    pub async fn keep_source_files(
        &self,
        name: &TableName,
        before: Option<&FactsName>,
        facts: SourceFacts,
    ) -> Result<FactsName, StoreError> {
        let before = match before {
            Some(before) => self.stored_facts(name, before).await,
            None => Arc::default(),
        };
        let Some((stored, object)) = before.followed_by(facts) else { return Ok(before.name()) };
        self.log(name)?.put_content(&object.name, object.bytes).await?;
        let facts = stored.name();
        self.lock_facts().insert(facts.clone(), Arc::new(stored));
        Ok(facts)
    }
}
