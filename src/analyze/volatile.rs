//! Functions that give other values every time: with them a slice that is computed again would not be the same.

use std::collections::BTreeMap;

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::{LogicalPlan, Volatility};

use super::TypedModel;
use super::lineage::Beyond;
use super::report::{SqlPlace, find_word};
use crate::diag::{Checked, Code, Diagnostic, Sink};
use crate::name::ModelName;
use crate::template::RenderedModel;

/// Refuses them in the plans of an incremental model, which hold the views that it reads.
pub(super) fn refuse(
    rendered: &RenderedModel,
    plans: [Option<&LogicalPlan>; 2],
    typed: &BTreeMap<ModelName, TypedModel>,
    sink: &mut Sink,
) -> Checked<()> {
    let Some(function) = plans.into_iter().flatten().find_map(volatile) else { return Ok(()) };
    let view = super::parents(rendered).find(|parent| {
        let view = typed.get(*parent).filter(|model| !model.config.materialized.is_stored());
        view.is_some_and(|model| model.plan().is_ok_and(|plan| volatile(plan).is_some()))
    });
    let texts = std::iter::once(&rendered.full).chain(&rendered.sliced);
    let mut places = texts.map(|sql| SqlPlace::new(sql, rendered.file));
    let here = places.find(|place| place.sql.text.to_lowercase().contains(&format!("{function}(")));
    let diagnostic = match (view, here) {
        (Some(view), None) => {
            let message = format!(
                "`{}` reads `{view}`, in which `{function}()` returns a different value every time",
                rendered.name
            );
            let place = SqlPlace::new(&rendered.full, rendered.file);
            Diagnostic::error(Code::VolatileFunction, message).traced(find_word(view.as_str(), place))
        }
        (_, place) => {
            let message = format!("`{function}()` returns a different value every time a slice is computed");
            let place = place.unwrap_or(SqlPlace::new(&rendered.full, rendered.file));
            Diagnostic::error(Code::VolatileFunction, message).traced(find_word(&function, place))
        }
    };
    let help = match rendered.config.materialized.keeps_versions() {
        true => "derive the value from columns: `md5(concat(user_id, ts))`",
        false => "derive the value from columns: `md5(concat(user_id, ts))`, or set `materialized='table'`",
    };
    Err(sink.error(diagnostic.help(help)))
}

/// The first function of a plan that is volatile.
fn volatile(plan: &LogicalPlan) -> Option<String> {
    let mut found = None;
    let visited = plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expression| {
            expression.apply(|inner| {
                if let Some(Beyond::Function(name, Volatility::Volatile)) = Beyond::of_part(inner) {
                    found.get_or_insert_with(|| name.to_owned());
                }
                Ok(TreeNodeRecursion::Continue)
            })
        })
    });
    visited.expect("looking at expressions cannot fail");
    found
}
