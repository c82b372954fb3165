//! A table as it stands in the text.

use std::fmt;
use std::sync::Arc;

use minijinja::Value;
use minijinja::value::{Object, ObjectRepr};

use crate::name::{SchemaName, TableName};
use crate::template::ReferenceName;
use crate::template::render::Render;

/// What `ref()`, `source()` and `this` give.
pub(super) struct Relation {
    pub name: ReferenceName,
    /// For `this`: the render that wants to know whether it was used.
    pub noticed_by: Option<Arc<Render>>,
}

impl Relation {
    /// Stands where a table would, so that the rest of the template is checked as well.
    pub fn placeholder() -> Relation {
        let schema = SchemaName::parse(PLACEHOLDER).expect("`unknown` is a name");
        let name = ReferenceName::first(TableName { schema, table: PLACEHOLDER.to_owned() });
        Relation { name, noticed_by: None }
    }

    /// Whether it stands for a table that is not known, which has been reported.
    pub fn is_placeholder(&self) -> bool {
        self.name.table.schema.as_str() == PLACEHOLDER && self.name.table.table == PLACEHOLDER
    }
}

const PLACEHOLDER: &str = "unknown";

impl fmt::Debug for Relation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&quoted(&self.name.table, ""))
    }
}

impl Object for Relation {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        match key {
            "schema" => Some(Value::from(self.name.table.schema.as_str())),
            "name" | "identifier" | "table" => Some(Value::from(self.name.table.table.as_str())),
            _ => None,
        }
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get_value_by_str(key.as_str()?)
    }

    fn render(self: &Arc<Self>, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(render) = &self.noticed_by {
            render.record().used_this = true;
        }
        formatter.write_str(&quoted(&self.name.table, &self.name.mark()))
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
