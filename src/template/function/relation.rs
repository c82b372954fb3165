//! A table as it stands in the text.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use minijinja::value::{DynObject, Enumerator, Object, ObjectRepr};
use minijinja::{Error, State, Value};

use super::{Call, CallFailure};
use crate::name::{SchemaName, TableName};
use crate::template::ReferenceName;
use crate::template::render::{Facts, Render};

/// What `ref()`, `source()` and `this` give.
pub(super) struct Relation {
    pub name: ReferenceName,
    /// A name that templates may ask for. It is never printed: a lake has no databases.
    database: Arc<str>,
    /// For `this`: the render that wants to know whether it was used.
    pub noticed_by: Option<Arc<Render>>,
    pub shape: RelationShape,
}

/// Which parts of a table's name are printed, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RelationShape {
    pub has_schema: bool,
    pub has_identifier: bool,
    pub quotes: Quotes,
}

/// Which names stand in quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Quotes {
    /// Those that would mean something else without them.
    Needed,
    All,
}

impl Default for RelationShape {
    fn default() -> RelationShape {
        RelationShape { has_schema: true, has_identifier: true, quotes: Quotes::Needed }
    }
}

impl Relation {
    pub fn of(name: ReferenceName, facts: &Facts) -> Relation {
        let database = facts.database_of(&name.table);
        Relation { name, database, noticed_by: None, shape: RelationShape::default() }
    }

    /// The table of the model that is rendered.
    pub fn this(table: TableName, render: &Arc<Render>) -> Relation {
        Relation { noticed_by: Some(Arc::clone(render)), ..Relation::of(ReferenceName::first(table), render.facts()) }
    }

    /// Stands where a table would, so that the rest of the template is checked as well.
    pub fn placeholder(facts: &Facts) -> Relation {
        let schema = SchemaName::parse(PLACEHOLDER).expect("`unknown` is a name");
        Relation::of(ReferenceName::first(TableName { schema, table: PLACEHOLDER.to_owned() }), facts)
    }

    /// Whether it stands for a table that is not known, which has been reported.
    pub fn is_placeholder(&self) -> bool {
        self.name.table.schema.as_str() == PLACEHOLDER && self.name.table.table == PLACEHOLDER
    }

    fn shaped(&self, shape: RelationShape) -> Value {
        let noticed_by = self.noticed_by.clone();
        Value::from_object(Relation {
            name: self.name.clone(),
            database: Arc::clone(&self.database),
            noticed_by,
            shape,
        })
    }

    fn text(&self, mark: &str) -> String {
        let TableName { schema, table } = &self.name.table;
        let RelationShape { has_schema, has_identifier, quotes } = self.shape;
        match (has_schema, has_identifier) {
            (true, true) => {
                format!("{}.{}", quoted_part(schema.as_str(), "", quotes), quoted_part(table, mark, quotes))
            }
            (true, false) => quoted_part(schema.as_str(), "", quotes),
            (false, true) => quoted_part(table, "", quotes),
            (false, false) => String::new(),
        }
    }
}

const PLACEHOLDER: &str = "unknown";

/// What a relation answers like a dict; dbt's packages find out by `metadata` whether something is a relation.
const KEYS: [&str; 6] = ["database", "schema", "identifier", "name", "type", "metadata"];

impl fmt::Debug for Relation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text(""))
    }
}

impl Object for Relation {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Map
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Str(&KEYS)
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        Some(match key {
            "database" => Value::from(&*self.database),
            "schema" => Value::from(self.name.table.schema.as_str()),
            "name" | "identifier" | "table" | "alias" => Value::from(self.name.table.table.as_str()),
            "type" => Value::from("table"),
            "is_table" => Value::from(true),
            "is_view"
            | "is_cte"
            | "is_materialized_view"
            | "is_dynamic_table"
            | "is_pointer"
            | "is_delta"
            | "is_iceberg_format" => Value::from(false),
            "metadata" => Value::from_pairs([("type", "DataFusionRelation")]),
            _ => return None,
        })
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get_value_by_str(key.as_str()?)
    }

    /// Two references to one table are the same relation.
    fn custom_cmp(self: &Arc<Self>, other: &DynObject) -> Option<Ordering> {
        let other = other.downcast_ref::<Relation>()?;
        Some(self.name.table.cmp(&other.name.table))
    }

    fn call_method(self: &Arc<Self>, _: &mut State<'_, '_>, method: &str, arguments: &[Value]) -> Result<Value, Error> {
        let flag = |name: &str| flag(arguments, name);
        Ok(match method {
            "include" => self.shaped(RelationShape {
                has_schema: flag("schema").unwrap_or(self.shape.has_schema),
                has_identifier: flag("identifier").unwrap_or(self.shape.has_identifier),
                ..self.shape
            }),
            "quote" => {
                let is_quoted = flag("identifier").or(flag("schema")).unwrap_or(self.shape.quotes == Quotes::All);
                self.shaped(RelationShape {
                    quotes: if is_quoted { Quotes::All } else { Quotes::Needed },
                    ..self.shape
                })
            }
            "without_identifier" => self.shaped(RelationShape { has_identifier: false, ..self.shape }),
            "incorporate" => self.shaped(self.shape),
            "render" => Value::from(self.to_string()),
            "get" => match arguments.first().and_then(|key| self.get_value(key)) {
                Some(found) => found,
                None => arguments.get(1).cloned().unwrap_or_else(|| Value::from(())),
            },
            "replace_path" | "information_schema" | "information_schema_only" => {
                let message = format!("`relation.{method}()` is not available: a relation is a table of the project");
                return Err(CallFailure::new(message).help("use `ref()` or `source()` for the other table").into());
            }
            _ => return Err(unknown_method(method).into()),
        })
    }

    fn render(self: &Arc<Self>, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.to_string())
    }
}

impl fmt::Display for Relation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(render) = &self.noticed_by {
            render.record().used_this = true;
        }
        formatter.write_str(&self.text(&self.name.mark()))
    }
}

fn unknown_method(method: &str) -> CallFailure {
    const METHODS: [&str; 5] = ["get", "include", "quote", "render", "without_identifier"];
    CallFailure::new(format!("a relation has no method `{method}`")).suggest(method, METHODS)
}

/// A keyword argument that is true or false.
fn flag(arguments: &[Value], name: &str) -> Option<bool> {
    let keywords = arguments.last().filter(|last| last.is_kwargs())?;
    let value = keywords.get_attr(name).ok()?;
    (!value.is_undefined() && !value.is_none()).then(|| value.is_true())
}

/// `api.Relation.create(database, schema, identifier, type)`: a table by its name, which the project need not know.
pub(super) fn create(call: &Call<'_>) -> Result<Value, CallFailure> {
    let text = |name: &str| {
        let given = call.named.iter().find(|(known, _)| known == name).map(|(_, value)| value);
        given.filter(|value| !value.is_none() && !value.is_undefined()).map(Value::to_string)
    };
    let identifier = text("identifier");
    let schema = text("schema");
    let parsed = match &schema {
        Some(schema) => SchemaName::parse(schema)
            .map_err(|_| CallFailure::new(format!("`{schema}` cannot be the name of a schema")))?,
        None => SchemaName::parse(PLACEHOLDER).expect("`unknown` is a name"),
    };
    let shape =
        RelationShape { has_schema: schema.is_some(), has_identifier: identifier.is_some(), ..Default::default() };
    let table = TableName { schema: parsed, table: identifier.unwrap_or_default() };
    Ok(Value::from_object(Relation { shape, ..Relation::of(ReferenceName::first(table), call.render.facts()) }))
}

/// The name as SQL takes it. The mark stands behind it.
fn quoted_part(part: &str, mark: &str, quotes: Quotes) -> String {
    // Unquoted names are folded to lower case.
    let is_folded = part.bytes().any(|byte| byte.is_ascii_uppercase());
    let is_needed = is_folded || KEYWORDS.binary_search(&part).is_ok();
    if is_needed || quotes == Quotes::All { format!("\"{part}{mark}\"") } else { format!("{part}{mark}") }
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
        assert_eq!(quoted_part("notes", "", Quotes::Needed), "notes");
        assert_eq!(quoted_part("order", "", Quotes::Needed), "\"order\"");
        assert_eq!(quoted_part("Notes", "", Quotes::Needed), "\"Notes\"");
    }
}
