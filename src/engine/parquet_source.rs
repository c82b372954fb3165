//! A source of Parquet files: read whole columns at a time, cast to the declared types.

use std::io::Read;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray, new_null_array};
use arrow::compute::cast;
use arrow::datatypes::{Field, SchemaRef};
use async_trait::async_trait;
use bytes::Bytes;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{DataFusionError, Result, exec_err};
use datafusion::datasource::MemTable;
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_plan::ExecutionPlan;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::source_report::SourceReport;
use crate::name::TableName;
use crate::raw::BlockStats;
use crate::store::{LocalBackend, SourceEntry};

/// The listed files of a Parquet source, as plain data.
#[derive(Debug)]
pub(crate) struct ParquetSourceTable {
    name: TableName,
    schema: SchemaRef,
    backend: LocalBackend,
    entries: Vec<SourceEntry>,
    report: Arc<SourceReport>,
}

impl ParquetSourceTable {
    /// The last three columns of `schema` say where a row comes from and what did not convert.
    pub fn new(
        name: TableName,
        schema: SchemaRef,
        (backend, entries): (LocalBackend, Vec<SourceEntry>),
        report: Arc<SourceReport>,
    ) -> ParquetSourceTable {
        ParquetSourceTable { name, schema, backend, entries, report }
    }

    fn read(&self, entry: &SourceEntry) -> Result<Vec<RecordBatch>> {
        let mut bytes = Vec::new();
        self.backend.open(&entry.path, entry.size)?.read_to_end(&mut bytes)?;
        let reader = ParquetRecordBatchReaderBuilder::try_new(Bytes::from(bytes))?.build()?;
        let (mut line, mut batches) = (1_i64, Vec::new());
        for batch in reader {
            let batch = batch?;
            batches.push(self.shaped(&batch, &entry.path, line)?);
            line += i64::try_from(batch.num_rows()).unwrap_or(0);
        }
        let rows = u64::try_from(line - 1).unwrap_or(0);
        let stats = BlockStats { records: rows, rows, bytes: entry.size, ..BlockStats::default() };
        self.report.add(&Arc::from(entry.path.as_str()), &stats, Vec::new());
        Ok(batches)
    }

    fn shaped(&self, batch: &RecordBatch, file: &str, first_line: i64) -> Result<RecordBatch> {
        let rows = batch.num_rows();
        let last = first_line + i64::try_from(rows).unwrap_or(0);
        let column = |field: &Arc<Field>| -> Result<ArrayRef> {
            let found: ArrayRef = match field.name().as_str() {
                crate::analyze::SOURCE_FILE => Arc::new(StringArray::from_iter_values(std::iter::repeat_n(file, rows))),
                crate::analyze::SOURCE_LINE => Arc::new(Int64Array::from_iter_values(first_line..last)),
                crate::raw::RESCUED => new_null_array(field.data_type(), rows),
                name => match batch.column_by_name(name) {
                    Some(column) => Arc::clone(column),
                    None => return exec_err!("`{file}` has no column `{name}`, which the source `{}` declares", self.name),
                },
            };
            Ok(cast(&found, field.data_type())?)
        };
        let columns = self.schema.fields().iter().map(column).collect::<Result<Vec<_>>>()?;
        Ok(RecordBatch::try_new(Arc::clone(&self.schema), columns)?)
    }
}

#[async_trait]
impl TableProvider for ParquetSourceTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let partitions = self.entries.iter().map(|entry| self.read(entry)).collect::<Result<Vec<_>>>()?;
        let table = MemTable::try_new(Arc::clone(&self.schema), partitions).map_err(|error| {
            DataFusionError::Context(format!("reading the source `{}`", self.name), Box::new(error))
        })?;
        table.scan(state, projection, filters, limit).await
    }
}
