//! Which files of a table are put together, and why: decided by what its log says, without a look into a file.
//!
//! Every build leaves files as large as what it has computed, and a table that is built often or by many slices has many small
//! ones: each costs a request and a footer when it is read. What is put together are files of one partition, because no
//! other may share a file. Rows that readers filter on lie near each other in a file that is sorted by them.

use std::collections::BTreeMap;

use crate::analyze::TypedModel;
use crate::figures::{bytes, counted};
use crate::table::{DataFile, LedgerFound, MADE_AS, PartitionValues, SliceLayout, TableState};

/// What is worth the work.
#[derive(Debug, Clone, Copy)]
pub(crate) struct UpkeepOptions {
    /// Files with fewer bytes are put together.
    pub small_bytes: u64,
    /// Files are put together as long as they have no more bytes than this.
    pub file_bytes: u64,
    /// A partition with fewer small files stays as it is.
    pub least_files: usize,
    /// Whether large files are written anew too, for the order of their rows.
    pub rewrites: bool,
}

/// What is to be done with a table.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum TableUpkeep {
    /// Why it is left alone.
    Leave(String),
    /// The partitions whose files are written anew; empty if nothing is worth it.
    Rewrite(Vec<PartitionUpkeep>),
}

/// What is to be done in one partition.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct PartitionUpkeep {
    pub partition: PartitionValues,
    /// Files that are written as one each.
    pub groups: Vec<Vec<DataFile>>,
    /// `3 files are smaller than 16 MB`.
    pub why: String,
}

impl PartitionUpkeep {
    /// `day=2023-05-01`, or `all files` where there are no partitions.
    pub fn name(&self) -> String {
        let values = self.partition.to_texts();
        let parts = values.iter().map(|(column, value)| format!("{column}={}", value.as_deref().unwrap_or("null")));
        let parts: Vec<String> = parts.collect();
        if parts.is_empty() { "all files".to_owned() } else { parts.join("/") }
    }

    pub fn files(&self) -> usize {
        self.groups.iter().map(Vec::len).sum()
    }

    pub fn bytes(&self) -> u64 {
        self.groups.iter().flatten().map(|file| file.bytes).sum()
    }
}

/// Decides for a table. `made_as` says how the model's config tells its rows apart, in the words that tables keep.
pub(crate) fn upkeep(model: &TypedModel, made_as: &str, state: &TableState, options: &UpkeepOptions) -> TableUpkeep {
    let layout = model.layout();
    match why_left(model, made_as, state, &layout) {
        Some(why) => TableUpkeep::Leave(why),
        None => TableUpkeep::Rewrite(partitions(model, state, &layout, options)),
    }
}

/// Why a table must not be touched. Its next build mends all of it.
fn why_left(model: &TypedModel, made_as: &str, state: &TableState, layout: &SliceLayout) -> Option<String> {
    const RUN: &str = "`karat run` builds it first";
    if let LedgerFound::Unknown(reason) = &state.ledger {
        return Some(format!("{reason}: {RUN}"));
    }
    // The ledger's slices mean what the config says only as long as it is the one that the table was built with.
    if state.properties.get(MADE_AS).is_none_or(|was| was != made_as)
        || state.partition_columns != model.partition_columns()
    {
        return Some(format!("its config has changed since it was built: {RUN}"));
    }
    if !layout.has_files_of_slices() && !state.changed_externally(layout).is_empty() {
        return Some(format!("something other than karat changed it: {RUN}"));
    }
    let columns = state.schema.columns().unwrap_or_default();
    if columns.is_empty() || columns.iter().any(|column| column.field().is_none()) {
        return Some("it has columns of a type that karat does not write".to_owned());
    }
    let sorted = model.config.sort_by.iter().map(|column| &column.value);
    let lacking = sorted.clone().find(|name| columns.iter().all(|column| column.name != **name));
    lacking.map(|name| format!("it has no column `{name}`, which `sort_by` names: {RUN}"))
}

fn partitions(
    model: &TypedModel,
    state: &TableState,
    layout: &SliceLayout,
    options: &UpkeepOptions,
) -> Vec<PartitionUpkeep> {
    let changed = state.changed_externally(layout);
    let mut by_partition: BTreeMap<&PartitionValues, Vec<&DataFile>> = BTreeMap::new();
    // A path with an address leads out of the table's folder.
    for file in state.files.iter().filter(|file| !file.path.contains("://")) {
        let is_ours = layout.slice_of(&file.partition).is_none_or(|slice| !changed.contains(&slice));
        if is_ours && (options.rewrites || file.bytes < options.small_bytes) {
            by_partition.entry(&file.partition).or_default().push(file);
        }
    }
    // One small file is as few as there can be.
    let least = if options.rewrites { 1 } else { options.least_files.max(2) };
    by_partition.retain(|_, files| files.len() >= least);
    let event_time = model.event_time();
    let of_partition = |(partition, files): (&PartitionValues, Vec<&DataFile>)| {
        let why = match options.rewrites {
            true => format!("{} written anew", counted(files.len(), "file")),
            false => format!("{} smaller than {}", are(files.len()), bytes(options.small_bytes)),
        };
        let groups = grouped(files, event_time, options);
        (!groups.is_empty()).then(|| PartitionUpkeep { partition: partition.clone(), groups, why })
    };
    by_partition.into_iter().filter_map(of_partition).collect()
}

fn are(files: usize) -> String {
    format!("{} {}", counted(files, "file"), if files == 1 { "is" } else { "are" })
}

/// Files that lie near each other in time, as many together as fit into one file.
fn grouped(mut files: Vec<&DataFile>, event_time: Option<&str>, options: &UpkeepOptions) -> Vec<Vec<DataFile>> {
    // By path last: the same state gives the same plan.
    files.sort_by_cached_key(|file| {
        (event_time.and_then(|column| file.times(column)).map(|(first, _)| first), file.path.to_string())
    });
    let mut groups: Vec<Vec<DataFile>> = Vec::new();
    let mut room = 0;
    for file in files {
        match groups.last_mut() {
            Some(group) if file.bytes <= room => {
                room -= file.bytes;
                group.push(file.clone());
            }
            _ => {
                room = options.file_bytes.saturating_sub(file.bytes);
                groups.push(vec![file.clone()]);
            }
        }
    }
    // A file alone is not put together with anything.
    groups.retain(|group| options.rewrites || group.len() > 1);
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPTIONS: UpkeepOptions = UpkeepOptions { small_bytes: 100, file_bytes: 250, least_files: 2, rewrites: false };

    fn file(path: &str, bytes: u64, day: &str) -> DataFile {
        let stats = format!(r#"{{"minValues":{{"day":"{day}"}},"maxValues":{{"day":"{day}"}}}}"#);
        let partition = PartitionValues::none();
        DataFile { path: path.into(), partition, bytes, rows: Some(1), stats: Some(stats.into()) }
    }

    fn told(files: &[DataFile], options: &UpkeepOptions) -> String {
        let groups = grouped(files.iter().collect(), Some("day"), options);
        let paths =
            |group: &Vec<DataFile>| group.iter().map(|file| file.path.to_string()).collect::<Vec<_>>().join("+");
        groups.iter().map(paths).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn files_near_in_time_are_put_together_up_to_a_size() {
        let files = [
            file("d", 90, "2023-05-04"),
            file("a", 90, "2023-05-01"),
            file("c", 90, "2023-05-03"),
            file("b", 90, "2023-05-02"),
        ];
        assert_eq!(told(&files, &OPTIONS), "a+b c+d");
        let alone = [file("a", 200, "2023-05-01"), file("b", 90, "2023-05-02")];
        assert_eq!(told(&alone, &OPTIONS), "", "a file alone stays as it is");
        assert_eq!(told(&alone, &UpkeepOptions { rewrites: true, ..OPTIONS }), "a b");
        assert_eq!(told(&[file("large", 900, "2023-05-01")], &UpkeepOptions { rewrites: true, ..OPTIONS }), "large");
    }

    #[test]
    fn a_partition_has_a_name_for_people() {
        let of =
            |partition: PartitionValues| PartitionUpkeep { partition, groups: Vec::new(), why: String::new() }.name();
        assert_eq!(of(PartitionValues::none()), "all files");
        assert_eq!(of(PartitionValues::from_iter([("b", Some("x")), ("a", None)])), "a=null/b=x");
    }
}
