//! What a parsed SELECT may hold: every field of every node is obeyed by the planner, changes nothing, or is refused.
//!
//! The parser reads the words of many databases, and the planner passes over what it does not know: a `tablesample` or a
//! `with rollup` would be left out in silence. So each node is taken apart here with all of its fields named, and a
//! version of the parser that adds a field does not compile until somebody has decided about it.

mod dialect;
mod expression;
mod function;
mod query;
mod relation;
mod remedy;
mod table_names;
mod tokens;
mod uses;

use std::ops::ControlFlow;

use sqlparser::ast::{Expr, Query, Select, Statement, TableFactor, Visit as _, Visitor};
use sqlparser::tokenizer::Span;

pub(super) use dialect::{Dialect, MAX_DEPTH};
pub(super) use remedy::{SyntaxRemedy, first_word, of_syntax, open_at_the_end, second_statement};
pub(super) use tokens::{too_deep, too_long, trailing_junk, without_hints};
pub(super) use uses::too_many_uses;

use super::functions::Functions;

/// A part of a statement that would not do what it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RefusedClause {
    /// One short fact.
    pub message: String,
    /// What to write instead.
    pub help: String,
    /// Empty if the parser keeps no place.
    pub span: Span,
}

/// Everything in a statement that would be passed over in silence, or means something else than in PostgreSQL.
pub(super) fn refusals(statement: &Statement, functions: &Functions) -> Vec<RefusedClause> {
    let mut walk = StatementWalk { functions, found: Vec::new() };
    let ControlFlow::Continue(()) = statement.visit(&mut walk);
    walk.found
}

struct StatementWalk<'a> {
    functions: &'a Functions,
    found: Vec<RefusedClause>,
}

impl StatementWalk<'_> {
    /// Refuses a clause by its name.
    fn unsupported(&mut self, span: Span, clause: &str, help: &str) {
        self.refuse(span, format!("`{clause}` is not supported"), help);
    }

    fn refuse(&mut self, span: Span, message: String, help: &str) {
        let refusal = RefusedClause { message, help: help.to_owned(), span };
        if !self.found.contains(&refusal) {
            self.found.push(refusal);
        }
    }
}

/// A walk that never stops early.
type Never = std::convert::Infallible;

impl Visitor for StatementWalk<'_> {
    type Break = Never;

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<Never> {
        self.query(query);
        self.table_names_of_query(query);
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<Never> {
        self.select(select);
        self.table_names(select);
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, relation: &TableFactor) -> ControlFlow<Never> {
        self.relation(relation);
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expression: &Expr) -> ControlFlow<Never> {
        self.expression(expression);
        ControlFlow::Continue(())
    }
}

#[cfg(test)]
mod tests;
