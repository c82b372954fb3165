//! Asks the optimizer: a filter on the output's time is put on top, and read where it arrives at the scans.
//!
//! The optimizer keeps what a plan means. So a filter that arrives at a scan says that other rows do not count. A filter
//! is believed only where several ranges of time give the same picture.

use std::sync::Arc;

use chrono::{NaiveDate, NaiveDateTime, TimeDelta};
use datafusion::common::tree_node::{Transformed, TreeNodeRecursion};
use datafusion::common::{DFSchema, Result, ScalarValue};
use datafusion::execution::SessionState;
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{BinaryExpr, Expr, LogicalPlan, Operator, TableScan};

use crate::analyze::lineage::{TimeStep, time_mapping};
use crate::analyze::{InputTable, TypedModel, input_table};
use crate::day::{Grain, TimeRange, midnight};
use crate::engine::{Bound, bind};
use crate::engine::{DeclaredTable, declared_table};
use crate::template::ReferenceName;

/// A plan optimized under a bound.
pub(super) struct Probe {
    pub plan: LogicalPlan,
    pub scans: Vec<Seen>,
}

/// A scan of a probe.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub table: InputTable,
    schema: DFSchema,
    pub filters: Vec<Expr>,
}

/// The plan without its declared windows, so that what is found does not depend on them.
pub(super) fn undeclared(plan: &LogicalPlan) -> Result<LogicalPlan> {
    let stripped = plan.clone().transform_up_with_subqueries(|node| {
        let LogicalPlan::TableScan(mut scan) = node else { return Ok(Transformed::no(node)) };
        if let Some(table) = input_table(scan.source.as_ref()) {
            scan.source = Arc::new(InputTable { windows: Vec::new(), ..table.clone() });
        }
        Ok(Transformed::yes(LogicalPlan::TableScan(scan)))
    });
    stripped.map(|stripped| stripped.data)
}

/// Optimizes a plan under a bound, over tables that are only declared.
pub(super) fn probe(plan: &LogicalPlan, bound: Bound<'_>, state: &SessionState) -> Result<Probe> {
    let bound = bind(plan, bound, &mut |table| Ok(Arc::new(DeclaredTable(table.clone()))))?;
    let plan = state.optimize(&bound)?;
    let mut scans = Vec::new();
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node
            && let Some(table) = declared_table(scan)
        {
            scans.push(seen(scan, table)?);
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(Probe { plan, scans })
}

fn seen(scan: &TableScan, table: InputTable) -> Result<Seen> {
    let schema = DFSchema::try_from_qualified_schema(scan.table_name.clone(), &table.schema)?;
    let filters = scan.filters.iter().flat_map(split_conjunction).cloned().collect();
    Ok(Seen { table, schema, filters })
}

impl Probe {
    pub fn of<'p>(&'p self, scan: &'p ReferenceName) -> impl Iterator<Item = &'p Seen> {
        self.scans.iter().filter(move |seen| seen.table.name == *scan)
    }
}

/// The ranges that a model is probed with: of one slice and of several, in other years, months and days of the week.
pub(super) fn ranges(model: &TypedModel) -> Vec<TimeRange> {
    let days = [(2023, 5, 17, 0), (2021, 2, 3, 2), (2024, 2, 28, 0), (2025, 11, 8, 3), (2019, 12, 30, 1)];
    let of_calendar = days
        .iter()
        .filter_map(|(year, month, day, more)| Some((midnight(NaiveDate::from_ymd_opt(*year, *month, *day)?), *more)));
    let begin = model.config.begin.into_iter().flat_map(|begin| [(begin, 0), (begin, 2)]);
    begin.chain(of_calendar).filter_map(|(time, more)| slices(time, more, model.config.batch_size)).collect()
}

fn slices(time: NaiveDateTime, more: usize, grain: Grain) -> Option<TimeRange> {
    let start = grain.floor(time);
    let end = (0..=more).fold(start, |end, _| grain.next(end));
    TimeRange::new(start, end)
}

impl Seen {
    /// The steps from the range to the event time of this scan, if a filter for just this range has arrived.
    pub fn steps(&self, range: TimeRange) -> Option<Vec<TimeStep>> {
        let event_time = self.table.event_time.as_deref()?;
        let mut borders: Vec<(Vec<TimeStep>, Option<NaiveDateTime>, Option<NaiveDateTime>)> = Vec::new();
        for filter in &self.filters {
            let Some((expression, from, to)) = compared(filter) else { continue };
            let mapping = time_mapping(expression, &self.schema);
            if !is_column(mapping.base, event_time) {
                continue;
            }
            match borders.iter_mut().find(|border| border.0 == mapping.steps) {
                Some(border) => {
                    border.1 = border.1.max(from);
                    border.2 = [border.2, to].into_iter().flatten().min();
                }
                None => borders.push((mapping.steps, from, to)),
            }
        }
        let exact = |(_, from, to): &(_, Option<NaiveDateTime>, Option<NaiveDateTime>)| {
            *from == Some(range.start()) && *to == Some(range.end())
        };
        borders.into_iter().filter(exact).map(|border| border.0).min_by_key(Vec::len)
    }

    /// Whether only rows without an event time are asked for.
    pub fn is_timeless(&self) -> bool {
        let Some(event_time) = self.table.event_time.as_deref() else { return false };
        self.filters.iter().any(
            |filter| matches!(filter, Expr::IsNull(inner) if is_column(time_mapping(inner, &self.schema).base, event_time)),
        )
    }
}

fn is_column(expression: &Expr, name: &str) -> bool {
    matches!(expression, Expr::Column(column) if column.name == name)
}

/// A comparison with a literal: the expression, the first instant that is let through, and the first after the last.
fn compared(filter: &Expr) -> Option<(&Expr, Option<NaiveDateTime>, Option<NaiveDateTime>)> {
    match filter {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
            let (expression, op, literal) = match (left.as_ref(), right.as_ref()) {
                (expression, Expr::Literal(literal, _)) => (expression, *op, literal),
                (Expr::Literal(literal, _), expression) => (expression, op.swap()?, literal),
                _ => return None,
            };
            let (time, next) = instant(literal)?;
            match op {
                Operator::Eq => Some((expression, Some(time), Some(next))),
                Operator::GtEq => Some((expression, Some(time), None)),
                Operator::Gt => Some((expression, Some(next), None)),
                Operator::Lt => Some((expression, None, Some(time))),
                Operator::LtEq => Some((expression, None, Some(next))),
                _ => None,
            }
        }
        Expr::Between(between) if !between.negated => match (between.low.as_ref(), between.high.as_ref()) {
            (Expr::Literal(low, _), Expr::Literal(high, _)) => {
                Some((&between.expr, Some(instant(low)?.0), Some(instant(high)?.1)))
            }
            _ => None,
        },
        _ => None,
    }
}

/// A literal as an instant, and the next one that a value of its type can be.
fn instant(literal: &ScalarValue) -> Option<(NaiveDateTime, NaiveDateTime)> {
    let at = |micros: i64| Some(chrono::DateTime::from_timestamp_micros(micros)?.naive_utc());
    let (time, unit) = match literal {
        ScalarValue::Date32(Some(days)) => (at(i64::from(*days) * 86_400_000_000)?, TimeDelta::days(1)),
        ScalarValue::TimestampSecond(Some(count), None) => (at(count.checked_mul(1_000_000)?)?, TimeDelta::seconds(1)),
        ScalarValue::TimestampMillisecond(Some(count), None) => {
            (at(count.checked_mul(1000)?)?, TimeDelta::milliseconds(1))
        }
        ScalarValue::TimestampMicrosecond(Some(count), None) => (at(*count)?, TimeDelta::microseconds(1)),
        ScalarValue::TimestampNanosecond(Some(count), None) if count % 1000 == 0 => {
            (at(count / 1000)?, TimeDelta::microseconds(1))
        }
        _ => return None,
    };
    Some((time, time.checked_add_signed(unit)?))
}
