//! Whether each row of a model comes from one row of one source and nothing else: read off the plan.
//!
//! Then the rows of a file can be added, replaced and taken away without a look at any other file.

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema, Result, plan_err};
use datafusion::logical_expr::{Expr, LogicalPlan, Projection};

use crate::analyze::lineage::{Beyond, RowOrigin};
use crate::analyze::{Input, ORIGIN, SOURCE_FILE, TypedModel, input_table};

/// What stands in the way of loading a model file by file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Obstacle {
    /// `GROUP BY`.
    pub what: String,
    /// The line in the rendered SQL, from 1, if it is known.
    pub line: Option<u64>,
}

impl Obstacle {
    fn new(what: &str) -> Obstacle {
        Obstacle { what: what.to_owned(), line: None }
    }

    /// `line 3: GROUP BY`.
    pub fn words(&self) -> String {
        match self.line {
            Some(line) => format!("line {line}: {}", self.what),
            None => self.what.clone(),
        }
    }
}

/// Whether its table is cut by files of slices, and its plan is row by row.
pub(crate) fn is_loaded_by_file(model: &TypedModel) -> bool {
    model.layout().has_files_of_slices() && row_by_row(model).is_ok()
}

/// Whether what a reference reads is loaded so: every file once, whatever times it holds.
pub(crate) fn is_read_by_file(model: &TypedModel, input: &Input) -> bool {
    matches!(input, Input::Source(_)) && is_loaded_by_file(model)
}

/// Checks that every row comes from one row of one source.
///
/// # Errors
///
/// The first thing in the plan that says otherwise.
pub(crate) fn row_by_row(model: &TypedModel) -> std::result::Result<(), Obstacle> {
    if !model.is_refresh_equivalent() || !model.config.unique_key.is_empty() {
        return Err(Obstacle::new("unique_key, or an accumulating strategy"));
    }
    // Such a model has two texts, which need not agree row by row.
    if model.has_sliced_plan {
        return Err(Obstacle::new("is_incremental()"));
    }
    let mut obstacle = None;
    let mut scans = 0;
    let plan = model.plan().map_err(|error| Obstacle::new(&error.strip_backtrace()))?;
    let visited = plan.apply(|node| {
        scans += usize::from(matches!(node, LogicalPlan::TableScan(_)));
        obstacle = in_node(node).map(|what| Obstacle { what, line: line_of(node) });
        Ok(if obstacle.is_some() { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    });
    visited.expect("looking at a plan cannot fail");
    match (obstacle, scans) {
        (Some(obstacle), _) => Err(obstacle),
        (None, 1) => Ok(()),
        (None, _) => Err(Obstacle::new("it does not read one source")),
    }
}

/// What of a node makes rows depend on other rows, or on something else than rows.
fn in_node(node: &LogicalPlan) -> Option<String> {
    let what = match RowOrigin::of(node) {
        RowOrigin::EachAlone => return node.expressions().iter().find_map(in_expression),
        RowOrigin::Table if is_whole_source(node) => return None,
        RowOrigin::Table => "it reads a table",
        RowOrigin::Together(what) => what,
        RowOrigin::Nowhere => "it does not read one source",
        RowOrigin::Unknown => "something other than a selection of rows and columns",
    };
    Some(what.to_owned())
}

/// Whether a node reads all rows of a source, and each tells its file.
fn is_whole_source(node: &LogicalPlan) -> bool {
    let LogicalPlan::TableScan(scan) = node else { return false };
    let Some(table) = input_table(scan.source.as_ref()) else { return false };
    let tells_files = table.schema.field_with_name(SOURCE_FILE).is_ok();
    matches!(table.input, Input::Source(_)) && tells_files && scan.fetch.is_none() && scan.projection.is_none()
}

fn in_expression(expression: &Expr) -> Option<String> {
    let mut found = None;
    let visited = expression.apply(|part| {
        found = Beyond::of_part(part).map(|beyond| match beyond {
            Beyond::SubQuery => "a subquery".to_owned(),
            Beyond::Unnest => "unnest".to_owned(),
            Beyond::Aggregate => "an aggregate".to_owned(),
            Beyond::WindowFunction => "a window function".to_owned(),
            Beyond::Function(name, _) => format!("{name}()"),
            Beyond::Volatile => "a volatile function".to_owned(),
        });
        Ok(if found.is_some() { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    });
    visited.expect("looking at an expression cannot fail");
    found
}

/// The line of the first column that the node names.
fn line_of(node: &LogicalPlan) -> Option<u64> {
    let mut line = None;
    for expression in node.expressions() {
        let visited = expression.apply(|part| {
            if let Expr::Column(column) = part {
                line = column.spans().first().map(|span| span.start.line);
            }
            Ok(if line.is_some() { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
        });
        visited.expect("looking at an expression cannot fail");
    }
    line
}

/// The plan of a model that is row by row, with the source file of each row as its last column, `ORIGIN`.
pub(crate) fn traced(plan: &LogicalPlan) -> Result<LogicalPlan> {
    let plan = plan.clone().transform_up(|node| match node {
        LogicalPlan::Projection(projection) => {
            let origin = origin(projection.input.schema())?;
            let mut columns = projection.expr;
            columns.push(origin.alias(ORIGIN));
            Projection::try_new(columns, projection.input).map(LogicalPlan::Projection).map(Transformed::yes)
        }
        // A scan of a source gives the file of each row by itself.
        node @ LogicalPlan::TableScan(_) => Ok(Transformed::no(node)),
        node => node.recompute_schema().map(Transformed::yes),
    })?;
    let plan = plan.data;
    if plan.schema().fields().last().is_some_and(|field| field.name() == ORIGIN) {
        return Ok(plan);
    }
    let mut columns: Vec<Expr> = plan.schema().iter().map(|field| Expr::Column(Column::from(field))).collect();
    columns.push(origin(plan.schema())?.alias(ORIGIN));
    Projection::try_new(columns, plan.into()).map(LogicalPlan::Projection)
}

/// Where the source file stands: carried along, or as the scan gives it.
fn origin(schema: &DFSchema) -> Result<Expr> {
    let names = [ORIGIN, SOURCE_FILE];
    match names.iter().find_map(|name| schema.iter().find(|(_, field)| field.name() == name)) {
        Some(field) => Ok(Expr::Column(Column::from(field))),
        None => plan_err!("the rows of a source do not tell their file"),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::analyze::Planner;
    use crate::diag::{Sink, Style, render_all};
    use crate::graph;
    use crate::host::MemoryHost;
    use crate::name::ModelName;
    use crate::project::{LoadRequest, load, read};
    use crate::span::SourceFiles;
    use crate::template::render_models;

    const SOURCES: &str = "sources:\n  - name: raw\n    tables:\n      - name: t\n        location: t.csv\n        \
                           columns: [{ name: day, type: date }, { name: n, type: integer }, { name: s, type: text }]\n";

    /// The model `m` with this SQL, beside a view `v` of the source.
    fn model(sql: &str) -> TypedModel {
        let config = "{{ config(materialized='incremental', event_time='day', partition_by='day') }}\n";
        let (sql, view) =
            (format!("{config}{sql}"), "{{ config(materialized='view') }} select * from {{ source('raw', 't') }}");
        let files =
            [("project.yml", "name: p"), ("models/s.yml", SOURCES), ("models/v.sql", view), ("models/m.sql", &sql)];
        let host = MemoryHost::with_files(files);
        let (mut texts, mut sink) = (SourceFiles::default(), Sink::default());
        let typed = (|| {
            let read = read(&host, &mut texts, &mut sink)?;
            let project = load(&read, &mut texts, &LoadRequest::default(), &mut sink)?;
            let rendered = render_models(&project, &texts, &host, &mut crate::template::NoCompiler, &mut sink)?;
            let dag = graph::build(&project, &rendered, &mut sink)?;
            let rendered = rendered.whole(&mut sink)?;
            Planner::new(&project, &rendered).models(&dag, &mut sink).whole(&mut sink)
        })();
        let mut typed: BTreeMap<ModelName, TypedModel> =
            typed.unwrap_or_else(|_| panic!("{}", render_all(&sink.take(), &texts, Style::Plain)));
        typed.remove(&ModelName::parse("m").unwrap()).unwrap()
    }

    fn obstacle(sql: &str) -> String {
        row_by_row(&model(sql)).map_or_else(|obstacle| obstacle.words(), |()| "none".to_owned())
    }

    #[test]
    fn choices_of_rows_and_columns_are_row_by_row() {
        for sql in [
            "select day, n from {{ source('raw', 't') }}",
            "select * from {{ source('raw', 't') }} where n > 3",
            "select day, upper(s) as s from (select * from {{ source('raw', 't') }} where n is not null) as q",
            "with a as (select day, n + 1 as n, _source_file from {{ source('raw', 't') }}) select * from a where n < 5",
            "select day, case when n > 1 then s end as s from {{ ref('v') }} as w",
        ] {
            let model = model(sql);
            assert_eq!(row_by_row(&model), Ok(()), "{sql}");
            let traced = traced(model.plan().unwrap()).unwrap();
            let names =
                |plan: &LogicalPlan| plan.schema().fields().iter().map(|it| it.name().clone()).collect::<Vec<_>>();
            let (plain, with_origin) = (names(model.plan().unwrap()), names(&traced));
            assert_eq!(with_origin.split_last(), Some((&ORIGIN.to_owned(), plain.as_slice())), "{sql}");
        }
    }

    #[test]
    fn whatever_looks_at_other_rows_is_not_and_is_named() {
        let source = "{{ source('raw', 't') }}";
        for (sql, expected) in [
            ("select day, sum(n) as n from T\ngroup by\n day", "GROUP BY"),
            ("select distinct day from T", "DISTINCT"),
            ("select day from T order by day", "ORDER BY"),
            ("select day from T limit 3", "LIMIT"),
            ("select day from T union all select day from T", "UNION"),
            ("select a.day from T as a join T as b on a.n = b.n", "a join"),
            ("select day, lag(n) over (order by day) as n from T", "a window function"),
            ("select day from T where n in (select max(n) from T)", "a subquery"),
            ("select day, unnest([n, n]) as n from T", "unnest"),
            ("select day, n from T {% if is_incremental() %} where n > 1 {% endif %}", "is_incremental()"),
            ("select date '2023-05-01' as day", "it does not read one source"),
        ] {
            let found = obstacle(&sql.replace('T', source));
            assert!(found.ends_with(expected), "{sql}: {found}");
        }
    }
}
