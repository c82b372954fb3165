//! `b <> 0 and a / b > 1` divides only where the first holds: the engine would compute both sides for every row.

use datafusion::common::ScalarValue;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::logical_expr::{BinaryExpr, Case, Expr, Operator};

use super::operator::CheckedOperator;

/// Of so many conditions before it a division takes note: longer chains would be copied too often.
const MOST_CONDITIONS: usize = 16;

/// Gives no divisor to divisions on the right whose rows are decided by the left. Their result is null then, which
/// decides nothing.
pub(super) fn guarded(binary: BinaryExpr) -> Transformed<Expr> {
    let BinaryExpr { left, op, right } = binary;
    if !divides(&right) {
        return Transformed::no(Expr::BinaryExpr(BinaryExpr { left, op, right }));
    }
    // SQL's three-valued logic lets a false side decide an `and`, and a true one an `or`, whatever the other side is. The
    // engine evaluates whole columns, so the right side is computed for decided rows too, and must not fail there.
    let mut conditions = Vec::new();
    conditions_of(&left, op, &mut conditions);
    conditions.truncate(MOST_CONDITIONS);
    let decided = conditions
        .into_iter()
        .rev()
        .cloned()
        .reduce(|all, next| Expr::BinaryExpr(BinaryExpr { left: Box::new(all), op, right: Box::new(next) }));
    let Some(decided) = decided else {
        return Transformed::no(Expr::BinaryExpr(BinaryExpr { left, op, right }));
    };
    // Null decides nothing: the division is computed, as PostgreSQL does.
    let condition = match op {
        Operator::Or => Expr::IsNotTrue(Box::new(decided)),
        _ => Expr::IsNotFalse(Box::new(decided)),
    };
    let right = right.transform_up(|expr| Ok(with_guard(expr, &condition)));
    let right = right.expect("replacing divisors cannot fail").data;
    Transformed::yes(Expr::BinaryExpr(BinaryExpr { left, op, right: Box::new(right) }))
}

/// The conditions of a chain of one operator that divide nothing themselves, the nearest first.
fn conditions_of<'e>(expr: &'e Expr, op: Operator, found: &mut Vec<&'e Expr>) {
    // `a and b and c` is parsed to the left: `(a and b) and c`.
    let mut rest = expr;
    while let Expr::BinaryExpr(BinaryExpr { left, op: inner, right }) = rest
        && *inner == op
    {
        if !divides(right) {
            found.push(right);
        }
        rest = left;
    }
    if !divides(rest) {
        found.push(rest);
    }
}

fn with_guard(expr: Expr, condition: &Expr) -> Transformed<Expr> {
    match expr {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) if is_division(op) => {
            let right = Box::new(only_if(condition, *right));
            Transformed::yes(Expr::BinaryExpr(BinaryExpr { left, op, right }))
        }
        Expr::ScalarFunction(mut call) if is_checked_division(&call.func) => {
            let divisor = call.args.pop().map(|divisor| only_if(condition, divisor));
            call.args.extend(divisor);
            Transformed::yes(Expr::ScalarFunction(call))
        }
        other => Transformed::no(other),
    }
}

/// `case when condition then value end`. A literal needs no guard: that it is zero is seen when the plan is made.
fn only_if(condition: &Expr, value: Expr) -> Expr {
    if matches!(value, Expr::Literal(..)) {
        return value;
    }
    let when = (Box::new(condition.clone()), Box::new(value));
    Expr::Case(Case { expr: None, when_then_expr: vec![when], else_expr: None })
}

/// Whether an expression is what a division was guarded by.
pub(super) fn is_guard(when: &Expr) -> bool {
    match when {
        Expr::BinaryExpr(BinaryExpr { left: _, op, right }) => {
            matches!(op, Operator::IsDistinctFrom | Operator::IsNotDistinctFrom)
                && matches!(right.as_ref(), Expr::Literal(ScalarValue::Boolean(Some(_)), _))
        }
        other => matches!(other, Expr::IsNotFalse(_) | Expr::IsNotTrue(_) | Expr::IsTrue(_)),
    }
}

/// `value is true` and the like, as a comparison.
pub(super) fn is(value: Expr, op: Operator, truth: bool) -> Transformed<Expr> {
    let truth = Expr::Literal(ScalarValue::Boolean(Some(truth)), None);
    Transformed::yes(Expr::BinaryExpr(BinaryExpr { left: Box::new(value), op, right: Box::new(truth) }))
}

/// The arguments of an aggregate for the rows that its filter lets through: the engine would compute them for all, and stop at a
/// row that does not count.
pub(super) fn filtered(arguments: Vec<Expr>, filter: Option<&Expr>) -> Vec<Expr> {
    let Some(filter) = filter else { return arguments };
    let condition = Expr::IsTrue(Box::new(filter.clone()));
    let filtered = arguments.into_iter().map(|argument| match argument {
        // A column cannot fail, and a plan without needless cases is quicker.
        Expr::Column(_) => argument,
        other => only_if(&condition, other),
    });
    filtered.collect()
}

fn divides(expr: &Expr) -> bool {
    let found = expr.exists(|expr| {
        Ok(match expr {
            Expr::BinaryExpr(binary) => is_division(binary.op),
            Expr::ScalarFunction(call) => is_checked_division(&call.func),
            _ => false,
        })
    });
    found.expect("looking at expressions cannot fail")
}

fn is_division(op: Operator) -> bool {
    matches!(op, Operator::Divide | Operator::Modulo)
}

fn is_checked_division(function: &datafusion::logical_expr::ScalarUDF) -> bool {
    function.inner().downcast_ref::<CheckedOperator>().is_some_and(CheckedOperator::may_divide)
}
