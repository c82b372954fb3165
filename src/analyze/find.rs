//! Where something stands in a parsed statement.

use std::ops::ControlFlow;

use sqlparser::ast::{Expr, Function, Select, SelectItem, Spanned as _, Visit, Visitor};
use sqlparser::tokenizer::Span;

use super::planner::ParsedStatement;

/// Where the first condition of the statement stands.
pub(super) fn condition(parsed: &ParsedStatement) -> Option<Span> {
    struct Find;
    impl Visitor for Find {
        type Break = Span;

        fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<Self::Break> {
            let span = select.selection.as_ref().or(select.having.as_ref()).map(|condition| condition.span());
            span.filter(|span| span.start.line > 0).map_or(ControlFlow::Continue(()), ControlFlow::Break)
        }
    }
    match parsed.statement().visit(&mut Find) {
        ControlFlow::Break(span) => Some(span),
        ControlFlow::Continue(()) => None,
    }
}

/// The first call of a function in the statement.
pub(super) fn call_of(name: &str, parsed: &ParsedStatement) -> Option<Function> {
    struct Find<'n>(&'n str);
    impl Visitor for Find<'_> {
        type Break = Function;

        fn pre_visit_expr(&mut self, expression: &Expr) -> ControlFlow<Function> {
            match expression {
                Expr::Function(function) if function.name.to_string().eq_ignore_ascii_case(self.0) => {
                    ControlFlow::Break(function.clone())
                }
                _ => ControlFlow::Continue(()),
            }
        }
    }
    match parsed.statement().visit(&mut Find(name)) {
        ControlFlow::Break(function) => Some(function),
        ControlFlow::Continue(()) => None,
    }
}

/// The expression to which a SELECT list gives this name.
pub(super) fn named_so(name: &str, parsed: &ParsedStatement) -> Option<Expr> {
    struct Find<'n>(&'n str);
    impl Visitor for Find<'_> {
        type Break = Expr;

        fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<Expr> {
            let given = select.projection.iter().find_map(|item| match item {
                SelectItem::ExprWithAlias { expr, alias } if alias.value.eq_ignore_ascii_case(self.0) => Some(expr),
                _ => None,
            });
            given.map_or(ControlFlow::Continue(()), |expr| ControlFlow::Break(expr.clone()))
        }
    }
    match parsed.statement().visit(&mut Find(name)) {
        ControlFlow::Break(expression) => Some(expression),
        ControlFlow::Continue(()) => None,
    }
}
