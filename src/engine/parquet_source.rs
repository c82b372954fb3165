//! A source of Parquet files: the engine's own reader, with the file and the row number beside each row.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use async_trait::async_trait;
use chrono::DateTime;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{DFSchema, DataFusionError, Result, ScalarValue};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::datasource::table_schema::TableSchema;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::logical_expr::{Expr, TableType, cast, col, lit};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::projection::{ProjectionExec, ProjectionExpr};
use object_store::ObjectMeta;
use object_store::path::Path;
use parquet::arrow::RowNumber;

use super::parquet_footer::{self, ParquetFiles};
use crate::analyze::{SOURCE_FILE, SOURCE_LINE};
use crate::store::LocalBackend;
use crate::table::SourceEntry;

/// Under this address the session's object store finds the project's folder.
pub(crate) const PROJECT_URL: &str = "karat-project://project";

/// The name of the row number, counted from 0, as the reader makes it.
const ROW_NUMBER: &str = "_row_number";

/// The listed files of a Parquet source, as plain data.
#[derive(Debug)]
pub(crate) struct ParquetSourceTable {
    /// The declared columns, then the three that every source has.
    schema: SchemaRef,
    entries: Vec<SourceEntry>,
    /// All files of the source, those too that are not read.
    all: Vec<SourceEntry>,
    /// The project's folder.
    backend: LocalBackend,
}

impl ParquetSourceTable {
    /// A source of which some files are read.
    pub fn new(
        schema: SchemaRef,
        entries: Vec<SourceEntry>,
        all: Vec<SourceEntry>,
        backend: LocalBackend,
    ) -> ParquetSourceTable {
        ParquetSourceTable { schema, entries, all, backend }
    }

    /// Holds the files against the declaration. The footers are read on a thread that may wait for the disk.
    async fn check(&self) -> Result<()> {
        let schema = Arc::clone(&self.schema);
        let entries = self.entries.clone();
        let all = self.all.clone();
        let backend = self.backend.clone();
        let checked = tokio::task::spawn_blocking(move || {
            let declared: Vec<&Field> =
                schema.fields().iter().filter(|field| Self::is_declared(field)).map(AsRef::as_ref).collect();
            parquet_footer::check(&ParquetFiles { backend: &backend, read: &entries, all: &all }, &declared)
        });
        let checked = checked.await.map_err(|error| DataFusionError::External(Box::new(error)))?;
        checked.map_err(|error| DataFusionError::External(Box::new(error)))
    }

    fn is_declared(field: &FieldRef) -> bool {
        ![SOURCE_FILE, SOURCE_LINE, crate::raw::RESCUED].contains(&field.name().as_str())
    }

    /// What the reader reads: the declared columns, the file's name, the row's number.
    fn scanned(&self) -> Result<TableSchema> {
        let declared = self.schema.fields().iter().filter(|field| Self::is_declared(field)).cloned();
        let file = Arc::new(self.schema.field_with_name(SOURCE_FILE)?.clone());
        let row = Arc::new(Field::new(ROW_NUMBER, DataType::Int64, true).with_extension_type(RowNumber));
        let builder = TableSchema::builder(Arc::new(Schema::new(declared.collect::<Vec<_>>())));
        Ok(builder.with_table_partition_cols(vec![file]).with_virtual_columns(vec![row]).build())
    }

    fn files(&self, groups: usize) -> Result<Vec<FileGroup>> {
        let mut grouped: Vec<Vec<PartitionedFile>> = vec![Vec::new(); groups.clamp(1, self.entries.len().max(1))];
        let count = grouped.len();
        for (index, entry) in self.entries.iter().enumerate() {
            let meta = ObjectMeta {
                location: Path::parse(&entry.path).map_err(|error| DataFusionError::External(Box::new(error)))?,
                last_modified: DateTime::UNIX_EPOCH,
                size: entry.size,
                e_tag: None,
                version: None,
            };
            let name =
                ScalarValue::Dictionary(Box::new(DataType::Int32), Box::new(ScalarValue::from(entry.path.as_str())));
            if let Some(group) = grouped.get_mut(index % count) {
                group.push(PartitionedFile::new_from_meta(meta).with_partition_values(vec![name]));
            }
        }
        Ok(grouped.into_iter().map(FileGroup::new).collect())
    }

    /// A column of the source over what the reader reads.
    fn column(field: &FieldRef) -> Expr {
        let expression = match field.name().as_str() {
            SOURCE_LINE => col(ROW_NUMBER) + lit(1_i64),
            crate::raw::RESCUED => lit(ScalarValue::Utf8(None)),
            // A column of the author's own is found however it is written.
            name => Expr::Column(datafusion::common::Column::new_unqualified(name)),
        };
        cast(expression, field.data_type().clone())
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
        _filters: &[Expr],
        _limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        self.check().await?;
        let table_schema = self.scanned()?;
        let scanned = DFSchema::try_from(table_schema.table_schema().as_ref().clone())?;
        let source = Arc::new(ParquetSource::new(table_schema));
        let config = FileScanConfigBuilder::new(ObjectStoreUrl::parse(PROJECT_URL)?, source)
            .with_file_groups(self.files(state.config().target_partitions())?)
            .build();
        let all: Vec<usize> = (0..self.schema.fields().len()).collect();
        let wanted = projection.unwrap_or(&all).iter().filter_map(|index| self.schema.fields().get(*index));
        let columns = wanted
            .map(|field| {
                let expr = state.create_physical_expr(Self::column(field), &scanned)?;
                Ok(ProjectionExpr { expr, alias: field.name().clone() })
            })
            .collect::<Result<Vec<_>>>()?;
        Ok(Arc::new(ProjectionExec::try_new(columns, DataSourceExec::from_data_source(config))?))
    }
}
