//! Calls and casts that can never be computed because of the literals in them: an error before a row is read.
//!
//! What consists of literals alone is computed once, here. A function that also takes columns is called with a value for each of
//! them that suits every unit, format and position, if its literals choose how it works (`date_trunc('mnth', day)`).
//!
//! PostgreSQL computes nothing in a branch that is never taken, and templates write such branches: `case when 0 = 0 then null else
//! ln(0) end`. There, only texts are judged: a text that is no date, unit or pattern is wrong for whatever comes. Operators are
//! left to the run everywhere.

mod positions;

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Schema};
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, DataFusionError, Result, ScalarValue};
use datafusion::logical_expr::execution_props::ExecutionProps;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::{Case, Expr, ExprSchemable, LogicalPlan, Operator, Volatility};
use datafusion::physical_expr::create_physical_expr;

use super::arithmetic::ArithmeticFault;
use super::cast_fault::CastFault;
use super::literal_fault::{LiteralFault, as_written};
use super::wording::tidy;
use crate::diag::nearest;

/// Functions whose literals choose how they work.
const CHOOSING: [&str; 9] =
    ["date_bin", "date_trunc", "decode", "encode", "overlay", "split_part", "substr", "substring", "to_char"];

/// Functions that stand for operators, and those that make large values of small ones.
const LEFT_TO_THE_RUN: [&str; 9] =
    ["add", "subtract", "multiply", "divide", "remainder", "lpad", "rpad", "repeat", "generate_series"];

/// Functions that compute only as many of their arguments as they need.
const LAZY: [&str; 4] = ["coalesce", "ifnull", "nvl", "nullif"];

/// The units of `date_trunc`.
const UNITS: [&str; 13] = [
    "microseconds",
    "milliseconds",
    "second",
    "minute",
    "hour",
    "day",
    "week",
    "month",
    "quarter",
    "year",
    "decade",
    "century",
    "millennium",
];

/// Refuses what can never be computed in any expression of the plan.
pub(super) fn check(plan: &LogicalPlan) -> Result<()> {
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::Limit(limit) = node {
            positions::check_limit(limit)?;
        }
        let schema = input_schema(node);
        node.apply_expressions(|expr| {
            check_expression(expr, Branch::Taken, &schema)?;
            Ok(TreeNodeRecursion::Continue)
        })
    })
    .map(drop)
}

/// What the expressions of a node are computed from.
fn input_schema(node: &LogicalPlan) -> DFSchema {
    let mut all = DFSchema::empty();
    for input in node.inputs() {
        all.merge(input.schema());
    }
    all
}

/// Whether an expression is computed for every row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Branch {
    Taken,
    /// It depends on other values.
    Guarded,
}

fn check_expression(expr: &Expr, branch: Branch, schema: &DFSchema) -> Result<()> {
    match expr {
        Expr::Case(Case { expr: base, when_then_expr, else_expr }) => {
            for (index, (when, then)) in when_then_expr.iter().enumerate() {
                // The first condition is always looked at.
                check_expression(when, if index == 0 { branch } else { Branch::Guarded }, schema)?;
                check_expression(then, Branch::Guarded, schema)?;
            }
            base.iter().try_for_each(|base| check_expression(base, branch, schema))?;
            else_expr.iter().try_for_each(|otherwise| check_expression(otherwise, Branch::Guarded, schema))
        }
        Expr::BinaryExpr(binary) if matches!(binary.op, Operator::And | Operator::Or) => {
            check_expression(&binary.left, branch, schema)?;
            check_expression(&binary.right, Branch::Guarded, schema)
        }
        Expr::ScalarFunction(function) if LAZY.contains(&function.name()) => {
            for (index, argument) in function.args.iter().enumerate() {
                check_expression(argument, if index == 0 { branch } else { Branch::Guarded }, schema)?;
            }
            Ok(())
        }
        other => {
            let mut checked = Ok(());
            other.apply_children(|child| {
                checked = check_expression(child, branch, schema);
                Ok(if checked.is_ok() { TreeNodeRecursion::Continue } else { TreeNodeRecursion::Stop })
            })?;
            checked?;
            judge(other, branch, schema)
        }
    }
}

/// Computes one call or cast whose parts are well.
fn judge(expr: &Expr, branch: Branch, schema: &DFSchema) -> Result<()> {
    if branch == Branch::Taken {
        positions::check(expr)?;
    }
    let is_judged = match expr {
        Expr::Cast(cast) => is_text(&cast.expr) || branch == Branch::Taken && is_constant(&cast.expr),
        Expr::ScalarFunction(function) => {
            !LEFT_TO_THE_RUN.contains(&function.name())
                && function.func.signature().volatility == Volatility::Immutable
                && (branch == Branch::Taken || is_read_at_once(function))
        }
        _ => false,
    };
    if !is_judged {
        return Ok(());
    }
    if is_constant(expr) {
        return match compute(expr) {
            Some(error) => Err(refusal(expr, &error)),
            None => Ok(()),
        };
    }
    match expr {
        Expr::ScalarFunction(function) if CHOOSING.contains(&function.name()) => choice(function, schema),
        _ => Ok(()),
    }
}

/// Whether PostgreSQL reads the text when it reads the statement, as it does in a cast, or the text chooses how the function works.
fn is_read_at_once(function: &ScalarFunction) -> bool {
    CHOOSING.contains(&function.name()) || matches!(&function.args[..], [only] if is_text(only))
}

/// Calls a function with its literals, and a value that suits them all for everything else.
fn choice(function: &ScalarFunction, schema: &DFSchema) -> Result<()> {
    let mut has_literal = false;
    let mut arguments = Vec::with_capacity(function.args.len());
    for argument in &function.args {
        if is_constant(argument) {
            has_literal = true;
            arguments.push(argument.clone());
        } else {
            // What cannot be typed from here, as a column of an outer query, tells nothing.
            let value = argument.get_type(schema).ok().and_then(|data_type| sample(&data_type));
            let Some(value) = value else { return Ok(()) };
            arguments.push(Expr::Literal(value, None));
        }
    }
    let call = Expr::ScalarFunction(ScalarFunction::new_udf(Arc::clone(&function.func), arguments));
    match compute(&call).filter(|_| has_literal) {
        Some(error) => Err(refusal(&Expr::ScalarFunction(function.clone()), &error)),
        None => Ok(()),
    }
}

/// A value that no unit, format or position is wrong for.
fn sample(data_type: &DataType) -> Option<ScalarValue> {
    let of_text = |text: &str| ScalarValue::Utf8(Some(text.to_owned()));
    let plain = match data_type {
        // Two digits of a number in base 16, and a part of one in base 64.
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => of_text("aaaa"),
        DataType::Date32 | DataType::Timestamp(_, _) => of_text("2000-01-01"),
        kind if kind.is_numeric() => ScalarValue::Int64(Some(1)),
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => of_text("a"),
        _ => return None,
    };
    plain.cast_to(data_type).ok()
}

fn is_text(expr: &Expr) -> bool {
    matches!(
        expr,
        Expr::Literal(ScalarValue::Utf8(Some(_)) | ScalarValue::Utf8View(Some(_)) | ScalarValue::LargeUtf8(Some(_)), _)
    )
}

/// Whether it is made of literals alone, and of nothing that makes much of them.
fn is_constant(expr: &Expr) -> bool {
    match expr {
        Expr::Literal(_, _) => true,
        Expr::Cast(cast) => is_constant(&cast.expr),
        Expr::Negative(inner) => is_constant(inner),
        Expr::Alias(alias) => is_constant(&alias.expr),
        Expr::ScalarFunction(function) => {
            !LEFT_TO_THE_RUN.contains(&function.name())
                && function.func.signature().volatility == Volatility::Immutable
                && function.args.iter().all(is_constant)
        }
        _ => false,
    }
}

/// Why an expression without columns cannot be computed; `None` if it can, or if nobody can tell yet.
fn compute(expr: &Expr) -> Option<DataFusionError> {
    // What reads nothing is computed over one row without columns.
    let empty = Arc::new(Schema::new(vec![Field::new("none", DataType::Boolean, true)]));
    let columns = Arc::new(arrow::array::BooleanArray::from(vec![None::<bool>]));
    let row = RecordBatch::try_new(empty, vec![columns]).ok()?;
    let physical =
        create_physical_expr(expr, &DFSchema::empty(), &ExecutionProps::new(), &PhysicalPlanningContext::default())
            .ok()?;
    match physical.evaluate(&row).err()? {
        DataFusionError::Internal(_) | DataFusionError::NotImplemented(_) => None,
        error => Some(error),
    }
}

fn refusal(expr: &Expr, error: &DataFusionError) -> DataFusionError {
    if let Expr::ScalarFunction(function) = expr
        && function.name() == "date_trunc"
        && let Some(Expr::Literal(unit, _)) = function.args.first()
        && let Some(unit) = unit.try_as_str().flatten()
        && !UNITS.contains(&unit.to_lowercase().as_str())
    {
        let help = match nearest(unit, UNITS) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "the units are `day`, `week`, `month`, `quarter`, `year`, `hour` and so on".to_owned(),
        };
        return LiteralFault::of(expr, format!("`{unit}` is not a unit of time")).with_help(help).into();
    }
    if let DataFusionError::External(external) = error.find_root()
        && let Some(fault) = external.downcast_ref::<ArithmeticFault>()
    {
        return LiteralFault::of(expr, fault.to_string()).into();
    }
    let reason = error.strip_backtrace();
    if let Some(fault) = CastFault::of_engine(&reason) {
        return LiteralFault::of(expr, fault.message).of_types().into();
    }
    let reason = reason.lines().next().unwrap_or_default();
    let prefixes = [
        "Execution error: ",
        "Arrow error: ",
        "Cast error: ",
        "Parser error: ",
        "Compute error: ",
        "Invalid argument error: ",
    ];
    let reason = prefixes.iter().fold(reason, |text, prefix| text.strip_prefix(prefix).unwrap_or(text));
    let reason = reason.trim_end_matches('.');
    // The author's text is told apart where the message is written.
    if reason.contains("Invalid input syntax for type interval") {
        return DataFusionError::Plan(reason.to_owned());
    }
    if reason.contains(": write ") {
        return LiteralFault::of(expr, reason.to_owned()).into();
    }
    if reason.contains('`') || reason.contains('\'') {
        return LiteralFault::of(expr, tidy(reason)).into();
    }
    LiteralFault::of(expr, format!("`{}` can never be computed: {reason}", as_written(expr))).into()
}
