//! Slices compared: what is recorded, what lies in the files, and what their inputs give.

use std::collections::BTreeMap;

use arrow::datatypes::DataType;
use datafusion::common::{DataFusionError, Result as EngineResult};

use super::rows::RowDifference;
use super::ways::{Precision, VerifySubject, Way};
use super::windows::{declared, rests_on_declarations};
use crate::failure::Failure;
use crate::table::{SliceKey, SliceRows};
use crate::template::ReferenceName;

/// Slices with what is recorded of their rows, in order.
pub(super) type SliceChunk = Vec<(SliceKey, SliceRows)>;

type Tally = BTreeMap<SliceKey, SliceRows>;

/// How a slice is not what a full refresh makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum DifferenceCause {
    /// The files hold other rows than those that karat wrote.
    OtherFiles,
    /// Its inputs give other rows now than when it was built.
    OtherRows,
    /// Built alone, it has other rows than in a full refresh.
    Windows {
        /// The scans whose windows are too small. None if the model's text for a part is the cause.
        scans: Vec<ReferenceName>,
        /// Whether the table has other rows than a full refresh makes already.
        in_table: bool,
    },
}

/// Slices of one model that are not what a full refresh makes.
#[derive(Debug)]
pub(crate) struct Different {
    pub slices: Vec<SliceKey>,
    /// One of them, of which the rest is told.
    pub shown: SliceKey,
    pub verdict: DifferenceCause,
    /// How many rows it has in the table, and how many when it is computed again.
    pub rows: (u64, u64),
    /// On the left what the table has, or what a build of the slice alone makes; on the right what it is compared with.
    /// Nothing if the engine cannot compare rows of these types.
    pub difference: Option<RowDifference>,
}

/// What kept a comparison from its end.
#[derive(Debug)]
pub(super) enum Stopped {
    /// The table itself cannot be read.
    ByTable(Failure),
    /// What it was made of cannot be computed again.
    ByInputs(Failure),
}

/// The comparison of one model, chunk by chunk.
pub(super) struct Comparison {
    /// Whether slices are compared with what the whole model gives, too.
    windows: bool,
    pub equal: usize,
    pub rounded: usize,
    pub different: Option<Different>,
}

/// The rows of the same slices, by each way to them.
struct Tallies {
    stored: Tally,
    built: Tally,
    /// Only if windows are compared.
    refreshed: Option<Tally>,
}

/// What sets the rows of a slice apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Apart {
    Stored,
    Built,
    Windows,
}

impl Tallies {
    /// What is not as it should be with a slice of which this is recorded.
    fn apart(&self, slice: SliceKey, recorded: SliceRows) -> Option<Apart> {
        let of = |tally: &Tally| tally.get(&slice).copied().unwrap_or_default();
        let built = of(&self.built);
        if of(&self.stored) != recorded {
            Some(Apart::Stored)
        } else if self.refreshed.as_ref().is_some_and(|refreshed| of(refreshed) != built) {
            Some(Apart::Windows)
        } else {
            (built != recorded).then_some(Apart::Built)
        }
    }

    /// Whether the table has other rows than a full refresh makes.
    fn is_wrong(&self, slice: SliceKey) -> bool {
        self.refreshed.as_ref().is_some_and(|refreshed| self.stored.get(&slice) != refreshed.get(&slice))
    }

    /// The slice to show: the first that is wrong in the table, or else the first.
    fn worst(&self, apart: &BTreeMap<SliceKey, Apart>) -> Option<(SliceKey, Apart)> {
        let wrong = apart.iter().find(|(slice, _)| self.is_wrong(**slice));
        wrong.or_else(|| apart.iter().next()).map(|(slice, cause)| (*slice, *cause))
    }

    fn rows(&self, slice: SliceKey) -> (u64, u64) {
        let of = |tally: &Tally| tally.get(&slice).map_or(0, |rows| rows.rows);
        (of(&self.stored), of(self.refreshed.as_ref().unwrap_or(&self.built)))
    }
}

impl Comparison {
    pub fn new(windows: bool) -> Comparison {
        Comparison { windows, equal: 0, rounded: 0, different: None }
    }

    pub async fn compare(&mut self, subject: &VerifySubject<'_>, chunk: &SliceChunk) -> Result<(), Stopped> {
        let slices: Vec<SliceKey> = chunk.iter().map(|(slice, _)| *slice).collect();
        let exact = self.tallies(subject, Precision::Exact, &slices).await?;
        let mut apart: BTreeMap<SliceKey, Apart> =
            chunk.iter().filter_map(|(slice, rows)| Some((*slice, exact.apart(*slice, *rows)?))).collect();
        // Sums of floating-point numbers differ in their last digits with the order of the rows, which threads decide.
        let rounding = self.only_rounded(subject, &apart).await?;
        apart.retain(|slice, _| !rounding.contains(slice));
        self.equal += chunk.len() - apart.len();
        self.rounded += rounding.len();
        let Some((first, cause)) = exact.worst(&apart) else { return Ok(()) };
        let slices = apart.into_keys();
        match &mut self.different {
            Some(different) => different.slices.extend(slices),
            None => {
                let verdict = subject.verdict(first, cause, exact.is_wrong(first)).await.map_err(by_inputs)?;
                let rows = exact.rows(first);
                let difference = subject.rows_apart(first, &verdict).await;
                self.different = Some(Different { slices: slices.collect(), shown: first, verdict, rows, difference });
            }
        }
        Ok(())
    }

    async fn tallies(
        &self,
        subject: &VerifySubject<'_>,
        precision: Precision,
        slices: &[SliceKey],
    ) -> Result<Tallies, Stopped> {
        let tally = async |way| subject.tally(way, precision, slices).await;
        let by_table = |error| Stopped::ByTable(Failure::from(error));
        let stored = tally(Way::Stored).await.map_err(by_table)?;
        let built = match rests_on_declarations(subject.model).map_err(by_table)? {
            true => subject.tally_apart(Way::Built, precision, slices).await,
            false => tally(Way::Built).await,
        };
        let built = built.map_err(by_inputs)?;
        let refreshed = if self.windows { Some(tally(Way::Refreshed).await.map_err(by_inputs)?) } else { None };
        Ok(Tallies { stored, built, refreshed })
    }

    /// The slices that are only apart in digits which depend on the order of a sum.
    async fn only_rounded(
        &self,
        subject: &VerifySubject<'_>,
        apart: &BTreeMap<SliceKey, Apart>,
    ) -> Result<Vec<SliceKey>, Stopped> {
        let slices: Vec<SliceKey> =
            apart.iter().filter(|(_, cause)| **cause != Apart::Stored).map(|(slice, _)| *slice).collect();
        let has_floats = subject.model.schema.fields().iter().any(|field| field.data_type() == &DataType::Float64);
        if slices.is_empty() || !has_floats {
            return Ok(Vec::new());
        }
        let rounded = self.tallies(subject, Precision::SevenDigits, &slices).await?;
        let stored = |slice: &SliceKey| rounded.stored.get(slice).copied().unwrap_or_default();
        Ok(slices.into_iter().filter(|slice| rounded.apart(*slice, stored(slice)).is_none()).collect())
    }
}

fn by_inputs(error: DataFusionError) -> Stopped {
    Stopped::ByInputs(Failure::from(error))
}

impl VerifySubject<'_> {
    async fn verdict(&self, slice: SliceKey, cause: Apart, in_table: bool) -> EngineResult<DifferenceCause> {
        Ok(match cause {
            Apart::Stored => DifferenceCause::OtherFiles,
            Apart::Built => DifferenceCause::OtherRows,
            Apart::Windows => DifferenceCause::Windows { scans: self.untrue_windows(slice).await?, in_table },
        })
    }

    /// The scans each of whose windows alone changes the rows of the slice; all, if only several together do.
    async fn untrue_windows(&self, slice: SliceKey) -> EngineResult<Vec<ReferenceName>> {
        let slices = [slice];
        let refreshed = self.tally(Way::Refreshed, Precision::Exact, &slices).await?;
        let without = Way::Windows(None);
        if self.model.has_sliced_plan && self.tally(without, Precision::Exact, &slices).await? != refreshed {
            return Ok(Vec::new());
        }
        let all: Vec<ReferenceName> = declared(self.model)?.into_keys().collect();
        let mut guilty = Vec::new();
        for scan in &all {
            if self.tally(Way::Windows(Some(scan)), Precision::Exact, &slices).await? != refreshed {
                guilty.push(scan.clone());
            }
        }
        Ok(if guilty.is_empty() { all } else { guilty })
    }

    async fn rows_apart(&self, slice: SliceKey, verdict: &DifferenceCause) -> Option<RowDifference> {
        let (left, right) = match verdict {
            DifferenceCause::OtherFiles | DifferenceCause::OtherRows => (Way::Stored, Way::Built),
            DifferenceCause::Windows { in_table: true, .. } => (Way::Stored, Way::Refreshed),
            DifferenceCause::Windows { in_table: false, .. } => (Way::Built, Way::Refreshed),
        };
        let found = self.difference(left, right, slice).await;
        found.inspect_err(|error| tracing::info!(%error, "rows of these types cannot be compared one by one")).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(rows: u64) -> Tally {
        BTreeMap::from([(SliceKey::All, SliceRows { rows, hash: u128::from(rows) })])
    }

    fn apart(stored: u64, built: u64, refreshed: Option<u64>) -> Option<Apart> {
        let tallies = Tallies { stored: tally(stored), built: tally(built), refreshed: refreshed.map(tally) };
        tallies.apart(SliceKey::All, SliceRows { rows: 3, hash: 3 })
    }

    #[test]
    fn what_sets_a_slice_apart_is_told_by_which_way_gives_other_rows() {
        assert_eq!(apart(3, 3, None), None);
        assert_eq!(apart(3, 3, Some(3)), None);
        assert_eq!(apart(4, 3, Some(3)), Some(Apart::Stored));
        assert_eq!(apart(3, 4, None), Some(Apart::Built));
        assert_eq!(apart(3, 4, Some(4)), Some(Apart::Built));
        assert_eq!(apart(3, 3, Some(4)), Some(Apart::Windows), "the table was built by slices");
        assert_eq!(apart(3, 4, Some(3)), Some(Apart::Windows), "the table was built whole");
    }

    #[test]
    fn a_slice_that_no_way_has_rows_of_is_as_recorded_if_it_has_none() {
        let tallies = Tallies { stored: Tally::new(), built: Tally::new(), refreshed: None };
        assert_eq!(tallies.apart(SliceKey::NullTime, SliceRows::default()), None);
        assert_eq!(tallies.apart(SliceKey::NullTime, SliceRows { rows: 1, hash: 1 }), Some(Apart::Stored));
    }
}
