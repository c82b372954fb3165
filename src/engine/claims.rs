//! Whether what the parts of a plan have written is the plan: every partition once, and none twice.
//!
//! A part that is executed again, because its machine was thought dead or its answer was lost, writes its rows again, into files
//! of other names. Both answers may arrive. So nothing that an attempt has written counts by itself: it counts if the attempt's
//! claim is the first to its partitions, and only if the accepted claims are all partitions of the plan.

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::{Array, AsArray, BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::UInt64Type;
use datafusion::common::{Result, exec_err, internal_err};

use super::written_rows::{ATTEMPT, CLAIM, PATH};

/// What a plan has written, each row of its input once.
#[derive(Debug)]
pub(crate) struct ClaimedRows {
    /// The rows of the write nodes whose claims are accepted.
    pub rows: Vec<RecordBatch>,
    /// The paths of files that hold the same rows once more, relative to the table.
    pub repeated: Vec<String>,
}

/// Accepts the claims to each of so many partitions, in the order in which they came.
///
/// # Errors
///
/// Fails if a partition is claimed by nobody, if a claim covers a part of another, and if one is to a partition that the plan
/// does not have: then the files are not the rows of the plan, and must not be committed.
pub(crate) fn claimed(batches: &[RecordBatch], partitions: usize) -> Result<ClaimedRows> {
    let claims = claims(batches)?;
    let mut open: BTreeSet<u64> = (0..partitions as u64).collect();
    let mut taken: BTreeSet<u64> = BTreeSet::new();
    let mut repeated: BTreeSet<&str> = BTreeSet::new();
    for (attempt, claim) in &claims {
        // A task that is tried again has the partitions of the first try. Anything between none and all of them is no retry, but
        // a plan that was divided in two ways.
        if claim.is_disjoint(&taken) && claim.is_subset(&open) {
            open.retain(|partition| !claim.contains(partition));
            taken.extend(claim);
        } else if claim.is_subset(&taken) {
            repeated.insert(attempt);
        } else {
            return exec_err!(
                "the parts of a plan do not fit together: one has written the partitions {claim:?}, and others {taken:?} of \
                 {partitions}"
            );
        }
    }
    if !open.is_empty() {
        return exec_err!("of the {partitions} partitions of a plan, nobody has written {open:?}");
    }
    if repeated.is_empty() {
        return Ok(ClaimedRows { rows: batches.to_vec(), repeated: Vec::new() });
    }
    let mut rows = Vec::new();
    let mut paths = Vec::new();
    for batch in batches {
        let attempts = batch.column(ATTEMPT).as_string::<i32>();
        let is_accepted: BooleanArray = attempts.iter().map(|name| name.map(|name| !repeated.contains(name))).collect();
        let files = batch.column(PATH).as_string::<i32>().iter().zip(&is_accepted);
        paths.extend(files.filter_map(|(path, accepted)| path.filter(|_| accepted == Some(false)).map(str::to_owned)));
        rows.push(filter_record_batch(batch, &is_accepted)?);
    }
    Ok(ClaimedRows { rows, repeated: paths })
}

/// The paths of all files that were written, whoever's claim is accepted.
pub(crate) fn all_paths(batches: &[RecordBatch]) -> impl Iterator<Item = &str> {
    batches.iter().flat_map(|batch| batch.column(PATH).as_string::<i32>().iter().flatten())
}

/// One file of each attempt that has written any.
#[cfg(feature = "cluster")]
pub(crate) fn claimed_files(batches: &[RecordBatch]) -> Vec<String> {
    let mut files: BTreeMap<&str, &str> = BTreeMap::new();
    for batch in batches {
        let attempts = batch.column(ATTEMPT).as_string::<i32>().iter();
        for (attempt, path) in attempts.zip(batch.column(PATH).as_string::<i32>()) {
            if let (Some(attempt), Some(path)) = (attempt, path) {
                files.entry(attempt).or_insert(path);
            }
        }
    }
    files.into_values().map(str::to_owned).collect()
}

/// Who claims which partitions, in the order in which the claims came.
fn claims(batches: &[RecordBatch]) -> Result<Vec<(&str, BTreeSet<u64>)>> {
    let mut claims: Vec<(&str, BTreeSet<u64>)> = Vec::new();
    let mut places: BTreeMap<&str, usize> = BTreeMap::new();
    for batch in batches {
        let attempts = batch.column(ATTEMPT).as_string::<i32>();
        let partitions = batch.column(CLAIM).as_primitive::<UInt64Type>();
        for (row, attempt) in attempts.iter().flatten().enumerate() {
            let place = *places.entry(attempt).or_insert_with(|| {
                claims.push((attempt, BTreeSet::new()));
                claims.len() - 1
            });
            let Some((_, claim)) = claims.get_mut(place) else { return internal_err!("a claim has a place") };
            if partitions.is_valid(row) && !claim.insert(partitions.value(row)) {
                // The same answer, delivered twice: its rows would count twice, and which of them are the copies is not seen.
                return exec_err!("what an attempt has written was delivered twice");
            }
        }
    }
    match claims.iter().find(|(_, claim)| claim.is_empty()) {
        Some((attempt, _)) => internal_err!("the attempt {attempt} claims nothing"),
        None => Ok(claims),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::written_rows::{WriteAttempt, to_batch, written_files};
    use super::*;
    use crate::partition_writer::WrittenFile;

    fn wrote(name: &str, partitions: &[usize]) -> RecordBatch {
        let file = WrittenFile {
            path: format!("part-{name}.parquet"),
            partition_values: Vec::new(),
            bytes: 1,
            rows: 1,
            stats: json!({}),
        };
        to_batch(&WriteAttempt { name, partitions, files: &[file], slices: &[] }).unwrap()
    }

    fn check(attempts: &[(&str, &[usize])], partitions: usize) -> Result<(Vec<String>, Vec<String>)> {
        let batches: Vec<RecordBatch> = attempts.iter().map(|(name, claim)| wrote(name, claim)).collect();
        let claimed = claimed(&batches, partitions)?;
        let files = written_files(&claimed.rows)?.into_iter().map(|file| file.path).collect();
        Ok((files, claimed.repeated))
    }

    #[test]
    fn the_first_claim_to_a_partition_counts() {
        let (files, repeated) = check(&[("b", &[1]), ("a", &[0, 2]), ("c", &[1]), ("d", &[2, 0])], 3).unwrap();
        assert_eq!(files, ["part-b.parquet", "part-a.parquet"]);
        assert_eq!(repeated, ["part-c.parquet", "part-d.parquet"]);
    }

    #[test]
    fn a_gap_an_overlap_and_a_stranger_are_failures() {
        for (attempts, partitions, reason) in [
            (&[("a", &[0, 2][..])][..], 3, "nobody has written {1}"),
            (&[], 1, "nobody has written {0}"),
            (&[("a", &[0, 1]), ("b", &[1, 2])], 3, "do not fit together"),
            (&[("a", &[0, 1]), ("b", &[5])], 2, "do not fit together"),
            (&[("a", &[0]), ("a", &[0])], 1, "delivered twice"),
            (&[("a", &[])], 1, "claims nothing"),
        ] {
            let error = check(attempts, partitions).unwrap_err().to_string();
            assert!(error.contains(reason), "{attempts:?}: {error}");
        }
    }
}
