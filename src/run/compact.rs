//! Small files pile up where builds only add rows: as soon as a partition has many of them, they are written as one.

use std::collections::{BTreeMap, BTreeSet};

use datafusion::common::Result as EngineResult;

use super::context::RunContext;
use super::replace::SMALL;
use super::write::WriteJob;
use crate::execute::{Reader, own_rows};
use crate::failure::Failure;
use crate::incremental::{Bound, Build};
use crate::partition_writer::WrittenFile;
use crate::store::kept;
use crate::table::{DataFile, PartitionValues, TableState};

/// So many small files of a partition may lie side by side. A file is written anew once in so many builds that add to its
/// partition.
pub(super) const MOST_SMALL: usize = 16;

/// The files that go from a table, and those that come.
pub(super) struct Replacement {
    pub remove: Vec<DataFile>,
    pub add: Vec<DataFile>,
    /// Those of the files that go whose rows stay, put together in files that come.
    pub together: Vec<DataFile>,
}

impl RunContext<'_> {
    /// Puts small files together with those that a build adds to their partitions. The rows stay what they are.
    pub(super) async fn compacted(
        &self,
        job: WriteJob<'_>,
        build: &Build,
        base: Option<&TableState>,
        change: Replacement,
    ) -> Result<Replacement, Failure> {
        let only_adds = build.only_adds();
        let piled = if only_adds { piled_up(base, &change) } else { Vec::new() };
        if piled.is_empty() {
            return Ok(change);
        }
        let name = format!("{}-c", job.name);
        let written = self.write_together(job.named(&name), piled.clone()).await?;
        let before: Option<u64> = piled.iter().map(|file| file.rows).sum();
        let after: u64 = written.iter().map(|file| file.rows).sum();
        assert!(before.is_none_or(|before| before == after), "files that are put together keep their rows");
        let added = paths(&change.add);
        let together: Vec<DataFile> = piled.iter().filter(|file| !added.contains(&*file.path)).cloned().collect();
        let in_piles = paths(&piled);
        let others = change.add.iter().filter(|file| !in_piles.contains(&*file.path)).cloned();
        let remove = change.remove.into_iter().chain(together.iter().cloned()).collect();
        let add = others.chain(written.iter().map(DataFile::from)).collect();
        Ok(Replacement { remove, add, together })
    }

    async fn write_together(&self, job: WriteJob<'_>, files: Vec<DataFile>) -> EngineResult<Vec<WrittenFile>> {
        let reader = Reader::for_model(&self.catalog, job.model).await;
        let plan = own_rows(&reader, job.model, files, Bound::Whole)?;
        Ok(self.write_plan(&reader, job, &plan).await?.files)
    }
}

fn paths(files: &[DataFile]) -> BTreeSet<&str> {
    files.iter().map(|file| &*file.path).collect()
}

/// The small files of those partitions that get more of them and have too many by now.
fn piled_up(base: Option<&TableState>, change: &Replacement) -> Vec<DataFile> {
    let mut partitions: BTreeMap<&PartitionValues, Vec<&DataFile>> = BTreeMap::new();
    for file in change.add.iter().filter(|file| file.bytes < SMALL) {
        partitions.entry(&file.partition).or_default().push(file);
    }
    for file in kept(base, &change.remove).into_iter().filter(|file| file.bytes < SMALL) {
        if let Some(files) = partitions.get_mut(&file.partition) {
            files.push(file);
        }
    }
    partitions.into_values().filter(|files| files.len() > MOST_SMALL).flatten().cloned().collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn file(path: &str, day: &str, bytes: u64) -> DataFile {
        let partition = PartitionValues::from_iter([("day", Some(day))]);
        DataFile { path: path.into(), partition, bytes, rows: Some(1), stats: None }
    }

    #[test]
    fn only_small_files_of_a_partition_that_gets_more_are_put_together() {
        let many =
            |day: &str, count: usize| (0..count).map(|number| file(&format!("{day}-{number}"), day, 10)).collect();
        let piled = |files: Vec<DataFile>, change: Replacement| {
            let base = TableState { files: Arc::new(files), ..TableState::empty() };
            piled_up(Some(&base), &change).len()
        };
        let add = |day: &str| Replacement { remove: Vec::new(), add: vec![file("new", day, 10)], together: Vec::new() };
        assert_eq!(piled(many("mon", MOST_SMALL - 1), add("mon")), 0);
        assert_eq!(piled(many("mon", MOST_SMALL), add("mon")), MOST_SMALL + 1);
        assert_eq!(piled(many("mon", MOST_SMALL), add("tue")), 0, "nothing comes to it");
        let mut with_large = many("mon", MOST_SMALL - 1);
        with_large.push(file("large", "mon", SMALL));
        assert_eq!(piled(with_large, add("mon")), 0, "large files stay");
        let goes = Replacement { remove: vec![file("mon-0", "mon", 10)], ..add("mon") };
        assert_eq!(piled(many("mon", MOST_SMALL), goes), 0, "what goes does not count");
    }
}
