//! The rows that break a data test, as a table.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::datatypes::{DataType, TimeUnit};
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, cast};

use super::column_name;
use super::fingerprint::fingerprint;
use super::plans::{MadePlans, Plans};
use super::scans::{inputs_of, scans_of};
use super::schema::what_no_table_holds;
use super::typed_model::TypedModel;
use crate::delta::read_schema;
use crate::name::{ModelName, TableName};
use crate::project::ModelConfig;
use crate::span::FileId;

impl TypedModel {
    /// A table of the rows that a test finds. What no table can hold becomes a text, and columns without a name of their own get
    /// one: nobody but the test's author could mend either, and the rows are to be seen.
    pub fn of_failing_rows(table: TableName, rows: LogicalPlan, file: FileId) -> TypedModel {
        let plan = storable(rows);
        let config = ModelConfig::of_failing_rows();
        let name = format!("{}__{}", table.schema, table.table).chars().take(128).collect::<String>();
        TypedModel {
            name: ModelName::parse(&name).expect("two names make a name"),
            fingerprint: fingerprint(&config, &table.to_string()),
            schema: read_schema(plan.schema().as_arrow()),
            table,
            file,
            config,
            inputs: Arc::new(inputs_of(&plan)),
            scans: Arc::new(scans_of(std::iter::once(&plan))),
            has_sliced_plan: false,
            plans: Plans::made(MadePlans::of(plan)),
            snapshot: None,
        }
    }
}

fn storable(plan: LogicalPlan) -> LogicalPlan {
    let mut seen = BTreeSet::new();
    let fields = plan.schema().fields().clone();
    let columns = plan.schema().columns().into_iter().zip(fields.iter()).enumerate();
    let columns: Vec<Expr> = columns
        .map(|(index, (column, field))| {
            let is_plain = |name: &str| !name.is_empty() && name.chars().all(|letter| !" ,;{}()\n\t=".contains(letter));
            let mut name = field.name().clone();
            if column_name::is_made_up(&name) || !is_plain(&name) || seen.contains(&name.to_lowercase()) {
                name = format!("column_{}", index + 1);
            }
            seen.insert(name.to_lowercase());
            let value = Expr::Column(column);
            let value = match field.data_type() {
                DataType::Timestamp(_, Some(_)) => cast(value, DataType::Timestamp(TimeUnit::Microsecond, None)),
                DataType::Null => cast(value, DataType::Utf8View),
                other if what_no_table_holds(other, &name).is_some() => cast(value, DataType::Utf8View),
                _ => value,
            };
            value.alias(name)
        })
        .collect();
    LogicalPlanBuilder::from(plan)
        .project(columns)
        .and_then(LogicalPlanBuilder::build)
        .expect("a projection of a plan's own columns can be built")
}
