//! Names of columns that have none: PostgreSQL's, which do not depend on where a table lies or what it is called here.

use std::collections::BTreeSet;

use sqlparser::ast::{
    CastKind, DataType, Expr, Ident, ObjectName, Query, SelectItem, SetExpr, TimezoneInfo, TypedString,
};

/// What a column is called that nothing gives a name.
const NAMELESS: &str = "?column?";

/// Writes the names into a SELECT list. The engine allows each name once, so others of that name get a number.
pub(super) fn give(items: &mut [SelectItem]) {
    let mut taken: BTreeSet<String> = items.iter().filter_map(given).collect();
    for item in items {
        let SelectItem::UnnamedExpr(expr) = item else { continue };
        if last_of_column(expr).is_some() {
            continue;
        }
        let name = of(expr).map_or_else(|| NAMELESS.to_owned(), |name| name.text);
        let free = (1..).map(|number| numbered(&name, number)).find(|name| !taken.contains(name));
        let free = free.expect("there is always another number");
        taken.insert(free.clone());
        let alias = Ident::with_quote('"', free);
        *item = SelectItem::ExprWithAlias { expr: expr.clone(), alias };
    }
}

fn numbered(name: &str, number: usize) -> String {
    if number == 1 { name.to_owned() } else { format!("{name}?{number}") }
}

/// Whether a column of a table would have a name that nobody has given.
pub(super) fn is_made_up(name: &str) -> bool {
    let number = name.rsplit_once('?').map(|(_, number)| number);
    name == NAMELESS || number.is_some_and(|text| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()))
}

/// The names that the author has written.
fn given(item: &SelectItem) -> Option<String> {
    match item {
        SelectItem::UnnamedExpr(expr) => last_of_column(expr),
        SelectItem::ExprWithAlias { expr: _, alias } => Some(word(alias)),
        _ => None,
    }
}

fn last_of_column(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Identifier(name) => Some(word(name)),
        Expr::CompoundIdentifier(names) => names.last().map(word),
        _ => None,
    }
}

/// A name, and whether another part of the expression may have a better one.
struct Name {
    text: String,
    is_weak: bool,
}

fn strong(text: impl Into<String>) -> Option<Name> {
    Some(Name { text: text.into(), is_weak: false })
}

fn weak(text: impl Into<String>) -> Option<Name> {
    Some(Name { text: text.into(), is_weak: true })
}

/// As PostgreSQL names an expression of a SELECT list.
fn of(expr: &Expr) -> Option<Name> {
    match expr {
        Expr::Identifier(name) => strong(word(name)),
        Expr::CompoundIdentifier(names) => strong(word(names.last()?)),
        Expr::Nested(inner) | Expr::Collate { expr: inner, collation: _ } => of(inner),
        Expr::CompoundFieldAccess { root, access_chain: _ } => of(root),
        Expr::Cast {
            kind: CastKind::Cast | CastKind::DoubleColon | CastKind::TryCast | CastKind::SafeCast,
            expr,
            data_type,
            ..
        } => {
            let inner = of(expr).filter(|name| !name.is_weak);
            inner.or_else(|| weak(type_word(data_type)))
        }
        Expr::TypedString(TypedString { data_type, .. }) => weak(type_word(data_type)),
        Expr::Interval(_) => weak("interval"),
        Expr::Function(function) => strong(last_of(&function.name)?),
        Expr::Case { else_result, .. } => {
            let otherwise = else_result.as_ref().and_then(|expr| of(expr)).filter(|name| !name.is_weak);
            otherwise.or_else(|| weak("case"))
        }
        Expr::Extract { .. } => strong("extract"),
        Expr::Position { .. } => strong("position"),
        Expr::Substring { .. } => strong("substring"),
        Expr::Overlay { .. } => strong("overlay"),
        Expr::Trim { .. } => strong("btrim"),
        Expr::Ceil { .. } => strong("ceil"),
        Expr::Floor { .. } => strong("floor"),
        Expr::AtTimeZone { .. } => strong("timezone"),
        Expr::Array(_) => strong("array"),
        Expr::Exists { .. } => strong("exists"),
        Expr::Subquery(query) => of_query(query),
        _ => None,
    }
}

/// A sub-query is called as its only column.
fn of_query(query: &Query) -> Option<Name> {
    let SetExpr::Select(select) = query.body.as_ref() else { return None };
    match select.projection.first()? {
        SelectItem::UnnamedExpr(expr) => of(expr),
        SelectItem::ExprWithAlias { expr: _, alias } => strong(word(alias)),
        _ => None,
    }
}

fn last_of(name: &ObjectName) -> Option<String> {
    name.0.last()?.as_ident().map(word)
}

/// Without quotes a name is read in small letters.
pub(super) fn word(name: &Ident) -> String {
    if name.quote_style.is_some() { name.value.clone() } else { name.value.to_lowercase() }
}

/// What PostgreSQL calls a type in its catalog.
fn type_word(data_type: &DataType) -> String {
    let word = match data_type {
        DataType::Int(_) | DataType::Integer(_) | DataType::Int4(_) => "int4",
        DataType::BigInt(_) | DataType::Int8(_) => "int8",
        DataType::SmallInt(_) | DataType::Int2(_) => "int2",
        DataType::DoublePrecision | DataType::Double(_) | DataType::Float8 | DataType::Float(_) => "float8",
        DataType::Real | DataType::Float4 => "float4",
        DataType::Boolean | DataType::Bool => "bool",
        DataType::Numeric(_) | DataType::Decimal(_) | DataType::Dec(_) => "numeric",
        DataType::Varchar(_) | DataType::CharacterVarying(_) | DataType::CharVarying(_) => "varchar",
        DataType::Timestamp(_, TimezoneInfo::Tz | TimezoneInfo::WithTimeZone) => "timestamptz",
        DataType::Timestamp(..) => "timestamp",
        other => return other.to_string().to_lowercase(),
    };
    word.to_owned()
}

#[cfg(test)]
mod tests {
    use sqlparser::ast::Statement;

    use super::*;
    use crate::analyze::functions::Functions;
    use crate::analyze::planner::parse;
    use crate::project::SqlDialect;
    use crate::template::ReferencePlaces;

    fn names(sql: &str) -> Vec<String> {
        let parsed = parse(sql, &ReferencePlaces::default(), &Functions::load(), SqlDialect::Postgres)
            .unwrap_or_else(|error| panic!("{sql}: {error:?}"));
        let Statement::Query(query) = parsed.statement().clone() else { panic!("{sql}") };
        let SetExpr::Select(mut select) = *query.body else { panic!("{sql}") };
        give(&mut select.projection);
        select.projection.iter().filter_map(given).collect()
    }

    #[test]
    fn columns_are_called_as_in_postgresql() {
        let sql = "select Ts::date, o.u, sum(x), round(avg(x), 2), a + 1, cast('1' as int), case when a then b else c end, \
                   (select max(v) from u), date '2020-01-01', count(*), count(*), (a), exists (select 1) from t as o";
        let wanted =
            ["ts", "u", "sum", "round", "?column?", "int4", "c", "max", "date", "count", "count?2", "a", "exists"];
        assert_eq!(names(sql), wanted);
    }

    #[test]
    fn a_name_that_nobody_has_given_is_known() {
        assert!(["?column?", "?column??2", "sum?2"].into_iter().all(is_made_up));
        assert!(!["sum", "is it?", "?"].into_iter().any(is_made_up));
    }
}
