//! SQL as Snowflake, BigQuery and Spark read it, in PostgreSQL's words.
//!
//! A statement is rewritten once, right after it is parsed, as for DuckDB. What the three share is here and in `shared.rs`; a file
//! for each has the calls that it means otherwise than PostgreSQL. What depends on the type of an argument becomes a function of
//! `typed.rs`. A construct that cannot be said in PostgreSQL's words is refused.

mod bigquery;
mod casts;
mod formats;
mod shared;
mod snowflake;
mod spark;
mod typed;

use std::ops::ControlFlow;

use sqlparser::ast::{
    AccessExpr, BinaryOperator, DateTimeField, Expr, Function, FunctionArgumentClause, FunctionArguments, Ident,
    NamedWindowExpr, OrderByExpr, OrderByKind, Query, Select, SelectItem, Spanned, Statement, Subscript, Value,
    VisitMut, VisitorMut, WindowType,
};

pub(in crate::analyze) use typed::{functions, typed};

use super::duckdb::{NotRewritten, is_interval, is_negative, patterns};
use super::rewrites::RewriteNotes;
use super::{binary, dates, literal, number};
use crate::analyze::column_name;
use crate::analyze::statement::RefusedClause;
use crate::project::RewriteKind;

/// One of the three engines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::analyze) enum Warehouse {
    Snowflake,
    BigQuery,
    Spark,
}

impl Warehouse {
    const ALL: [Warehouse; 3] = [Warehouse::Snowflake, Warehouse::BigQuery, Warehouse::Spark];

    fn word(self) -> &'static str {
        match self {
            Warehouse::Snowflake => "snowflake",
            Warehouse::BigQuery => "bigquery",
            Warehouse::Spark => "spark",
        }
    }

    /// Whether a null is less than every value where rows are ordered; for PostgreSQL it is greater.
    fn has_least_nulls(self) -> bool {
        self != Warehouse::Snowflake
    }
}

/// Rewrites a statement, and gives what of it has no meaning in PostgreSQL's words.
pub(in crate::analyze) fn read(
    statement: &mut Statement,
    engine: Warehouse,
    notes: &mut RewriteNotes<'_>,
) -> Vec<RefusedClause> {
    let mut reader = WarehouseReader { engine, refused: Vec::new(), notes };
    let ControlFlow::Continue(()) = statement.visit(&mut reader);
    reader.refused
}

struct WarehouseReader<'n, 'r> {
    engine: Warehouse,
    refused: Vec<RefusedClause>,
    notes: &'n mut RewriteNotes<'r>,
}

impl VisitorMut for WarehouseReader<'_, '_> {
    type Break = std::convert::Infallible;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<Self::Break> {
        if let Some(order_by) = &mut query.order_by
            && let OrderByKind::Expressions(keys) = &mut order_by.kind
        {
            keys.iter_mut().for_each(|key| self.nulls(key));
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<Self::Break> {
        // What an expression is called does not depend on what it is rewritten to.
        column_name::give(&mut select.projection);
        for item in &mut select.projection {
            if let SelectItem::ExprWithAlias { expr: _, alias } = item {
                self.fold(alias);
            }
        }
        for definition in &mut select.named_window {
            if let NamedWindowExpr::WindowSpec(window) = &mut definition.1 {
                window.order_by.iter_mut().for_each(|key| self.nulls(key));
            }
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Self::Break> {
        let before = self.notes.before(expr);
        match self.rewritten(expr) {
            Ok(rewritten) => self.notes.after(before, expr, rewritten),
            Err(NotRewritten { message, help }) => {
                self.refused.push(RefusedClause { message, help: help.to_owned(), span: before.span(expr) });
            }
        }
        ControlFlow::Continue(())
    }
}

impl WarehouseReader<'_, '_> {
    fn rewritten(&mut self, expr: &mut Expr) -> Result<Option<Expr>, NotRewritten> {
        let engine = self.engine;
        match expr {
            Expr::Identifier(name) => Ok(self.name(name)),
            Expr::CompoundIdentifier(parts) => {
                parts.iter_mut().for_each(|part| self.fold(part));
                Ok(None)
            }
            Expr::Value(value) => {
                if let Value::SingleQuotedRawStringLiteral(text) | Value::DoubleQuotedRawStringLiteral(text) =
                    &mut value.value
                {
                    value.value = Value::SingleQuotedString(std::mem::take(text));
                }
                Ok(None)
            }
            Expr::BinaryOp { left, op, right } => Ok(operator(engine, left, op, right)),
            Expr::Like { pattern, escape_char: None, .. } | Expr::ILike { pattern, escape_char: None, .. }
                if engine == Warehouse::Snowflake =>
            {
                **pattern = patterns::of_like(pattern);
                Ok(None)
            }
            Expr::RLike { negated, expr: text, pattern, regexp: _ } => {
                let whole = engine == Warehouse::Snowflake;
                let pattern = if whole { patterns::whole(pattern)? } else { patterns::part(pattern)? };
                let op = if *negated { BinaryOperator::PGRegexNotMatch } else { BinaryOperator::PGRegexMatch };
                Ok(Some(binary(text.as_ref().clone(), op, pattern)))
            }
            Expr::Cast { expr: value, data_type, .. } => {
                casts::rewrite(engine, value, data_type)?;
                Ok(None)
            }
            Expr::Extract { field, syntax: _, expr: time } => part(engine, field, time),
            Expr::Substring { expr: text, substring_from: Some(from), substring_for, .. } => {
                shared::substring(text, from, substring_for.as_deref()).map(Some)
            }
            Expr::CompoundFieldAccess { root, access_chain } => subscripts(engine, root, access_chain),
            Expr::Struct { values, fields } if fields.is_empty() => Ok(shared::structure(values)),
            Expr::Function(function) => {
                self.orders(function);
                call(engine, function)
            }
            _ => Ok(None),
        }
    }

    /// Where nulls come in an order that does not say it.
    fn nulls(&mut self, key: &mut OrderByExpr) {
        if self.engine.has_least_nulls() && key.options.nulls_first.is_none() {
            let is_watched = self.notes.watches(RewriteKind::Nulls);
            let written = is_watched.then(|| key.to_string());
            key.options.nulls_first = Some(key.options.asc != Some(false));
            if let Some(written) = written {
                self.notes.add(RewriteKind::Nulls, key.span(), written, key.to_string());
            }
        }
    }

    fn orders(&mut self, function: &mut Function) {
        if let Some(WindowType::WindowSpec(window)) = &mut function.over {
            window.order_by.iter_mut().for_each(|key| self.nulls(key));
        }
        function.within_group.iter_mut().for_each(|key| self.nulls(key));
        if let FunctionArguments::List(list) = &mut function.args {
            for clause in &mut list.clauses {
                if let FunctionArgumentClause::OrderBy(keys) = clause {
                    keys.iter_mut().for_each(|key| self.nulls(key));
                }
            }
        }
    }

    /// What stands in double quotes is a text for BigQuery and Spark, whose names stand in backticks.
    fn name(&self, name: &mut Ident) -> Option<Expr> {
        if self.engine != Warehouse::Snowflake && name.quote_style == Some('"') {
            return Some(dates::text(&name.value));
        }
        self.fold(name);
        None
    }

    /// Snowflake keeps names without quotes in capitals: `"ID"` is the same column as `id`.
    fn fold(&self, name: &mut Ident) {
        let is_plain =
            name.value.bytes().all(|letter| letter.is_ascii_uppercase() || letter.is_ascii_digit() || letter == b'_');
        if self.engine == Warehouse::Snowflake && name.quote_style == Some('"') && is_plain {
            name.value.make_ascii_lowercase();
        }
    }
}

fn operator(engine: Warehouse, left: &Expr, op: &BinaryOperator, right: &Expr) -> Option<Expr> {
    match op {
        BinaryOperator::Divide if !is_interval(left) => Some(typed::quotient(engine, left, right)),
        BinaryOperator::StringConcat => {
            Some(binary(typed::operand(engine, left), BinaryOperator::StringConcat, typed::operand(engine, right)))
        }
        BinaryOperator::Spaceship => {
            let same = Expr::IsNotDistinctFrom(Box::new(left.clone()), Box::new(right.clone()));
            Some(Expr::Nested(Box::new(same)))
        }
        _ => None,
    }
}

/// Parts of times are whole numbers.
fn part(engine: Warehouse, field: &DateTimeField, time: &Expr) -> Result<Option<Expr>, NotRewritten> {
    shared::part(engine, &field.to_string().to_lowercase(), time).map(Some)
}

/// Elements are counted from 0, or as BigQuery's word says; behind the last there is a null.
fn subscripts(engine: Warehouse, root: &mut Expr, chain: &mut [AccessExpr]) -> Result<Option<Expr>, NotRewritten> {
    const HELP: &str = "write a number from 0 on, in BigQuery `safe_offset(0)`";
    let is_split = matches!(&*root, Expr::Case { .. });
    for access in chain {
        let AccessExpr::Subscript(subscript) = access else { continue };
        let Subscript::Index { index } = subscript else {
            return Err(NotRewritten::new("a slice of an array is not supported", "write `array_slice(…)`"));
        };
        let (word, place) = match (&*index, engine) {
            (Expr::Function(function), Warehouse::BigQuery) => {
                let word = function.name.to_string().to_lowercase();
                let arguments = super::arguments(function).unwrap_or_default();
                match arguments.as_slice() {
                    [place] => (word, (*place).clone()),
                    _ => return Err(NotRewritten::new("this subscript is not supported", HELP)),
                }
            }
            (other, _) => ("safe_offset".to_owned(), other.clone()),
        };
        let counted = match (literal(&place), word.as_str()) {
            (Some(Value::Number(digits, _)), word) if !is_negative(&place) => {
                let Ok(digits) = digits.parse::<u32>() else {
                    return Err(NotRewritten::new("this subscript is not supported", HELP));
                };
                match word {
                    "safe_offset" => digits + 1,
                    // A text that was split has a first part always.
                    "offset" if digits == 0 && is_split => 1,
                    "ordinal" if digits == 1 && is_split => 1,
                    "safe_ordinal" if digits > 0 => digits,
                    _ => {
                        let message = format!("`{word}` stops where the array is too short");
                        return Err(NotRewritten::new(message, "write `safe_offset`, which is null there"));
                    }
                }
            }
            _ => return Err(NotRewritten::new("a subscript that is not a number is not supported", HELP)),
        };
        *index = number(counted);
    }
    Ok(None)
}

/// The call in PostgreSQL's words; `None` if it means the same there.
/// What a call of one of these names and numbers of arguments becomes; `None` if it is not among them.
type CallFamily = fn(&str, &[&Expr]) -> Result<Option<Expr>, NotRewritten>;

fn call(engine: Warehouse, function: &Function) -> Result<Option<Expr>, NotRewritten> {
    let [part] = function.name.0.as_slice() else { return Ok(None) };
    let Some(name) = part.as_ident().map(|word| word.value.to_lowercase()) else { return Ok(None) };
    let Some(arguments) = super::arguments(function) else { return Ok(None) };
    if let Some(found) = shared::of_groups(engine, &name, function, &arguments)? {
        return Ok(Some(found));
    }
    if !super::is_plain(function) {
        return Ok(None);
    }
    let families = match engine {
        Warehouse::Snowflake => snowflake::FAMILIES.as_slice(),
        Warehouse::BigQuery => &bigquery::FAMILIES,
        Warehouse::Spark => &spark::FAMILIES,
    };
    for family in families {
        if let Some(found) = family(&name, &arguments)? {
            return Ok(Some(found));
        }
    }
    shared::call_of_all(engine, &name, &arguments)
}

#[cfg(test)]
mod tests;
