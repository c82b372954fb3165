//! What a build has computed, as data: which slices of a table, of what, and which of its files it replaces.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{
    Backfill, BadRecordCount, FactsName, FileDigest, Provenance, SliceKey, SliceLayout, SliceMap, SliceRows, SliceSet,
    TableState,
};
use crate::delta::DataFile;

/// What a build has computed.
#[derive(Debug, Clone)]
pub(crate) struct Work {
    pub layout: SliceLayout,
    pub domain: Domain,
    /// Slices of the domain that another writer has brought as far or further: they are left alone.
    pub dropped: BTreeSet<SliceKey>,
    /// Slices of the domain whose files stay: their rows came out as they are, or more rows were added to them in files
    /// of their own.
    pub stays: BTreeSet<SliceKey>,
    /// Whether it says what the slices without rows were made of.
    pub rest: bool,
    /// The computed slices with their rows: those that have some, and of parts those that have none too.
    pub slices: SliceMap<SliceRows>,
    pub provenance: Arc<Provenance>,
    /// What is known of the source files, if the model reads a source.
    pub source_files: Option<FactsName>,
    /// How many bad records they have, if that was counted.
    pub bad_records: Option<BadRecordCount>,
    /// The backfill that it belongs to, with the slices that its commit adds to those that are done.
    pub backfill: Option<Arc<Backfill>>,
}

/// The slices that a build has computed, with or without rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Domain {
    Whole,
    /// All of them, of which some rows are those that the table had before.
    Batch,
    Slices(SliceSet),
}

impl Domain {
    fn contains(&self, slice: SliceKey) -> bool {
        match self {
            Domain::Whole | Domain::Batch => true,
            Domain::Slices(slices) => slices.contains(slice),
        }
    }
}

impl Work {
    pub fn new(layout: SliceLayout, domain: Domain, provenance: Arc<Provenance>) -> Work {
        Work {
            layout,
            rest: matches!(domain, Domain::Whole | Domain::Batch),
            domain,
            dropped: BTreeSet::new(),
            stays: BTreeSet::new(),
            slices: SliceMap::new(),
            provenance,
            source_files: None,
            bad_records: None,
            backfill: None,
        }
    }

    /// Whether a commit of this work decides the rows of the slice.
    pub fn covers(&self, slice: SliceKey) -> bool {
        self.domain.contains(slice) && !self.dropped.contains(&slice)
    }

    /// Whether a commit of this work replaces the file. Files that are shared by slices are not told apart here.
    pub fn replaces(&self, file: &DataFile) -> bool {
        match self.layout.slice_of(&file.partition) {
            Some(slice) => self.covers(slice) && !self.stays.contains(&slice),
            None => !self.keeps_all_files(),
        }
    }

    /// Whether a file that was written for this work still belongs to it.
    pub fn wants(&self, file: &DataFile) -> bool {
        self.layout.slice_of(&file.partition).is_none_or(|slice| self.covers(slice))
    }

    /// Whether no file is replaced, where slices share them.
    pub fn keeps_all_files(&self) -> bool {
        // A whole table without a row, of which nothing was known: whatever its files hold is wrong.
        let is_emptied = self.domain == Domain::Whole && self.slices.is_empty();
        !is_emptied && self.slices.keys().filter(|slice| self.covers(**slice)).all(|slice| self.stays.contains(slice))
    }

    /// Whether a commit of this work would say nothing that the base does not say.
    pub fn says_nothing_new(&self, base: &TableState) -> bool {
        let Some(ledger) = base.known_ledger() else { return false };
        if base.hides_slices(&self.layout).is_some() {
            return false;
        }
        let rest_is_known = !self.rest || ledger.rest.as_ref() == Some(&self.provenance);
        let files_are_known = self.source_files.is_none() || self.source_files == ledger.source_files;
        let backfill_is_known = self.backfill.as_deref().is_none_or(|mine| mine.is_part_of(ledger.backfill.as_ref()));
        if !(rest_is_known && files_are_known && backfill_is_known) {
            return false;
        }
        let tainted = base.tainted(&self.layout);
        // A slice that is recorded and was not computed has lost its last row.
        let mut old = ledger.slices.keys().chain(&tainted).filter(|slice| self.covers(**slice));
        if !old.all(|slice| self.slices.contains_key(slice)) {
            return false;
        }
        let mut covered = self.slices.iter().filter(|(slice, _)| self.covers(**slice));
        covered.all(|(slice, rows)| {
            self.stays.contains(slice)
                && !tainted.contains(slice)
                && ledger.slices.get(slice).is_some_and(|entry| {
                    entry.rows == *rows && entry.provenance == self.provenance && entry.files != FileDigest::TAINTED
                })
        })
    }
}
