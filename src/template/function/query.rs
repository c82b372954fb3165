//! `run_query()`, `statement()` and `load_result()`: rows that the project decides.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use minijinja::value::{Enumerator, Object, ObjectRepr};
use minijinja::{Error, ErrorKind, State, Value};

use super::{Call, CallFailure, TemplateFunction};
use crate::template::introspection::{Answer, Cell, QueryRows, Question, QuestionQuery};
use crate::template::reference_name::without_marks;

/// `run_query(sql)`: the rows of a query.
pub(super) struct RunQuery;

/// `{% call statement('name', fetch_result=True) %}…{% endcall %}`: the same, kept under a name.
pub(super) struct Statement;

/// `load_result('name')`: what a statement has kept.
pub(super) struct LoadResult;

/// The name of a statement that has none.
const USUAL_NAME: &str = "main";

impl TemplateFunction for RunQuery {
    fn name(&self) -> &'static str {
        "run_query"
    }

    fn call(&self, call: &Call<'_>) -> Result<Value, CallFailure> {
        call.takes(1, &["sql"])?;
        Ok(TableValue::value(rows(call, call.text(0, "sql")?)?))
    }
}

impl TemplateFunction for Statement {
    fn name(&self) -> &'static str {
        "statement"
    }

    fn call_in(&self, state: &mut State<'_, '_>, call: &Call<'_>) -> Result<Value, Error> {
        call.takes(4, &["name", "fetch_result", "auto_begin", "language", "caller"])?;
        let name = call.argument(0, "name").filter(|name| !name.is_none());
        let name = name.and_then(Value::as_str).unwrap_or(USUAL_NAME).to_owned();
        let Some(body) = call.argument(usize::MAX, "caller") else {
            let failure = CallFailure::new("`statement()` has no query");
            return Err(failure.help("write `{% call statement('name', fetch_result=True) %} … {% endcall %}`").into());
        };
        let sql = body.call(state, &[])?.to_string();
        let result = ResultValue(rows(call, sql)?);
        call.render.record().results.insert(name, Value::from_object(result));
        Ok(Value::from(""))
    }
}

impl TemplateFunction for LoadResult {
    fn name(&self) -> &'static str {
        "load_result"
    }

    fn call(&self, call: &Call<'_>) -> Result<Value, CallFailure> {
        call.takes(1, &["name"])?;
        let name = call.text(0, "name")?;
        Ok(call.render.record().results.get(&name).cloned().unwrap_or_else(|| Value::from(())))
    }
}

fn rows(call: &Call<'_>, sql: String) -> Result<Arc<QueryRows>, CallFailure> {
    let mut references: Vec<_> =
        call.render.record().references.iter().map(|reference| reference.target.clone()).collect();
    references.sort();
    references.dedup();
    let query = QuestionQuery { sql: without_marks(sql), references };
    match call.ask(Question::Rows(query))? {
        Some(Answer::Rows(rows)) => Ok(rows),
        Some(Answer::Columns(_) | Answer::Refused(_)) | None => {
            Err(CallFailure::new(format!("`{}` has no result", call.name)))
        }
    }
}

impl Cell {
    fn value(&self) -> Value {
        match self {
            Cell::Null => Value::from(()),
            Cell::Boolean(value) => Value::from(*value),
            Cell::Integer(value) => Value::from(*value),
            Cell::Float(value) => Value::from(*value),
            Cell::Text(value) => Value::from(value.as_str()),
        }
    }
}

/// What `run_query()` gives: an agate table. Iterating over it gives rows.
struct TableValue(Arc<QueryRows>);

/// What `load_result()` gives: `data`, `table` and `response`.
struct ResultValue(Arc<QueryRows>);

/// The columns of a table, by place and by name.
struct ColumnsValue(Arc<QueryRows>);

/// One column: its values in order.
struct ColumnOfRows {
    rows: Arc<QueryRows>,
    place: usize,
}

/// One row: its values by place and by name.
struct RowValue {
    rows: Arc<QueryRows>,
    place: usize,
}

impl QueryRows {
    fn column_place(&self, key: &Value) -> Option<usize> {
        place_of(key, self.columns.len(), |name| self.columns.iter().position(|column| column == name))
    }
}

/// A place by a number, which may count from the end, or by a name.
fn place_of(key: &Value, count: usize, by_name: impl FnOnce(&str) -> Option<usize>) -> Option<usize> {
    if let Some(name) = key.as_str() {
        return by_name(name);
    }
    let number = i64::try_from(key.clone()).ok()?;
    let from_start = if number < 0 { number.checked_add(i64::try_from(count).ok()?)? } else { number };
    usize::try_from(from_start).ok().filter(|place| *place < count)
}

impl TableValue {
    fn value(rows: Arc<QueryRows>) -> Value {
        Value::from_object(TableValue(rows))
    }
}

fn row_values(rows: &Arc<QueryRows>) -> Vec<Value> {
    (0..rows.rows.len()).map(|place| Value::from_object(RowValue { rows: Arc::clone(rows), place })).collect()
}

fn no_method(what: &str, method: &str) -> Error {
    Error::new(ErrorKind::UnknownMethod, format!("{what} of a query has no method `{method}`"))
}

impl fmt::Debug for TableValue {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "<table of {} rows>", self.0.rows.len())
    }
}

impl Object for TableValue {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Seq
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(row_values(&self.0))
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        match key.as_str() {
            Some("columns") => Some(Value::from_object(ColumnsValue(Arc::clone(&self.0)))),
            Some("rows") => Some(Value::from(row_values(&self.0))),
            Some("column_names") => Some(Value::from(self.0.columns.clone())),
            Some(_) => None,
            None => {
                let place = place_of(key, self.0.rows.len(), |_| None)?;
                Some(Value::from_object(RowValue { rows: Arc::clone(&self.0), place }))
            }
        }
    }

    fn call_method(self: &Arc<Self>, _: &mut State<'_, '_>, method: &str, _: &[Value]) -> Result<Value, Error> {
        match method {
            // For a person who looks on; here the rows are those of the compiler.
            "print_table" | "print_csv" | "print_json" => Ok(Value::from("")),
            _ => Err(no_method("the table", method)),
        }
    }
}

impl fmt::Debug for ResultValue {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "<result of {} rows>", self.0.rows.len())
    }
}

impl Object for ResultValue {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Map
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        match key.as_str()? {
            "data" => Some(Value::from(row_values(&self.0))),
            "table" => Some(TableValue::value(Arc::clone(&self.0))),
            "response" => Some(Value::from("OK")),
            _ => None,
        }
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Str(&["response", "data", "table"])
    }
}

impl fmt::Debug for ColumnsValue {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_list().entries(&self.0.columns).finish()
    }
}

impl Object for ColumnsValue {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Seq
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        let rows = &self.0;
        let columns = 0..rows.columns.len();
        Enumerator::Values(
            columns.map(|place| Value::from_object(ColumnOfRows { rows: Arc::clone(rows), place })).collect(),
        )
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let place = self.0.column_place(key)?;
        Some(Value::from_object(ColumnOfRows { rows: Arc::clone(&self.0), place }))
    }

    fn call_method(self: &Arc<Self>, _: &mut State<'_, '_>, method: &str, _: &[Value]) -> Result<Value, Error> {
        match method {
            "keys" => Ok(Value::from(self.0.columns.clone())),
            "values" => Ok(Value::from_object(ColumnsValue(Arc::clone(&self.0)))),
            _ => Err(no_method("the columns", method)),
        }
    }
}

impl ColumnOfRows {
    fn values(&self) -> Vec<Value> {
        self.rows.rows.iter().filter_map(|row| row.get(self.place)).map(Cell::value).collect()
    }
}

impl fmt::Debug for ColumnOfRows {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_list().entries(self.values()).finish()
    }
}

impl Object for ColumnOfRows {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Seq
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.values())
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        match key.as_str() {
            Some("name") => self.rows.columns.get(self.place).map(|name| Value::from(name.as_str())),
            Some(_) => None,
            None => {
                let row = place_of(key, self.rows.rows.len(), |_| None)?;
                self.rows.rows.get(row)?.get(self.place).map(Cell::value)
            }
        }
    }

    fn call_method(self: &Arc<Self>, _: &mut State<'_, '_>, method: &str, _: &[Value]) -> Result<Value, Error> {
        match method {
            "values" => Ok(Value::from(self.values())),
            "values_distinct" => {
                let mut seen = BTreeSet::new();
                Ok(self.values().into_iter().filter(|value| seen.insert(value.clone())).collect())
            }
            "values_without_nulls" => {
                Ok(Value::from(self.values().into_iter().filter(|value| !value.is_none()).collect::<Vec<_>>()))
            }
            _ => Err(no_method("a column", method)),
        }
    }
}

impl RowValue {
    fn values(&self) -> Vec<Value> {
        self.rows.rows.get(self.place).into_iter().flatten().map(Cell::value).collect()
    }
}

impl fmt::Debug for RowValue {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_list().entries(self.values()).finish()
    }
}

impl Object for RowValue {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Seq
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.values())
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let place = self.rows.column_place(key)?;
        self.rows.rows.get(self.place)?.get(place).map(Cell::value)
    }

    fn call_method(self: &Arc<Self>, _: &mut State<'_, '_>, method: &str, arguments: &[Value]) -> Result<Value, Error> {
        match method {
            "values" => Ok(Value::from(self.values())),
            "keys" => Ok(Value::from(self.rows.columns.clone())),
            "items" => {
                let pairs = self.rows.columns.iter().zip(self.values());
                Ok(pairs.map(|(name, value)| Value::from(vec![Value::from(name.as_str()), value])).collect())
            }
            "dict" => Ok(Value::from_pairs(self.rows.columns.iter().map(String::as_str).zip(self.values()))),
            "get" => {
                let found = arguments.first().and_then(|key| self.get_value(key));
                Ok(found.or_else(|| arguments.get(1).cloned()).unwrap_or_else(|| Value::from(())))
            }
            _ => Err(no_method("a row", method)),
        }
    }
}
