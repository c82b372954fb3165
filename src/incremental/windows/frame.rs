//! Window functions: a row sees the rows of its own date, or those of a frame that is measured in time.

use datafusion::common::ScalarValue;
use datafusion::logical_expr::expr::WindowFunction;
use datafusion::logical_expr::logical_plan::Window as WindowNode;
use datafusion::logical_expr::{Expr, WindowFrame, WindowFrameBound, WindowFrameUnits, WindowFunctionDefinition};

use super::claim::{Claim, Remedy};
use super::offset::Offset;
use super::walk::bare;
use crate::analyze::lineage::{TimeStep, shift_of, time_mapping};

/// Functions that look at the frame and not at the order of all rows.
const WITHIN_THE_FRAME: [&str; 3] = ["first_value", "last_value", "nth_value"];

/// The claim below the window functions of a node.
pub(super) fn below(node: &WindowNode, claim: Claim) -> Claim {
    let input = node.input.schema();
    let Some(on) = claim.on().cloned() else { return claim };
    let is_below = on
        .column_refs()
        .into_iter()
        .all(|column| node.schema.maybe_index_of_column(column).is_some_and(|index| index < input.fields().len()));
    if !is_below {
        let what = "a window function produces the event time of the output";
        return Claim::blocked(what, Some("over"), Remedy::Lookback);
    }
    let mut widest = Offset::default();
    let mut shown = Vec::new();
    for expression in &node.window_expr {
        let Expr::WindowFunction(function) = bare(expression) else {
            return Claim::blocked("a window function is not understood", Some("over"), Remedy::Lookback);
        };
        match reach(function, &on, node) {
            Some(offset) if offset != Offset::default() => {
                widest = widest.or(offset);
                shown.push(frame_text(function));
            }
            Some(_) => {}
            None => return blocked(function),
        }
    }
    match claim {
        Claim::Slice { on, mut steps, mut evidence } => {
            if widest != Offset::default() {
                steps.push(TimeStep::Widen(widest.window()));
                shown.dedup();
                evidence.extend(shown);
            }
            Claim::Slice { on, steps, evidence }
        }
        // The neighbours of a row without a time in an order by time are not known.
        Claim::Timeless { .. } if widest != Offset::default() => {
            Claim::blocked("rows without a time take part in an order by time", None, Remedy::Lookback)
        }
        other => other,
    }
}

/// How far from its own time a row looks.
fn reach(function: &WindowFunction, on: &Expr, node: &WindowNode) -> Option<Offset> {
    let input = node.input.schema();
    let params = &function.params;
    let by_part = params.partition_by.iter().filter_map(|part| {
        let mapping = time_mapping(part, input);
        // Rows of one part have times of one unit.
        (mapping.base == on).then(|| {
            if mapping.steps.is_empty() {
                return Offset::default();
            }
            let unit = Offset::of_value(&mapping.steps);
            let width = unit.to.saturating_sub(unit.from);
            Offset { from: width.saturating_neg(), to: width }
        })
    });
    by_part.min_by_key(|offset| offset.to).or_else(|| by_frame(function, on, node))
}

fn by_frame(function: &WindowFunction, on: &Expr, node: &WindowNode) -> Option<Offset> {
    let looks_at_frame = match &function.fun {
        WindowFunctionDefinition::AggregateUDF(_) => true,
        WindowFunctionDefinition::WindowUDF(function) => WITHIN_THE_FRAME.contains(&function.name()),
    };
    let [order] = function.params.order_by.as_slice() else { return None };
    let ordered = time_mapping(&order.expr, node.input.schema());
    let frame = &function.params.window_frame;
    if !looks_at_frame || frame.units != WindowFrameUnits::Range || ordered.base != on || !ordered.steps.is_empty() {
        return None;
    }
    let (start, end) = (bound(&frame.start_bound)?, bound(&frame.end_bound)?);
    let reach = start.or(end).or(Offset::default());
    Some(if order.asc { reach } else { reach.negated() })
}

/// Where a bound of a frame lies in an ascending order.
fn bound(bound: &WindowFrameBound) -> Option<Offset> {
    match bound {
        WindowFrameBound::CurrentRow => Some(Offset::default()),
        WindowFrameBound::Preceding(length) => Some(interval(length)?.negated()),
        WindowFrameBound::Following(length) => interval(length),
    }
}

fn interval(length: &ScalarValue) -> Option<Offset> {
    shift_of(length).map(Offset::of_shift)
}

fn name(function: &WindowFunction) -> String {
    function.fun.to_string()
}

fn frame_text(function: &WindowFunction) -> String {
    let frame: &WindowFrame = &function.params.window_frame;
    match frame.units {
        WindowFrameUnits::Range => format!("`{}()` over a frame of time", name(function)),
        WindowFrameUnits::Rows | WindowFrameUnits::Groups => format!("`{}()` within a part of time", name(function)),
    }
}

fn blocked(function: &WindowFunction) -> Claim {
    let parts: Vec<String> =
        function.params.partition_by.iter().map(|part| format!("`{}`", crate::engine::show_filter(part))).collect();
    let per = if parts.is_empty() { String::new() } else { format!(" per {}", parts.join(", ")) };
    let name = name(function);
    Claim::blocked(format!("`{name}()`{per} looks across days"), Some(&name), Remedy::Lookback)
}
