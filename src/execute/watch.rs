//! How far a plan has come, while it runs.

use std::future::Future;
use std::ops::AddAssign;
use std::sync::Arc;
use std::time::Duration;

use datafusion::physical_plan::ExecutionPlan;

use super::observer::{Event, Observer};
use crate::engine::SourceReport;
use crate::name::ModelName;

/// How often progress is reported.
const PULSE: Duration = Duration::from_millis(200);

/// Rows and bytes that were read.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct ReadAmount {
    rows: u64,
    bytes: u64,
}

impl AddAssign for ReadAmount {
    fn add_assign(&mut self, more: Self) {
        self.rows += more.rows;
        self.bytes += more.bytes;
    }
}

impl ReadAmount {
    /// What the leaves of a plan have read, by their metrics.
    pub fn read_by(plan: &dyn ExecutionPlan) -> Self {
        let mut amount = Self::default();
        for child in plan.children() {
            amount += Self::read_by(child.as_ref());
        }
        if plan.children().is_empty()
            && let Some(metrics) = plan.metrics()
        {
            amount.rows += metrics.output_rows().map_or(0, |rows| rows as u64);
            amount.bytes += metrics.sum_by_name("bytes_scanned").map_or(0, |value| value.as_usize() as u64);
        }
        amount
    }
}

/// Looks at the metrics of a running plan.
pub(crate) struct ProgressWatch<'a> {
    pub(super) observer: &'a dyn Observer,
    pub(super) model: &'a ModelName,
    pub(super) plan: Arc<dyn ExecutionPlan>,
    pub(super) reports: Vec<Arc<SourceReport>>,
    pub(super) total_bytes: u64,
    /// What parts before this one have read.
    pub(super) before: ReadAmount,
}

impl ProgressWatch<'_> {
    /// Waits for the work and reports its progress meanwhile.
    pub async fn during<T>(self, work: impl Future<Output = T>) -> T {
        let mut pulse = tokio::time::interval(PULSE);
        pulse.tick().await;
        tokio::pin!(work);
        loop {
            tokio::select! {
                done = &mut work => return done,
                _ = pulse.tick() => self.report(),
            }
        }
    }

    fn report(&self) {
        let mut amount = self.before;
        amount += ReadAmount::read_by(self.plan.as_ref());
        // Sources are read by threads of their own, which no metrics of the plan know.
        for report in &self.reports {
            amount += ReadAmount { rows: report.rows(), bytes: report.bytes() };
        }
        let ReadAmount { rows, bytes } = amount;
        self.observer.event(&Event::Progress { model: self.model, rows, bytes, total_bytes: self.total_bytes });
    }
}
