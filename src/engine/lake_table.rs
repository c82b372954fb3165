//! A table of the lake as the engine reads it: files pruned by partition, the rest left to Parquet's statistics.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, RecordBatch, StringArray};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{FieldRef, Schema, SchemaRef};
use async_trait::async_trait;
use chrono::DateTime;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::cast::as_boolean_array;
use datafusion::common::stats::Precision;
use datafusion::common::{DFSchema, DataFusionError, Result, ScalarValue, Statistics, internal_err};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::datasource::table_schema::TableSchema;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::{ExecutionPlan, Partitioning};
use object_store::ObjectMeta;
use object_store::path::Path;

use super::lake_scan::LakeScan;
use crate::name::TableName;
use crate::table::DataFile;

/// Under this address the session's object store finds the lake: plans carry no path of the machine.
pub(crate) const LAKE_URL: &str = "karat-lake://lake";

/// The address of a second lake: its tables are compared with those of the first, or read in their place.
pub(crate) const OTHER_LAKE_URL: &str = "karat-lake://other";

/// Some files of a table, as plain data.
#[derive(Debug, Clone)]
pub(crate) struct LakeTable {
    table: TableName,
    /// In the order of the model's output.
    schema: SchemaRef,
    partition_columns: Vec<String>,
    files: Arc<Vec<DataFile>>,
    /// Whether all rows of a partition come out on one thread, and the plan is told so.
    keeps_partitions: bool,
    /// The columns of the schema that the table does not have: nobody may read them.
    lacks: BTreeSet<String>,
    /// The address of its lake.
    lake: &'static str,
}

/// A table is needed with columns that it does not have: its model was edited and not built since.
#[derive(Debug)]
pub(crate) struct OtherColumns {
    pub table: TableName,
    /// Those that were needed.
    pub columns: Vec<String>,
}

impl fmt::Display for OtherColumns {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "`{}` was built with other columns than its model has now", self.table)
    }
}

impl std::error::Error for OtherColumns {}

impl LakeTable {
    pub fn new(
        table: TableName,
        schema: SchemaRef,
        partition_columns: Vec<String>,
        files: impl Into<Arc<Vec<DataFile>>>,
    ) -> LakeTable {
        let files = files.into();
        let lacks = BTreeSet::new();
        LakeTable { table, schema, partition_columns, files, keeps_partitions: false, lacks, lake: LAKE_URL }
    }

    /// The same table in the second lake.
    pub fn in_other_lake(self) -> LakeTable {
        LakeTable { lake: OTHER_LAKE_URL, ..self }
    }

    /// The same table, without these columns of its schema.
    pub fn lacking(self, lacks: BTreeSet<String>) -> LakeTable {
        LakeTable { lacks, ..self }
    }

    /// The same table, whose partitions stay together.
    pub fn keeping_partitions(self, keeps_partitions: bool) -> LakeTable {
        LakeTable { keeps_partitions: keeps_partitions && !self.partition_columns.is_empty(), ..self }
    }

    fn is_exact(&self, filter: &Expr) -> bool {
        let columns = filter.column_refs();
        !filter.is_volatile()
            && !columns.is_empty()
            && columns.iter().all(|column| self.partition_columns.contains(&column.name))
    }

    fn partition_fields(&self) -> Result<Vec<FieldRef>> {
        self.partition_columns.iter().map(|name| Ok(Arc::new(self.schema.field_with_name(name)?.clone()))).collect()
    }

    /// The columns that the files hold.
    fn file_schema(&self) -> SchemaRef {
        let stored = self.schema.fields().iter().filter(|field| !self.partition_columns.contains(field.name()));
        Arc::new(Schema::new(stored.cloned().collect::<Vec<_>>()))
    }

    /// The values of a partition column, file by file.
    fn partition_column(&self, field: &FieldRef) -> Result<ArrayRef> {
        let values = self.files.iter().map(|file| file.partition.value(field.name()));
        let texts: StringArray = values.collect();
        Ok(cast_with_options(&texts, field.data_type(), &CastOptions { safe: false, ..CastOptions::default() })?)
    }

    /// The files whose partition values pass the filters, with their values.
    fn kept(&self, state: &dyn Session, filters: &[Expr]) -> Result<Vec<(&DataFile, Vec<ScalarValue>)>> {
        let fields = self.partition_fields()?;
        let columns = fields.iter().map(|field| self.partition_column(field)).collect::<Result<Vec<_>>>()?;
        let valued = |(row, file)| {
            let values = columns.iter().map(|column| ScalarValue::try_from_array(column, row));
            Ok((file, values.collect::<Result<_>>()?))
        };
        // A filter on partition columns alone is evaluated here, on one row a file: what passes is exact, and the
        // engine need not ask again. All other filters are left to the statistics in the files.
        let exact = filters.iter().filter(|filter| self.is_exact(filter)).cloned();
        let Some(filter) = conjunction(exact).filter(|_| !self.files.is_empty()) else {
            return self.files.iter().enumerate().map(valued).collect();
        };
        let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns.clone())?;
        let schema = DFSchema::try_from(batch.schema().as_ref().clone())?;
        let unqualified = without_qualifiers(filter)?;
        let predicate = state.create_physical_expr(unqualified, &schema)?;
        let passed = predicate.evaluate(&batch)?.into_array(batch.num_rows())?;
        let passed: &BooleanArray = as_boolean_array(&passed)?;
        let files = self.files.iter().enumerate().zip(passed.iter());
        files.filter(|(_, passed)| *passed == Some(true)).map(|(file, _)| valued(file)).collect()
    }

    fn partitioned(&self, file: &DataFile, values: Vec<ScalarValue>) -> Result<PartitionedFile> {
        let location = format!("{}/{}/{}", self.table.schema, self.table.table, file.path);
        let meta = ObjectMeta {
            // As it is on the disk: `Path::from` would escape it once more.
            location: Path::parse(&location).map_err(|error| DataFusionError::External(Box::new(error)))?,
            last_modified: DateTime::UNIX_EPOCH,
            size: file.bytes,
            e_tag: None,
            version: None,
        };
        Ok(PartitionedFile::new_from_meta(meta).with_partition_values(values))
    }
}

#[async_trait]
impl TableProvider for LakeTable {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(filters
            .iter()
            .map(|filter| match self.is_exact(filter) {
                true => TableProviderFilterPushDown::Exact,
                false => TableProviderFilterPushDown::Inexact,
            })
            .collect())
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        self.check_columns(projection)?;
        let kept = self.kept(state, filters)?;
        if kept.is_empty() {
            let schema = match projection {
                Some(columns) => Arc::new(self.schema.project(columns)?),
                None => self.schema.clone(),
            };
            return Ok(Arc::new(EmptyExec::new(schema)));
        }
        let table_schema =
            TableSchema::builder(self.file_schema()).with_table_partition_cols(self.partition_fields()?).build();
        let mut source = ParquetSource::new(table_schema.clone());
        let open: Vec<Expr> = filters.iter().filter(|filter| !self.is_exact(filter)).cloned().collect();
        let has_predicate = !open.is_empty();
        if let Some(filter) = conjunction(open) {
            let schema = DFSchema::try_from(table_schema.table_schema().as_ref().clone())?;
            source = source.with_predicate(state.create_physical_expr(without_qualifiers(filter)?, &schema)?);
        }
        let columns = self.projected(projection, table_schema.table_schema())?;
        let statistics = statistics(&kept, table_schema.table_schema(), has_predicate);
        let groups = self.grouped(kept, state.config().target_partitions())?;
        let partitioning = self.partitioning(table_schema.table_schema(), groups.len());
        let config = FileScanConfigBuilder::new(ObjectStoreUrl::parse(self.lake)?, Arc::new(LakeScan::new(source)))
            .with_file_groups(groups)
            .with_statistics(statistics)
            .with_output_partitioning(partitioning)
            // A limit counts rows that pass, and a predicate is still open: only without one may the scan end early.
            .with_limit(limit.filter(|_| !has_predicate))
            .with_projection_indices(Some(columns))?
            .build();
        Ok(DataSourceExec::from_data_source(config))
    }
}

impl LakeTable {
    /// A column that only some files have is null in the others; one that the table does not have is an error.
    fn check_columns(&self, projection: Option<&Vec<usize>>) -> Result<()> {
        let is_read = |index: &usize| projection.is_none_or(|columns| columns.contains(index));
        let read = self.schema.fields().iter().enumerate().filter(|(index, _)| is_read(index));
        let columns: Vec<String> =
            read.map(|(_, field)| field.name().clone()).filter(|name| self.lacks.contains(name)).collect();
        if columns.is_empty() {
            return Ok(());
        }
        Err(DataFusionError::External(Box::new(OtherColumns { table: self.table.clone(), columns })))
    }

    /// The engine's files have the partition columns last; the model's output has them where the author put them.
    fn projected(&self, projection: Option<&Vec<usize>>, scanned: &SchemaRef) -> Result<Vec<usize>> {
        let all: Vec<usize> = (0..self.schema.fields().len()).collect();
        projection
            .unwrap_or(&all)
            .iter()
            .map(|column| match self.schema.fields().get(*column) {
                Some(field) => Ok(scanned.index_of(field.name())?),
                None => internal_err!("a projection names a column that the table has not"),
            })
            .collect()
    }

    /// What the plan may assume: rows with equal partition values come out together.
    fn partitioning(&self, scanned: &SchemaRef, groups: usize) -> Option<Partitioning> {
        let columns: Option<Vec<_>> = self
            .partition_columns
            .iter()
            .map(|name| {
                let index = scanned.index_of(name).ok()?;
                Some(Arc::new(Column::new(name, index)) as Arc<dyn PhysicalExpr>)
            })
            .collect();
        columns.filter(|_| self.keeps_partitions).map(|columns| Partitioning::Hash(columns, groups))
    }

    /// Neighbouring partitions stay together, no partition is cut, and the groups have about the same number of bytes.
    fn grouped(&self, kept: Vec<(&DataFile, Vec<ScalarValue>)>, groups: usize) -> Result<Vec<FileGroup>> {
        let total: u64 = kept.iter().map(|(file, _)| file.bytes).sum();
        let share = (total / groups.max(1) as u64).max(1);
        let mut grouped: Vec<Vec<PartitionedFile>> = Vec::new();
        let mut before = 0;
        let mut last = None;
        for (file, values) in kept {
            let wanted = usize::try_from(before / share).unwrap_or(groups).min(groups.saturating_sub(1));
            before += file.bytes;
            let is_same = self.keeps_partitions && last.as_ref() == Some(&values);
            last = Some(values.clone());
            let partitioned = self.partitioned(file, values)?;
            let stays = is_same || wanted < grouped.len();
            match grouped.last_mut() {
                Some(group) if stays => group.push(partitioned),
                _ => grouped.push(vec![partitioned]),
            }
        }
        Ok(grouped.into_iter().map(FileGroup::new).collect())
    }
}

/// Rows and bytes of the kept files: what the choice of a broadcast join needs.
fn statistics(kept: &[(&DataFile, Vec<ScalarValue>)], schema: &SchemaRef, filtered: bool) -> Statistics {
    let mut statistics = Statistics::new_unknown(schema);
    let rows: Option<u64> = kept.iter().map(|(file, _)| file.rows).sum();
    let bytes: u64 = kept.iter().map(|(file, _)| file.bytes).sum();
    statistics.num_rows = match rows {
        Some(rows) if filtered => Precision::Inexact(as_count(rows)),
        Some(rows) => Precision::Exact(as_count(rows)),
        None => Precision::Absent,
    };
    statistics.total_byte_size = Precision::Inexact(as_count(bytes));
    statistics
}

fn as_count(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

fn without_qualifiers(filter: Expr) -> Result<Expr> {
    Ok(datafusion::logical_expr::expr_rewriter::unnormalize_col(filter))
}
