//! Contracts: the columns of a model are those that YAML declares, or the model is not built.
//!
//! Types are compared as the compiler knows them. Where dbt-duckdb and karat give the same expression whole numbers of
//! different widths (a literal is a bigint here), the declared type decides: the values are cast to it, and one that does not
//! fit fails the run. Everything else that differs is an error.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, TimeUnit};
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, cast, col};

use super::Planner;
use super::find::OutputColumn;
use super::rewrite::type_name;
use super::schema::output_place;
use crate::column_type::ColumnType;
use crate::diag::{Checked, Code, Diagnostic, Sink, all_of, nearest};
use crate::project::{Column, Model};
use crate::shown::TextTable;
use crate::span::Span;
use crate::template::RenderedModel;

/// The types that a message lists.
const TYPES: [&str; 9] =
    ["text", "bigint", "integer", "smallint", "double precision", "boolean", "date", "timestamp", "decimal(18, 2)"];

/// What a misspelt name may have meant.
const SPELLINGS: [&str; 22] = [
    "text",
    "varchar",
    "string",
    "char",
    "bigint",
    "int",
    "integer",
    "smallint",
    "tinyint",
    "hugeint",
    "double",
    "float",
    "real",
    "double precision",
    "numeric",
    "decimal",
    "boolean",
    "bool",
    "date",
    "timestamp",
    "datetime",
    "bytea",
];

/// So many columns are pointed at; the table has all of them.
const MOST_LABELS: usize = 8;

/// What a contract says of the type of a column.
#[derive(Debug, Clone, PartialEq)]
enum PromisedType {
    Exactly(DataType),
    /// `numeric` without digits promises none.
    AnyDecimal,
    /// DuckDB's `hugeint`, which is wider than any whole number here.
    AnyWholeNumber,
}

/// A column of a contract.
struct PromisedColumn<'a> {
    column: &'a Column,
    /// `None` if the contract names no type.
    data_type: Option<PromisedType>,
}

/// Why a column does not keep a contract, in the words of dbt's table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mismatch {
    MissingInSql,
    MissingInContract,
    Type,
    NoType,
}

/// A column that does not keep the contract.
struct MismatchedColumn<'a> {
    name: &'a str,
    promised: Option<&'a Column>,
    /// Its type in SQL, if it has that column.
    found: Option<&'a DataType>,
    mismatch: Mismatch,
}

impl Planner<'_> {
    /// The plan with the columns that the contract of its model promises, if it has one. `decides` is told what that changes.
    pub(super) fn under_contract(
        &self,
        plan: LogicalPlan,
        rendered: &RenderedModel,
        decides: &mut String,
        sink: &mut Sink,
    ) -> Checked<LogicalPlan> {
        let (Some(place), Some(model)) = (rendered.config.contract, self.project.models.get(&rendered.name)) else {
            return Ok(plan);
        };
        let promised = self.promised(model, place, sink)?;
        let fields = plan.schema().fields().clone();
        let mismatched = mismatched(&promised, fields.iter());
        if !mismatched.is_empty() {
            return Err(sink.error(broken_contract(&mismatched, rendered, place)));
        }
        // As in dbt, a stored table has the columns in the order of the contract.
        let mut columns: Vec<(&Arc<Field>, &PromisedColumn<'_>)> = Vec::new();
        for promised in &promised {
            columns.extend(fields.iter().find(|field| *field.name() == promised.column.name.value).zip(Some(promised)));
        }
        if !rendered.config.materialized.is_stored() {
            columns.sort_by_key(|(field, _)| fields.iter().position(|other| other.name() == field.name()));
        }
        let is_same = fields.iter().zip(&columns).all(|(field, (other, promised))| {
            field.name() == other.name() && promised.cast_of(field.data_type()).is_none()
        });
        if is_same {
            return Ok(plan);
        }
        for (field, promised) in &columns {
            let data_type = promised.cast_of(field.data_type()).unwrap_or_else(|| field.data_type().clone());
            decides.push_str(&format!("\ncontract {} {data_type}", field.name()));
        }
        Ok(in_columns(plan, &columns))
    }

    /// The declared columns. One that is described twice is what the second description says, as in dbt.
    fn promised<'m>(&self, model: &'m Model, place: Span, sink: &mut Sink) -> Checked<Vec<PromisedColumn<'m>>> {
        if model.columns.is_empty() {
            let message = format!("the contract of `{}` declares no columns", model.name);
            let diagnostic = Diagnostic::error(Code::ContractBroken, message).at(place);
            let help = "list the columns in a properties file: `columns: [{ name: id, data_type: bigint }]`";
            return Err(sink.error(diagnostic.help(help)));
        }
        let mut columns: Vec<&Column> = Vec::new();
        for column in &model.columns {
            match columns.iter_mut().find(|other| other.name.value == column.name.value) {
                Some(earlier) => *earlier = column,
                None => columns.push(column),
            }
        }
        sink.check_all(columns, |column, sink| {
            let Some(written) = &column.data_type else { return Ok(PromisedColumn { column, data_type: None }) };
            match self.promised_type(&written.value) {
                Some(data_type) => Ok(PromisedColumn { column, data_type: Some(data_type) }),
                None => {
                    let message = format!("no type is called `{}`", written.value);
                    let diagnostic = Diagnostic::error(Code::WrongType, message).at(written.span);
                    let lower = written.value.to_lowercase();
                    Err(sink.error(match nearest(&lower, SPELLINGS) {
                        Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
                        None => diagnostic.help(format!("usual types are {}", all_of(TYPES))),
                    }))
                }
            }
        })
    }

    /// What a `data_type` means: what SQL casts to under that name, and then the names that columns of sources have.
    fn promised_type(&self, written: &str) -> Option<PromisedType> {
        match written.trim().to_lowercase().as_str() {
            "decimal" | "numeric" | "dec" | "number" | "bignumeric" => return Some(PromisedType::AnyDecimal),
            "hugeint" => return Some(PromisedType::AnyWholeNumber),
            _ => {}
        }
        let by_sql = self.type_called(written).filter(|data_type| *data_type != DataType::Null);
        by_sql.or_else(|| ColumnType::parse(written).map(ColumnType::arrow)).map(PromisedType::Exactly)
    }
}

impl PromisedColumn<'_> {
    /// Whether a column of this type keeps the promise, once it is cast to it where that is allowed.
    fn is_kept_by(&self, found: &DataType) -> bool {
        match &self.data_type {
            None => false,
            Some(_) if *found == DataType::Null => true,
            Some(PromisedType::AnyDecimal) => found.is_decimal(),
            Some(PromisedType::AnyWholeNumber) => found.is_integer(),
            Some(PromisedType::Exactly(promised)) => agree(promised, found),
        }
    }

    /// The type that values of this type are cast to. Returns `None` if they stay as they are.
    fn cast_of(&self, found: &DataType) -> Option<DataType> {
        match &self.data_type {
            Some(PromisedType::Exactly(promised)) if promised != found => {
                let is_cast = *found == DataType::Null || agree(promised, found) && plain(promised) != plain(found);
                is_cast.then(|| promised.clone())
            }
            _ => None,
        }
    }
}

/// Whether types are the same, but for the width of integers.
fn agree(promised: &DataType, found: &DataType) -> bool {
    match (promised, found) {
        (DataType::List(promised), DataType::List(found) | DataType::LargeList(found)) => {
            agree(promised.data_type(), found.data_type())
        }
        _ => promised.is_integer() && found.is_integer() || plain(promised) == plain(found),
    }
}

/// The type without what tells apart how values of it are held.
fn plain(data_type: &DataType) -> DataType {
    let of_field = |field: &Arc<Field>| Arc::new(Field::new(field.name(), plain(field.data_type()), true));
    match data_type {
        DataType::LargeUtf8 | DataType::Utf8View => DataType::Utf8,
        DataType::LargeBinary | DataType::BinaryView => DataType::Binary,
        DataType::Dictionary(_, value) => plain(value),
        DataType::Timestamp(_, None) => DataType::Timestamp(TimeUnit::Microsecond, None),
        DataType::Date64 => DataType::Date32,
        DataType::Decimal32(precision, scale) | DataType::Decimal64(precision, scale) => {
            DataType::Decimal128(*precision, *scale)
        }
        // Items of a list are called differently by what has made it.
        DataType::List(item) | DataType::LargeList(item) => {
            DataType::List(Arc::new(Field::new("item", plain(item.data_type()), true)))
        }
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(of_field).collect()),
        other => other.clone(),
    }
}

fn mismatched<'a>(
    promised: &'a [PromisedColumn<'a>],
    fields: impl Iterator<Item = &'a Arc<Field>> + Clone,
) -> Vec<MismatchedColumn<'a>> {
    let mut found = Vec::new();
    for one in promised {
        let name = one.column.name.value.as_str();
        let data_type = fields.clone().find(|field| field.name() == name).map(|field| field.data_type());
        let mismatch = match data_type {
            None => Mismatch::MissingInSql,
            Some(_) if one.data_type.is_none() => Mismatch::NoType,
            Some(data_type) if one.is_kept_by(data_type) => continue,
            Some(_) => Mismatch::Type,
        };
        found.push(MismatchedColumn { name, promised: Some(one.column), found: data_type, mismatch });
    }
    for field in fields.filter(|field| promised.iter().all(|one| one.column.name.value != *field.name())) {
        let mismatch = Mismatch::MissingInContract;
        found.push(MismatchedColumn { name: field.name(), promised: None, found: Some(field.data_type()), mismatch });
    }
    found
}

/// One error for all columns, with a table as dbt prints it.
fn broken_contract(mismatched: &[MismatchedColumn<'_>], rendered: &RenderedModel, place: Span) -> Diagnostic {
    let message = match mismatched {
        [one] => format!("`{}` does not keep its contract: the column `{}` differs", rendered.name, one.name),
        more => format!("`{}` does not keep its contract: {} columns differ", rendered.name, more.len()),
    };
    let mut diagnostic = Diagnostic::error(Code::ContractBroken, message);
    let mut table = TextTable::new(&["column", "contract", "SQL", "what is wrong"]);
    for (index, column) in mismatched.iter().enumerate() {
        let written = column.written().unwrap_or_default().to_owned();
        let found = column.found.map(type_name).unwrap_or_default();
        table.push(vec![column.name.to_owned(), written, found, column.mismatch.words().to_owned()]);
        if index >= MOST_LABELS {
            continue;
        }
        diagnostic = match column.promised {
            Some(promised) => diagnostic.labelled(column.place(promised), column.label()),
            None => {
                diagnostic.labelled(output_place(&OutputColumn::LastNamed(column.name), rendered).span, column.label())
            }
        };
    }
    diagnostic = diagnostic.labelled(place, "the contract");
    diagnostic = diagnostic.note(format!("the columns that differ:\n{}", table.aligned().trim_end()));
    for mismatch in [Mismatch::Type, Mismatch::NoType, Mismatch::MissingInSql, Mismatch::MissingInContract] {
        if let Some(column) = mismatched.iter().find(|column| column.mismatch == mismatch) {
            diagnostic = diagnostic.help(column.help());
        }
    }
    diagnostic
}

impl Mismatch {
    fn words(self) -> &'static str {
        match self {
            Self::MissingInSql => "missing in SQL",
            Self::MissingInContract => "missing in contract",
            Self::Type => "types differ",
            Self::NoType => "no `data_type`",
        }
    }
}

impl MismatchedColumn<'_> {
    /// The type as the contract has it.
    fn written(&self) -> Option<&str> {
        self.promised?.data_type.as_ref().map(|written| written.value.as_str())
    }

    fn place(&self, promised: &Column) -> Span {
        match (&promised.data_type, self.mismatch) {
            (Some(written), Mismatch::Type) => written.span,
            _ => promised.name.span,
        }
    }

    fn label(&self) -> String {
        match self.mismatch {
            Mismatch::Type => format!("the SELECT gives {}", self.found.map(type_name).unwrap_or_default()),
            Mismatch::MissingInSql => "the SELECT has no such column".to_owned(),
            Mismatch::MissingInContract => "the contract has no such column".to_owned(),
            Mismatch::NoType => "it has no `data_type`".to_owned(),
        }
    }

    fn help(&self) -> String {
        let name = self.name;
        let found = self.found.map(type_name).unwrap_or_default();
        match self.mismatch {
            Mismatch::Type => {
                let written = self.written().unwrap_or_default();
                format!("cast it, `cast(… as {written}) as {name}`, or write `data_type: {found}`")
            }
            Mismatch::NoType => format!("give `{name}` its type: `data_type: {found}`"),
            Mismatch::MissingInSql if name.chars().any(char::is_uppercase) => {
                format!("names without quotes are lower case: write `as \"{name}\"`, or the name in lower case")
            }
            Mismatch::MissingInSql => format!("select `{name}`, or take it out of `columns:`"),
            Mismatch::MissingInContract => format!("add `- {{ name: {name}, data_type: {found} }}` to `columns:`"),
        }
    }
}

fn in_columns(plan: LogicalPlan, columns: &[(&Arc<Field>, &PromisedColumn<'_>)]) -> LogicalPlan {
    let by_name = plan.schema().columns();
    let column = |(field, promised): &(&Arc<Field>, &PromisedColumn<'_>)| {
        let found = by_name.iter().find(|column| column.name == *field.name()).cloned();
        let value = found.map_or_else(|| col(field.name()), Expr::Column);
        match promised.cast_of(field.data_type()) {
            Some(data_type) => cast(value, data_type).alias(field.name()),
            None => value,
        }
    };
    LogicalPlanBuilder::from(plan)
        .project(columns.iter().map(column).collect::<Vec<_>>())
        .and_then(LogicalPlanBuilder::build)
        .expect("a projection of a plan's own columns can be built")
}
