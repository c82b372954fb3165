//! Where something stands in a parsed statement.

use std::ops::ControlFlow;

use sqlparser::ast::{
    BinaryOperator, Expr, Function, Select, SelectItem, SetExpr, Spanned as _, Statement, TableFactor, Value, Visit,
    Visitor,
};
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

/// What the error about one side of a comparison is about: the whole of it, or the text literal in it that the message quotes.
pub(super) fn mixing(side: &datafusion::common::Span, message: &str, parsed: &ParsedStatement) -> Option<Span> {
    struct Find<'m> {
        side: (u64, u64),
        /// The text that the message says is no value of the type.
        literal: Option<&'m str>,
        found: Option<Span>,
    }
    impl Visitor for Find<'_> {
        type Break = ();

        fn pre_visit_expr(&mut self, expression: &Expr) -> ControlFlow<()> {
            let is_mixing = match expression {
                Expr::BinaryOp { op, .. } => !matches!(op, BinaryOperator::And | BinaryOperator::Or),
                Expr::Between { .. } | Expr::InList { .. } | Expr::Case { .. } | Expr::Function(_) => true,
                _ => false,
            };
            let span = expression.span();
            let start = (span.start.line, span.start.column);
            if !is_mixing || span.start.line == 0 || self.side < start || self.side >= (span.end.line, span.end.column)
            {
                return ControlFlow::Continue(());
            }
            // The innermost wins, which is visited last.
            match self.literal {
                None if !matches!(expression, Expr::BinaryOp { .. }) => {}
                None => self.found = Some(span),
                Some(literal) => {
                    if let Some(place) = text_literal(expression, literal) {
                        self.found = Some(place);
                    }
                }
            }
            ControlFlow::Continue(())
        }
    }
    let literal = match message.strip_prefix("the text `").and_then(|rest| rest.split_once("` is not of the type")) {
        Some((literal, _)) => Some(literal),
        None if message.contains("mixes incompatible types") => None,
        None => return None,
    };
    let mut finder = Find { side: (side.start.line, side.start.column), literal, found: None };
    let _whole = parsed.statement().visit(&mut finder);
    finder.found
}

/// Where this text stands in the statement as a literal.
pub(super) fn literal(text: &str, parsed: &ParsedStatement) -> Option<Span> {
    text_literal(parsed.statement(), text)
}

/// Where this text stands in a part of a statement.
fn text_literal<V: Visit>(part: &V, text: &str) -> Option<Span> {
    struct Find<'t>(&'t str);
    impl Visitor for Find<'_> {
        type Break = Span;

        fn pre_visit_expr(&mut self, expression: &Expr) -> ControlFlow<Span> {
            let value = match expression {
                Expr::Value(value) => value,
                Expr::TypedString(typed) => &typed.value,
                _ => return ControlFlow::Continue(()),
            };
            let is_it = matches!(&value.value, Value::SingleQuotedString(found) if found == self.0);
            if is_it && value.span.start.line > 0 { ControlFlow::Break(value.span) } else { ControlFlow::Continue(()) }
        }
    }
    match part.visit(&mut Find(text)) {
        ControlFlow::Break(span) => Some(span),
        ControlFlow::Continue(()) => None,
    }
}

/// A call that stands where a table should stand, as it was written.
pub(super) fn table_call(name: &str, parsed: &ParsedStatement) -> Option<String> {
    struct Find<'n>(&'n str);
    impl Visitor for Find<'_> {
        type Break = String;

        fn pre_visit_table_factor(&mut self, table: &TableFactor) -> ControlFlow<String> {
            match table {
                TableFactor::Table { name, args: Some(arguments), .. }
                    if name.to_string().eq_ignore_ascii_case(self.0) =>
                {
                    let shown: Vec<String> = arguments.args.iter().map(ToString::to_string).collect();
                    ControlFlow::Break(format!("{}({})", self.0, shown.join(", ")))
                }
                _ => ControlFlow::Continue(()),
            }
        }
    }
    match parsed.statement().visit(&mut Find(name)) {
        ControlFlow::Break(call) => Some(call),
        ControlFlow::Continue(()) => None,
    }
}

/// Which column of the output is meant.
pub(super) enum OutputColumn<'n> {
    /// The last one of this name.
    LastNamed(&'n str),
    /// The one without a name, at this place among all columns.
    Unnamed(usize),
}

/// Where a column of the output stands in the statement.
pub(super) fn output_column(column: &OutputColumn<'_>, statement: &Statement) -> Option<Span> {
    let Statement::Query(query) = statement else { return None };
    let mut body = query.body.as_ref();
    // The first SELECT names the columns of all.
    let select = loop {
        match body {
            SetExpr::Select(select) => break select,
            SetExpr::Query(inner) => body = inner.body.as_ref(),
            SetExpr::SetOperation { left, .. } => body = left.as_ref(),
            _ => return None,
        }
    };
    let is_unnamed = |item: &&SelectItem| matches!(item, SelectItem::UnnamedExpr(inner) if !matches!(inner, Expr::Identifier(_) | Expr::CompoundIdentifier(_)));
    let found = match column {
        OutputColumn::LastNamed(name) => select.projection.iter().rev().find(|item| is_named(item, name)),
        OutputColumn::Unnamed(index) => {
            let before = select.projection.get(..=*index).unwrap_or_default();
            let has_star =
                before.iter().any(|item| matches!(item, SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..)));
            // Behind a star it is not known which item the column is: the first without a name is one to edit, too.
            let at = before.last().filter(|_| !has_star).filter(is_unnamed);
            at.or_else(|| select.projection.iter().find(is_unnamed))
        }
    };
    found.map(|item| item.span()).filter(|span| span.start.line > 0)
}

fn is_named(item: &SelectItem, name: &str) -> bool {
    let last = match item {
        SelectItem::ExprWithAlias { alias, .. } => Some(alias),
        SelectItem::UnnamedExpr(Expr::Identifier(identifier)) => Some(identifier),
        SelectItem::UnnamedExpr(Expr::CompoundIdentifier(parts)) => parts.last(),
        _ => None,
    };
    last.is_some_and(|found| found.value.eq_ignore_ascii_case(name))
}
