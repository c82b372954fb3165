//! The names under which a FROM gives its tables: PostgreSQL takes each once, and the engine would take the first that fits.

use std::ops::ControlFlow;

use sqlparser::ast::{
    Expr, Ident, ObjectName, Query, Select, SelectItem, SelectItemQualifiedWildcardKind, SetExpr, Spanned as _,
    TableFactor, TableWithJoins, Visit, Visitor,
};
use sqlparser::tokenizer::Span;

use super::{Never, StatementWalk};
use crate::analyze::column_name::word;

/// A table of a FROM, as the rest of its query may name it.
struct Named {
    name: String,
    /// What stands before the name. `None` for an alias, and for a query of a `with`.
    schema: Option<String>,
    is_alias: bool,
    span: Span,
}

/// Two tables of one name in different schemas.
struct SharedName {
    name: String,
    schemas: [String; 2],
}

impl StatementWalk<'_> {
    /// Refuses a name that two tables have.
    pub(super) fn table_names(&mut self, select: &Select) {
        let tables = tables_of(select);
        for (index, table) in tables.iter().enumerate() {
            let same = tables.iter().take(index).find(|earlier| conflict(earlier, table));
            if same.is_some() {
                let message = format!("two tables are called `{}` here", table.name);
                let help = "give each an alias of its own: `from … as a join … as b on …`";
                self.refuse(table.span, message, help);
            }
        }
        self.shared_names(&tables, select);
    }

    /// The same for what stands behind the SELECT, as `order by`.
    pub(super) fn table_names_of_query(&mut self, query: &Query) {
        if let SetExpr::Select(select) = query.body.as_ref() {
            self.shared_names(&tables_of(select), query);
        }
    }

    /// Refuses columns that name one of two tables of different schemas by their name alone.
    fn shared_names(&mut self, tables: &[Named], within: &impl Visit) {
        let shared: Vec<SharedName> = tables
            .iter()
            .enumerate()
            .filter_map(|(index, table)| {
                let earlier = tables.iter().take(index).find(|earlier| is_shared(earlier, table))?;
                let schemas = [earlier.schema.clone()?, table.schema.clone()?];
                Some(SharedName { name: table.name.clone(), schemas })
            })
            .collect();
        if shared.is_empty() {
            return;
        }
        let mut uses = NameUses { shared: &shared, found: Vec::new() };
        let ControlFlow::Continue(()) = within.visit(&mut uses);
        for AmbiguousUse { shared, span } in uses.found {
            let SharedName { name, schemas: [first, second] } = shared;
            let message = format!("`{name}` may be `{first}.{name}` or `{second}.{name}`");
            self.refuse(span, message, "give each table an alias, and write that before the column");
        }
    }
}

/// Whether PostgreSQL would say that the name is given more than once: two schemas may have a table of one name each.
fn conflict(earlier: &Named, later: &Named) -> bool {
    earlier.name == later.name && (earlier.is_alias || later.is_alias || earlier.schema == later.schema)
}

fn is_shared(earlier: &Named, later: &Named) -> bool {
    earlier.name == later.name && !conflict(earlier, later)
}

fn tables_of(select: &Select) -> Vec<Named> {
    let mut found = Vec::new();
    select.from.iter().for_each(|tables| collect(tables, &mut found));
    found
}

fn collect(tables: &TableWithJoins, found: &mut Vec<Named>) {
    let TableWithJoins { relation, joins } = tables;
    for relation in std::iter::once(relation).chain(joins.iter().map(|join| &join.relation)) {
        let alias = match relation {
            TableFactor::Table { alias, .. }
            | TableFactor::Derived { alias, .. }
            | TableFactor::Function { alias, .. }
            | TableFactor::UNNEST { alias, .. }
            | TableFactor::NestedJoin { alias, .. } => alias.as_ref(),
            _ => continue,
        };
        match (relation, alias) {
            (_, Some(alias)) => {
                let name = word(&alias.name);
                found.push(Named { name, schema: None, is_alias: true, span: alias.name.span });
            }
            (TableFactor::Table { name, .. }, None) => found.extend(of_table(name)),
            (TableFactor::NestedJoin { table_with_joins, .. }, None) => collect(table_with_joins, found),
            (_, None) => {}
        }
    }
}

fn of_table(name: &ObjectName) -> Option<Named> {
    let (last, before) = name.0.split_last()?;
    let before: Vec<String> = before.iter().filter_map(|part| part.as_ident().map(word)).collect();
    let schema = (!before.is_empty()).then(|| before.join("."));
    Some(Named { name: word(last.as_ident()?), schema, is_alias: false, span: name.span() })
}

/// Finds names that mean one of two tables.
struct NameUses<'s> {
    shared: &'s [SharedName],
    found: Vec<AmbiguousUse<'s>>,
}

struct AmbiguousUse<'s> {
    shared: &'s SharedName,
    span: Span,
}

impl NameUses<'_> {
    fn look(&mut self, first: &Ident, span: Span) {
        let name = word(first);
        if let Some(shared) = self.shared.iter().find(|shared| shared.name == name) {
            self.found.push(AmbiguousUse { shared, span });
        }
    }
}

impl Visitor for NameUses<'_> {
    type Break = Never;

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<Never> {
        for item in &select.projection {
            if let SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), _) = item
                && let [table] = name.0.as_slice()
                && let Some(table) = table.as_ident()
            {
                self.look(table, name.span());
            }
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expression: &Expr) -> ControlFlow<Never> {
        if let Expr::CompoundIdentifier(parts) = expression
            && let [table, _] = parts.as_slice()
        {
            self.look(table, expression.span());
        }
        ControlFlow::Continue(())
    }
}
