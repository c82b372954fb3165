//! Joins: the side that has the output's time, and what the condition says of the times of the other side.

use datafusion::common::{DFSchema, JoinType, NullEquality};
use datafusion::logical_expr::logical_plan::Join;
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{BinaryExpr, Expr, LogicalPlan, Operator};

use super::offset::{Offset, forward};
use super::time_constraint::{Remedy, TimeConstraint};
use crate::analyze::lineage::{TimeStep, alternatives, is_null_on_nulls, time_mapping, transfer};
use crate::day::{Length, Window};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Left,
    Right,
}

/// The constraints on the left and on the right.
pub(super) fn below(join: &Join, constraint: TimeConstraint) -> Vec<TimeConstraint> {
    let Some(on) = constraint.on().cloned() else { return vec![constraint] };
    if let Some((left, right)) = equal_on_both(join, &on) {
        let because = format!("joined on `{left} = {right}`");
        return vec![
            constraint.clone().map(|_| Some(left)).simple(join.left.schema()).because(&because),
            constraint.map(|_| Some(right)).simple(join.right.schema()).because(&because),
        ];
    }
    let Some(side) = owner(join, &on) else {
        let what = "the event time of the output is derived from both sides of a join";
        return vec![TimeConstraint::blocked(what, Some("join"), Remedy::JoinOnDate)];
    };
    let padded = match side {
        Side::Left => matches!(join.join_type, JoinType::Right | JoinType::Full),
        Side::Right => matches!(join.join_type, JoinType::Left | JoinType::Full),
    };
    let unsure = match &constraint {
        // Rows that an outer join has filled up with nulls must not get a time.
        TimeConstraint::Slice { on, .. } => padded && !is_null_on_nulls(on),
        // And they have none, whatever the times of this side are.
        _ => padded,
    };
    if unsure {
        let what = "an outer join makes rows whose event time is null";
        return vec![TimeConstraint::blocked(what, Some("join"), Remedy::JoinOnDate)];
    }
    let (near, far) = match side {
        Side::Left => (&join.left, &join.right),
        Side::Right => (&join.right, &join.left),
    };
    let other = other_side(&JoinSides { join, side, near, far }, &on, &constraint);
    match side {
        Side::Left => vec![constraint, other],
        Side::Right => vec![other, constraint],
    }
}

struct JoinSides<'a> {
    join: &'a Join,
    /// Where the output's time comes from.
    side: Side,
    near: &'a LogicalPlan,
    far: &'a LogicalPlan,
}

impl JoinSides<'_> {
    /// Whether an expression is made of the output's time, or of what equals it.
    fn is_near(&self, on: &Expr, expression: &Expr) -> bool {
        let base = time_mapping(expression, self.near.schema()).base;
        has_all(self.near.schema(), base) && (base == on || equal(self.near, on, base))
    }

    /// Whether an expression is made of one column of the other side.
    fn is_far(&self, expression: &Expr) -> bool {
        let base = time_mapping(expression, self.far.schema()).base;
        matches!(base, Expr::Column(column) if self.far.schema().has_column(column))
    }
}

impl TimeConstraint {
    fn because(mut self, why: &str) -> TimeConstraint {
        if let TimeConstraint::Slice { evidence, .. } = &mut self {
            evidence.push(why.to_owned());
        }
        self
    }
}

/// `coalesce(a.d, b.d)` over a join on `a.d = b.d`: every row has the time of the side that it has.
fn equal_on_both(join: &Join, on: &Expr) -> Option<(Expr, Expr)> {
    let found = alternatives(on)?;
    let (last, first) = found.split_last()?;
    // Those of an earlier join come first: they stand together on one side of this one.
    let last = std::slice::from_ref(last);
    let (left, right) = join.on.iter().find(|(left, right)| {
        (chooses_from(left, first) && chooses_from(right, last))
            || (chooses_from(left, last) && chooses_from(right, first))
    })?;
    found.iter().all(|one| is_null_on_nulls(one)).then(|| (left.clone(), right.clone()))
}

/// Whether a key of a join is these expressions: the one, or `coalesce` over all.
fn chooses_from(key: &Expr, wanted: &[&Expr]) -> bool {
    match wanted {
        [one] => key == *one || alternatives(one).is_some_and(|of_one| alternatives(key) == Some(of_one)),
        several => alternatives(key).is_some_and(|of_key| of_key == several),
    }
}

/// The side that has all columns of an expression.
fn owner(join: &Join, on: &Expr) -> Option<Side> {
    let left = join.left.schema().fields().len();
    let mut sides = on.column_refs().into_iter().map(|column| {
        let index = join.schema.maybe_index_of_column(column)?;
        Some(match join.join_type {
            JoinType::RightSemi | JoinType::RightAnti | JoinType::RightMark => Side::Right,
            _ if index < left => Side::Left,
            _ => Side::Right,
        })
    });
    let first = sides.next()??;
    sides.all(|side| side == Some(first)).then_some(first)
}

/// The constraint on the side that does not have the output's time: what the join's condition says of it.
fn other_side(sides: &JoinSides<'_>, on: &Expr, constraint: &TimeConstraint) -> TimeConstraint {
    let join = sides.join;
    if join.null_aware {
        let what = "`not in` keeps no row as soon as one row of any day is null";
        return TimeConstraint::blocked(what, Some("in"), Remedy::NotExists);
    }
    match constraint {
        TimeConstraint::Slice { steps, evidence, .. } => match by_equality(sides, on).or_else(|| by_range(sides, on)) {
            Some(JoinProof { on, steps: more, because }) => {
                let steps = steps.iter().copied().chain(more).collect();
                let evidence = evidence.iter().cloned().chain([because]).collect();
                TimeConstraint::Slice { on, steps, evidence }.simple(sides.far.schema())
            }
            None => not_on_date(join),
        },
        // Null is not equal to anything.
        TimeConstraint::NullTime { .. } if join.null_equality == NullEquality::NullEqualsNothing => {
            if is_compared(sides, on) { TimeConstraint::Nothing } else { not_on_date(join) }
        }
        _ => not_on_date(join),
    }
}

fn not_on_date(join: &Join) -> TimeConstraint {
    let keys: Vec<String> = join.on.iter().map(|(left, _)| format!("`{}`", crate::engine::show_filter(left))).collect();
    let what = match keys.as_slice() {
        [] => "joined without a condition on the date".to_owned(),
        keys => format!("joined on {}, not on the date", keys.join(", ")),
    };
    TimeConstraint::blocked(what, Some("join"), Remedy::JoinOnDate)
}

struct JoinProof {
    on: Expr,
    steps: Vec<TimeStep>,
    because: String,
}

/// `b.d = f(a.d)`.
fn by_equality(sides: &JoinSides<'_>, on: &Expr) -> Option<JoinProof> {
    let found = sides.join.on.iter().filter_map(|(left, right)| {
        let (mine, theirs) = match sides.side {
            Side::Left => (left, right),
            Side::Right => (right, left),
        };
        let near = time_mapping(mine, sides.near.schema());
        (near.base == on || equal(sides.near, on, near.base)).then(|| {
            let far = time_mapping(theirs, sides.far.schema());
            // `a.d + 1 = b.d + 1` says `a.d = b.d`, because days are added one to one. Months are not, nor is cutting.
            let is_one_to_one =
                near.steps.iter().all(|step| matches!(step, TimeStep::Shift(shift) if shift.months == 0));
            let steps = if near.steps == far.steps && is_one_to_one {
                Vec::new()
            } else {
                forward(&near.steps).into_iter().chain(far.steps).collect()
            };
            JoinProof { on: far.base.clone(), steps, because: format!("joined on `{left} = {right}`") }
        })
    });
    found.min_by_key(|found| found.steps.len())
}

/// Whether a match needs the near time: null does not match anything.
fn is_compared(sides: &JoinSides<'_>, on: &Expr) -> bool {
    sides.join.on.iter().any(|(left, right)| {
        let mine = if sides.side == Side::Left { left } else { right };
        time_mapping(mine, sides.near.schema()).base == on
    })
}

/// Whether two columns of a plan are equal on every row on which neither is null.
fn equal(plan: &LogicalPlan, one: &Expr, other: &Expr) -> bool {
    match plan {
        LogicalPlan::Filter(_) | LogicalPlan::SubqueryAlias(_) | LogicalPlan::Projection(_) => {
            let inflows = transfer(plan).unwrap_or_default();
            inflows.iter().any(|inflow| match (inflow.replace(one), inflow.replace(other)) {
                (Some(one), Some(other)) => one == other || equal(inflow.plan, &one, &other),
                _ => false,
            })
        }
        LogicalPlan::Join(join) => {
            let is_pair =
                |(left, right): &(Expr, Expr)| (left == one && right == other) || (left == other && right == one);
            if join.on.iter().any(is_pair) {
                return true;
            }
            match (owner(join, one), owner(join, other)) {
                (Some(Side::Left), Some(Side::Left)) => equal(&join.left, one, other),
                (Some(Side::Right), Some(Side::Right)) => equal(&join.right, one, other),
                _ => false,
            }
        }
        _ => false,
    }
}

/// `b.d >= a.d - interval '29 days' and b.d <= a.d`: both borders are needed.
fn by_range(sides: &JoinSides<'_>, on: &Expr) -> Option<JoinProof> {
    let filter = sides.join.filter.as_ref()?;
    let conditions = split_conjunction(filter);
    let mut columns: Vec<Expr> = Vec::new();
    let mut borders: Vec<(Expr, Border)> = Vec::new();
    for condition in conditions {
        for (column, border) in compared(sides, on, condition) {
            if !columns.contains(&column) {
                columns.push(column.clone());
            }
            borders.push((column, border));
        }
    }
    columns.into_iter().find_map(|column| {
        // All conditions hold at once, so the narrowest borders count.
        let own = borders.iter().filter(|(of, _)| *of == column).map(|(_, border)| *border);
        let from = own.clone().filter_map(Border::low).max()?;
        let to = own.filter_map(Border::high).min()?;
        let window = Offset { from, to }.window();
        let zero = Window { lookback: Length::ZERO, lookahead: Length::ZERO };
        let steps = if window == zero { Vec::new() } else { vec![TimeStep::Widen(window)] };
        Some(JoinProof { on: column, steps, because: format!("joined where `{filter}`") })
    })
}

/// A border of the far column, seen from the near one, in microseconds.
#[derive(Debug, Clone, Copy)]
enum Border {
    Low(i64),
    High(i64),
}

impl Border {
    fn low(self) -> Option<i64> {
        match self {
            Border::Low(low) => Some(low),
            Border::High(_) => None,
        }
    }

    fn high(self) -> Option<i64> {
        match self {
            Border::High(high) => Some(high),
            Border::Low(_) => None,
        }
    }
}

/// What a comparison of a far column with the near one says.
fn compared(sides: &JoinSides<'_>, on: &Expr, condition: &Expr) -> Vec<(Expr, Border)> {
    let (left, right, low, high) = match condition {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => match op {
            Operator::GtEq | Operator::Gt => (left, right, true, false),
            Operator::LtEq | Operator::Lt => (left, right, false, true),
            Operator::Eq => (left, right, true, true),
            _ => return Vec::new(),
        },
        Expr::Between(between) if !between.negated => {
            let bounds = [(Operator::GtEq, &between.low), (Operator::LtEq, &between.high)];
            let conditions = bounds.map(|(op, bound)| BinaryExpr::new(between.expr.clone(), op, bound.clone()));
            return conditions.into_iter().flat_map(|bound| compared(sides, on, &Expr::BinaryExpr(bound))).collect();
        }
        _ => return Vec::new(),
    };
    // Turned so that the far column stands on the left.
    let (theirs, mine, low, high) = if sides.is_far(left) && sides.is_near(on, right) {
        (left, right, low, high)
    } else if sides.is_far(right) && sides.is_near(on, left) {
        (right, left, high, low)
    } else {
        return Vec::new();
    };
    let theirs = time_mapping(theirs, sides.far.schema());
    let mine = time_mapping(mine, sides.near.schema());
    // theirs + t >= mine + m: theirs >= mine + m - t, for some m and t within the offsets of the chains.
    let offset = Offset::of_value(&mine.steps).plus(Offset::of_value(&theirs.steps).negated());
    let low = low.then_some(Border::Low(offset.from));
    let borders = low.into_iter().chain(high.then_some(Border::High(offset.to)));
    borders.map(|border| (theirs.base.clone(), border)).collect()
}

fn has_all(schema: &DFSchema, expression: &Expr) -> bool {
    let columns = expression.column_refs();
    !columns.is_empty() && columns.into_iter().all(|column| schema.has_column(column))
}
