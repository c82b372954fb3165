//! What of a statement was written in other words, to show it, and to refuse what a project does not want rewritten.

use std::fmt::Display;
use std::ops::ControlFlow;

use sqlparser::ast::{Expr, Query, SetExpr, SetOperator, Spanned as _, Statement, TableFactor, Visit as _, Visitor};
use sqlparser::tokenizer::Span;

use super::clauses;
use crate::analyze::statement::RefusedClause;
use crate::analyze::syntax::remainder_of;
use crate::project::{RewriteKind, SqlReading};

/// A construct in the author's words and in PostgreSQL's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rewrite {
    pub kind: RewriteKind,
    pub written: String,
    pub becomes: String,
}

/// Functions that PostgreSQL has and the engine has not, or otherwise: they are shown, and never refused.
const OF_POSTGRESQL: [&str; 7] =
    ["mod", "make_interval", "percentile_cont", "percentile_disc", "variance", "every", "ceiling"];

/// Longer texts are cut off where they are shown.
const LONGEST: usize = 100;

impl Rewrite {
    /// As a comment of SQL, on one line.
    pub fn comment(&self) -> String {
        format!("-- rewritten ({}): {} => {}", self.kind.word(), one_line(&self.written), one_line(&self.becomes))
    }
}

fn one_line(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let line = words.join(" ");
    match line.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", line.get(..end).unwrap_or_default()),
        None => line,
    }
}

/// Takes notes of rewrites while a statement is read.
#[derive(Debug)]
pub(in crate::analyze) struct RewriteNotes<'r> {
    reading: &'r SqlReading,
    /// Whether all of them are wanted, and not only those that are refused.
    shows_all: bool,
    pub made: Vec<Rewrite>,
    pub refused: Vec<RefusedClause>,
}

impl<'r> RewriteNotes<'r> {
    pub fn new(reading: &'r SqlReading, shows_all: bool) -> RewriteNotes<'r> {
        RewriteNotes { reading, shows_all, made: Vec::new(), refused: Vec::new() }
    }

    /// Whether the texts of a construct are needed: they cost time where expressions are deep.
    pub fn watches(&self, kind: RewriteKind) -> bool {
        self.shows_all || self.reading.switched_off.contains(&kind)
    }

    /// Notes a construct that PostgreSQL has as well: it is only shown.
    fn show(&mut self, kind: RewriteKind, written: String, becomes: String) {
        self.made.push(Rewrite { kind, written, becomes });
    }

    /// What an expression is before a dialect rewrites it.
    pub(super) fn before(&self, expr: &Expr) -> ExprBefore {
        let kind = kind_of(expr);
        let is_watched = self.watches(kind);
        let text = (is_watched && is_changed_in_place(expr)).then(|| expr.to_string());
        // A span is found by walking over all that is in the expression. Indexes may have changed when one of them is refused.
        let is_placed = is_watched || matches!(expr, Expr::CompoundFieldAccess { .. });
        ExprBefore { span: is_placed.then(|| expr.span()), kind, is_watched, text }
    }

    /// Puts what an expression was rewritten to in its place, and notes it. `None`: it was changed where it stands, or not at
    /// all.
    pub(super) fn after(&mut self, before: ExprBefore, expr: &mut Expr, rewritten: Option<Expr>) {
        let ExprBefore { span, kind, is_watched, text } = before;
        match (rewritten, text) {
            (Some(rewritten), text) => {
                if is_watched {
                    let span = span.unwrap_or_else(|| expr.span());
                    let written = text.unwrap_or_else(|| expr.to_string());
                    self.add(kind, span, written, rewritten.to_string());
                }
                *expr = rewritten;
            }
            (None, Some(text)) => self.add_if_changed(kind, span.unwrap_or_else(|| expr.span()), text, expr),
            (None, None) => {}
        }
    }

    /// Notes what was changed where it stands.
    pub(super) fn add_if_changed(&mut self, kind: RewriteKind, span: Span, written: String, becomes: &impl Display) {
        let becomes = becomes.to_string();
        if becomes != written {
            self.add(kind, span, written, becomes);
        }
    }

    pub fn add(&mut self, kind: RewriteKind, span: Span, written: String, becomes: String) {
        if self.reading.switched_off.contains(&kind) {
            let help = match super::OWN.iter().any(|own| becomes.contains(own)) {
                true => format!("write it in PostgreSQL's words, or take `{}: false` out of `rewrites`", kind.word()),
                false => format!("write `{}`", one_line(&becomes)),
            };
            let message = format!(
                "`{}` is not PostgreSQL's, and rewrites of `{}` are switched off",
                one_line(&written),
                kind.word()
            );
            self.refused.push(RefusedClause { message, help, span });
        }
        self.made.push(Rewrite { kind, written, becomes });
    }
}

/// An expression that may be rewritten.
pub(super) struct ExprBefore {
    /// Where it stands, if that is to be known before.
    span: Option<Span>,
    kind: RewriteKind,
    is_watched: bool,
    /// Its text, if it may be changed where it stands.
    text: Option<String>,
}

impl ExprBefore {
    /// Where it stands: it was refused, and not changed.
    pub fn span(&self, expr: &Expr) -> Span {
        self.span.unwrap_or_else(|| expr.span())
    }
}

/// Notes what is rewritten whatever the dialect is, when the statement is planned.
pub(in crate::analyze) fn note(statement: &Statement, notes: &mut RewriteNotes<'_>) {
    if !notes.watches(RewriteKind::Functions) && !notes.watches(RewriteKind::Clauses) {
        return;
    }
    let ControlFlow::Continue(()) = statement.visit(&mut NoteVisitor { notes });
}

struct NoteVisitor<'n, 'r> {
    notes: &'n mut RewriteNotes<'r>,
}

impl Visitor for NoteVisitor<'_, '_> {
    type Break = std::convert::Infallible;

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<Self::Break> {
        if let Some(fetch) = &query.fetch {
            let quantity = fetch.quantity.as_ref().map_or_else(|| "1".to_owned(), ToString::to_string);
            self.notes.show(RewriteKind::Clauses, fetch.to_string(), format!("LIMIT {quantity}"));
        }
        if let SetExpr::SetOperation { op: SetOperator::Minus, right, .. } = query.body.as_ref() {
            self.notes.add(RewriteKind::Clauses, right.span(), "MINUS".to_owned(), "EXCEPT".to_owned());
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, relation: &TableFactor) -> ControlFlow<Self::Break> {
        if !matches!(relation, TableFactor::UNNEST { .. }) {
            let mut table = relation.clone();
            clauses::series_as_table(&mut table);
            if table != *relation {
                self.notes.show(RewriteKind::Clauses, relation.to_string(), table.to_string());
            }
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<Self::Break> {
        match expr {
            Expr::Function(function) => {
                let becomes = match remainder_of(function) {
                    Some([left, right]) => Some(format!("{left} % {right}")),
                    None => super::rewritten(function).map(|rewritten| rewritten.to_string()),
                };
                let name = function.name.to_string().to_lowercase();
                match becomes {
                    Some(becomes) if OF_POSTGRESQL.contains(&name.as_str()) => {
                        self.notes.show(RewriteKind::Functions, expr.to_string(), becomes);
                    }
                    Some(becomes) => {
                        self.notes.add(RewriteKind::Functions, expr.span(), expr.to_string(), becomes);
                    }
                    None => {}
                }
            }
            Expr::Like { any: true, .. } | Expr::ILike { any: true, .. } => {
                let mut each = expr.clone();
                clauses::in_known_forms(&mut each);
                if each != *expr {
                    self.notes.show(RewriteKind::Clauses, expr.to_string(), each.to_string());
                }
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

/// The kind of what a dialect rewrites.
fn kind_of(expr: &Expr) -> RewriteKind {
    match expr {
        Expr::Like { .. } | Expr::ILike { .. } | Expr::RLike { .. } => RewriteKind::Patterns,
        Expr::BinaryOp { .. } => RewriteKind::Operators,
        Expr::Cast { .. } => RewriteKind::Casts,
        _ => RewriteKind::Functions,
    }
}

/// Whether a dialect rewrites such an expression where it stands.
fn is_changed_in_place(expr: &Expr) -> bool {
    matches!(expr, Expr::Like { .. } | Expr::ILike { .. } | Expr::Cast { .. } | Expr::CompoundFieldAccess { .. })
}
