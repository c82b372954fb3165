//! Joins: the side that has the output's time, and what the condition says of the times of the other side.

use datafusion::common::{DFSchema, JoinType, NullEquality};
use datafusion::logical_expr::logical_plan::Join;
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{BinaryExpr, Expr, LogicalPlan, Operator};

use super::claim::{Claim, Remedy, replace};
use super::offset::{Offset, forward};
use crate::analyze::lineage::{TimeStep, alternatives, is_null_on_nulls, time_mapping};
use crate::day::{Length, Window};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Left,
    Right,
}

/// The claims on the left and on the right.
pub(super) fn below(join: &Join, claim: Claim) -> Vec<Claim> {
    let Some(on) = claim.on().cloned() else { return vec![claim] };
    if let Some((left, right)) = equal_on_both(join, &on) {
        let because = format!("joined on `{left} = {right}`");
        return vec![
            claim.clone().map(|_| Some(left)).simple(join.left.schema()).because(&because),
            claim.map(|_| Some(right)).simple(join.right.schema()).because(&because),
        ];
    }
    let Some(side) = owner(join, &on) else {
        let what = "the event time of the output is derived from both sides of a join";
        return vec![Claim::blocked(what, Some("join"), Remedy::JoinOnDate)];
    };
    let padded = match side {
        Side::Left => matches!(join.join_type, JoinType::Right | JoinType::Full),
        Side::Right => matches!(join.join_type, JoinType::Left | JoinType::Full),
    };
    let unsure = match &claim {
        // Rows that an outer join has filled up with nulls must not get a time.
        Claim::Slice { on, .. } => padded && !is_null_on_nulls(on),
        // And they have none, whatever the times of this side are.
        _ => padded,
    };
    if unsure {
        let what = "an outer join makes rows whose event time is null";
        return vec![Claim::blocked(what, Some("join"), Remedy::JoinOnDate)];
    }
    let (near, far) = match side {
        Side::Left => (&join.left, &join.right),
        Side::Right => (&join.right, &join.left),
    };
    let other = other_side(&Sides { join, side, near, far }, &on, &claim);
    match side {
        Side::Left => vec![claim, other],
        Side::Right => vec![other, claim],
    }
}

struct Sides<'a> {
    join: &'a Join,
    /// Where the output's time comes from.
    side: Side,
    near: &'a LogicalPlan,
    far: &'a LogicalPlan,
}

impl Claim {
    fn because(mut self, why: &str) -> Claim {
        if let Claim::Slice { evidence, .. } = &mut self {
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
    let is = |key: &Expr, wanted: &[&Expr]| match wanted {
        [one] => key == *one || alternatives(one).is_some_and(|of_one| alternatives(key) == Some(of_one)),
        several => alternatives(key).is_some_and(|of_key| of_key == several),
    };
    let last = std::slice::from_ref(last);
    let is_pair =
        |(left, right): &&(Expr, Expr)| (is(left, first) && is(right, last)) || (is(left, last) && is(right, first));
    let (left, right) = join.on.iter().find(is_pair)?;
    found.iter().all(|one| is_null_on_nulls(one)).then(|| (left.clone(), right.clone()))
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

/// The claim on the side that does not have the output's time: what the join's condition says of it.
fn other_side(sides: &Sides<'_>, on: &Expr, claim: &Claim) -> Claim {
    let join = sides.join;
    let blocked = || {
        let keys: Vec<String> =
            join.on.iter().map(|(left, _)| format!("`{}`", crate::engine::show_filter(left))).collect();
        let what = match keys.as_slice() {
            [] => "joined without a condition on the date".to_owned(),
            keys => format!("joined on {}, not on the date", keys.join(", ")),
        };
        Claim::blocked(what, Some("join"), Remedy::JoinOnDate)
    };
    if join.null_aware {
        let what = "`not in` keeps no row as soon as one row of any day is null";
        return Claim::blocked(what, Some("in"), Remedy::NotExists);
    }
    match claim {
        Claim::Slice { steps, evidence, .. } => match by_equality(sides, on).or_else(|| by_range(sides, on)) {
            Some(Found { on, steps: more, because }) => {
                let steps = steps.iter().copied().chain(more).collect();
                let evidence = evidence.iter().cloned().chain([because]).collect();
                Claim::Slice { on, steps, evidence }.simple(sides.far.schema())
            }
            None => blocked(),
        },
        // Null is not equal to anything.
        Claim::Timeless { .. } if join.null_equality == NullEquality::NullEqualsNothing => {
            if is_compared(sides, on) {
                Claim::Nothing
            } else {
                blocked()
            }
        }
        _ => blocked(),
    }
}

struct Found {
    on: Expr,
    steps: Vec<TimeStep>,
    because: String,
}

/// `b.d = f(a.d)`.
fn by_equality(sides: &Sides<'_>, on: &Expr) -> Option<Found> {
    let found = sides.join.on.iter().filter_map(|(left, right)| {
        let (mine, theirs) = match sides.side {
            Side::Left => (left, right),
            Side::Right => (right, left),
        };
        let near = time_mapping(mine, sides.near.schema());
        (near.base == on || equal(sides.near, on, near.base)).then(|| {
            let far = time_mapping(theirs, sides.far.schema());
            let steps = match near.steps == far.steps
                && near.steps.iter().all(|step| matches!(step, TimeStep::Shift(shift) if shift.months == 0))
            {
                true => Vec::new(),
                false => forward(&near.steps).into_iter().chain(far.steps).collect(),
            };
            Found { on: far.base.clone(), steps, because: format!("joined on `{left} = {right}`") }
        })
    });
    found.min_by_key(|found| found.steps.len())
}

/// Whether a match needs the near time: null does not match anything.
fn is_compared(sides: &Sides<'_>, on: &Expr) -> bool {
    sides.join.on.iter().any(|(left, right)| {
        let mine = if sides.side == Side::Left { left } else { right };
        time_mapping(mine, sides.near.schema()).base == on
    })
}

/// Whether two columns of a plan are equal on every row on which neither is null.
fn equal(plan: &LogicalPlan, one: &Expr, other: &Expr) -> bool {
    let below = |schema: &DFSchema, made_by: &[Expr], input: &LogicalPlan| match (
        replace(one, schema, made_by),
        replace(other, schema, made_by),
    ) {
        (Some(one), Some(other)) => one == other || equal(input, &one, &other),
        _ => false,
    };
    match plan {
        LogicalPlan::Filter(filter) => equal(&filter.input, one, other),
        LogicalPlan::SubqueryAlias(alias) => {
            let columns: Vec<Expr> = alias.input.schema().columns().into_iter().map(Expr::Column).collect();
            below(&alias.schema, &columns, &alias.input)
        }
        LogicalPlan::Projection(projection) => below(&projection.schema, &projection.expr, &projection.input),
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
fn by_range(sides: &Sides<'_>, on: &Expr) -> Option<Found> {
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
        let of = |border: &(Expr, Border)| (border.0 == column).then_some(border.1);
        let from = borders.iter().filter_map(of).filter_map(Border::low).max()?;
        let to = borders.iter().filter_map(of).filter_map(Border::high).min()?;
        let window = Offset { from, to }.window();
        let zero = Window { lookback: Length::ZERO, lookahead: Length::ZERO };
        let steps = if window == zero { Vec::new() } else { vec![TimeStep::Widen(window)] };
        Some(Found { on: column, steps, because: format!("joined where `{filter}`") })
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
fn compared(sides: &Sides<'_>, on: &Expr, condition: &Expr) -> Vec<(Expr, Border)> {
    let (left, right, low, high) = match condition {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => match op {
            Operator::GtEq | Operator::Gt => (left, right, true, false),
            Operator::LtEq | Operator::Lt => (left, right, false, true),
            Operator::Eq => (left, right, true, true),
            _ => return Vec::new(),
        },
        Expr::Between(between) if !between.negated => {
            let side = |op: Operator, bound: &Expr| {
                let condition = Expr::BinaryExpr(BinaryExpr::new(between.expr.clone(), op, Box::new(bound.clone())));
                compared(sides, on, &condition)
            };
            let mut found = side(Operator::GtEq, &between.low);
            found.extend(side(Operator::LtEq, &between.high));
            return found;
        }
        _ => return Vec::new(),
    };
    let (near, far) = (sides.near.schema(), sides.far.schema());
    let is_near = |expression: &Expr| {
        let base = time_mapping(expression, near).base;
        has_all(near, base) && (base == on || equal(sides.near, on, base))
    };
    let is_far = |expression: &Expr| matches!(time_mapping(expression, far).base, Expr::Column(column) if far.has_column(column));
    // Turned so that the far column stands on the left.
    let (theirs, mine, low, high) = if is_far(left) && is_near(right) {
        (left, right, low, high)
    } else if is_far(right) && is_near(left) {
        (right, left, high, low)
    } else {
        return Vec::new();
    };
    let (theirs, mine) = (time_mapping(theirs, far), time_mapping(mine, near));
    // theirs + t >= mine + m: theirs >= mine + m - t, for some m and t within the offsets of the chains.
    let offset = Offset::of_value(&mine.steps).plus(Offset::of_value(&theirs.steps).negated());
    let column = || theirs.base.clone();
    let low = low.then(|| (column(), Border::Low(offset.from)));
    low.into_iter().chain(high.then(|| (column(), Border::High(offset.to)))).collect()
}

fn has_all(schema: &DFSchema, expression: &Expr) -> bool {
    let columns = expression.column_refs();
    !columns.is_empty() && columns.into_iter().all(|column| schema.has_column(column))
}
