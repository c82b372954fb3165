//! Columns of tables as values: what `adapter.get_columns_in_relation()` and its like give.

use std::fmt;
use std::sync::Arc;

use minijinja::value::{Kwargs, Object, ObjectRepr, from_args};
use minijinja::{Error, ErrorKind, State, Value};

use super::relation::Relation;
use super::{Call, CallFailure};
use crate::name::quoted;
use crate::template::introspection::{Answer, Question, RelationColumn, RelationColumns};

/// A column, with dbt's attributes.
pub(super) struct ColumnValue(RelationColumn);

impl ColumnValue {
    pub fn value(column: RelationColumn) -> Value {
        Value::from_object(ColumnValue(column))
    }

    /// The type without its arguments: `decimal`.
    fn base_type(&self) -> &str {
        self.0.data_type.split('(').next().unwrap_or_default().trim_end()
    }

    /// The arguments of the type.
    fn arguments(&self) -> impl Iterator<Item = i64> {
        let inner = self.0.data_type.split_once('(').map(|(_, rest)| rest.trim_end_matches(')'));
        inner.into_iter().flat_map(|inner| inner.split(',')).filter_map(|number| number.trim().parse().ok())
    }

    fn is_string(&self) -> bool {
        matches!(self.base_type(), "text" | "varchar" | "character varying" | "char" | "character")
    }

    fn is_integer(&self) -> bool {
        matches!(self.base_type(), "smallint" | "integer" | "bigint")
    }

    fn is_float(&self) -> bool {
        matches!(self.base_type(), "real" | "double precision")
    }

    fn described(&self, method: &str, arguments: &[Value]) -> Value {
        match method {
            "literal" => {
                let value = arguments.first().map(Value::to_string).unwrap_or_default();
                Value::from(format!("{value}::{}", self.0.data_type))
            }
            "string_size" => Value::from(self.arguments().next().unwrap_or(256)),
            // A text has no length here.
            _ => Value::from(false),
        }
    }

    fn is_numeric(&self) -> bool {
        matches!(self.base_type(), "decimal" | "numeric")
    }
}

impl fmt::Debug for ColumnValue {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "<Column {} ({})>", self.0.name, self.0.data_type)
    }
}

impl Object for ColumnValue {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        Some(match key {
            "name" | "column" => Value::from(self.0.name.as_str()),
            "quoted" => Value::from(quoted(&self.0.name)),
            "dtype" => Value::from(self.base_type()),
            "data_type" => Value::from(self.0.data_type.as_str()),
            "numeric_precision" if self.is_numeric() => Value::from(self.arguments().next()),
            "numeric_scale" if self.is_numeric() => Value::from(self.arguments().nth(1)),
            "char_size" | "numeric_precision" | "numeric_scale" => Value::from(()),
            _ => return None,
        })
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get_value_by_str(key.as_str()?)
    }

    fn call_method(
        self: &Arc<Self>,
        _state: &mut State<'_, '_>,
        method: &str,
        arguments: &[Value],
    ) -> Result<Value, Error> {
        if method == "string_size" {
            // As dbt has it for a text without a length.
            return Ok(Value::from(self.arguments().next().unwrap_or(256)));
        }
        Ok(Value::from(match method {
            "is_string" => self.is_string(),
            "is_integer" => self.is_integer(),
            "is_float" => self.is_float(),
            "is_numeric" => self.is_numeric(),
            "string_size" | "literal" | "can_expand_to" => return Ok(self.described(method, arguments)),
            "is_number" => self.is_integer() || self.is_float() || self.is_numeric(),
            _ => return Err(Error::new(ErrorKind::UnknownMethod, format!("a column has no method `{method}`"))),
        }))
    }
}

/// `api.Column`: makes columns, and says what types are called.
pub(super) struct ColumnClass;

impl fmt::Debug for ColumnClass {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("<class Column>")
    }
}

impl Object for ColumnClass {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn call(self: &Arc<Self>, _: &mut State<'_, '_>, arguments: &[Value]) -> Result<Value, Error> {
        let (given, keywords): (&[Value], Kwargs) = from_args(arguments)?;
        let of = |place: usize, name: &str| {
            let found = given.get(place).cloned().or_else(|| keywords.get::<Option<Value>>(name).ok().flatten());
            found.filter(|value| !value.is_none() && !value.is_undefined())
        };
        let [name, data_type] = [of(0, "column"), of(1, "dtype")];
        let (Some(name), Some(data_type)) = (name, data_type) else {
            return Err(CallFailure::new("`api.Column()` needs a name and a type").into());
        };
        let sizes = match (of(2, "char_size"), of(3, "numeric_precision"), of(4, "numeric_scale")) {
            (Some(size), _, _) => format!("({size})"),
            (None, Some(precision), Some(scale)) => format!("({precision},{scale})"),
            (None, _, _) => String::new(),
        };
        Ok(ColumnValue::value(RelationColumn { name: name.to_string(), data_type: format!("{data_type}{sizes}") }))
    }

    fn call_method(
        self: &Arc<Self>,
        state: &mut State<'_, '_>,
        method: &str,
        arguments: &[Value],
    ) -> Result<Value, Error> {
        let text = |place: usize| arguments.get(place).map(Value::to_string).unwrap_or_default();
        match method {
            "create" => self.call(state, arguments),
            "translate_type" => {
                // All other words of dbt's for types are PostgreSQL's.
                let word = text(0);
                Ok(Value::from(match word.to_ascii_lowercase().as_str() {
                    "string" => "text".to_owned(),
                    "float" => "double precision".to_owned(),
                    _ => word,
                }))
            }
            "string_type" => Ok(Value::from(format!("character varying({})", text(0)))),
            "numeric_type" => Ok(Value::from(format!("{}({},{})", text(0), text(1), text(2)))),
            _ => Err(Error::new(ErrorKind::UnknownMethod, format!("`api.Column` has no method `{method}`"))),
        }
    }
}

/// `adapter.get_columns_in_relation(relation)`
pub(super) fn columns_in_relation(call: &Call<'_>) -> Result<Value, CallFailure> {
    let columns = columns_of(call, 0, "the relation")?;
    Ok(columns.iter().cloned().map(ColumnValue::value).collect())
}

/// `adapter.get_missing_columns(from, to)`: the columns of the first that the second lacks.
pub(super) fn missing_columns(call: &Call<'_>) -> Result<Value, CallFailure> {
    let from = columns_of(call, 0, "the relation with more columns")?;
    let to = columns_of(call, 1, "the relation with fewer columns")?;
    let is_missing = |column: &&RelationColumn| !to.iter().any(|known| known.name == column.name);
    Ok(from.iter().filter(is_missing).cloned().map(ColumnValue::value).collect())
}

/// The columns of the table that an argument is.
fn columns_of(call: &Call<'_>, place: usize, what: &str) -> Result<RelationColumns, CallFailure> {
    let given = call.argument(place, "relation");
    let Some(relation) = given.as_ref().and_then(|value| value.downcast_object_ref::<Relation>()) else {
        return Err(CallFailure::new(format!("`adapter.{}` needs {what}", call.name))
            .help("pass what `ref()` or `source()` gives"));
    };
    let table = &relation.name.table;
    if relation.noticed_by.is_some() {
        return Err(CallFailure::new("the columns of `this` are those that this model selects")
            .help("name them, or ask for the columns of what the model reads"));
    }
    if relation.is_placeholder() {
        return Ok(RelationColumns::default());
    }
    match call.ask(Question::Columns(table.clone()))? {
        Some(Answer::Columns(columns)) => Ok(columns),
        Some(Answer::Rows(_) | Answer::Refused(_)) | None => {
            Err(CallFailure::new(format!("the columns of `{table}` are not known")))
        }
    }
}
