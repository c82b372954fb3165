//! What a verification has found, in one line and in numbers.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};

use super::faults::StoppedModels;
use crate::failure::Failure;
use crate::figures::counted;
use crate::verify::Verified;

/// What verification ends with.
pub(crate) struct VerificationSummary<'s> {
    pub reports: &'s [Verified],
    /// What could not be begun.
    pub stopped: &'s StoppedModels,
}

impl<'s> VerificationSummary<'s> {
    /// What kept comparisons from their end.
    pub fn failures(&self) -> impl Iterator<Item = &'s Failure> {
        self.reports.iter().filter_map(|report| report.failure.as_ref())
    }

    /// How many slices are what a full refresh makes.
    pub fn equal(&self) -> usize {
        self.reports.iter().map(|report| report.equal).sum()
    }

    fn different(&self) -> usize {
        self.reports.iter().map(Verified::different).sum()
    }

    fn unverified(&self) -> usize {
        self.reports.iter().flat_map(|report| report.unverified.values()).sum()
    }

    fn trusted(&self) -> usize {
        self.reports.iter().filter(|report| report.trusted).count()
    }

    /// Whether something is wrong with the project or its tables, and not only with the world: so many failures are.
    pub fn is_wrong(&self, unavailable: usize) -> bool {
        self.different() > 0 || self.failures().count() > unavailable || !self.stopped.is_none()
    }

    /// What was not checked because the project declares it. Returns `None` if there is nothing of the kind.
    pub fn trust(&self) -> Option<String> {
        let trusted = self.trusted();
        let models = counted(trusted, "model");
        (trusted > 0).then(|| format!("the windows of {models} are trusted as declared; `--windows` checks them"))
    }

    /// `57 slices of 12 models equal a full refresh, 1 does not; 3 cannot be verified (the files of `raw.users` changed)`.
    pub fn to_text(&self) -> String {
        let Self { reports, stopped } = self;
        let equal = self.equal();
        let models = reports.iter().filter(|report| report.equal > 0).count();
        let verb = if equal == 1 { "equals" } else { "equal" };
        let equals = format!("{} of {} {verb} a full refresh", counted(equal, "slice"), counted(models, "model"));
        let mut parts = if equal > 0 { vec![equals] } else { Vec::new() };
        match self.different() {
            0 => {}
            1 if equal > 0 => parts.push("1 does not".to_owned()),
            more if equal > 0 => parts.push(format!("{more} do not")),
            more => parts.push(format!("{} not what a full refresh produces", counted(more, "slice"))),
        }
        let compared = Some(parts.join(", ")).filter(|told| !told.is_empty());
        let slices = self.unverified();
        let whole = reports.iter().filter(|report| report.not_at_all.is_some()).count();
        let failed = reports.iter().filter(|report| report.failure.is_some()).count();
        let reasons: BTreeSet<&String> = reports.iter().flat_map(|report| report.unverified.keys()).collect();
        let reason = match reasons.first() {
            Some(only) if reasons.len() == 1 => format!(" ({only})"),
            _ => String::new(),
        };
        let parts = [
            (slices, format!("{} cannot be verified{reason}", counted(slices, "slice"))),
            (whole, format!("{} not verified", counted(whole, "model"))),
            (failed, format!("{} failed", counted(failed, "model"))),
            (stopped.broken(), format!("{} with errors", counted(stopped.broken(), "model"))),
            (stopped.skipped(), format!("{} skipped", counted(stopped.skipped(), "model"))),
        ];
        let more = parts.into_iter().filter(|(count, _)| *count > 0).map(|(_, text)| text);
        let all: Vec<String> = compared.into_iter().chain(more).collect();
        if all.is_empty() { "no stored model is selected".to_owned() } else { all.join("; ") }
    }

    /// The same for programs.
    pub fn to_json(&self, elapsed: Duration) -> Value {
        let reports = self.reports;
        json!({
            "equal": self.equal(), "different": self.different(), "unverified": self.unverified(),
            "failed": self.failures().count(),
            "rounded": reports.iter().map(|report| report.rounded).sum::<usize>(),
            "models": reports.iter().filter(|report| report.equal > 0).count(),
            "models_not_verified": reports.iter().filter(|report| report.not_at_all.is_some()).count(),
            "windows_trusted": self.trusted(),
            "milliseconds": u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX),
        })
    }
}
