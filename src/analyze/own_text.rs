//! Texts of karat's own, planned over one table or none.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::logical_expr::LogicalPlan;

use super::input::{Input, InputTable};
use super::planner::{self, InputTables};
use super::report::{self, SqlPlace};
use super::{Planner, add, own_table};
use crate::diag::{Checked, Sink};
use crate::span::Span;
use crate::template::{ReferencePlaces, RenderedSql, SourceMap};

impl Planner<'_> {
    /// Plans what counts the failures of a test: an aggregate over the rows of its plan, as a whole number.
    pub fn calculated(
        &self,
        rows: &LogicalPlan,
        calculation: &str,
        span: Span,
        sink: &mut Sink,
    ) -> Checked<LogicalPlan> {
        let text = format!("select cast(coalesce({calculation}, 0) as bigint) as failures from karat.failures");
        let columns = Arc::new(rows.schema().as_arrow().clone());
        // It is never read as a table: the plan stands in its place.
        let declared = InputTable::declared(Input::This, own_table("failures"), columns);
        self.over_table(text, InputTable { inlined: Some(rows.clone()), ..declared }, span, sink)
    }

    /// Plans a text of karat's own over one table. Whatever is wrong with it is shown at the place that made it necessary.
    pub(super) fn over_table(
        &self,
        text: String,
        table: InputTable,
        span: Span,
        sink: &mut Sink,
    ) -> Checked<LogicalPlan> {
        let sql = RenderedSql {
            text,
            map: SourceMap::whole(span),
            references: Vec::new(),
            places: ReferencePlaces::default(),
            test_config: BTreeMap::new(),
        };
        let place = SqlPlace::new(&sql, span.file);
        let parsed = planner::parse(&sql.text, &sql.places, &self.functions, self.project.reading.clone())
            .map_err(|error| report::not_parsed(&error, place, sink))?;
        let mut tables = InputTables::new();
        add(&mut tables, table);
        planner::plan(&parsed, &tables, &self.functions, &self.options)
            .map_err(|error| report::not_planned(&error, &parsed, place, self.names(), sink))
    }

    /// The type that SQL casts to under this name, in the dialect of the project. Returns `None` if it is no type.
    pub(super) fn type_called(&self, name: &str) -> Option<DataType> {
        // A name that is more than one type would give another column, or none of this name.
        const COLUMN: &str = "typed_by_contract";
        let text = format!("select cast(null as {name}) as {COLUMN}");
        let places = ReferencePlaces::default();
        let parsed = planner::parse(&text, &places, &self.functions, self.project.reading.clone()).ok()?;
        let plan = planner::plan(&parsed, &InputTables::new(), &self.functions, &self.options).ok()?;
        match plan.schema().fields().iter().collect::<Vec<_>>().as_slice() {
            [field] if field.name() == COLUMN => Some(field.data_type().clone()),
            _ => None,
        }
    }
}
