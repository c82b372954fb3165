//! A table as it stands in the text.

use std::fmt;
use std::sync::Arc;

use minijinja::value::{Enumerator, Object, ObjectRepr};
use minijinja::{Error, ErrorKind, State, Value};

use crate::name::{SchemaName, TableName};
use crate::template::ReferenceName;
use crate::template::render::Render;

/// What `ref()`, `source()` and `this` give.
pub(super) struct Relation {
    pub name: ReferenceName,
    /// For `this`: the render that wants to know whether it was used.
    pub noticed_by: Option<Arc<Render>>,
    /// Which parts of the name are written.
    pub parts: Parts,
}

/// The parts of a relation's name that are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Parts {
    #[default]
    SchemaAndTable,
    Table,
    Schema,
}

impl Relation {
    /// Stands where a table would, so that the rest of the template is checked as well.
    pub fn placeholder() -> Relation {
        let schema = SchemaName::parse(PLACEHOLDER).expect("`unknown` is a name");
        let name = ReferenceName::first(TableName { schema, table: PLACEHOLDER.to_owned() });
        Relation::of(name)
    }

    /// One that is not `this`.
    pub fn of(name: ReferenceName) -> Relation {
        Relation { name, noticed_by: None, parts: Parts::default() }
    }

    /// The same with the parts that `include(database=…, schema=…, identifier=…)` leaves.
    fn including(&self, arguments: &[Value]) -> Relation {
        let named = arguments.last().filter(|last| last.is_kwargs());
        let is_left_out = |name: &str| {
            let value = named.and_then(|named| named.get_attr(name).ok());
            value.is_some_and(|value| !value.is_undefined() && !value.is_true())
        };
        let parts = match (is_left_out("schema"), is_left_out("identifier")) {
            (true, false) => Parts::Table,
            (_, true) => Parts::Schema,
            (false, false) => self.parts,
        };
        Relation { name: self.name.clone(), noticed_by: self.noticed_by.clone(), parts }
    }

    fn text(&self, mark: &str) -> String {
        let table = &self.name.table;
        match self.parts {
            Parts::SchemaAndTable => quoted(table, mark),
            Parts::Table => quoted_part(&table.table, ""),
            Parts::Schema => quoted_part(table.schema.as_str(), ""),
        }
    }

    /// Whether it stands for a table that is not known, which has been reported.
    pub fn is_placeholder(&self) -> bool {
        self.name.table.schema.as_str() == PLACEHOLDER && self.name.table.table == PLACEHOLDER
    }
}

const PLACEHOLDER: &str = "unknown";

/// What dbt's macros are told where they ask for a database: a lake is none.
pub(super) const DATABASE: &str = "lake";

impl fmt::Debug for Relation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text(""))
    }
}

impl Object for Relation {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        // Macros of packages tell a relation from a text by asking whether it is a mapping.
        ObjectRepr::Map
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        // Equal names are equal keys of a dict.
        Enumerator::Str(&["database", "schema", "identifier"])
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        Some(match key {
            "database" => Value::from(DATABASE),
            "schema" => Value::from(self.name.table.schema.as_str()),
            "name" | "identifier" | "table" => Value::from(self.name.table.table.as_str()),
            "type" => Value::from("table"),
            "is_table" => Value::from(true),
            "is_view" | "is_cte" | "is_materialized_view" | "is_dynamic_table" => Value::from(false),
            _ => return None,
        })
    }

    fn call_method(
        self: &Arc<Self>,
        _state: &mut State<'_, '_>,
        method: &str,
        arguments: &[Value],
    ) -> Result<Value, Error> {
        let default = || arguments.get(1).cloned().unwrap_or_else(|| Value::from(()));
        match method {
            "include" => Ok(Value::from_object(self.including(arguments))),
            "quote" | "without_identifier" | "incorporate" => Ok(Value::from_dyn_object(Arc::clone(self))),
            "render" => Ok(Value::from(Value::from_dyn_object(Arc::clone(self)).to_string())),
            "get" => Ok(match arguments.first().and_then(Value::as_str) {
                Some("metadata") => Value::from_pairs([("type", "DataFusionRelation")]),
                Some(key) => self.get_value_by_str(key).unwrap_or_else(default),
                None => default(),
            }),
            _ => Err(Error::new(ErrorKind::UnknownMethod, format!("a relation has no method `{method}`"))),
        }
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get_value_by_str(key.as_str()?)
    }

    fn render(self: &Arc<Self>, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(render) = &self.noticed_by {
            render.record().used_this = true;
        }
        formatter.write_str(&self.text(&self.name.mark()))
    }
}

/// The name as SQL takes it: in quotes where it would mean something else without them. The mark stands behind it.
fn quoted(table: &TableName, mark: &str) -> String {
    format!("{}.{}", quoted_part(table.schema.as_str(), ""), quoted_part(&table.table, mark))
}

fn quoted_part(part: &str, mark: &str) -> String {
    // Unquoted names are folded to lower case.
    let is_folded = part.bytes().any(|byte| byte.is_ascii_uppercase());
    if is_folded || KEYWORDS.binary_search(&part).is_ok() {
        format!("\"{part}{mark}\"")
    } else {
        format!("{part}{mark}")
    }
}

/// Words that mean something where a table may stand, sorted.
const KEYWORDS: [&str; 72] = [
    "all",
    "and",
    "anti",
    "any",
    "array",
    "as",
    "asc",
    "between",
    "by",
    "case",
    "cast",
    "create",
    "cross",
    "cube",
    "current_date",
    "current_time",
    "current_timestamp",
    "default",
    "delete",
    "desc",
    "distinct",
    "else",
    "end",
    "except",
    "exists",
    "extract",
    "false",
    "fetch",
    "filter",
    "for",
    "from",
    "full",
    "global",
    "group",
    "grouping",
    "having",
    "in",
    "inner",
    "insert",
    "intersect",
    "interval",
    "into",
    "is",
    "join",
    "lateral",
    "left",
    "like",
    "limit",
    "natural",
    "not",
    "null",
    "offset",
    "on",
    "or",
    "order",
    "outer",
    "over",
    "partition",
    "qualify",
    "right",
    "select",
    "semi",
    "set",
    "table",
    "then",
    "true",
    "union",
    "unnest",
    "using",
    "values",
    "where",
    "with",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_quoted_only_where_it_must_be() {
        assert!(KEYWORDS.is_sorted());
        assert_eq!(quoted_part("notes", ""), "notes");
        assert_eq!(quoted_part("order", ""), "\"order\"");
        assert_eq!(quoted_part("Notes", ""), "\"Notes\"");
    }
}
