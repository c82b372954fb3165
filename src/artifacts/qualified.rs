//! Compiled SQL with three-part names: readers find the tables in it by the names that nodes have.

use std::borrow::Cow;
use std::collections::BTreeSet;

use crate::name::TableName;
use crate::project::DATABASE;
use crate::template::{ReferenceTarget, RenderedSql};

/// A table's name with that of the database, quoted.
pub(crate) fn relation_name(table: &TableName) -> String {
    format!("\"{DATABASE}\".\"{}\".\"{}\"", table.schema, table.table)
}

/// The text with the full name of every table that it refers to.
pub(crate) fn qualified(rendered: &RenderedSql) -> Cow<'_, str> {
    let references = rendered.references.iter().filter(|reference| reference.target != ReferenceTarget::This);
    let tables: BTreeSet<String> = references.map(|reference| reference.name.table.to_string()).collect();
    in_text(&rendered.text, &tables)
}

/// The text with the full names of these tables, where they stand as two parts outside of texts and comments.
pub(super) fn in_text<'a>(text: &'a str, tables: &BTreeSet<String>) -> Cow<'a, str> {
    if tables.is_empty() {
        return Cow::Borrowed(text);
    }
    let mut written = String::with_capacity(text.len() + tables.len() * 16);
    let mut rest = text;
    // One pass, token by token: a text in quotes and a comment are tokens, so nothing in them is taken for a name.
    while !rest.is_empty() {
        let length = token_length(rest);
        let (token, after) = rest.split_at(length);
        match token.split_once('.').filter(|_| tables.contains(token)) {
            Some((schema, table)) => written.push_str(&format!("\"{DATABASE}\".\"{schema}\".\"{table}\"")),
            None => written.push_str(token),
        }
        rest = after;
    }
    Cow::Owned(written)
}

/// The length of a text in quotes, of a comment, of a name with its dots, or of one character.
fn token_length(text: &str) -> usize {
    let is_part = |letter: char| letter.is_alphanumeric() || matches!(letter, '_' | '.' | '$');
    let until = |closing: &str, opening: usize| {
        let inside = text.get(opening..).unwrap_or_default();
        inside.find(closing).map_or(text.len(), |end| opening + end + closing.len())
    };
    let first = text.chars().next();
    match first {
        Some('\'') => until("'", 1),
        Some('"') => until("\"", 1),
        _ if text.starts_with("--") => until("\n", 2),
        _ if text.starts_with("/*") => until("*/", 2),
        Some(letter) if is_part(letter) => text.find(|letter| !is_part(letter)).unwrap_or(text.len()),
        _ => first.map_or(0, char::len_utf8),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_tables_get_the_database_in_front_and_texts_stay() {
        let tables = BTreeSet::from(["raw.orders".to_owned()]);
        let text = "select 'raw.orders', o.id, x.raw.orders -- raw.orders\nfrom raw.orders as o, (raw.orders)";
        let expected = "select 'raw.orders', o.id, x.raw.orders -- raw.orders\n\
                        from \"lake\".\"raw\".\"orders\" as o, (\"lake\".\"raw\".\"orders\")";
        assert_eq!(in_text(text, &tables), expected);
        assert_eq!(in_text("'open", &tables), "'open");
    }
}
