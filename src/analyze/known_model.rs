//! A model that an earlier command has typed: everything that it takes to plan it again, and what must come out.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use datafusion::config::ConfigOptions;

use super::functions::Functions;
use super::plans::{MadePlans, Plans, PostponedPlans};
use super::typed_model::TypedFacts;
use super::{Planner, TypedModel};
use crate::diag::Sink;
use crate::name::ModelName;
use crate::project::Project;
use crate::template::Rendered;

/// What the planning of all models shares.
pub(super) struct PlanningInputs {
    pub project: Arc<Project>,
    pub rendered: Arc<Rendered>,
    pub functions: Arc<Functions>,
    pub options: Arc<ConfigOptions>,
}

/// A model of which it is known what planning gives.
pub(super) struct KnownModel {
    pub name: ModelName,
    pub shared: Arc<PlanningInputs>,
    /// The models that it reads.
    pub parents: BTreeMap<ModelName, TypedModel>,
    /// What comes out.
    pub facts: TypedFacts,
}

impl PostponedPlans for KnownModel {
    fn views(&self) -> Vec<&Plans> {
        let views = self.parents.values().filter(|parent| !parent.config.materialized.is_stored());
        views.map(|parent| &parent.plans).collect()
    }

    fn make(&self) -> Result<MadePlans, String> {
        let PlanningInputs { project, rendered, functions, options } = &*self.shared;
        let planner = Planner {
            project,
            rendered: &rendered.models,
            functions: Arc::clone(functions),
            options: Arc::clone(options),
        };
        let model = rendered.models.get(&self.name);
        let typed = model.and_then(|model| planner.model(model, &self.parents, &mut Sink::default()).ok());
        // Rows are computed by what was planned now, so what was decided must have been decided of the same model.
        let made = typed.filter(|typed| typed.facts() == self.facts).and_then(|typed| typed.plans.into_made());
        made.ok_or_else(|| {
            format!(
                "what an earlier command has kept of the types of `{}` is not true: `--no-partial-parse` reads nothing of it",
                self.name
            )
        })
    }
}

impl fmt::Debug for KnownModel {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("KnownModel").field("name", &self.name).finish_non_exhaustive()
    }
}
