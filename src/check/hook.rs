//! Hooks that were planned: SELECTs whose rows nobody needs.

use std::collections::{BTreeMap, BTreeSet};

use datafusion::logical_expr::LogicalPlan;

use super::{CheckBatch, Guards, Scope};
use crate::name::ModelName;
use crate::span::Span;

/// A hook, ready to run.
#[derive(Debug, Clone)]
pub(crate) struct PlannedHook {
    /// What it is, as the beginning of a sentence: `the pre_hook of `orders``.
    pub name: String,
    pub span: Span,
    /// What is said when it runs.
    pub messages: Vec<String>,
    /// The SELECT. `None` if it only says something.
    pub plan: Option<LogicalPlan>,
}

/// The hooks of one model.
#[derive(Debug, Clone, Default)]
pub(crate) struct PlannedHooks {
    pub before: Vec<PlannedHook>,
    pub after: Vec<PlannedHook>,
}

/// The hooks by model.
pub(crate) type HooksOfModels = BTreeMap<ModelName, PlannedHooks>;

/// The tests together with what the hooks read: a model waits for both.
pub(crate) fn with_hooks(guards: &Guards, hooks: &HooksOfModels) -> Guards {
    let mut all = guards.clone();
    for (model, hooks) in hooks {
        let plans = hooks.before.iter().chain(&hooks.after).filter_map(|hook| hook.plan.clone());
        let read = plans.map(|plan| CheckBatch {
            checks: Vec::new(),
            tables: BTreeSet::new(),
            plan,
            scope: Scope::Whole,
            slices: None,
        });
        all.entry(model.clone()).or_default().extend(read);
    }
    all
}
