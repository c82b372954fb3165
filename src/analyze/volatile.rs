//! Functions that give other values every time: with them a slice that is computed again would not be the same.

use std::collections::BTreeMap;

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::{Expr, LogicalPlan, Volatility};

use super::TypedModel;
use super::report::{Place, find_word};
use crate::diag::{Checked, Code, Diagnostic, Sink};
use crate::name::ModelName;
use crate::span::Span;
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
        typed
            .get(*parent)
            .is_some_and(|model| !model.config.materialized.is_stored() && volatile(&model.plan).is_some())
    });
    let texts = std::iter::once(&rendered.full).chain(&rendered.sliced);
    let mut places = texts.map(|sql| Place { sql, whole: Span::new(rendered.file, 0..0) });
    let here = places.find(|place| place.sql.text.to_lowercase().contains(&format!("{function}(")));
    let diagnostic = match (view, here) {
        (Some(view), None) => {
            let message = format!(
                "`{}` reads `{view}`, in which `{function}()` returns a different value every time",
                rendered.name
            );
            let place = Place { sql: &rendered.full, whole: Span::new(rendered.file, 0..0) };
            Diagnostic::error(Code::VolatileFunction, message).at(find_word(view.as_str(), place))
        }
        (_, place) => {
            let message = format!("`{function}()` returns a different value every time a slice is computed");
            let place = place.unwrap_or(Place { sql: &rendered.full, whole: Span::new(rendered.file, 0..0) });
            Diagnostic::error(Code::VolatileFunction, message).at(find_word(&function, place))
        }
    };
    let help = "derive the value from columns: `md5(concat(user_id, ts))`, or set `materialized='table'`";
    Err(sink.error(diagnostic.help(help)))
}

/// The first function of a plan that is volatile.
fn volatile(plan: &LogicalPlan) -> Option<String> {
    let mut found = None;
    let visited = plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expression| {
            expression.apply(|inner| {
                if let Expr::ScalarFunction(function) = inner
                    && function.func.signature().volatility == Volatility::Volatile
                {
                    found.get_or_insert_with(|| function.func.name().to_owned());
                }
                Ok(TreeNodeRecursion::Continue)
            })
        })
    });
    visited.expect("looking at expressions cannot fail");
    found
}
