//! SQL as DuckDB reads it, in PostgreSQL's words.
//!
//! A statement is rewritten once, right after it is parsed: what comes after knows PostgreSQL's meaning alone. What depends on
//! the type of an argument becomes a function of `values.rs`, which is settled when types are known. Where neither is possible,
//! or versions of DuckDB differ, the statement is refused.

pub(super) mod calls;
mod clauses;
pub(super) mod formats;
pub(super) mod patterns;
mod types;
pub(super) mod values;

use std::ops::ControlFlow;

use sqlparser::ast::{
    AccessExpr, BinaryOperator, DateTimeField, Expr, Function, FunctionArgumentClause, FunctionArguments, Query,
    Select, Spanned, Statement, Subscript, UnaryOperator, Value, VisitMut, VisitorMut, WindowType,
};
use sqlparser::tokenizer::Span;

pub(in crate::analyze) use values::{functions, typed};

use super::dates;
use super::rewrites::RewriteNotes;
use super::{binary, call, literal};
use crate::analyze::column_name;
use crate::analyze::statement::RefusedClause;
use crate::project::RewriteKind;

/// Rewrites a statement, and gives what of it has no meaning in PostgreSQL's words.
pub(in crate::analyze) fn read(statement: &mut Statement, notes: &mut RewriteNotes<'_>) -> Vec<RefusedClause> {
    let mut reader = DuckDbReader { refused: Vec::new(), notes };
    let ControlFlow::Continue(()) = statement.visit(&mut reader);
    reader.refused
}

/// A construct that cannot be rewritten: what it is, and what to write instead.
pub(super) struct NotRewritten {
    pub message: String,
    pub help: &'static str,
}

impl NotRewritten {
    pub fn new(message: impl Into<String>, help: &'static str) -> NotRewritten {
        NotRewritten { message: message.into(), help }
    }
}

struct DuckDbReader<'n, 'r> {
    refused: Vec<RefusedClause>,
    notes: &'n mut RewriteNotes<'r>,
}

impl DuckDbReader<'_, '_> {
    fn refuse(&mut self, span: Span, why: NotRewritten) {
        self.refused.push(RefusedClause { message: why.message, help: why.help.to_owned(), span });
    }
}

impl VisitorMut for DuckDbReader<'_, '_> {
    type Break = std::convert::Infallible;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<Self::Break> {
        let order = |query: &Query| query.order_by.as_ref().map(ToString::to_string).unwrap_or_default();
        let written = self.notes.watches(RewriteKind::Nulls).then(|| order(query));
        clauses::order(query);
        if let Some(written) = written
            && written != order(query)
        {
            self.notes.add(
                RewriteKind::Nulls,
                query.order_by.as_ref().map_or_else(Span::empty, Spanned::span),
                written,
                order(query),
            );
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<Self::Break> {
        // What an expression is called does not depend on what it is rewritten to.
        column_name::give(&mut select.projection);
        let written = self.notes.watches(RewriteKind::Clauses).then(|| select.to_string());
        clauses::select(select);
        if let Some(written) = written {
            self.notes.add_if_changed(RewriteKind::Clauses, select.span(), written, select);
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Self::Break> {
        let before = self.notes.before(expr);
        let rewritten = match expr {
            Expr::BinaryOp { left, op, right } => operator(left, op, right),
            Expr::Like { pattern, escape_char: None, .. } | Expr::ILike { pattern, escape_char: None, .. } => {
                **pattern = patterns::of_like(pattern);
                Ok(None)
            }
            Expr::Cast { expr: value, data_type, .. } => Ok(types::cast(value, data_type)),
            Expr::Extract { field, syntax: _, expr: time } => part(field, time),
            Expr::Substring { expr: text, substring_from, substring_for, .. } => {
                calls::substring(text, substring_from.as_deref(), substring_for.as_deref()).map(Some)
            }
            Expr::CompoundFieldAccess { root: _, access_chain } => subscripts(access_chain),
            Expr::Function(function) => {
                let written = self.notes.watches(RewriteKind::Nulls).then(|| function.to_string());
                nulls_last(function);
                if let Some(written) = written {
                    self.notes.add_if_changed(RewriteKind::Nulls, function.span(), written, function);
                }
                calls::rewritten(function)
            }
            _ => Ok(None),
        };
        match rewritten {
            Ok(rewritten) => self.notes.after(before, expr, rewritten),
            Err(why) => self.refuse(before.span(expr), why),
        }
        ControlFlow::Continue(())
    }
}

fn operator(left: &Expr, op: &BinaryOperator, right: &Expr) -> Result<Option<Expr>, NotRewritten> {
    use BinaryOperator::{BitwiseXor, Divide, DuckIntegerDivide, Minus, PGExp, Plus, StringConcat};
    Ok(match op {
        // A length of time is divided as in PostgreSQL.
        Divide if !is_interval(left) => Some(binary(dates::double(left), Divide, dates::double(right))),
        Plus | Minus if is_interval(right) && !is_interval(left) => {
            Some(binary(values::instant(left), op.clone(), right.clone()))
        }
        Plus if is_interval(left) && !is_interval(right) => Some(binary(left.clone(), Plus, values::instant(right))),
        BitwiseXor | PGExp => Some(call("power", [dates::double(left), dates::double(right)])),
        StringConcat => Some(binary(values::operand(left), StringConcat, values::operand(right))),
        DuckIntegerDivide => {
            return Err(NotRewritten::new("`//` is not supported", "write `cast(trunc(a / b) as bigint)`"));
        }
        BinaryOperator::PGRegexMatch | BinaryOperator::PGRegexNotMatch => {
            let pattern = patterns::anchored(right)?;
            Some(Expr::BinaryOp { left: Box::new(left.clone()), op: op.clone(), right: Box::new(pattern) })
        }
        BinaryOperator::PGRegexIMatch | BinaryOperator::PGRegexNotIMatch => {
            return Err(NotRewritten::new(format!("`{op}` is not supported"), "write `regexp_matches(a, '(?i)…')`"));
        }
        _ => None,
    })
}

pub(super) fn is_interval(expr: &Expr) -> bool {
    match expr {
        Expr::Interval(_) => true,
        Expr::Nested(inner) => is_interval(inner),
        Expr::Cast { data_type: sqlparser::ast::DataType::Interval { .. }, .. } => true,
        _ => false,
    }
}

/// Parts of times are whole numbers, and `epoch` is a double.
fn part(field: &DateTimeField, time: &Expr) -> Result<Option<Expr>, NotRewritten> {
    let word = field.to_string().to_lowercase();
    let taken = Expr::Extract {
        field: field.clone(),
        syntax: sqlparser::ast::ExtractSyntax::From,
        expr: Box::new(time.clone()),
    };
    calls::of_part(word.trim_matches('\''), taken).map(Some)
}

/// Elements are counted from the end where a subscript is negative.
fn subscripts(chain: &[AccessExpr]) -> Result<Option<Expr>, NotRewritten> {
    let counts_back = chain.iter().any(|access| match access {
        AccessExpr::Subscript(Subscript::Index { index }) => is_negative(index),
        AccessExpr::Subscript(Subscript::Slice { lower_bound, upper_bound, stride: _ }) => {
            [lower_bound, upper_bound].into_iter().flatten().any(is_negative)
        }
        AccessExpr::Dot(_) => false,
    });
    if counts_back {
        return Err(NotRewritten::new("a subscript that counts from the end is not supported", "write `a[len(a)]`"));
    }
    Ok(None)
}

pub(super) fn is_negative(expr: &Expr) -> bool {
    match expr {
        Expr::UnaryOp { op: UnaryOperator::Minus, expr: _ } => true,
        Expr::Nested(inner) => is_negative(inner),
        other => matches!(literal(other), Some(Value::Number(number, _)) if number.starts_with('-')),
    }
}

/// Nulls come last in every order of a call, unless it says where.
fn nulls_last(function: &mut Function) {
    if let Some(WindowType::WindowSpec(window)) = &mut function.over {
        window.order_by.iter_mut().for_each(clauses::nulls_last);
    }
    function.within_group.iter_mut().for_each(clauses::nulls_last);
    if let FunctionArguments::List(list) = &mut function.args {
        for clause in &mut list.clauses {
            if let FunctionArgumentClause::OrderBy(keys) = clause {
                keys.iter_mut().for_each(clauses::nulls_last);
            }
        }
    }
}

#[cfg(test)]
mod tests;
