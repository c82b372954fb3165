//! A typed plan bound to tables that can be read: date filters on top and on the scans that have a window.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::DataType;
use chrono::{NaiveDate, NaiveDateTime};
use datafusion::catalog::TableProvider;
use datafusion::common::tree_node::{Transformed, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema, Result, ScalarValue, plan_err};
use datafusion::datasource::provider_as_source;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, lit};

use super::in_slices::in_slices;
use crate::analyze::lineage::Timeless;
use crate::analyze::{InputTable, input_table};
use crate::day::{TimeRange, Window, midnight};
use crate::table::SliceSet;
use crate::template::ReferenceName;

/// The part of a model's rows that a build makes.
#[derive(Debug, Clone)]
pub(crate) enum Bound<'a> {
    /// All of them.
    Whole,
    /// Those from this instant on, and those without an event time.
    From { event_time: &'a str, begin: NaiveDateTime },
    /// Those of these slices.
    Slices { event_time: &'a str, slices: SliceSet },
    /// Those of all other slices.
    Outside { event_time: &'a str, slices: SliceSet },
}

/// Windows that were proved and that the optimizer does not see, by the name of the scan.
pub(crate) type Proved = BTreeMap<ReferenceName, ProvedWindow>;

/// A window that one of karat's own rules has proved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ProvedWindow {
    pub window: Window,
    /// What counts for the rows without an event time.
    pub timeless: Timeless,
}

/// Puts a provider behind every scan, and the filters of the bound where they belong: the slices on top of the model,
/// from where the optimizer pushes them down as far as that changes nothing, and a declared window directly on the scan
/// that declares it.
///
/// An author who declares a window says that a slice comes out right from one range without gaps that holds the window,
/// or from all rows. Nothing is said of two windows with a hole between them: a running sum would miss what lies in the
/// hole. So slices with gaps read one range from the first to the last, and `incremental::queries` decides
/// beforehand which slices are better computed by queries of their own. A proved window says that no other row counts,
/// whatever other rows there are: proved windows are united, holes and all.
pub(crate) fn bind(
    plan: &LogicalPlan,
    bound: Bound<'_>,
    provide: &mut dyn FnMut(&InputTable) -> Result<Arc<dyn TableProvider>>,
) -> Result<LogicalPlan> {
    bind_proved(plan, bound, &Proved::new(), provide)
}

/// As [`bind`], with a filter on every scan whose window was proved as well.
pub(crate) fn bind_proved(
    plan: &LogicalPlan,
    bound: Bound<'_>,
    proved: &Proved,
    provide: &mut dyn FnMut(&InputTable) -> Result<Arc<dyn TableProvider>>,
) -> Result<LogicalPlan> {
    let wanted = match &bound {
        Bound::Slices { slices, .. } => Some(slices.clone()),
        Bound::Whole | Bound::From { .. } | Bound::Outside { .. } => None,
    };
    let alone = reads_one_table(plan);
    let bound_plan = plan.clone().transform_up_with_subqueries(|node| {
        let LogicalPlan::TableScan(mut scan) = node else {
            return Ok(Transformed::no(node));
        };
        let Some(table) = input_table(scan.source.as_ref()) else {
            return Ok(Transformed::no(LogicalPlan::TableScan(scan)));
        };
        let table = InputTable { keeps_partitions: alone, ..table.clone() };
        scan.source = provider_as_source(provide(&table)?);
        let scan = LogicalPlan::TableScan(scan);
        let counting = match (&wanted, &table.event_time) {
            (Some(slices), Some(_)) => counting(slices, &table, proved),
            _ => None,
        };
        match (counting, &table.event_time) {
            (Some(counting), Some(event_time)) => {
                let filter = within(scan.schema(), event_time, &counting)?;
                LogicalPlanBuilder::from(scan).filter(filter)?.build().map(Transformed::yes)
            }
            _ => Ok(Transformed::yes(scan)),
        }
    })?;
    let plan = bound_plan.data;
    let filter = match bound {
        Bound::Whole => return Ok(plan),
        Bound::From { event_time, begin } => {
            let (column, data_type) = column(plan.schema(), event_time)?;
            let from = instant(&data_type, begin);
            column.clone().gt_eq(from).or(column.is_null())
        }
        Bound::Slices { event_time, slices } => within(plan.schema(), event_time, &slices)?,
        Bound::Outside { event_time, slices } => {
            let (column, _) = column(plan.schema(), event_time)?;
            let timed = SliceSet::new(slices.ranges().to_vec(), false);
            let outside = Expr::Not(Box::new(within(plan.schema(), event_time, &timed)?));
            if slices.timeless() { column.is_not_null().and(outside) } else { column.is_null().or(outside) }
        }
    };
    LogicalPlanBuilder::from(plan).filter(filter)?.build()
}

/// The times of a scan that its window lets through for these slices. None if nothing is known to let rows out.
fn counting(slices: &SliceSet, table: &InputTable, proved: &Proved) -> Option<SliceSet> {
    if table.windows.is_empty() {
        let ProvedWindow { window, timeless } = *proved.get(&table.name)?;
        let all_count = slices.timeless() && timeless == Timeless::Anything;
        let ranges = slices.ranges().iter().map(|range| range.widened(window)).collect();
        return (!all_count).then(|| SliceSet::new(ranges, slices.timeless()));
    }
    let_through(slices, &table.windows)
}

/// The times that declared windows let through for slices that one query computes: one range without gaps. None for all.
pub(crate) fn let_through(slices: &SliceSet, windows: &[Window]) -> Option<SliceSet> {
    // A window is a range of time, and says nothing of the rows without one.
    if slices.timeless() {
        return None;
    }
    let widened = |range: TimeRange| windows.iter().fold(range, |range, window| range.widened(*window));
    Some(SliceSet::new(slices.hull().map(widened).into_iter().collect(), false))
}

/// Whether the plan has a single leaf. With two, a join could take rows for neighbours that were dealt out differently.
fn reads_one_table(plan: &LogicalPlan) -> bool {
    let mut leaves = 0;
    let counted = plan.apply_with_subqueries(|node| {
        leaves += usize::from(node.inputs().is_empty());
        Ok(TreeNodeRecursion::Continue)
    });
    counted.is_ok() && leaves == 1
}

/// `event_time` lies in one of the slices. A side at the end of time is no condition.
fn within(schema: &DFSchema, event_time: &str, slices: &SliceSet) -> Result<Expr> {
    let (column, data_type) = column(schema, event_time)?;
    let timeless = slices.timeless().then(|| column.clone().is_null());
    let timed = match (slices.ranges(), slices.hull()) {
        (ranges, Some(hull)) if ranges.len() > MOST_COMPARED => {
            // The hull is what statistics of files can be compared with.
            let hull = within_one(&column, &data_type, hull);
            vec![hull.and(in_slices(column.clone(), ranges))]
        }
        (ranges, _) => ranges.iter().map(|range| within_one(&column, &data_type, *range)).collect(),
    };
    let inside = timed.into_iter().chain(timeless).reduce(Expr::or);
    Ok(inside.unwrap_or_else(|| lit(false)))
}

/// So many ranges are compared one by one.
const MOST_COMPARED: usize = 16;

fn within_one(column: &Expr, data_type: &DataType, range: TimeRange) -> Expr {
    let from = (range.start() > NaiveDateTime::MIN).then(|| column.clone().gt_eq(instant(data_type, range.start())));
    let to = (range.end() < NaiveDateTime::MAX).then(|| match data_type {
        DataType::Date32 => column.clone().lt_eq(instant(data_type, midnight(range.last_day()))),
        _ => column.clone().lt(instant(data_type, range.end())),
    });
    from.into_iter().chain(to).reduce(Expr::and).unwrap_or_else(|| column.clone().is_not_null())
}

fn column(schema: &DFSchema, name: &str) -> Result<(Expr, DataType)> {
    let Ok((qualifier, field)) = schema.qualified_field_with_unqualified_name(name) else {
        return plan_err!("the event-time column `{name}` is not in the output");
    };
    let column = Column::new(qualifier.cloned(), name);
    Ok((Expr::Column(column), field.data_type().clone()))
}

/// An instant as a literal of the column's type.
fn instant(data_type: &DataType, time: NaiveDateTime) -> Expr {
    match data_type {
        DataType::Date32 => {
            let days = time.date().signed_duration_since(NaiveDate::default()).num_days();
            lit(ScalarValue::Date32(i32::try_from(days).ok()))
        }
        _ => lit(ScalarValue::TimestampMicrosecond(Some(time.and_utc().timestamp_micros()), None)),
    }
}
