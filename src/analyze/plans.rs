//! The plans of a model: made with it, or later, when somebody needs them of a model that an earlier command has typed.

use std::fmt;
use std::sync::{Arc, OnceLock};

use datafusion::common::{Result, plan_err};
use datafusion::logical_expr::LogicalPlan;

use super::foreign::Rewrite;
use super::scans::{ScannedTable, scans_of};
use crate::parallel::on_a_deep_stack;

/// The plans of a model. Copies share them: they are made once.
#[derive(Debug, Clone)]
pub(crate) struct Plans(Arc<PlansCell>);

#[derive(Debug)]
struct PlansCell {
    made: OnceLock<std::result::Result<MadePlans, String>>,
    /// What makes them. `None` if they were there from the beginning.
    postponed: Option<Box<dyn PostponedPlans>>,
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

/// Makes plans that were not made with the model.
pub(super) trait PostponedPlans: fmt::Debug + Send + Sync {
    /// The plans of the views that the model reads: they must be there before.
    fn views(&self) -> Vec<&Plans>;

    /// Makes the plans.
    ///
    /// # Errors
    ///
    /// Returns what to say if they are not those of the model that was expected.
    fn make(&self) -> std::result::Result<MadePlans, String>;
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

    pub(super) fn postponed(postponed: impl PostponedPlans + 'static) -> Plans {
        Plans(Arc::new(PlansCell { made: OnceLock::new(), postponed: Some(Box::new(postponed)) }))
    }

    /// The plans alone. Returns `None` if they were not made, or others share them.
    pub(super) fn into_made(self) -> Option<MadePlans> {
        Arc::into_inner(self.0)?.made.into_inner()?.ok()
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
            let views = top.0.postponed.iter().flat_map(|postponed| postponed.views());
            let below = views.into_iter().find(|plans| plans.0.made.get().is_none());
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
    fn make(&self) -> std::result::Result<MadePlans, String> {
        let postponed = self.postponed.as_ref().ok_or("there is nothing to make a plan of")?;
        postponed.make()
    }
}
