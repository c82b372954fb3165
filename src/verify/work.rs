//! The slices of one model that are verified, by what they were made of.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use super::Verifier;
use super::compare::{Comparison, SliceChunk, Stopped};
use super::past::Past;
use super::report::{Finding, Verified};
use super::sample::Sample;
use super::ways::Way;
use super::windows::rests_on_declarations;
use crate::analyze::{Input, TypedModel};
use crate::diag::Code;
use crate::failure::Failure;
use crate::table::{LedgerFound, Provenance, SliceKey, SliceRows, SliceSet, TableState};

/// What is to be compared of one model.
pub(super) struct VerifyWork<'a> {
    model: &'a TypedModel,
    state: Arc<TableState>,
    /// Chosen slices with what is recorded of their rows, by what they were made of.
    groups: BTreeMap<Arc<Provenance>, SliceChunk>,
    /// Slices that something else than karat has changed.
    changed_externally: BTreeSet<SliceKey>,
    /// Where all slices are verified: what those without an entry were made of, which says that they have no rows.
    rest: Option<Arc<Provenance>>,
    /// The slices that have an entry, or rows that something else has written.
    known: SliceSet,
    /// Whether rows are looked for that no slice of these has.
    looks_beyond: bool,
    /// How many slices were made by another SQL.
    other_code: usize,
    /// The slices of the whole table.
    of: usize,
    verifier: Verifier<'a>,
}

impl<'a> VerifyWork<'a> {
    /// The error says why nothing of the model can be verified.
    pub fn new(verifier: Verifier<'a>, model: &'a TypedModel, sample: Sample) -> Result<VerifyWork<'a>, String> {
        if !model.is_refresh_equivalent() || model.inputs().contains(&Input::This) {
            return Err("it depends on its own past, so a full refresh would produce other rows".to_owned());
        }
        let state = verifier.catalog.state_of(&model.table).ok_or("it has not been built yet")?;
        let ledger = match &state.ledger {
            LedgerFound::Known(ledger) => Arc::clone(ledger),
            LedgerFound::Unknown(why) => return Err(why.clone()),
        };
        let changed_externally = state.changed_externally(&model.layout());
        let recorded = ledger.slices.iter().filter(|(slice, _)| !changed_externally.contains(slice));
        let (same, other): (Vec<_>, Vec<_>) =
            recorded.partition(|(_, entry)| entry.provenance.fingerprint == model.fingerprint);
        let chosen = sample.of(&model.name, &same.iter().map(|(slice, entry)| (**slice, entry.rows)).collect());
        let mut groups: BTreeMap<Arc<Provenance>, SliceChunk> = BTreeMap::new();
        for (slice, entry) in same.into_iter().filter(|(slice, _)| chosen.contains(slice)) {
            groups.entry(Arc::clone(&entry.provenance)).or_default().push((*slice, entry.rows));
        }
        let is_whole = sample == Sample::All && model.is_sliced();
        let rest = ledger.default_provenance.clone().filter(|rest| is_whole && rest.fingerprint == model.fingerprint);
        // A table that was one piece before still has the entry of that.
        let known = ledger.slices.keys().chain(&changed_externally).copied().filter(|slice| *slice != SliceKey::All);
        let known = SliceSet::of(known, model.config.batch_size).unwrap_or_default();
        let other_code = other.len();
        let of = ledger.slices.len();
        // Files from before another layout do not say which slices they hold.
        let looks_beyond = is_whole && state.needs_full_rebuild(&model.layout()).is_none();
        Ok(VerifyWork { model, state, groups, changed_externally, rest, known, looks_beyond, other_code, of, verifier })
    }

    pub fn provenances(&self) -> impl Iterator<Item = &Arc<Provenance>> {
        self.groups.keys().chain(&self.rest)
    }

    /// Compares everything, and says what was found.
    pub async fn verify(&self, past: &Past<'_>, windows: bool) -> Verified {
        let mut report = Verified::new(self.model);
        report.cannot("its SQL or config changed since", self.other_code);
        if !self.changed_externally.is_empty() {
            report.findings.push(Finding::ChangedExternally(self.changed_externally.clone()));
        }
        let declares = match rests_on_declarations(self.model) {
            Ok(declares) => declares,
            Err(error) => return Verified { failure: Some(Failure::from(error)), ..report },
        };
        let mut comparison = Comparison::new(windows && declares);
        for (made_of, slices) in &self.groups {
            match past.inputs(self.model, made_of) {
                Err(why) => report.cannot(why, slices.len()),
                Ok(catalog) => {
                    let subject = self.verifier.subject(&catalog, self.model, &self.state.files);
                    for chunk in chunks(slices, self.verifier.engine.settings.part_rows) {
                        let Err(stopped) = comparison.compare(&subject, &chunk).await else { continue };
                        match why_gone(stopped, past.is_past(self.model, made_of)) {
                            Ok(why) => report.cannot(why, chunk.len()),
                            Err(failure) => return Verified { failure: Some(failure), ..report },
                        }
                    }
                }
            }
        }
        match self.unrecorded(past).await {
            Ok(unrecorded) if unrecorded.is_empty() => {}
            Ok(unrecorded) => report.findings.push(Finding::Unrecorded(unrecorded)),
            Err(failure) => return Verified { failure: Some(failure), ..report },
        }
        match self.missing(past).await {
            Ok(missing) if missing.is_empty() => {}
            Ok(missing) => report.findings.push(Finding::Missing(missing)),
            Err(failure) => return Verified { failure: Some(failure), ..report },
        }
        report.equal = comparison.equal;
        report.rounded = comparison.rounded;
        report.trusted = declares && !windows && comparison.equal > 0;
        report.findings.extend(comparison.different.map(|different| Finding::Different(Box::new(different))));
        report
    }

    /// The slices that have rows in the table's files, while nothing is recorded of them.
    async fn unrecorded(&self, past: &Past<'_>) -> Result<BTreeSet<SliceKey>, Failure> {
        if !self.looks_beyond {
            return Ok(BTreeSet::new());
        }
        let subject = self.verifier.subject(past.now(), self.model, &self.state.files);
        Ok(subject.beyond(Way::Stored, &self.known).await?)
    }

    /// The slices that have rows in a full refresh, while the table says that they have none. None are found where what it
    /// was made of cannot be computed again.
    async fn missing(&self, past: &Past<'_>) -> Result<BTreeSet<SliceKey>, Failure> {
        let Some(rest) = &self.rest else { return Ok(BTreeSet::new()) };
        let Ok(catalog) = past.inputs(self.model, rest) else { return Ok(BTreeSet::new()) };
        let subject = self.verifier.subject(&catalog, self.model, &self.state.files);
        match subject.beyond(Way::Refreshed, &self.known).await {
            Ok(missing) => Ok(missing),
            Err(error) => {
                let stopped = Stopped::ByInputs(Failure::from(error));
                why_gone(stopped, past.is_past(self.model, rest)).map(|_| BTreeSet::new())
            }
        }
    }
}

impl fmt::Display for VerifyWork<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} of {} slices", self.groups.values().map(Vec::len).sum::<usize>(), self.of)
    }
}

/// Why slices cannot be computed again, if that is what stopped the comparison; else the failure. A file that an old
/// version of an input names may have been removed; one of the newest must be there.
fn why_gone(stopped: Stopped, is_past: bool) -> Result<String, Failure> {
    match stopped {
        Stopped::ByTable(failure) => Err(failure),
        Stopped::ByInputs(failure) => match failure.diagnostic().code {
            Code::CorruptTable if is_past => Ok("files of older versions of its inputs were removed".to_owned()),
            Code::NotBuilt => Ok(failure.diagnostic().message.clone()),
            _ => Err(failure),
        },
    }
}

/// Slices in pieces of about so many rows, so that memory for one piece is enough.
fn chunks(slices: &[(SliceKey, SliceRows)], rows: u64) -> Vec<SliceChunk> {
    // A slice is never divided: one that is larger than a chunk is a chunk alone.
    let mut chunks: Vec<SliceChunk> = Vec::new();
    let mut held = u64::MAX;
    for slice in slices {
        match chunks.last_mut() {
            Some(chunk) if held < rows => chunk.push(*slice),
            _ => {
                chunks.push(vec![*slice]);
                held = 0;
            }
        }
        held = held.saturating_add(slice.1.rows);
    }
    chunks
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::day::parse_instant;
    use crate::diag::Diagnostic;

    #[test]
    fn slices_are_compared_in_pieces_of_about_so_many_rows() {
        let start = parse_instant("2023-01-01").unwrap();
        let slice = |day: u64| (SliceKey::At(start + chrono::Days::new(day)), SliceRows { rows: 40, hash: 0 });
        let slices: Vec<_> = (0..7).map(slice).collect();
        let lengths = |rows: u64| chunks(&slices, rows).iter().map(Vec::len).collect::<Vec<_>>();
        assert_eq!(lengths(100), [3, 3, 1]);
        assert_eq!(lengths(1), [1; 7]);
        assert_eq!(lengths(u64::MAX), [7]);
        assert_eq!(chunks(&slices, 100).concat(), slices);
        assert!(chunks(&[], 100).is_empty());
    }

    #[test]
    fn only_files_of_older_versions_may_be_gone() {
        let missing = || Failure::Project(Diagnostic::error(Code::CorruptTable, "`x` is gone"));
        let why = why_gone(Stopped::ByInputs(missing()), true).unwrap();
        assert_eq!(why, "files of older versions of its inputs were removed");
        assert!(why_gone(Stopped::ByInputs(missing()), false).is_err());
        assert!(why_gone(Stopped::ByTable(missing()), true).is_err());
        let silent = Failure::World(Diagnostic::error(Code::Storage, "no answer"));
        assert!(why_gone(Stopped::ByInputs(silent), true).is_err());
    }
}
