//! Small files of a table are written as one, with the same rows: what a plan of upkeep says is done here, table by table.

use std::collections::BTreeSet;
use std::ops::AddAssign;
use std::sync::Arc;

use arrow::datatypes::Schema;

use super::columns::made_as;
use super::context::RunContext;
use super::staged::Staged;
use super::write::WriteJob;
use crate::analyze::TypedModel;
use crate::diag::{Code, Diagnostic};
use crate::execute::{Event, Joins, Reader, own_rows};
use crate::failure::Failure;
use crate::incremental::Bound;
use crate::plan::{PartitionUpkeep, TableUpkeep, UpkeepOptions, upkeep};
use crate::store::{Rearranged, Rearrangement, RewrittenFiles, StoreError};
use crate::table::{DataFile, SliceKey, SliceMap, SliceRows, TableState, Version};

/// What became of a table.
#[derive(Debug)]
pub(crate) enum Optimized {
    Committed(OptimizedFiles),
    /// Other writers came first, and the files are not what they were.
    Overtaken(Version),
    /// The files came out as many as they were, because rows that are sorted are written in parts: nothing was committed.
    NoFewer,
}

/// The files of a table that were put together.
#[derive(Debug)]
pub(crate) struct OptimizedFiles {
    /// The table after the commit.
    pub state: Arc<TableState>,
    pub before: FileSum,
    pub after: FileSum,
}

/// How many files, with how many rows and bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct FileSum {
    pub files: usize,
    pub rows: u64,
    pub bytes: u64,
}

impl OptimizedFiles {
    fn new(state: Arc<TableState>, rewritten: &[RewrittenFiles]) -> Self {
        let before = FileSum::of(rewritten.iter().flat_map(|files| &files.remove));
        let after = FileSum::of(rewritten.iter().flat_map(|files| &files.add));
        Self { state, before, after }
    }
}

impl AddAssign for FileSum {
    fn add_assign(&mut self, more: Self) {
        self.files += more.files;
        self.rows += more.rows;
        self.bytes += more.bytes;
    }
}

impl FileSum {
    fn of<'f>(files: impl Iterator<Item = &'f DataFile>) -> Self {
        let mut sum = Self::default();
        files.for_each(|file| sum += Self { files: 1, rows: file.rows.unwrap_or(0), bytes: file.bytes });
        sum
    }
}

/// Groups of files that were written anew, with the digests of their rows.
#[derive(Default)]
struct Rewriting {
    files: Vec<RewrittenFiles>,
    slices: Vec<SliceMap<SliceRows>>,
}

/// What is to be done with the table of a model, as it was observed.
pub(crate) fn table_upkeep(model: &TypedModel, state: &TableState, options: &UpkeepOptions) -> TableUpkeep {
    upkeep(model, &made_as(model), state, options)
}

impl RunContext<'_> {
    /// Writes files of a table anew, and commits them in the place of those that they were made of.
    ///
    /// # Errors
    ///
    /// Returns an error if files cannot be read or written, or if rows came out others than they were: then nothing is committed.
    pub(crate) async fn optimize(
        &self,
        model: &TypedModel,
        state: &Arc<TableState>,
        partitions: &[PartitionUpkeep],
        options: &UpkeepOptions,
    ) -> Result<Optimized, Failure> {
        let model = &as_stored_in(model, state);
        let token = self.token()?;
        let staged = Staged::new(self.catalog.lake.stage(&model.table)?);
        let job = WriteJob { model, joins: Joins::Hash, name: &token, staged: &staged };
        let rewriting = self.rewrite(job, partitions, options).await?;
        // Nothing that was written is part of a version yet: it is removed when `staged` is dropped.
        if rewriting.files.is_empty() {
            return Ok(Optimized::NoFewer);
        }
        same_rows(model, state, &rewriting)?;
        let layout = model.layout();
        let about = self.identity.commit_info(token.clone(), model.name.as_str(), "small files are put together");
        let change = Rearrangement { base: Arc::clone(state), layout: &layout, rewritten: rewriting.files, about };
        let staging = staged.hand_over();
        match self.catalog.lake.commit_rearranged(&model.table, change).await {
            Ok(Rearranged::Committed { state, rewritten }) => {
                if let Some(staging) = &staging {
                    staging.keep(&state);
                }
                self.catalog.remember(&model.table, Some(Arc::clone(&state)));
                if let Err(error) = self.catalog.lake.checkpoint(&model.table, &state).await {
                    let text = format!("no checkpoint of `{}` was written: {error}", model.table);
                    self.observer.event(&Event::Warning { text: &text });
                }
                Ok(Optimized::Committed(OptimizedFiles::new(state, &rewritten)))
            }
            Ok(Rearranged::Overtaken(state)) => {
                // No version will ever name them.
                drop(staging.map(Staged::new));
                Ok(Optimized::Overtaken(state.version))
            }
            // The commit may yet land: its files stay.
            Err(error @ StoreError::Unknown { .. }) => Err(error.into()),
            Err(error) => {
                drop(staging.map(Staged::new));
                Err(error.into())
            }
        }
    }

    /// Writes each group as files of its own. A group that does not get fewer files stays what it is.
    async fn rewrite(
        &self,
        job: WriteJob<'_>,
        partitions: &[PartitionUpkeep],
        options: &UpkeepOptions,
    ) -> Result<Rewriting, Failure> {
        let reader = Reader::for_model(&self.catalog, job.model).await;
        let mut rewriting = Rewriting::default();
        for (index, group) in partitions.iter().flat_map(|partition| &partition.groups).enumerate() {
            let name = format!("{}-{index}", job.name);
            let plan = own_rows(&reader, job.model, group.clone(), Bound::Whole)?;
            let written = self.write_plan(&reader, job.named(&name), &plan).await?;
            // Rows that do not fit into memory are sorted in parts, each a file: then nothing is gained.
            if !options.rewrites && written.files.len() >= group.len() {
                continue;
            }
            let add = written.files.iter().map(DataFile::from).collect();
            rewriting.files.push(RewrittenFiles { remove: group.clone(), add });
            rewriting.slices.push(written.slices);
        }
        Ok(rewriting)
    }
}

/// The model with the columns that its table has: those of an edited model come with its next build.
fn as_stored_in(model: &TypedModel, state: &TableState) -> TypedModel {
    let columns = state.schema.columns().unwrap_or_default();
    let fields: Vec<_> = columns.iter().filter_map(|column| column.field()).collect();
    TypedModel { schema: Arc::new(Schema::new(fields)), ..model.clone() }
}

/// Fails if the files that come do not hold the rows of those that go. That is a fault of karat or of the disk, and a table
/// that stays as it is is better than one that has lost a row.
fn same_rows(model: &TypedModel, state: &TableState, rewriting: &Rewriting) -> Result<(), Failure> {
    let layout = model.layout();
    for files in &rewriting.files {
        let before: Option<u64> = files.remove.iter().map(|file| file.rows).sum();
        let after: u64 = files.add.iter().filter_map(|file| file.rows).sum();
        if before.is_some_and(|before| before != after) {
            return Err(other_rows(model));
        }
    }
    // Where all files of a slice were written anew, its digest is known from before.
    let removed = rewriting.files.iter().flat_map(|files| &files.remove);
    let removed: BTreeSet<&str> = removed.map(|file| file.path.as_str()).collect();
    let stays = |file: &&DataFile| !removed.contains(file.path.as_str());
    let partly: BTreeSet<Option<SliceKey>> =
        state.files.iter().filter(stays).map(|file| layout.slice_of(&file.partition)).collect();
    let written = SliceMap::summed(rewriting.slices.iter().flatten().map(|(slice, rows)| (*slice, *rows)));
    let ledger = state.known_ledger();
    for (slice, rows) in &written {
        let key = if layout.shares_files() { None } else { Some(*slice) };
        let recorded = ledger.and_then(|ledger| ledger.slices.get(slice)).map(|entry| entry.rows);
        if !partly.contains(&key) && recorded.is_some_and(|recorded| recorded != *rows) {
            return Err(other_rows(model));
        }
    }
    Ok(())
}

fn other_rows(model: &TypedModel) -> Failure {
    let message = format!("files of `{}` hold other rows than its ledger says; nothing was changed", model.table);
    let diagnostic = Diagnostic::error(Code::CorruptTable, message);
    Failure::Project(diagnostic.help(format!("`karat verify --select {}` says which", model.name)))
}
