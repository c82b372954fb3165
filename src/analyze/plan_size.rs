//! How large a plan is once everything that is used several times is written out: queries that use each other twice double it with
//! each, and the engine would go through all of them.

use std::collections::BTreeMap;

use datafusion::common::{Result, plan_err};
use datafusion::logical_expr::LogicalPlan;

/// The steps of the largest plan. TPC-DS's largest query has some hundred.
const MOST_STEPS: u64 = 10_000;

/// Refuses a plan that would take too long to look at.
pub(super) fn check(plan: &LogicalPlan) -> Result<()> {
    let steps = Steps::default().of(plan);
    if steps > MOST_STEPS {
        return plan_err!(
            "written out, the query has more than {MOST_STEPS} steps: queries and views that use each other several times double \
             it each time; make what is used twice a model with `materialized: table`"
        );
    }
    Ok(())
}

/// The steps of parts that were counted: they are shared, however often they are used.
#[derive(Default)]
struct Steps(BTreeMap<*const LogicalPlan, u64>);

impl Steps {
    fn of(&mut self, plan: &LogicalPlan) -> u64 {
        let place: *const LogicalPlan = plan;
        if let Some(steps) = self.0.get(&place) {
            return *steps;
        }
        let mut steps: u64 = 1;
        for input in plan.inputs() {
            steps = steps.saturating_add(self.of(input));
        }
        // A view stands for its plan.
        if let LogicalPlan::TableScan(scan) = plan
            && let Some(of_view) = scan.source.get_logical_plan()
        {
            let of_view = match &of_view {
                std::borrow::Cow::Borrowed(plan) => self.of(plan),
                std::borrow::Cow::Owned(plan) => Steps::default().of(plan),
            };
            steps = steps.saturating_add(of_view);
        }
        self.0.insert(place, steps);
        steps
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use datafusion::logical_expr::{LogicalPlanBuilder, lit};

    use super::*;

    #[test]
    fn what_doubles_with_each_level_is_counted_without_going_through_it() {
        let mut plan = LogicalPlanBuilder::empty(true).project([lit(1).alias("x")]).unwrap().build().unwrap();
        for _ in 0..60 {
            let shared = Arc::new(plan);
            let union = LogicalPlanBuilder::new_from_arc(Arc::clone(&shared));
            plan = union.union(LogicalPlan::clone(&shared)).unwrap().build().unwrap();
        }
        assert!(Steps::default().of(&plan) > 1 << 60);
        assert!(check(&plan).is_err());
    }
}
