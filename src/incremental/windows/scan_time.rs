//! The last step: from the column that the output's time is made of to the input's declared event time.

use std::collections::BTreeMap;

use datafusion::logical_expr::{Expr, LogicalPlan};

use super::offset::forward;
use super::time_constraint::{ProofGap, TimeConstraint};
use crate::analyze::lineage::{TimeStep, time_mapping, transfer};
use crate::analyze::{Input, InputTable, TypedModel};
use crate::name::ModelName;

/// The constraint on the event time of a table, if what came down can be said of it.
pub(super) fn on_event_time(
    constraint: TimeConstraint,
    table: &InputTable,
    typed: &BTreeMap<ModelName, TypedModel>,
) -> TimeConstraint {
    let Some(event_time) = &table.event_time else { return constraint };
    match constraint {
        TimeConstraint::Slice { on: Expr::Column(column), steps, evidence } if column.name == *event_time => {
            TimeConstraint::Slice { on: Expr::Column(column), steps, evidence }
        }
        TimeConstraint::Slice { on, steps, evidence } => match definition_of(table, event_time, &on, typed) {
            Some(made) => {
                let mut evidence = evidence;
                evidence.push(format!("`{event_time}` of `{}` is derived from its `{on}`", table.name.table));
                TimeConstraint::Slice { on, steps: through(steps, &made), evidence }
            }
            None => TimeConstraint::Everything(ProofGap::other_column(&on)),
        },
        // Where one is null the other is null, because steps make a time of every time.
        TimeConstraint::NullTime { on } => {
            let same = matches!(&on, Expr::Column(column) if column.name == *event_time);
            match same || definition_of(table, event_time, &on, typed).is_some() {
                true => TimeConstraint::NullTime { on },
                false => TimeConstraint::Everything(ProofGap::other_column(&on)),
            }
        }
        TimeConstraint::Nothing | TimeConstraint::Everything(_) => constraint,
    }
}

/// The steps that the event time of a table is from the column that came down.
fn definition_of(
    table: &InputTable,
    event_time: &str,
    on: &Expr,
    typed: &BTreeMap<ModelName, TypedModel>,
) -> Option<Vec<TimeStep>> {
    let (Expr::Column(column), Input::Model(name)) = (on, &table.input) else { return None };
    made_of(typed.get(name)?, event_time, &column.name)
}

/// The steps to an event time that is `made` of the column that the steps lead to.
fn through(mut steps: Vec<TimeStep>, made: &[TimeStep]) -> Vec<TimeStep> {
    // `date_trunc('month', ts)` of a table whose event time is `date_trunc('day', ts)`: steps that are the definition itself
    // lead exactly to the event time. Otherwise one goes on to the column, and from there forward to the event time.
    let same = steps.len().checked_sub(made.len()).filter(|start| steps.get(*start..) == Some(made));
    match same {
        Some(start) => steps.truncate(start),
        None => steps.extend(forward(made)),
    }
    steps
}

/// What a model's event time is made of, if that is another column of its output and nothing else.
fn made_of(model: &TypedModel, event_time: &str, column: &str) -> Option<Vec<TimeStep>> {
    let mut found = model.all_plans().ok()?.map(|plan| {
        let schema = plan.schema();
        let [time, column] = [event_time, column].map(|name| {
            let (qualifier, field) = schema.qualified_field_with_unqualified_name(name).ok()?;
            Some(Expr::Column(datafusion::common::Column::new(qualifier.cloned(), field.name())))
        });
        definition(plan, &time?, &column?)
    });
    let first = found.next()??;
    found.all(|steps| steps.as_ref() == Some(&first)).then_some(first)
}

/// The steps that `time` takes over `column`, as expressions of a plan's rows.
fn definition(plan: &LogicalPlan, time: &Expr, column: &Expr) -> Option<Vec<TimeStep>> {
    let mapping = time_mapping(time, plan.schema());
    if mapping.base == column {
        return Some(mapping.steps);
    }
    // Through nodes that keep rows as they are, and no others: of grouped rows a definition would say too much.
    let keeps_rows = matches!(
        plan,
        LogicalPlan::Projection(_) | LogicalPlan::SubqueryAlias(_) | LogicalPlan::Filter(_) | LogicalPlan::Sort(_)
    );
    let inflows = transfer(plan).filter(|_| keeps_rows)?;
    let inflow = inflows.first()?;
    definition(inflow.plan, &inflow.replace(time)?, &inflow.replace(column)?)
}
