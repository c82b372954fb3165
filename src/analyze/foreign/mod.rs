//! Functions of other engines. Where every engine that has one computes the same, the call is rewritten in PostgreSQL's
//! words before it is planned; where they differ, or PostgreSQL has no words for it, the error says what to write.

mod clauses;
mod dates;
pub(in crate::analyze) mod duckdb;

mod percentile;
mod portable;
mod rewrites;
pub(in crate::analyze) mod warehouse;
mod written_out;

pub(super) use clauses::{in_known_forms, in_known_words, is_a_limit, patterns_of, series_as_rows, series_as_table};
pub(super) use portable::{portable, remedy_of_random};
pub(crate) use rewrites::Rewrite;
pub(super) use rewrites::{RewriteNotes, note};
pub(super) use written_out::written_out;

use std::fmt::Write as _;

use sqlparser::ast::helpers::attached_token::AttachedToken;
use sqlparser::ast::{
    BinaryOperator, CaseWhen, DuplicateTreatment, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentClause,
    FunctionArguments, OrderByExpr, OrderByOptions, Value,
};

use super::syntax::call;

/// How the names of functions begin that only rewrites call.
pub(in crate::analyze) const OWN: [&str; 4] = ["duckdb_", "snowflake_", "bigquery_", "spark_"];

/// An argument that is written twice is no longer than this: nested calls would double it each time.
const LONGEST_TWICE: usize = 2_000;

/// The call in PostgreSQL's words; `None` if it is not another engine's, or not in a form that has one meaning.
pub(super) fn rewritten(function: &Function) -> Option<Expr> {
    let name = match function.name.0.as_slice() {
        [part] => part.as_ident()?.value.to_lowercase(),
        _ => return None,
    };
    if name == "make_interval" && is_plain(function) {
        return dates::interval_of_parts(function);
    }
    let arguments = arguments(function)?;
    if is_plain(function) {
        let found = of_one_row(&name, &arguments).or_else(|| dates::rewritten(&name, &arguments));
        if found.is_some() {
            return found;
        }
    }
    aggregate(&name, function, &arguments)
}

/// The arguments, if all of them are expressions in order.
fn arguments(function: &Function) -> Option<Vec<&Expr>> {
    let FunctionArguments::List(list) = &function.args else { return None };
    let expressions = list.args.iter().map(|argument| match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr),
        _ => None,
    });
    expressions.collect()
}

/// Whether nothing but arguments stands in the call.
fn is_plain(function: &Function) -> bool {
    let FunctionArguments::List(list) = &function.args else { return false };
    let has_clauses =
        list.duplicate_treatment.is_some() || !list.clauses.is_empty() || !function.within_group.is_empty();
    !has_clauses && function.filter.is_none() && function.over.is_none() && function.null_treatment.is_none()
}

fn of_one_row(name: &str, arguments: &[&Expr]) -> Option<Expr> {
    match (name, arguments) {
        ("iff" | "if" | "iif", [condition, then, otherwise]) => {
            Some(case(None, vec![when(condition, then)], Some(otherwise)))
        }
        ("zeroifnull", [value]) => Some(call("coalesce", [(*value).clone(), number(0)])),
        ("nullifzero", [value]) => Some(call("nullif", [(*value).clone(), number(0)])),
        ("decode", [value, rest @ ..]) if rest.len() > 1 => decode(value, rest),
        ("ceiling", [value]) => Some(call("ceil", [(*value).clone()])),
        ("ucase", [text]) => Some(call("upper", [(*text).clone()])),
        ("lcase", [text]) => Some(call("lower", [(*text).clone()])),
        ("startswith", [text, start]) => Some(call("starts_with", [(*text).clone(), (*start).clone()])),
        ("endswith", [text, end]) => Some(call("ends_with", [(*text).clone(), (*end).clone()])),
        ("charindex" | "locate", [part, text]) => Some(call("strpos", [(*text).clone(), (*part).clone()])),
        ("sha2", [text]) => Some(hexadecimal("sha256", text)),
        ("sha2", [text, bits]) => match literal(bits)? {
            Value::Number(bits, _) if ["224", "256", "384", "512"].contains(&bits.as_str()) => {
                Some(hexadecimal(&format!("sha{bits}"), text))
            }
            _ => None,
        },
        _ => None,
    }
}

fn hexadecimal(digest: &str, text: &Expr) -> Expr {
    call("encode", [call(digest, [text.clone()]), Expr::value(Value::SingleQuotedString("hex".to_owned()))])
}

/// `decode(value, search, result, …, otherwise)`, for which two nulls are equal.
fn decode(value: &Expr, rest: &[&Expr]) -> Option<Expr> {
    let (pairs, otherwise) = rest.as_chunks::<2>();
    let otherwise = otherwise.first().copied();
    let is_known = |[search, _]: &[&Expr; 2]| literal(search).is_some_and(|value| !matches!(value, Value::Null));
    if pairs.iter().all(is_known) {
        let branches = pairs.iter().map(|[search, result]| when(search, result)).collect();
        return Some(case(Some(value), branches, otherwise));
    }
    // The value is compared once for each search: it must be short.
    matches!(value, Expr::Identifier(_) | Expr::CompoundIdentifier(_)).then_some(())?;
    let branches = pairs.iter().map(|[search, result]| {
        let same = Expr::IsNotDistinctFrom(parenthesized(value), parenthesized(search));
        when(&same, result)
    });
    Some(case(None, branches.collect(), otherwise))
}

fn aggregate(name: &str, function: &Function, arguments: &[&Expr]) -> Option<Expr> {
    match (name, arguments) {
        ("count_if" | "countif", [condition]) if !has_own_clauses(function) => {
            let counted = case(None, vec![when(condition, &number(1))], None);
            renamed(function, "count", vec![counted])
        }
        ("boolor_agg" | "logical_or", [value]) if !has_own_clauses(function) => {
            renamed(function, "bool_or", vec![(*value).clone()])
        }
        ("booland_agg" | "logical_and", [value]) if !has_own_clauses(function) => {
            renamed(function, "bool_and", vec![(*value).clone()])
        }
        ("every", [value]) => renamed(function, "bool_and", vec![(*value).clone()]),
        ("variance", [value]) => renamed(function, "var_samp", vec![(*value).clone()]),
        ("percentile_disc", [part]) => percentile::discrete(function, part),
        ("percentile_cont", [part]) => match function.within_group.as_slice() {
            [key] => percentile::continuous(function, part, key),
            _ => None,
        },
        ("quantile_cont", [value, part]) if function.within_group.is_empty() => {
            percentile::continuous(function, part, &order_key(value, true))
        }
        ("median", [value]) if !has_own_clauses(function) => {
            let half = Expr::value(Value::Number("0.5".to_owned(), false));
            percentile::continuous(function, &half, &order_key(value, true))
        }
        // The exact number is a better answer, and the same in every run.
        ("approx_count_distinct", [value]) if !has_own_clauses(function) && function.over.is_none() => {
            let mut counted = function.clone();
            if let FunctionArguments::List(list) = &mut counted.args {
                list.duplicate_treatment = Some(DuplicateTreatment::Distinct);
            }
            renamed(&counted, "count", vec![(*value).clone()])
        }
        ("group_concat", [text]) => joined(function, text, &Expr::value(Value::SingleQuotedString(",".to_owned()))),
        ("group_concat" | "listagg", [text, separator]) => joined(function, text, separator),
        ("arg_max" | "argmax", [value, key]) if is_plain(function) => extreme(value, key, false),
        ("arg_min" | "argmin", [value, key]) if is_plain(function) => extreme(value, key, true),
        _ => None,
    }
}

fn has_own_clauses(function: &Function) -> bool {
    let FunctionArguments::List(list) = &function.args else { return true };
    let has_clauses = list.duplicate_treatment.is_some() || !list.clauses.is_empty();
    has_clauses || !function.within_group.is_empty() || function.null_treatment.is_some()
}

/// The same call, `filter` and `over` included, of another function.
fn renamed(function: &Function, name: &str, arguments: Vec<Expr>) -> Option<Expr> {
    let mut renamed = function.clone();
    renamed.name = sqlparser::ast::ObjectName::from(vec![sqlparser::ast::Ident::new(name)]);
    let FunctionArguments::List(list) = &mut renamed.args else { return None };
    list.args = arguments.into_iter().map(|expr| FunctionArg::Unnamed(FunctionArgExpr::Expr(expr))).collect();
    Some(Expr::Function(renamed))
}

/// `string_agg`, with the order of `within group` where PostgreSQL writes it.
fn joined(function: &Function, text: &Expr, separator: &Expr) -> Option<Expr> {
    let FunctionArguments::List(list) = &function.args else { return None };
    let is_ordered_twice = !function.within_group.is_empty() && !list.clauses.is_empty();
    if is_ordered_twice || function.null_treatment.is_some() {
        return None;
    }
    let mut ordered = function.clone();
    let order = std::mem::take(&mut ordered.within_group);
    if let FunctionArguments::List(list) = &mut ordered.args
        && !order.is_empty()
    {
        let is_own = order.iter().all(|key| key.expr == *text);
        if list.duplicate_treatment.is_some() && !is_own {
            return None;
        }
        list.clauses.push(FunctionArgumentClause::OrderBy(order));
    }
    renamed(&ordered, "string_agg", vec![text.clone(), separator.clone()])
}

/// The value of the row with the greatest or least key. Rows without a value or a key do not count, as in DuckDB; of rows
/// with equal keys the least value is taken, so that every run takes the same.
fn extreme(value: &Expr, key: &Expr, ascending: bool) -> Option<Expr> {
    let known = binary(not_null(value), BinaryOperator::And, not_null(key));
    first_by(value, key, ascending, known)
}

/// The value of the first row by its key, and by itself where keys are equal, of those for which a condition holds.
fn first_by(value: &Expr, key: &Expr, ascending: bool, condition: Expr) -> Option<Expr> {
    if !may_stand_twice(value) || !may_stand_twice(key) {
        return None;
    }
    let order = [order_key(key, ascending), order_key(value, true)];
    let Expr::Function(mut first) = call("first_value", [value.clone()]) else { return None };
    if let FunctionArguments::List(list) = &mut first.args {
        list.clauses.push(FunctionArgumentClause::OrderBy(order.to_vec()));
    }
    first.filter = Some(Box::new(condition));
    Some(Expr::Function(first))
}

fn order_key(expr: &Expr, ascending: bool) -> OrderByExpr {
    let options = OrderByOptions { asc: Some(ascending), nulls_first: None };
    OrderByExpr { expr: expr.clone(), options, with_fill: None }
}

fn may_stand_twice(expr: &Expr) -> bool {
    write!(TextLimit { left: LONGEST_TWICE }, "{expr}").is_ok()
}

/// A text that is only measured, and not further than needed: nested calls would be written out at every level.
struct TextLimit {
    left: usize,
}

impl std::fmt::Write for TextLimit {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        self.left = self.left.checked_sub(text.len()).ok_or(std::fmt::Error)?;
        Ok(())
    }
}

fn literal(expr: &Expr) -> Option<&Value> {
    match expr {
        Expr::Value(value) => Some(&value.value),
        _ => None,
    }
}

fn number(value: u32) -> Expr {
    Expr::value(Value::Number(value.to_string(), false))
}

fn parenthesized(expr: &Expr) -> Box<Expr> {
    Box::new(Expr::Nested(Box::new(expr.clone())))
}

fn not_null(expr: &Expr) -> Expr {
    Expr::IsNotNull(parenthesized(expr))
}

fn binary(left: Expr, op: BinaryOperator, right: Expr) -> Expr {
    let operation = Expr::BinaryOp { left: Box::new(left), op, right: Box::new(right) };
    Expr::Nested(Box::new(operation))
}

fn either(left: Expr, right: Expr) -> Expr {
    Expr::BinaryOp { left: Box::new(left), op: BinaryOperator::Or, right: Box::new(right) }
}

fn when(condition: &Expr, result: &Expr) -> CaseWhen {
    CaseWhen { condition: condition.clone(), result: result.clone() }
}

fn case(operand: Option<&Expr>, conditions: Vec<CaseWhen>, otherwise: Option<&Expr>) -> Expr {
    Expr::Case {
        case_token: AttachedToken::empty(),
        end_token: AttachedToken::empty(),
        operand: operand.map(|expr| Box::new(expr.clone())),
        conditions,
        else_result: otherwise.map(|expr| Box::new(expr.clone())),
    }
}

#[cfg(test)]
mod tests;
