//! The clauses of a query and of a SELECT.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use sqlparser::ast::{
    Cte, Distinct, Expr, Function, GroupByExpr, GroupByWithModifier, Ident, LimitClause, NamedWindowDefinition,
    NamedWindowExpr, ObjectName, OrderBy, OrderByExpr, OrderByKind, OrderByOptions, Query, Select, SelectFlavor,
    SelectItem, SelectItemQualifiedWildcardKind, SetExpr, Spanned, TableWithJoins, Values, Visit, Visitor,
    WildcardAdditionalOptions, WindowType, With, visit_expressions,
};
use sqlparser::tokenizer::Span;

use super::{Never, StatementWalk};
use crate::analyze::column_name::word;
use crate::analyze::foreign;
use crate::analyze::functions::Functions;

impl StatementWalk<'_> {
    pub(super) fn query(&mut self, query: &Query) {
        let Query {
            with,
            body,
            order_by,
            limit_clause,
            fetch,
            locks,
            for_clause,
            settings,
            format_clause,
            pipe_operators,
        } = query;
        // The parser keeps no place of these clauses: they are told at the query's first word.
        let start = query.span().start;
        let whole = Span::new(start, start);
        if let Some(With { with_token: _, recursive: _, cte_tables }) = with {
            let mut seen = BTreeSet::new();
            for cte in cte_tables {
                self.cte(cte);
                let name = &cte.alias.name;
                if !seen.insert(word(name)) {
                    let message = format!("two queries of the `with` are called `{name}`");
                    self.refuse(name.span, message, "give one of them another name");
                }
            }
        }
        self.set_expression(body);
        if let Some(order_by) = order_by {
            self.order_by(order_by, matches!(body.as_ref(), SetExpr::Select(_)));
        }
        match limit_clause {
            Some(LimitClause::LimitOffset { limit: _, offset: _, limit_by }) => {
                if let Some(first) = limit_by.first() {
                    self.unsupported(
                        first.span(),
                        "limit … by",
                        "number the rows: `row_number() over (partition by …)`",
                    );
                }
            }
            Some(LimitClause::OffsetCommaLimit { offset: _, limit: _ }) | None => {}
        }
        if fetch.is_some() && !foreign::is_a_limit(query) {
            let help = "write `limit n`; with ties compare `rank() over (order by …)` with n";
            self.unsupported(whole, "fetch", help);
        }
        if !locks.is_empty() {
            self.unsupported(whole, "for update", "leave it out: a model locks nothing");
        }
        if for_clause.is_some() {
            self.unsupported(whole, "for json", "leave it out: the rows become a table");
        }
        if settings.is_some() {
            self.unsupported(whole, "settings", "leave it out: they are another engine's settings");
        }
        if format_clause.is_some() {
            self.unsupported(whole, "format", "leave it out: the rows become a table");
        }
        if !pipe_operators.is_empty() {
            self.unsupported(whole, "|>", "write a subquery or a CTE for each step");
        }
    }

    fn cte(&mut self, cte: &Cte) {
        // Whether a CTE is kept or inlined does not change its rows.
        let Cte { alias, query: _, from, materialized: _, closing_paren_token: _ } = cte;
        self.alias(Some(alias));
        if let Some(from) = from {
            self.unsupported(from.span, "with … from", "name the table in the CTE's own FROM");
        }
    }

    /// Chains of set operations may be thousands long: they are gone through without recursion.
    fn set_expression(&mut self, body: &SetExpr) {
        let mut left_to_see = vec![body];
        while let Some(body) = left_to_see.pop() {
            match body {
                SetExpr::SetOperation { left, op: _, set_quantifier: _, right } => {
                    left_to_see.extend([&**right, &**left])
                }
                SetExpr::Values(Values { explicit_row: _, value_keyword: _, rows: _ }) => {}
                SetExpr::Table(_) => self.unsupported(body.span(), "table t", "write `select * from t`"),
                // Visited on their own, or refused as a whole.
                SetExpr::Select(_)
                | SetExpr::Query(_)
                | SetExpr::Insert(_)
                | SetExpr::Update(_)
                | SetExpr::Delete(_)
                | SetExpr::Merge(_) => {}
            }
        }
    }

    pub(super) fn select(&mut self, select: &Select) {
        let Select {
            select_token,
            // A comment, as in PostgreSQL.
            optimizer_hints: _,
            distinct,
            select_modifiers,
            top,
            top_before_distinct: _,
            projection,
            exclude,
            // Told as a statement that is not a SELECT.
            into: _,
            from,
            lateral_views,
            prewhere,
            selection,
            connect_by,
            group_by,
            cluster_by,
            distribute_by,
            sort_by,
            having,
            named_window,
            qualify,
            window_before_qualify: _,
            value_table_mode,
            flavor,
        } = select;
        let at = select_token.0.span;
        match distinct {
            // `distinct on` becomes the first row of each group in the order of ORDER BY, as in PostgreSQL.
            Some(Distinct::All | Distinct::Distinct | Distinct::On(_)) | None => {}
        }
        self.foreign_clauses(
            at,
            &[
                (select_modifiers.is_some(), "select high_priority", "leave the modifier out"),
                (top.is_some(), "top", "write `limit n` at the end"),
                (exclude.is_some(), "select … exclude", "write `* exclude (…)`, or name the columns"),
                (!lateral_views.is_empty(), "lateral view", "write `cross join unnest(…)`"),
                (!connect_by.is_empty(), "connect by", "write `with recursive`"),
                (!cluster_by.is_empty(), "cluster by", "leave it out: a table has no order"),
                (!distribute_by.is_empty(), "distribute by", "leave it out: a table has no order"),
                (!sort_by.is_empty(), "sort by", "write `order by`"),
                (value_table_mode.is_some(), "select as struct", "name the columns"),
                (*flavor == SelectFlavor::FromFirstNoSelect, "from … without select", "write `select * from …`"),
            ],
        );
        if let Some(prewhere) = prewhere {
            self.unsupported(prewhere.span(), "prewhere", "write `where`");
        }
        self.select_list(projection);
        for table in from {
            self.table_with_joins(table);
        }
        selection.iter().for_each(|condition| self.calls_of_rows(condition));
        self.group_by(group_by, at);
        self.named_windows(named_window);
        for clause in [having, qualify].into_iter().flatten() {
            self.names_of_windows(clause);
        }
    }

    /// A WHERE is computed for each row, before rows are grouped.
    fn calls_of_rows(&mut self, condition: &Expr) {
        let mut calls = CallsOfRows { functions: self.functions, depth: 0, found: Vec::new() };
        let ControlFlow::Continue(()) = condition.visit(&mut calls);
        for (name, is_window) in calls.found {
            let (what, help) = match is_window {
                true => {
                    ("a window function", "write `qualify …` behind the WHERE, or filter in a query around this one")
                }
                false => (
                    "an aggregate",
                    "write `having …` behind GROUP BY, or compare with a subquery: `(select max(a) from …)`",
                ),
            };
            self.refuse(name.span(), format!("`{name}` is {what}, which cannot stand in WHERE"), help);
        }
    }

    fn foreign_clauses(&mut self, at: Span, clauses: &[(bool, &str, &str)]) {
        for (_, clause, help) in clauses.iter().filter(|(stands, ..)| *stands) {
            self.unsupported(at, clause, help);
        }
    }

    fn select_list(&mut self, items: &[SelectItem]) {
        items.iter().for_each(|item| self.select_item(item));
        self.column_names(items);
    }

    /// The engine allows each name once, unless both are columns of different tables.
    fn column_names(&mut self, items: &[SelectItem]) {
        let mut seen: BTreeMap<String, &SelectItem> = BTreeMap::new();
        for item in items {
            let Some(name) = name_of(item) else { continue };
            let earlier = seen.insert(word(name), item);
            let Some(earlier) = earlier else { continue };
            let is_column = |item: &SelectItem| {
                matches!(item, SelectItem::UnnamedExpr(Expr::Identifier(_) | Expr::CompoundIdentifier(_)))
            };
            if !is_column(earlier) || !is_column(item) || earlier == item {
                let message = format!("two columns are called `{name}`");
                self.refuse(name.span, message, "leave one out, or give it another name with `as`");
            }
        }
    }

    fn select_item(&mut self, item: &SelectItem) {
        match item {
            SelectItem::UnnamedExpr(_) | SelectItem::ExprWithAlias { expr: _, alias: _ } => {}
            SelectItem::ExprWithAliases { expr, aliases: _ } => {
                self.unsupported(expr.span(), "as (a, b)", "give each column an expression of its own");
            }
            SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::Expr(expr), options) => {
                self.unsupported(expr.span(), "(…).*", "name the fields one by one");
                self.wildcard(options);
            }
            SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(_), options)
            | SelectItem::Wildcard(options) => self.wildcard(options),
        }
    }

    pub(super) fn wildcard(&mut self, options: &WildcardAdditionalOptions) {
        let WildcardAdditionalOptions {
            wildcard_token,
            opt_ilike,
            opt_exclude: _,
            opt_except: _,
            opt_replace: _,
            opt_rename,
            opt_alias,
        } = options;
        let at = wildcard_token.0.span;
        if opt_ilike.is_some() {
            self.unsupported(at, "* ilike", "name the columns, or write `* exclude (…)`");
        }
        if opt_rename.is_some() {
            self.unsupported(at, "* rename", "write `* exclude (a), a as b`");
        }
        if opt_alias.is_some() {
            self.unsupported(at, "* as", "name the columns");
        }
    }

    fn table_with_joins(&mut self, table: &TableWithJoins) {
        let TableWithJoins { relation: _, joins } = table;
        for join in joins {
            self.join(join);
        }
    }

    fn group_by(&mut self, group_by: &GroupByExpr, at: Span) {
        let (GroupByExpr::All(modifiers) | GroupByExpr::Expressions(_, modifiers)) = group_by;
        let keys = match group_by {
            GroupByExpr::All(_) => Vec::new(),
            GroupByExpr::Expressions(keys, _) => keys.iter().map(ToString::to_string).collect::<Vec<_>>(),
        };
        let span = if keys.is_empty() { at } else { group_by.span() };
        let keys = if keys.is_empty() { "…".to_owned() } else { keys.join(", ") };
        for modifier in modifiers {
            match modifier {
                GroupByWithModifier::Rollup => {
                    self.unsupported(span, "with rollup", &format!("write `group by rollup ({keys})`"));
                }
                GroupByWithModifier::Cube => {
                    self.unsupported(span, "with cube", &format!("write `group by cube ({keys})`"));
                }
                GroupByWithModifier::Totals => {
                    self.unsupported(span, "with totals", &format!("write `group by grouping sets (({keys}), ())`"));
                }
                GroupByWithModifier::GroupingSets(sets) => {
                    let help = "write `group by grouping sets (…)` without other keys before it";
                    self.unsupported(sets.span(), "group by … grouping sets", help);
                }
            }
        }
    }

    fn named_windows(&mut self, windows: &[NamedWindowDefinition]) {
        for NamedWindowDefinition(name, definition) in windows {
            match definition {
                NamedWindowExpr::NamedWindow(other) => {
                    let help = format!("write the window of `{other}` out");
                    self.unsupported(name.span, &format!("window {name} as {other}"), &help);
                }
                NamedWindowExpr::WindowSpec(spec) => self.window(spec),
            }
        }
    }

    /// The planner looks names of windows up in the SELECT list alone; elsewhere the `over` would be left out.
    fn names_of_windows<V: Visit>(&mut self, clause: &V) {
        let mut found = Vec::new();
        let _all = visit_expressions(clause, |expression| {
            if let Expr::Function(Function { over: Some(WindowType::NamedWindow(name)), .. }) = expression {
                found.push(name.clone());
            }
            ControlFlow::<()>::Continue(())
        });
        for name in found {
            let message = format!("the window `{name}` can be named in the SELECT list only");
            self.refuse(name.span, message, "write the window out here: `over (partition by …)`");
        }
    }

    fn order_by(&mut self, order_by: &OrderBy, of_a_select: bool) {
        let OrderBy { kind, interpolate } = order_by;
        if interpolate.is_some() {
            self.unsupported(order_by.span(), "interpolate", "join a calendar instead");
        }
        match kind {
            OrderByKind::All(OrderByOptions { asc: _, nulls_first: _ }) if of_a_select => {}
            OrderByKind::All(_) => {
                self.unsupported(order_by.span(), "order by all", "name the columns to order by");
            }
            OrderByKind::Expressions(expressions) => {
                for expression in expressions {
                    self.sort_key(expression);
                    self.names_of_windows(&expression.expr);
                }
            }
        }
    }

    pub(super) fn sort_key(&mut self, key: &OrderByExpr) {
        let OrderByExpr { expr, options: OrderByOptions { asc: _, nulls_first: _ }, with_fill } = key;
        if with_fill.is_some() {
            self.unsupported(expr.span(), "with fill", "join a calendar instead");
        }
    }
}

/// The name that an item of a SELECT list is given, or that of its column.
fn name_of(item: &SelectItem) -> Option<&Ident> {
    match item {
        SelectItem::UnnamedExpr(Expr::Identifier(name)) | SelectItem::ExprWithAlias { expr: _, alias: name } => {
            Some(name)
        }
        SelectItem::UnnamedExpr(Expr::CompoundIdentifier(names)) => names.last(),
        _ => None,
    }
}

/// Finds the calls in a condition that need several rows, and whether they have a window. Subqueries have rows of their own.
struct CallsOfRows<'a> {
    functions: &'a Functions,
    depth: usize,
    found: Vec<(ObjectName, bool)>,
}

impl Visitor for CallsOfRows<'_> {
    type Break = Never;

    fn pre_visit_query(&mut self, _: &Query) -> ControlFlow<Never> {
        self.depth += 1;
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &Query) -> ControlFlow<Never> {
        self.depth -= 1;
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expression: &Expr) -> ControlFlow<Never> {
        if let Expr::Function(function) = expression
            && self.depth == 0
        {
            let is_window = function.over.is_some();
            if is_window || self.functions.aggregate.contains_key(&function.name.to_string().to_lowercase()) {
                self.found.push((function.name.clone(), is_window));
            }
        }
        ControlFlow::Continue(())
    }
}
