//! Names of a SELECT list that the same SELECT uses, in dialects that allow it: each use becomes the expression.
//!
//! A column of a table goes before such a name. So only names that planning has not found are looked up here, and the statement
//! is planned again.

use std::ops::ControlFlow;

use datafusion::common::{DataFusionError, SchemaError};
use sqlparser::ast::{Expr, Ident, Query, Select, SelectItem, Statement, VisitMut, VisitorMut};
use sqlparser::tokenizer::Location;

use super::column_name::word;
use super::foreign::Rewrite;
use crate::project::RewriteKind;

/// Expressions that have grown longer than this through other names are left as they are.
const LONGEST: usize = 20_000;

/// Writes the expression in the place of a name that was not found. Returns what has changed the statement, if anything has.
pub(super) fn inline(statement: &mut Statement, error: &DataFusionError) -> Option<Rewrite> {
    let mut missing = Vec::new();
    collect(error, &mut missing);
    missing.into_iter().find_map(|missing| {
        let mut inliner = Inliner { missing, done: None };
        let _stopped = statement.visit(&mut inliner);
        let becomes = inliner.done?;
        Some(Rewrite { kind: RewriteKind::Aliases, written: inliner.missing.name, becomes })
    })
}

/// A name that no table has, and where it stands.
struct Missing {
    name: String,
    at: Location,
}

fn collect(error: &DataFusionError, found: &mut Vec<Missing>) {
    if let DataFusionError::Collection(errors) = error {
        errors.iter().for_each(|error| collect(error, found));
        return;
    }
    let DataFusionError::SchemaError(schema_error, _) = error.find_root() else { return };
    let SchemaError::FieldNotFound { field, valid_fields: _ } = schema_error.as_ref() else { return };
    let span = error.diagnostic().and_then(|diagnostic| diagnostic.span);
    if let (None, Some(span)) = (&field.relation, span) {
        let at = Location { line: span.start.line, column: span.start.column };
        found.push(Missing { name: field.name.clone(), at });
    }
}

struct Inliner {
    missing: Missing,
    /// The expression that was written.
    done: Option<String>,
}

impl VisitorMut for Inliner {
    type Break = ();

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        let given = select.projection.iter().enumerate().find_map(|(place, item)| match item {
            SelectItem::ExprWithAlias { expr, alias } if word(alias) == self.missing.name => {
                Some((place, expr.clone()))
            }
            _ => None,
        });
        let Some((place, expression)) = given else { return ControlFlow::Continue(()) };
        let shown = expression.to_string();
        if shown.len() > LONGEST {
            return ControlFlow::Continue(());
        }
        let mut uses = Uses { missing: &self.missing, expression: None, depth: 0, found: false };
        // Only where the name stands in this SELECT itself, all of its uses there are replaced.
        for expression in [None, Some(Expr::Nested(Box::new(expression)))] {
            if expression.is_some() && !uses.found {
                return ControlFlow::Continue(());
            }
            uses.expression = expression;
            let _all = select.selection.visit(&mut uses);
            let _all = select.having.visit(&mut uses);
            let _all = select.qualify.visit(&mut uses);
            let _all = select.group_by.visit(&mut uses);
            select.projection.iter_mut().skip(place + 1).for_each(|item| {
                let _all = item.visit(&mut uses);
            });
        }
        self.done = Some(format!("({shown})"));
        ControlFlow::Break(())
    }
}

/// The uses of a name in the clauses of one SELECT, without those in its subqueries.
struct Uses<'m> {
    missing: &'m Missing,
    /// What is written in their place; `None` while the use that was not found is looked for.
    expression: Option<Expr>,
    depth: usize,
    found: bool,
}

impl Uses<'_> {
    fn is_use(&self, name: &Ident) -> bool {
        self.depth == 0 && word(name) == self.missing.name
    }
}

impl VisitorMut for Uses<'_> {
    type Break = ();

    fn pre_visit_query(&mut self, _: &mut Query) -> ControlFlow<()> {
        self.depth += 1;
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &mut Query) -> ControlFlow<()> {
        self.depth -= 1;
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        let Expr::Identifier(name) = &*expr else { return ControlFlow::Continue(()) };
        if self.is_use(name) {
            self.found |= name.span.start == self.missing.at;
            if let Some(expression) = &self.expression {
                *expr = expression.clone();
            }
        }
        ControlFlow::Continue(())
    }
}
