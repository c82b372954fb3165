//! Statistics of the columns of a model: of the metadata of its files as far as that tells them exactly, else of a scan.

mod distribution;
mod metadata;
mod report;
mod scan;

use std::collections::BTreeSet;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field};
use arrow::error::ArrowError;
use datafusion::common::ScalarValue;

use metadata::ProfiledFiles;
pub(crate) use report::TableProfile;
use report::{ColumnProfile, Figure};
use scan::ScannedColumns;

use super::load::Compiled;
use super::query::Query;
use crate::analyze::{Input, TypedModel};
use crate::catalog::{Catalog, ObservationScope, Shown};
use crate::day::TimeRange;
use crate::diag::{Code, Diagnostic, Sink};
use crate::execute::Engine;
use crate::failure::Failure;
use crate::name::quoted;
use crate::span::Span;
use crate::template::{ReferenceTarget, RenderedSql};

/// What is asked of a profile.
#[derive(Debug, Clone, Default)]
pub(crate) struct ProfileRequest {
    /// Only these columns; all, if none is named.
    pub columns: Vec<String>,
    /// Only the rows whose event time lies here.
    pub range: Option<TimeRange>,
    /// Whether different values are counted.
    pub distinct: bool,
    pub histogram: bool,
    /// So many of the most frequent values.
    pub top: Option<usize>,
}

/// What profiles a model.
pub(crate) struct Profiler<'a> {
    pub compiled: &'a Compiled,
    pub catalog: &'a Catalog<'a>,
    pub engine: &'a Engine,
    pub model: &'a TypedModel,
    pub request: &'a ProfileRequest,
}

impl ProfileRequest {
    /// The columns that are profiled.
    ///
    /// # Errors
    ///
    /// What to say if the model has no such column, or no times to choose rows by.
    pub fn columns_of<'m>(&self, model: &'m TypedModel) -> Result<Vec<&'m Field>, Diagnostic> {
        if self.range.is_some() && model.event_time().is_none() {
            let message = format!("`{}` has no `event_time`, by which rows of a range could be found", model.name);
            let diagnostic = Diagnostic::error(Code::InvalidRange, message);
            return Err(diagnostic.help("leave `--start` and `--end` out"));
        }
        let fields = model.schema.fields();
        if self.columns.is_empty() {
            return Ok(fields.iter().map(|field| &**field).collect());
        }
        let mut found: Vec<&Field> = Vec::new();
        for name in &self.columns {
            let field = fields.iter().find(|field| field.name() == name).ok_or_else(|| {
                let message = format!("`{}` has no column `{name}`", model.name);
                Diagnostic::error(Code::UnknownColumn, message)
                    .suggest(name, fields.iter().map(|field| field.name().as_str()))
            })?;
            if !found.iter().any(|known| known.name() == name) {
                found.push(field);
            }
        }
        Ok(found)
    }

    /// What is looked at.
    pub fn scope(compiled: &Compiled, model: &TypedModel, shown: Shown) -> ObservationScope {
        let inputs = match model.config.materialized.is_stored() {
            true => BTreeSet::from([Input::Model(model.name.clone())]),
            // Whoever reads a view reads what the view reads.
            false => model.inputs().clone(),
        };
        ObservationScope::of_inputs(&compiled.typed, &inputs, shown)
    }
}

impl Profiler<'_> {
    /// Profiles the model. Nothing is written.
    ///
    /// # Errors
    ///
    /// Returns an error if the table does not exist or cannot be read, or if the engine fails.
    pub async fn profile(&self) -> Result<TableProfile, Failure> {
        let fields = self.request.columns_of(self.model).map_err(Failure::Project)?;
        let known = self.known_files()?;
        let known_rows = known.as_ref().and_then(ProfiledFiles::rows);
        let known_columns: Vec<_> =
            fields.iter().map(|field| known.as_ref().map(|known| known.column(field)).unwrap_or_default()).collect();
        let missing = ScannedColumns::missing(&fields, &known_columns, known_rows.is_none());
        let scanned = if missing.is_empty() { None } else { Some(self.scan(&missing).await?) };
        let scanned_rows = scanned.as_ref().and_then(|scanned| scanned.rows);
        let rows = match known_rows {
            Some(rows) => Figure::of_metadata(rows),
            None => Figure::of_scan(scanned_rows.unwrap_or_default()),
        };
        let mut columns = Vec::new();
        for (place, (field, known)) in fields.iter().zip(known_columns).enumerate() {
            let mut column = ColumnProfile::new(field);
            let scanned = scanned.as_ref().and_then(|scanned| scanned.columns.get(&place));
            column.nulls = known
                .nulls
                .map(Figure::of_metadata)
                .or_else(|| Some(Figure::of_scan(rows.value.saturating_sub(scanned?.filled?))));
            column.min = known.min.map(Figure::of_metadata).or_else(|| Some(Figure::of_scan(scanned?.min.clone()?)));
            column.max = known.max.map(Figure::of_metadata).or_else(|| Some(Figure::of_scan(scanned?.max.clone()?)));
            self.add_distribution(field, &mut column).await?;
            columns.push(column);
        }
        let state = self.catalog.state_of(&self.model.table);
        Ok(TableProfile {
            model: self.model.name.to_string(),
            table: state.is_some().then(|| self.model.table.to_string()),
            version: state.map(|state| state.version.number()),
            range: self.request.range,
            rows,
            bytes: known.as_ref().and_then(ProfiledFiles::bytes),
            files: known.as_ref().and_then(ProfiledFiles::count),
            columns,
        })
    }

    /// The files of the table. Returns `None` for what has none: a view.
    fn known_files(&self) -> Result<Option<ProfiledFiles>, Failure> {
        if !self.model.config.materialized.is_stored() {
            return Ok(None);
        }
        let table = &self.model.table;
        if let Some(failure) = self.catalog.why_unreadable(table) {
            return Err(failure);
        }
        let Some(state) = self.catalog.state_of(table) else {
            let diagnostic = Diagnostic::error(Code::NotBuilt, format!("`{table}` has not been built yet"));
            return Err(Failure::Project(diagnostic.help("`karat run` builds whatever is out of date")));
        };
        let within = self.request.range.zip(self.model.event_time());
        Ok(Some(ProfiledFiles::of(&state, within)))
    }

    async fn scan(&self, missing: &ScannedColumns<'_>) -> Result<scan::ScanResult, Failure> {
        let batches = self.rows(missing.sql(&self.tested_rows())).await?;
        missing.read(&batches).map_err(unreadable)
    }

    /// The rows that are profiled, as they stand behind FROM.
    fn tested_rows(&self) -> String {
        let table = &self.model.table;
        let Some((range, event_time)) = self.request.range.zip(self.model.event_time()) else {
            return table.to_string();
        };
        let column = quoted(event_time);
        let field = self.model.schema.field_with_name(event_time).ok();
        let is_zoned = field.is_some_and(|field| matches!(field.data_type(), DataType::Timestamp(_, Some(_))));
        let bound = |time: chrono::NaiveDateTime| {
            let written = time.format("%Y-%m-%d %H:%M:%S%.6f");
            let kind = if is_zoned { "timestamp with time zone" } else { "timestamp" };
            format!("cast('{written}{}' as {kind})", if is_zoned { "+00" } else { "" })
        };
        let from = bound(range.start());
        let to = bound(range.end());
        let time = match field.is_some_and(|field| field.data_type() == &DataType::Date32) {
            true => format!("cast({column} as timestamp)"),
            false => column,
        };
        format!("{table} where {time} >= {from} and {time} < {to}")
    }

    /// The rows of a query over the model.
    async fn rows(&self, sql: String) -> Result<Vec<RecordBatch>, Failure> {
        let mut sink = Sink::default();
        let target = ReferenceTarget::Model(self.model.name.clone());
        let text = RenderedSql::over(sql, [(&self.model.table, &target)], Span::new(self.model.file, 0..0));
        let query = Query::over_model(self.compiled, text, self.model.file, &mut sink).map_err(|_reported| {
            let said = sink.take().into_iter().next();
            let fallback = || Diagnostic::error(Code::InvalidPlan, "the columns cannot be profiled");
            Failure::Project(said.unwrap_or_else(fallback))
        })?;
        Ok(query.rows(self.catalog, self.engine, 0).await?.batches)
    }
}

/// The value of a row of a column of a result.
fn value_at(batch: &RecordBatch, column: usize, row: usize) -> Result<ScalarValue, ArrowError> {
    ScalarValue::try_from_array(batch.column(column), row).map_err(|error| ArrowError::ComputeError(error.to_string()))
}

/// Whether values of a type have parts, and no order.
fn is_nested(data_type: &DataType) -> bool {
    data_type.is_nested()
}

fn unreadable(error: ArrowError) -> Failure {
    Failure::Project(Diagnostic::error(Code::RunFailed, format!("the statistics cannot be read: {error}")))
}

/// The type of a column without its dictionary.
fn plain_type(data_type: &DataType) -> &DataType {
    match data_type {
        DataType::Dictionary(_, value) => plain_type(value),
        other => other,
    }
}
