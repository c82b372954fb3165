//! The plans of a model: made with it, or later, when somebody needs them of a model that an earlier command has typed.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, OnceLock};

use arrow::datatypes::SchemaRef;
use datafusion::common::{Result, plan_err};
use datafusion::logical_expr::LogicalPlan;

use super::foreign::Rewrite;
use super::functions::Functions;
use super::typed_model::scans_of;
use super::{Planner, ScannedTable, TypedModel};
use crate::diag::Sink;
use crate::name::ModelName;
use crate::parallel::on_a_deep_stack;
use crate::project::Project;
use crate::table::Fingerprint;
use crate::template::Rendered;

/// The plans of a model. Copies share them: they are made once.
#[derive(Debug, Clone)]
pub(crate) struct Plans(Arc<PlansCell>);

#[derive(Debug)]
struct PlansCell {
    made: OnceLock<std::result::Result<MadePlans, String>>,
    /// What makes them. `None` if they were there from the beginning.
    postponed: Option<PostponedPlans>,
}

/// Plans as they were made.
#[derive(Debug)]
pub(crate) struct MadePlans {
    /// Not optimized; its scans are [`InputTable`](super::InputTable)s.
    pub full: LogicalPlan,
    /// The plan for a run over a range, where the template asks `is_incremental()`.
    pub sliced: Option<LogicalPlan>,
    /// Names of SELECT lists that were written out in its text.
    pub names: Vec<Rewrite>,
}

/// Everything that it takes to plan a model again of which it is known what comes out.
pub(super) struct PostponedPlans {
    pub name: ModelName,
    pub shared: Arc<PlanningInputs>,
    /// The models that it reads.
    pub parents: BTreeMap<ModelName, TypedModel>,
    /// What comes out.
    pub facts: TypedFacts,
}

/// What the planning of all models shares.
pub(super) struct PlanningInputs {
    pub project: Arc<Project>,
    pub rendered: Arc<Rendered>,
    pub functions: Arc<Functions>,
}

/// What most commands want to know of a model that is not built: it can be kept from one command to the next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TypedFacts {
    pub schema: SchemaRef,
    pub fingerprint: Fingerprint,
    pub scans: Vec<ScannedTable>,
}

impl MadePlans {
    /// The only plan of a model.
    pub fn of(full: LogicalPlan) -> MadePlans {
        MadePlans { full, sliced: None, names: Vec::new() }
    }

    /// What they read, through views too.
    pub fn scans(&self) -> Vec<ScannedTable> {
        scans_of(std::iter::once(&self.full).chain(&self.sliced))
    }
}

impl Plans {
    pub fn made(plans: MadePlans) -> Plans {
        Plans(Arc::new(PlansCell { made: OnceLock::from(Ok(plans)), postponed: None }))
    }

    pub(super) fn postponed(postponed: PostponedPlans) -> Plans {
        Plans(Arc::new(PlansCell { made: OnceLock::new(), postponed: Some(postponed) }))
    }

    /// Whether an earlier command has typed the model.
    #[cfg(test)]
    pub fn were_postponed(&self) -> bool {
        self.0.postponed.is_some()
    }

    /// Whether they are still to be made.
    #[cfg(test)]
    pub fn are_postponed(&self) -> bool {
        self.0.made.get().is_none()
    }

    /// The plans, which are made now if they are not there yet.
    ///
    /// # Errors
    ///
    /// Returns an error if what was kept of the model is not what it is.
    pub fn get(&self) -> Result<&MadePlans> {
        if self.0.made.get().is_none() {
            // Whoever runs plans has a smaller stack than who makes them.
            on_a_deep_stack(|| self.make_with_views());
        }
        match self.0.made.get_or_init(|| self.0.make()) {
            Ok(made) => Ok(made),
            Err(message) => plan_err!("{message}"),
        }
    }

    /// Makes the plans of the views that it reads, and of those that these read, before its own: each needs those below it, and
    /// views upon views may be too many for the stack.
    fn make_with_views(&self) {
        let mut open = vec![self];
        // A depth-first walk with a stack of its own: a cell is made when the ones below it are.
        while let Some(top) = open.last() {
            let below = top.0.views().find(|plans| plans.0.made.get().is_none());
            match below {
                Some(below) => open.push(below),
                None => {
                    top.0.made.get_or_init(|| top.0.make());
                    open.pop();
                }
            }
        }
    }
}

impl PlansCell {
    /// The plans of the views that it reads.
    fn views(&self) -> impl Iterator<Item = &Plans> {
        let parents = self.postponed.iter().flat_map(|postponed| postponed.parents.values());
        parents.filter(|parent| !parent.config.materialized.is_stored()).map(|parent| &parent.plans)
    }

    fn make(&self) -> std::result::Result<MadePlans, String> {
        let Some(PostponedPlans { name, shared, parents, facts }) = &self.postponed else {
            return Err("there is nothing to make a plan of".to_owned());
        };
        let planner = Planner::sharing(&shared.project, &shared.rendered.models, Arc::clone(&shared.functions));
        let rendered = shared.rendered.models.get(name);
        let typed = rendered.and_then(|rendered| planner.model(rendered, parents, &mut Sink::default()).ok());
        // Rows are computed by what was planned now, so what was decided must have been decided of the same model.
        match typed.filter(|typed| typed.facts() == *facts).and_then(|typed| Arc::into_inner(typed.plans.0)) {
            Some(PlansCell { made, .. }) => made.into_inner().unwrap_or_else(|| Err("its plan is missing".to_owned())),
            None => Err(format!(
                "what an earlier command has kept of the types of `{name}` is not true: `--no-partial-parse` reads nothing of it"
            )),
        }
    }
}

impl fmt::Debug for PostponedPlans {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("PostponedPlans").field("name", &self.name).finish_non_exhaustive()
    }
}
