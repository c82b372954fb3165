//! A seed as a model: its plan scans the rows of its file.

use std::sync::Arc;

use datafusion::common::TableReference;
use datafusion::datasource::{MemTable, provider_as_source};
use datafusion::logical_expr::{LogicalPlan, LogicalPlanBuilder};

use super::plans::MadePlans;
use super::{TypedModel, schema};
use crate::diag::{Checked, Code, Diagnostic, Sink};
use crate::project::{Model, Seed};
use crate::seed::{self, SeedRows};
use crate::span::Span;
use crate::template::RenderedModel;

/// Bumped when karat itself begins to read other rows from the same file.
const READING: &str = "karat-seed-1";

/// Reads the file of a seed, and plans its table. Rows, names, types and the fingerprint follow from the file and its config
/// alone: a seed has no inputs.
pub(super) fn seed_model(rendered: &RenderedModel, model: &Model, seed: &Seed, sink: &mut Sink) -> Checked<TypedModel> {
    let rows = match seed::read(&model.path, seed) {
        Ok(rows) => rows,
        Err(faults) => {
            let faults = faults.into_iter().map(|fault| fault.located(model.file, &seed.text));
            return Err(sink
                .check_all(faults, |fault, sink| Err::<(), _>(sink.error(fault)))
                .expect_err("a fault is there"));
        }
    };
    for fault in &rows.passed_over {
        sink.warn(fault.clone().located(model.file, &seed.text));
    }
    // Before the rows move into the plan. Inferred types belong to it: another karat may infer others.
    let decides = decides(seed, &rows);
    let whole = Span::new(model.file, 0..0);
    let plan = scan(rendered, rows)
        .map_err(|error| sink.error(Diagnostic::error(Code::InvalidPlan, error.strip_backtrace()).at(whole)))?;
    let schema = schema::check(&plan, rendered, &model.columns, sink)?;
    Ok(TypedModel::new(rendered, MadePlans::of(plan), schema, &decides))
}

fn scan(rendered: &RenderedModel, rows: SeedRows) -> datafusion::common::Result<LogicalPlan> {
    let SeedRows { schema, batches, .. } = rows;
    let table = MemTable::try_new(schema, vec![batches])?;
    let name = TableReference::partial(rendered.table.schema.as_str(), rendered.table.table.as_str());
    LogicalPlanBuilder::scan(name, provider_as_source(Arc::new(table)), None)?.build()
}

/// The bytes of the file, and what they are read as.
fn decides(seed: &Seed, rows: &SeedRows) -> String {
    let mut columns = Vec::new();
    for field in rows.schema.fields() {
        columns.push(format!("{:?} {}", field.name(), field.data_type()));
    }
    let bytes = blake3::hash(seed.text.as_bytes());
    let config = &seed.config;
    format!("{READING} {bytes} {} {} ({})", config.delimiter, config.quote_columns, columns.join(", "))
}
