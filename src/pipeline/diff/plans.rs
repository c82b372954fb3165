//! The queries that find differing rows.
//!
//! With a key, both states are joined on it in full (null is a key like any other), and values are compared one by one. Without one, or
//! where it does not tell rows apart, rows are compared as a whole: a difference of bags, in which a row that is there twice counts twice.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Int64Type, Schema};
use arrow::util::display::ArrayFormatter;
use datafusion::common::{Column, NullEquality, Result as EngineResult};
use datafusion::datasource::provider_as_source;
use datafusion::functions::expr_fn::{coalesce, concat, substring};
use datafusion::functions_aggregate::expr_fn::{count, sum};
use datafusion::logical_expr::{
    Expr, JoinType, LogicalPlan, LogicalPlanBuilder, Operator, binary_expr, cast, lit, when,
};

use super::SlicedBy;
use super::report::{CountedRows, DifferingSlice, RowsDiff, SampleRow, ValueChange};
use crate::day::Grain;
use crate::delta::StoredColumn;
use crate::engine::LakeTable;
use crate::execute::{Engine, Joins};
use crate::failure::Failure;
use crate::figures::counted;
use crate::name::TableName;
use crate::shown::value_options;
use crate::table::{DataFile, TableState};

/// A state of a table, and in which lake its files are.
pub(super) struct TableSide<'a> {
    pub table: &'a TableName,
    pub state: &'a TableState,
    pub is_other_lake: bool,
}

/// Two states, and what is compared of them.
pub(super) struct ComparedTables<'a> {
    pub from: TableSide<'a>,
    pub to: TableSide<'a>,
    /// The columns that both have with one type.
    pub columns: Vec<StoredColumn>,
    pub sliced_by: Option<&'a SlicedBy>,
    /// The paths of files that both have.
    pub shared: BTreeSet<String>,
    pub engine: &'a Engine,
}

/// The slice of a row, as a text.
const SLICE: &str = "_karat_slice";
/// Not null in the rows of the first state.
const IN_FROM: &str = "_karat_from";
const IN_TO: &str = "_karat_to";
/// What the columns of each state are called where both are there.
const OLD: &str = "_karat_old_";
const NEW: &str = "_karat_new_";
const ADDED: &str = "_karat_added";
const REMOVED: &str = "_karat_removed";
const CHANGED: &str = "_karat_changed";

/// Numbers of rows by slice.
type RowsBySlice = BTreeMap<Option<String>, CountedRows>;

impl ComparedTables<'_> {
    /// Finds what differs, with at most so many rows of each kind to look at; `None`: all of them.
    ///
    /// # Errors
    ///
    /// Returns an error if a file cannot be read or the engine fails.
    pub async fn compare(&self, key: Vec<String>, most: Option<usize>) -> Result<RowsDiff, Failure> {
        Ok(self.try_compare(key, most).await?)
    }

    async fn try_compare(&self, key: Vec<String>, most: Option<usize>) -> EngineResult<RowsDiff> {
        let mut found =
            RowsDiff { columns: self.names(), is_sliced: self.slices_column().is_some(), ..RowsDiff::default() };
        let mut slices = RowsBySlice::new();
        for (slice, rows) in self.rows_by_slice(&self.from).await? {
            slices.entry(slice).or_default().from = rows;
        }
        for (slice, rows) in self.rows_by_slice(&self.to).await? {
            slices.entry(slice).or_default().to = rows;
        }
        found.key_fault = self.key_fault(&key).await?;
        if key.is_empty() || found.key_fault.is_some() {
            self.compare_bags(&mut found, &mut slices, most).await?;
        } else {
            found.key = key;
            self.compare_by_key(&mut found, &mut slices, most).await?;
        }
        for rows in slices.values() {
            found.total.from += rows.from;
            found.total.to += rows.to;
            found.total.added += rows.added;
            found.total.removed += rows.removed;
            found.total.changed += rows.changed;
        }
        found.slice_count = slices.len();
        let differing = slices.into_iter().filter(|(_, rows)| !rows.is_same());
        found.slices = differing.map(|(slice, rows)| DifferingSlice { slice, rows }).collect();
        Ok(found)
    }

    fn names(&self) -> Vec<String> {
        self.columns.iter().map(|column| column.name.clone()).collect()
    }

    /// The rows of a state: those of all its files, or of those that the other state does not have.
    fn scan(&self, side: &TableSide<'_>, is_whole: bool) -> EngineResult<LogicalPlanBuilder> {
        let fields = side.state.schema.columns().unwrap_or_default();
        let fields: Vec<_> = fields.iter().filter_map(StoredColumn::field).collect();
        let is_read = |file: &&DataFile| is_whole || !self.shared.contains(&file.path.to_string());
        let files: Vec<DataFile> = side.state.files.iter().filter(is_read).cloned().collect();
        let partitions = side.state.partition_columns.clone();
        let table = LakeTable::new(side.table.clone(), Arc::new(Schema::new(fields)), partitions, files);
        let table = if side.is_other_lake { table.in_other_lake() } else { table };
        LogicalPlanBuilder::scan("compared", provider_as_source(Arc::new(table)), None)
    }

    /// What gives the slice of a row. `None` if rows are not dealt to slices.
    fn slices_column(&self) -> Option<Expr> {
        let has = |name: &str| self.columns.iter().any(|column| column.name == name);
        if let Some(sliced) = self.sliced_by.filter(|sliced| has(&sliced.event_time)) {
            // The beginning of a time as it is written: `2023-05-01`, `2023-05-01T13`.
            let length: i64 = match sliced.grain {
                Grain::Hour => 13,
                Grain::Day => 10,
                Grain::Month => 7,
                Grain::Year => 4,
            };
            let text = cast(column(&sliced.event_time), DataType::Utf8);
            return Some(substring(text, lit(1_i64), lit(length)));
        }
        let partitions = self.to.state.partition_columns.iter();
        let partitions: Vec<&String> = partitions.filter(|name| has(name)).collect();
        let parts = partitions.iter().enumerate().flat_map(|(index, name)| {
            let before = if index == 0 { format!("{name}=") } else { format!("/{name}=") };
            let value = cast(column(name), DataType::Utf8);
            [lit(before), coalesce(vec![value, lit("null")])]
        });
        let parts: Vec<Expr> = parts.collect();
        (!parts.is_empty()).then(|| concat(parts))
    }

    /// How many rows each slice of a state has.
    async fn rows_by_slice(&self, side: &TableSide<'_>) -> EngineResult<BTreeMap<Option<String>, u64>> {
        // All files, also those that both states have: a slice is shown with all of its rows.
        let slice = self.slices_column().unwrap_or_else(|| lit(""));
        let plan = self.scan(side, true)?.project(vec![slice.alias(SLICE)])?;
        let plan = plan.aggregate(vec![column(SLICE)], vec![count(lit(1_i64)).alias(ADDED)])?.build()?;
        let mut found = BTreeMap::new();
        for batch in self.collect(&plan).await? {
            for row in 0..batch.num_rows() {
                found.insert(cell(&batch, 0, row)?, number(&batch, 1, row));
            }
        }
        Ok(found)
    }

    /// Why the key does not tell rows apart. `None` if it does.
    async fn key_fault(&self, key: &[String]) -> EngineResult<Option<String>> {
        if key.is_empty() {
            return Ok(None);
        }
        // A key that stands in several rows would join each of them with each, and tell of changes that are none.
        for (side, word) in [(&self.from, "first"), (&self.to, "second")] {
            let columns: Vec<Expr> = key.iter().map(|name| column(name)).collect();
            let groups = self.scan(side, true)?.aggregate(columns, vec![count(lit(1_i64)).alias(ADDED)])?;
            let twice = groups.filter(column(ADDED).gt(lit(1_i64)))?;
            let plan = twice.aggregate(Vec::<Expr>::new(), vec![count(lit(1_i64)).alias(ADDED)])?.build()?;
            let twice: u64 = self
                .collect(&plan)
                .await?
                .iter()
                .filter(|batch| batch.num_rows() > 0)
                .map(|batch| number(batch, 0, 0))
                .sum();
            if twice > 0 {
                let values = counted(usize::try_from(twice).unwrap_or(usize::MAX), "value");
                let key = key.join("`, `");
                return Ok(Some(format!(
                    "the key `{key}` is not unique in the {word} state: {values} in several rows"
                )));
            }
        }
        Ok(None)
    }

    /// The columns of a state under names of their own, with the slice and a mark.
    fn marked(&self, side: &TableSide<'_>, prefix: &str, mark: &str) -> EngineResult<LogicalPlan> {
        let mut columns: Vec<Expr> =
            self.columns.iter().map(|one| column(&one.name).alias(format!("{prefix}{}", one.name))).collect();
        let slice = self.slices_column().unwrap_or_else(|| lit(""));
        columns.push(slice.alias(format!("{prefix}{SLICE}")));
        columns.push(lit(1_i64).alias(mark));
        self.scan(side, false)?.project(columns)?.build()
    }

    async fn compare_by_key(
        &self,
        found: &mut RowsDiff,
        slices: &mut RowsBySlice,
        most: Option<usize>,
    ) -> EngineResult<()> {
        let joined = self.joined(&found.key)?;
        let mut changed = vec![0; joined.values.len()];
        for batch in self.collect(&joined.counted_by_slice()?).await? {
            for row in 0..batch.num_rows() {
                let rows = slices.entry(cell(&batch, 0, row)?).or_default();
                rows.added = number(&batch, 1, row);
                rows.removed = number(&batch, 2, row);
                rows.changed = number(&batch, 3, row);
                for (index, sum) in changed.iter_mut().enumerate() {
                    *sum += number(&batch, 4 + index, row);
                }
            }
        }
        let counts = joined.values.iter().cloned().zip(changed);
        found.changed_columns = counts.filter(|(_, count)| *count > 0).collect();
        // Each sample joins both states once more: none is taken of what is not there.
        if slices.values().any(|rows| rows.changed > 0) {
            let plan = LogicalPlanBuilder::from(joined.sample(joined.is_changed(), NEW, most)?);
            let shown = self.collect(&plan.project(joined.both_columns())?.build()?).await?;
            found.values = value_changes(&shown, &joined)?;
            found.values.truncate(most.unwrap_or(usize::MAX));
        }
        if slices.values().any(|rows| rows.added > 0) {
            found.added = self.samples(joined.sample(column(IN_FROM).is_null(), NEW, most)?, NEW).await?;
        }
        if slices.values().any(|rows| rows.removed > 0) {
            found.removed = self.samples(joined.sample(column(IN_TO).is_null(), OLD, most)?, OLD).await?;
        }
        Ok(())
    }

    /// Every row of both states, beside the one with the same key.
    fn joined(&self, key: &[String]) -> EngineResult<JoinedStates> {
        let keys = |prefix: &str| -> Vec<Column> {
            key.iter().map(|name| Column::new_unqualified(format!("{prefix}{name}"))).collect()
        };
        let old = self.marked(&self.from, OLD, IN_FROM)?;
        let new = self.marked(&self.to, NEW, IN_TO)?;
        let on = (keys(OLD), keys(NEW));
        let joined =
            LogicalPlanBuilder::from(old).join_detailed(new, JoinType::Full, on, None, NullEquality::NullEqualsNull)?;
        let values = self.names().into_iter().filter(|name| !key.contains(name)).collect();
        Ok(JoinedStates { plan: joined.build()?, key: key.to_vec(), values })
    }

    async fn samples(&self, plan: LogicalPlan, prefix: &str) -> EngineResult<Vec<SampleRow>> {
        let columns: Vec<Expr> = self.columns.iter().map(|one| column(&format!("{prefix}{}", one.name))).collect();
        let plan = LogicalPlanBuilder::from(plan).project(columns)?.build()?;
        let mut rows = Vec::new();
        for batch in self.collect(&plan).await? {
            for row in 0..batch.num_rows() {
                let cells = (0..batch.num_columns()).map(|index| cell(&batch, index, row));
                rows.push(SampleRow(cells.collect::<EngineResult<_>>()?));
            }
        }
        Ok(rows)
    }

    async fn compare_bags(
        &self,
        found: &mut RowsDiff,
        slices: &mut RowsBySlice,
        most: Option<usize>,
    ) -> EngineResult<()> {
        let side = |side: &TableSide<'_>, amount: i64| -> EngineResult<LogicalPlan> {
            let mut columns: Vec<Expr> =
                self.columns.iter().map(|one| column(&one.name).alias(format!("{NEW}{}", one.name))).collect();
            let slice = self.slices_column().unwrap_or_else(|| lit(""));
            columns.push(slice.alias(SLICE));
            columns.push(lit(amount).alias(CHANGED));
            self.scan(side, false)?.project(columns)?.build()
        };
        let both = LogicalPlanBuilder::from(side(&self.from, -1)?).union(side(&self.to, 1)?)?;
        let mut groups: Vec<Expr> = self.columns.iter().map(|one| column(&format!("{NEW}{}", one.name))).collect();
        groups.push(column(SLICE));
        let differing = both
            .aggregate(groups.clone(), vec![sum(column(CHANGED)).alias(CHANGED)])?
            .filter(column(CHANGED).not_eq(lit(0_i64)))?
            .build()?;
        let is_added = column(CHANGED).gt(lit(0_i64));
        let is_removed = column(CHANGED).lt(lit(0_i64));
        let added = sum(when(is_added.clone(), column(CHANGED)).otherwise(lit(0_i64))?);
        let removed = sum(when(is_removed.clone(), column(CHANGED) * lit(-1_i64)).otherwise(lit(0_i64))?);
        let plan = LogicalPlanBuilder::from(differing.clone())
            .aggregate(vec![column(SLICE)], vec![added.alias(ADDED), removed.alias(REMOVED)])?
            .build()?;
        for batch in self.collect(&plan).await? {
            for row in 0..batch.num_rows() {
                let rows = slices.entry(cell(&batch, 0, row)?).or_default();
                rows.added = number(&batch, 1, row);
                rows.removed = number(&batch, 2, row);
            }
        }
        groups.pop();
        let order: Vec<_> = groups.into_iter().map(|column| column.sort(true, false)).collect();
        let sample = |filter: Expr| -> EngineResult<LogicalPlan> {
            LogicalPlanBuilder::from(differing.clone()).filter(filter)?.sort_with_limit(order.clone(), most)?.build()
        };
        if slices.values().any(|rows| rows.added > 0) {
            found.added = self.samples(sample(is_added)?, NEW).await?;
        }
        if slices.values().any(|rows| rows.removed > 0) {
            found.removed = self.samples(sample(is_removed)?, NEW).await?;
        }
        Ok(())
    }

    /// Runs a plan; without hash joins if they do not fit into memory.
    async fn collect(&self, plan: &LogicalPlan) -> EngineResult<Vec<RecordBatch>> {
        match self.engine.collect(plan, Joins::Hash).await {
            Err(error) if Joins::may_need_less(&error) => self.engine.collect(plan, Joins::Merge).await,
            found => found,
        }
    }
}

/// Both states joined by their key.
struct JoinedStates {
    plan: LogicalPlan,
    key: Vec<String>,
    /// The other columns.
    values: Vec<String>,
}

impl JoinedStates {
    /// Whether a row that both states have has another value in this column.
    fn differs(&self, name: &str) -> Expr {
        let is_both = column(IN_FROM).is_not_null().and(column(IN_TO).is_not_null());
        let old = column(&format!("{OLD}{name}"));
        is_both.and(binary_expr(old, Operator::IsDistinctFrom, column(&format!("{NEW}{name}"))))
    }

    fn is_changed(&self) -> Expr {
        self.values.iter().map(|name| self.differs(name)).reduce(Expr::or).unwrap_or_else(|| lit(false))
    }

    /// How many rows were added, removed and changed, and then how many have another value in each column, slice by slice. A row that
    /// has moved to another slice counts where it is now.
    fn counted_by_slice(&self) -> EngineResult<LogicalPlan> {
        let slice = when(column(IN_TO).is_not_null(), column(&format!("{NEW}{SLICE}")))
            .otherwise(column(&format!("{OLD}{SLICE}")))?;
        let mut sums = vec![
            ones(column(IN_FROM).is_null())?.alias(ADDED),
            ones(column(IN_TO).is_null())?.alias(REMOVED),
            ones(self.is_changed())?.alias(CHANGED),
        ];
        for name in &self.values {
            sums.push(ones(self.differs(name))?.alias(name));
        }
        LogicalPlanBuilder::from(self.plan.clone()).aggregate(vec![slice.alias(SLICE)], sums)?.build()
    }

    /// The first rows, by their keys, that pass a filter.
    fn sample(&self, filter: Expr, prefix: &str, most: Option<usize>) -> EngineResult<LogicalPlan> {
        let order = self.key.iter().map(|name| column(&format!("{prefix}{name}")).sort(true, false));
        let order: Vec<_> = order.collect();
        LogicalPlanBuilder::from(self.plan.clone()).filter(filter)?.sort_with_limit(order, most)?.build()
    }

    /// The key, then each other column as it was, and as it is.
    fn both_columns(&self) -> Vec<Expr> {
        let keys = self.key.iter().map(|name| column(&format!("{NEW}{name}")));
        let pair = |name: &String| [column(&format!("{OLD}{name}")), column(&format!("{NEW}{name}"))];
        keys.chain(self.values.iter().flat_map(pair)).collect()
    }
}

/// The values that differ between the columns of each pair, which stand behind the key.
fn value_changes(batches: &[RecordBatch], joined: &JoinedStates) -> EngineResult<Vec<ValueChange>> {
    let keys = joined.key.len();
    let mut changes = Vec::new();
    for batch in batches {
        for row in 0..batch.num_rows() {
            let key = (0..keys).map(|index| cell(batch, index, row)).collect::<EngineResult<Vec<_>>>()?;
            for (index, name) in joined.values.iter().enumerate() {
                let from = cell(batch, keys + 2 * index, row)?;
                let to = cell(batch, keys + 2 * index + 1, row)?;
                if from != to {
                    changes.push(ValueChange { key: key.clone(), column: name.clone(), from, to });
                }
            }
        }
    }
    Ok(changes)
}

fn column(name: &str) -> Expr {
    Expr::Column(Column::new_unqualified(name))
}

/// How many rows a condition holds for.
fn ones(condition: Expr) -> EngineResult<Expr> {
    Ok(sum(when(condition, lit(1_i64)).otherwise(lit(0_i64))?))
}

/// A value as a text; `None` if it is null.
fn cell(batch: &RecordBatch, index: usize, row: usize) -> EngineResult<Option<String>> {
    let values = batch.column(index);
    if values.is_null(row) {
        return Ok(None);
    }
    let options = value_options();
    let formatter = ArrayFormatter::try_new(values.as_ref(), &options)?;
    Ok(Some(formatter.value(row).try_to_string()?))
}

/// A number of rows.
fn number(batch: &RecordBatch, index: usize, row: usize) -> u64 {
    let values = batch.column(index).as_primitive_opt::<Int64Type>();
    let value = values.filter(|values| !values.is_null(row)).map_or(0, |values| values.value(row));
    u64::try_from(value).unwrap_or(0)
}
