//! The documentation page of a project over its lake.

use serde_json::to_string;

use super::load::Compiled;
use super::planning::{BuildRequest, Planned};
use crate::catalog::{Catalog, ObservationScope, observe};
use crate::check::Guards;
use crate::failure::Failure;
use crate::incremental::Refresh;
use crate::run_record::RunRecord;
use crate::site::SiteInputs;
use crate::store::Lake;

/// Older runs are not shown.
const MOST_RUNS: usize = 50;

/// What was seen of a lake for those who read of it.
pub(crate) enum SeenLake<'a> {
    /// Nobody has looked.
    Unseen,
    /// Tables, and what a run of everything would do.
    Planned { planned: Box<Planned<'a>>, runs: Vec<RunRecord> },
    /// Tables alone: why there is no plan.
    Tables { catalog: Box<Catalog<'a>>, runs: Vec<RunRecord>, unplanned: String },
}

impl<'a> SeenLake<'a> {
    /// Looks at all tables, and at what a run would do. A source that cannot be listed makes that impossible, and is no
    /// reason to show nothing.
    ///
    /// # Errors
    ///
    /// As [`observe`].
    pub async fn look(compiled: &'a Compiled, lake: &Lake) -> Result<Self, Vec<Failure>> {
        let runs = lake.runs(MOST_RUNS).await.map_err(|error| vec![error.into()])?.records;
        let order = compiled.loaded.in_order(compiled.typed.keys());
        let request = BuildRequest { order, refresh: Refresh::Stale };
        match Planned::new(compiled, lake, request, &Guards::new()).await {
            Ok(planned) => Ok(SeenLake::Planned { planned: Box::new(planned), runs }),
            Err(failures) => {
                let messages: Vec<&str> =
                    failures.iter().map(|failure| failure.diagnostic().message.as_str()).collect();
                let unplanned = messages.join("; ");
                let scope = ObservationScope::of_tables(&compiled.typed);
                let catalog = Box::new(observe(compiled.over(lake), &scope).await?);
                Ok(SeenLake::Tables { catalog, runs, unplanned })
            }
        }
    }

    /// What was seen of the tables.
    pub fn catalog(&self) -> Option<&Catalog<'a>> {
        match self {
            SeenLake::Unseen => None,
            SeenLake::Planned { planned, .. } => Some(&planned.catalog),
            SeenLake::Tables { catalog, .. } => Some(catalog),
        }
    }

    /// The data of the documentation page, as JSON.
    pub fn payload(&self, compiled: &Compiled, guards: &Guards) -> String {
        let loaded = &compiled.loaded;
        let (plan, unplanned, runs) = match self {
            SeenLake::Unseen => (None, None, [].as_slice()),
            SeenLake::Planned { planned, runs } => (Some(&planned.plan), None, runs.as_slice()),
            SeenLake::Tables { runs, unplanned, .. } => (None, Some(unplanned.clone()), runs.as_slice()),
        };
        let inputs = SiteInputs {
            project: &loaded.project,
            rendered: &loaded.rendered,
            dag: &loaded.dag,
            files: &loaded.files,
            typed: &compiled.typed,
            guards,
            catalog: self.catalog(),
            plan,
            unplanned,
            runs,
            made: loaded.host().now().format("%Y-%m-%d %H:%M").to_string(),
        };
        to_string(&inputs.payload()).expect("texts, numbers and lists can be written as JSON")
    }
}
