//! Two references to one table in a statement: to its author they are the same table, to a plan they are two.
//!
//! Where a table has several references, each gets a catalog of its own. Columns find it under its name and its schema, as they
//! find any table, and no other name than the author's is needed to tell the two apart.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::convert::Infallible;
use std::ops::ControlFlow;

use sqlparser::ast::{
    Ident, ObjectName, ObjectNamePart, Select, SelectItem, SelectItemQualifiedWildcardKind, Statement, TableFactor,
    TableWithJoins, visit_relations, visit_relations_mut,
};

use super::column_name::word;
use crate::span::{Position, offset_of};
use crate::template::ReferencePlaces;

/// What stands around the number of a reference in the name of its catalog: noncharacters, which no name has.
const OPENS: char = '\u{FDD2}';
const CLOSES: char = '\u{FDD3}';

/// The catalog under which a plan knows a reference to a table that has several.
fn catalog(nth: u32) -> String {
    format!("{OPENS}{nth}{CLOSES}")
}

/// Which reference a catalog stands for. Returns `None` if it is the name of a catalog that somebody wrote.
pub(super) fn nth_of_catalog(catalog: &str) -> Option<u32> {
    catalog.strip_prefix(OPENS)?.strip_suffix(CLOSES)?.parse().ok()
}

/// A text of the engine as people may read it: without the catalogs of references.
pub(crate) fn without_catalogs(text: &str) -> Cow<'_, str> {
    if !text.contains(OPENS) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once(OPENS) {
        let Some((_, behind)) = behind.split_once(CLOSES) else { break };
        let quoted = before.strip_suffix('"').zip(behind.strip_prefix('"'));
        let (before, behind) = quoted.unwrap_or((before, behind));
        shown.push_str(before);
        rest = behind.strip_prefix('.').unwrap_or(behind);
    }
    shown.push_str(rest);
    Cow::Owned(shown)
}

/// Gives the tables of a statement the catalogs of their references; `sql` is the text that it was parsed from.
pub(super) fn tell_apart(statement: &mut Statement, sql: &str, places: &ReferencePlaces) {
    if places.is_empty() {
        return;
    }
    let mut several = BTreeSet::new();
    let ControlFlow::Continue(()) = visit_relations(statement, |relation| {
        if nth(relation, sql, places) > 1 {
            several.insert(words(relation));
        }
        ControlFlow::<Infallible>::Continue(())
    });
    // The first reference gets one too: without, its columns could be taken for those of the others.
    let ControlFlow::Continue(()) = visit_relations_mut(statement, |relation| {
        if several.contains(&words(relation)) {
            let catalog = Ident::with_quote('"', catalog(nth(relation, sql, places)));
            relation.0.insert(0, ObjectNamePart::Identifier(catalog));
        }
        ControlFlow::<Infallible>::Continue(())
    });
}

/// Which reference a table in the SQL is. One that no call has written counts as the first.
fn nth(relation: &ObjectName, sql: &str, places: &ReferencePlaces) -> u32 {
    let [_, ObjectNamePart::Identifier(table)] = relation.0.as_slice() else { return 1 };
    let end = table.span.end;
    let position = Position { line: end.line as usize, column: end.column as usize };
    places.nth_before(offset_of(sql, position))
}

/// Writes the names of tables before a `.*` out in full, as the FROM has them: the engine compares them by the letter.
pub(super) fn complete_wildcards(select: &mut Select) {
    let Select { projection, from, .. } = select;
    for item in projection {
        let SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), _) = item else {
            continue;
        };
        if let Some(full) = from.iter().find_map(|tables| named(tables, name)) {
            *name = full.clone();
        }
    }
}

/// The table without an alias that a name means.
fn named<'t>(tables: &'t TableWithJoins, name: &ObjectName) -> Option<&'t ObjectName> {
    let TableWithJoins { relation, joins } = tables;
    std::iter::once(relation).chain(joins.iter().map(|join| &join.relation)).find_map(|relation| match relation {
        TableFactor::Table { name: table, alias: None, args: None, .. } => ends_with(table, name).then_some(table),
        TableFactor::NestedJoin { table_with_joins, alias: None } => named(table_with_joins, name),
        _ => None,
    })
}

fn ends_with(table: &ObjectName, name: &ObjectName) -> bool {
    words(table).ends_with(&words(name))
}

/// The parts of a name as they are compared. `None` for a part that a function makes.
fn words(name: &ObjectName) -> Vec<Option<String>> {
    name.0.iter().map(|part| part.as_ident().map(word)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_the_engine_lose_the_catalogs() {
        let name = catalog(2);
        assert_eq!(nth_of_catalog(&name), Some(2));
        assert_eq!(nth_of_catalog("2"), None);
        let text = format!("{name}.g.orders.id = \"{name}\".g.orders.id and \"a\" = 1");
        assert_eq!(without_catalogs(&text), "g.orders.id = g.orders.id and \"a\" = 1");
        assert_eq!(without_catalogs("plain"), "plain");
    }
}
