//! The versions of rows that a snapshot keeps: those that end and those that stay, and what must not be in them.

use std::fmt;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::Int64Type;
use arrow::util::display::array_value_to_string;
use datafusion::common::{Column, DataFusionError, JoinType, Result as EngineResult, TableReference};
use datafusion::functions_aggregate::expr_fn::count;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, cast, lit};

use super::engine::{Engine, Joins};
use super::keys::{files_of_rows, rows_with_files, scan_batch};
use crate::analyze::{DATED, ENDS_AT, ROWS, TypedModel, TypedSnapshot, key_name};
use crate::diag::{Code, Diagnostic};
use crate::name::ModelName;
use crate::project::SnapshotConfig;
use crate::table::DataFile;

/// So many wrong keys are shown.
const SHOWN: usize = 3;
/// The name under which ends of versions are read beside the versions.
const ENDED: &str = "versions that end";

/// A snapshot that is taken: its model, and how its versions are found.
#[derive(Clone, Copy)]
pub(crate) struct Versions<'a> {
    pub model: &'a TypedModel,
    pub snapshot: &'a TypedSnapshot,
    pub config: &'a SnapshotConfig,
}

/// Why a snapshot is not taken.
#[derive(Debug)]
pub(crate) struct SnapshotFault {
    model: ModelName,
    kind: SnapshotFaultKind,
    /// One line for each key.
    keys: Vec<String>,
    is_more: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SnapshotFaultKind {
    /// A key of the query is null or in several rows.
    Key,
    /// A row of the query has no time.
    Time,
    /// A key of the table has several valid versions.
    Held,
    /// A version would end before it begins.
    Backwards,
}

impl SnapshotFault {
    pub fn diagnostic(&self) -> Diagnostic {
        let code = match self.kind {
            SnapshotFaultKind::Key | SnapshotFaultKind::Held => Code::AmbiguousKey,
            SnapshotFaultKind::Time | SnapshotFaultKind::Backwards => Code::RunFailed,
        };
        let diagnostic = Diagnostic::error(code, self.to_string());
        let diagnostic = self.keys.iter().fold(diagnostic, |diagnostic, key| diagnostic.note(key));
        let diagnostic = if self.is_more { diagnostic.note("there are more") } else { diagnostic };
        match self.kind {
            SnapshotFaultKind::Key => {
                diagnostic.help("keep one row per key in the query, and none without a key; nothing was written")
            }
            SnapshotFaultKind::Time => {
                diagnostic.help("give every row a time, like `coalesce(updated_at, created_at)`; nothing was written")
            }
            SnapshotFaultKind::Held => diagnostic
                .note("another program wrote them: a snapshot never leaves two valid versions of a key")
                .help(format!("go back to a version without them: `karat history {}` lists all", self.model)),
            SnapshotFaultKind::Backwards => diagnostic
                .note("rows that changed are dated by the time of the run")
                .help("run it again, or with a later time if you have set `--now`; nothing was written"),
        }
    }
}

impl fmt::Display for SnapshotFault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let model = &self.model;
        match self.kind {
            SnapshotFaultKind::Key => {
                write!(formatter, "`unique_key` does not identify the rows of the query of `{model}`")
            }
            SnapshotFaultKind::Time => write!(formatter, "`updated_at` is null in rows of the query of `{model}`"),
            SnapshotFaultKind::Held => write!(formatter, "`{model}` has several valid versions of one key"),
            SnapshotFaultKind::Backwards => {
                write!(formatter, "the time of the run is before that of versions in `{model}`")
            }
        }
    }
}

impl std::error::Error for SnapshotFault {}

impl<'a> Versions<'a> {
    /// Returns `None` if the model is no snapshot.
    pub fn of(model: &'a TypedModel) -> Option<Versions<'a>> {
        let snapshot = model.snapshot.as_deref()?;
        Some(Versions { model, snapshot, config: model.config.snapshot.as_ref()? })
    }

    /// Fails if the query has keys that are null or in several rows, or rows without a time: `found` are the first of them.
    pub fn refuse_faults(self, found: &[RecordBatch]) -> EngineResult<()> {
        let mut wrong_keys = Vec::new();
        let mut without_time = Vec::new();
        for batch in found {
            let (Some(rows), Some(dated)) = (batch.column_by_name(ROWS), batch.column_by_name(DATED)) else { continue };
            let rows = rows.as_primitive::<Int64Type>();
            let dated = dated.as_primitive::<Int64Type>();
            for row in 0..batch.num_rows() {
                let KeyText { text, has_null } = self.key_text(batch, row)?;
                let count = rows.value(row);
                if count > 1 || has_null {
                    wrong_keys.push(format!("{text}: {count} {}", if count == 1 { "row" } else { "rows" }));
                } else if dated.value(row) < count {
                    without_time.push(text);
                }
            }
        }
        match (wrong_keys.is_empty(), without_time.is_empty()) {
            (false, _) => Err(self.fault(SnapshotFaultKind::Key, wrong_keys)),
            (true, false) => Err(self.fault(SnapshotFaultKind::Time, without_time)),
            (true, true) => Ok(()),
        }
    }

    /// Fails if a key of the batch has several valid versions in it: the table then had several before.
    pub async fn refuse_several_valid(self, engine: &Engine, joins: Joins, batch: &[DataFile]) -> EngineResult<()> {
        let keys = self.named_keys();
        let order = (0..keys.len()).map(|index| Expr::Column(Column::from_name(key_name(index))).sort(true, true));
        let plan = scan_batch(self.model, batch.to_vec())?
            .filter(self.snapshot.is_valid.clone())?
            .aggregate(keys, vec![count(lit(1_i64)).alias(ROWS)])?
            .filter(Expr::Column(Column::from_name(ROWS)).gt(lit(1_i64)))?
            .sort(order.collect::<Vec<_>>())?
            .limit(0, Some(SHOWN + 1))?
            .build()?;
        self.refuse(SnapshotFaultKind::Held, &engine.collect(&plan, joins).await?)
    }

    /// Fails if a version of the batch ends before it begins, where both are times of runs.
    pub async fn refuse_backwards(self, engine: &Engine, joins: Joins, batch: &[DataFile]) -> EngineResult<()> {
        if self.config.updated_at().is_some() {
            return Ok(());
        }
        let names = &self.config.columns;
        let column = |name: &str| Expr::Column(Column::from_name(name));
        let plan = scan_batch(self.model, batch.to_vec())?
            .filter(column(&names.valid_to).lt(column(&names.valid_from)))?
            .project(self.named_keys())?
            .limit(0, Some(SHOWN + 1))?
            .build()?;
        self.refuse(SnapshotFaultKind::Backwards, &engine.collect(&plan, joins).await?)
    }

    /// The versions among these rows of the table that end, with their ends.
    pub fn with_ends(self, rows: LogicalPlan, ended: LogicalPlan) -> EngineResult<LogicalPlan> {
        let ended = LogicalPlanBuilder::from(ended).alias(ENDED)?.build()?;
        let in_ended = |name: String| Expr::Column(Column::new(Some(TableReference::bare(ENDED)), name));
        let theirs: Vec<Expr> = (0..self.snapshot.keys.len()).map(|index| in_ended(key_name(index))).collect();
        let columns = rows.schema().columns();
        let joined = LogicalPlanBuilder::from(rows).filter(self.snapshot.is_valid.clone())?.join_with_expr_keys(
            ended,
            JoinType::Inner,
            (self.snapshot.keys.clone(), theirs),
            None,
        )?;
        let values = columns.into_iter().map(|column| {
            if column.name != self.config.columns.valid_to {
                return Ok(Expr::Column(column));
            }
            let data_type = self.model.schema.field_with_name(&column.name)?.data_type().clone();
            Ok(cast(in_ended(ENDS_AT.to_owned()), data_type).alias(column.name))
        });
        joined.project(values.collect::<EngineResult<Vec<_>>>()?)?.build()
    }

    /// Those of these rows of the table that give way to a batch: the valid versions of its keys.
    pub fn that_go(self, rows: LogicalPlan, batch: &[DataFile]) -> EngineResult<LogicalPlan> {
        self.joined(rows, JoinType::LeftSemi, batch)
    }

    /// Those of these rows of the table that stay beside a batch.
    pub fn that_stay(self, rows: LogicalPlan, batch: &[DataFile]) -> EngineResult<LogicalPlan> {
        self.joined(rows, JoinType::LeftAnti, batch)
    }

    fn joined(self, rows: LogicalPlan, join: JoinType, batch: &[DataFile]) -> EngineResult<LogicalPlan> {
        let keys = scan_batch(self.model, batch.to_vec())?.project(self.named_keys())?.distinct()?.build()?;
        let theirs: Vec<Expr> =
            (0..self.snapshot.keys.len()).map(|index| Expr::Column(Column::from_name(key_name(index)))).collect();
        let on = (self.snapshot.keys.clone(), theirs);
        let is_valid = Some(self.snapshot.is_valid.clone());
        LogicalPlanBuilder::from(rows).join_with_expr_keys(keys, join, on, is_valid)?.build()
    }

    /// Those of the files that hold a valid version of a key of the batch.
    pub async fn files_that_give_way(
        self,
        engine: &Engine,
        joins: Joins,
        files: &[DataFile],
        batch: &[DataFile],
    ) -> EngineResult<Vec<DataFile>> {
        let found = self.that_go(rows_with_files(self.model, files)?, batch)?;
        files_of_rows(engine, joins, files, found).await
    }

    /// The parts of the key under names of their own.
    fn named_keys(self) -> Vec<Expr> {
        let keys = self.snapshot.keys.iter().enumerate();
        keys.map(|(index, key)| key.clone().alias(key_name(index))).collect()
    }

    fn refuse(self, kind: SnapshotFaultKind, found: &[RecordBatch]) -> EngineResult<()> {
        let mut keys = Vec::new();
        for batch in found {
            for row in 0..batch.num_rows() {
                keys.push(self.key_text(batch, row)?.text);
            }
        }
        if keys.is_empty() { Ok(()) } else { Err(self.fault(kind, keys)) }
    }

    fn fault(self, kind: SnapshotFaultKind, mut keys: Vec<String>) -> DataFusionError {
        let is_more = keys.len() > SHOWN;
        keys.truncate(SHOWN);
        DataFusionError::External(Box::new(SnapshotFault { model: self.model.name.clone(), kind, keys, is_more }))
    }

    /// The key in a row, as the config writes it.
    fn key_text(self, batch: &RecordBatch, row: usize) -> EngineResult<KeyText> {
        let mut parts = Vec::new();
        let mut has_null = false;
        for (index, key) in self.config.unique_key.iter().enumerate() {
            let Some(values) = batch.column_by_name(&key_name(index)) else { continue };
            has_null |= values.is_null(row);
            parts.push(match values.is_null(row) {
                true => format!("`{}` is null", key.value),
                false => format!("`{}` is `{}`", key.value, array_value_to_string(values, row)?),
            });
        }
        Ok(KeyText { text: parts.join(", "), has_null })
    }
}

/// A key for people.
struct KeyText {
    text: String,
    has_null: bool,
}
