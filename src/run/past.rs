//! The same workshop over other versions of the tables: what was built can be computed again from what it was made of.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

use super::step::Workshop;
use super::turns::Turns;
use crate::check::Guards;
use crate::table::Tables;

impl Workshop<'_> {
    /// This workshop, but with these states of the tables. Memory, threads and the lake are shared.
    pub fn over(&self, tables: Tables) -> Workshop<'_> {
        Workshop {
            project: self.project,
            typed: self.typed,
            windows: Arc::clone(&self.windows),
            lake: self.lake.clone(),
            folder: self.folder.clone(),
            session: self.session.clone(),
            tables: Mutex::new(tables),
            unreadable: self.unreadable.clone(),
            sources: Mutex::new(self.listings()),
            facts: Mutex::default(),
            inputs_moved: AtomicBool::new(false),
            checks: Guards::new(),
            refresh: self.refresh,
            run_id: self.run_id.clone(),
            git: self.git.clone(),
            now: self.now,
            observer: self.observer,
            turns: Turns::default(),
        }
    }
}
