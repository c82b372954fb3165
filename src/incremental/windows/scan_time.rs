//! The last step: from the column that the output's time is made of to the input's declared event time.

use std::collections::BTreeMap;

use datafusion::logical_expr::{Expr, LogicalPlan};

use super::claim::{Block, Claim, replace};
use super::offset::forward;
use crate::analyze::lineage::{TimeStep, time_mapping};
use crate::analyze::{Input, InputTable, TypedModel};
use crate::name::ModelName;

/// The claim on the event time of a table, if what came down can be said of it.
pub(super) fn on_event_time(claim: Claim, table: &InputTable, typed: &BTreeMap<ModelName, TypedModel>) -> Claim {
    let Some(event_time) = &table.event_time else { return claim };
    match claim {
        Claim::Slice { on: Expr::Column(column), steps, evidence } if column.name == *event_time => {
            Claim::Slice { on: Expr::Column(column), steps, evidence }
        }
        Claim::Slice { on, steps, evidence } => match definition_of(table, event_time, &on, typed) {
            Some(made) => {
                let mut evidence = evidence;
                evidence.push(format!("`{event_time}` of `{}` is derived from its `{on}`", table.name.table));
                Claim::Slice { on, steps: through(steps, &made), evidence }
            }
            None => Claim::Everything(Block::other_column(&on)),
        },
        // Where one is null the other is null, because steps make a time of every time.
        Claim::Timeless { on } => {
            let same = matches!(&on, Expr::Column(column) if column.name == *event_time);
            match same || definition_of(table, event_time, &on, typed).is_some() {
                true => Claim::Timeless { on },
                false => Claim::Everything(Block::other_column(&on)),
            }
        }
        Claim::Nothing | Claim::Everything(_) => claim,
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
    let same = steps.len().checked_sub(made.len()).filter(|start| steps.get(*start..) == Some(made));
    match same {
        Some(start) => steps.truncate(start),
        None => steps.extend(forward(made)),
    }
    steps
}

/// What a model's event time is made of, if that is another column of its output and nothing else.
fn made_of(model: &TypedModel, event_time: &str, column: &str) -> Option<Vec<TimeStep>> {
    let plans = std::iter::once(&model.plan).chain(&model.sliced);
    let mut found = plans.map(|plan| {
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
    let (schema, made_by, input) = match plan {
        LogicalPlan::Projection(projection) => (&projection.schema, projection.expr.clone(), &projection.input),
        LogicalPlan::SubqueryAlias(alias) => {
            let columns = alias.input.schema().columns().into_iter().map(Expr::Column).collect();
            (&alias.schema, columns, &alias.input)
        }
        LogicalPlan::Filter(filter) => return definition(&filter.input, time, column),
        LogicalPlan::Sort(sort) => return definition(&sort.input, time, column),
        _ => return None,
    };
    definition(input, &replace(time, schema, &made_by)?, &replace(column, schema, &made_by)?)
}
