//! What a model reads, as the planner sees it: a name, a schema, a window. Data stays where it is.

use std::borrow::Cow;

use arrow::datatypes::SchemaRef;
use datafusion::common::Result;
use datafusion::logical_expr::{Expr, LogicalPlan, TableProviderFilterPushDown, TableSource, TableType};

use crate::day::Window;
use crate::name::{ModelName, TableName};
use crate::run_record::RunTable;
use crate::template::{OnChange, ReferenceName, ReferenceTarget};

/// What stands behind a table in the SQL.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Input {
    Model(ModelName),
    Source(TableName),
    /// The model's own table as it is before the run.
    This,
    /// The bad records of the sources of this model.
    Quarantine(ModelName),
    /// What runs have done.
    Runs(RunTable),
}

impl From<&ReferenceTarget> for Input {
    fn from(target: &ReferenceTarget) -> Self {
        match target {
            ReferenceTarget::Model(name) => Input::Model(name.clone()),
            ReferenceTarget::Source(name) => Input::Source(name.clone()),
            ReferenceTarget::This => Input::This,
        }
    }
}

/// A table that is planned against its declared schema. Before a run it is replaced by one that has files.
#[derive(Debug, Clone)]
pub(crate) struct InputTable {
    pub input: Input,
    /// Which table it is, `silver.fct_interactions`, and which reference to it.
    pub name: ReferenceName,
    pub schema: SchemaRef,
    /// The column that places its rows in time.
    pub event_time: Option<String>,
    /// The columns that its files are cut by: a filter on these alone needs no second look.
    pub partition_by: Vec<String>,
    /// The declared windows, outermost first: more than one where a view with a window is read through another.
    /// Empty: nothing was declared, the rows of all times may be read.
    pub windows: Vec<Window>,
    /// What a change of it does, if it has no event time.
    pub on_change: OnChange,
    /// Whether rows of one partition may be kept together on one thread: then grouping and windows by the columns
    /// that files are cut by need no exchange. True only where no other table is read beside it, because two tables
    /// would be dealt out differently.
    pub keeps_partitions: bool,
    /// The plan of a view, which is inlined.
    pub inlined: Option<LogicalPlan>,
}

impl InputTable {
    /// A table with these columns, of whose rows nothing else is known.
    pub fn declared(input: Input, name: TableName, schema: SchemaRef) -> InputTable {
        InputTable {
            input,
            name: ReferenceName::first(name),
            schema,
            event_time: None,
            partition_by: Vec::new(),
            windows: Vec::new(),
            on_change: OnChange::Ignore,
            keeps_partitions: false,
            inlined: None,
        }
    }

    /// Whether a filter names only columns that the files are cut by.
    pub fn is_exact(&self, filter: &Expr) -> bool {
        let columns = filter.column_refs();
        !filter.is_volatile()
            && !columns.is_empty()
            && columns.iter().all(|column| self.partition_by.contains(&column.name))
    }
}

impl TableSource for InputTable {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        let pushed_down = filters.iter().map(|filter| match self.is_exact(filter) {
            true => TableProviderFilterPushDown::Exact,
            // Files are left out by it, and the rows of the others are filtered above the scan.
            false => TableProviderFilterPushDown::Inexact,
        });
        Ok(pushed_down.collect())
    }

    fn get_logical_plan(&'_ self) -> Option<Cow<'_, LogicalPlan>> {
        self.inlined.as_ref().map(Cow::Borrowed)
    }
}
