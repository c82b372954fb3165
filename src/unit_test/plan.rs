//! What a unit test needs to be run: the model over given tables, and whether all of them are given.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::datatypes::SchemaRef;

use crate::analyze::{Input, Planner, TypedModel, source_schema};
use crate::diag::{Checked, Code, Diagnostic, Sink, all_of};
use crate::name::ModelName;
use crate::project::{FixtureRow, FixtureRows, Project, UnitTest};
use crate::span::Span;
use crate::template::{ReferenceTarget, RenderedSql, RenderedTest};

/// What unit tests are planned and run over.
#[derive(Clone, Copy)]
pub(crate) struct TestedProject<'a> {
    pub project: &'a Project,
    pub planner: &'a Planner<'a>,
    pub typed: &'a BTreeMap<ModelName, TypedModel>,
}

/// A unit test that can be run.
pub(crate) struct PlannedUnitTest<'a> {
    pub test: &'a UnitTest,
    /// The model over given tables.
    pub model: TypedModel,
    /// Whether the run adds to what the table holds already.
    pub is_later: bool,
    /// The tables, each with its rows.
    pub given: BTreeMap<Input, GivenTable<'a>>,
    pub expected: FixtureSource<'a>,
}

/// A table whose rows are given.
pub(crate) struct GivenTable<'a> {
    /// As messages call it.
    pub name: String,
    pub schema: SchemaRef,
    pub rows: FixtureSource<'a>,
    pub span: Span,
}

/// Where rows are written down.
pub(crate) enum FixtureSource<'a> {
    Written(&'a [FixtureRow]),
    Query(RenderedSql, Span),
    /// The rows of a seed's own file.
    Seed(&'a TypedModel),
}

impl<'a> FixtureSource<'a> {
    /// Rows with the text that they have if they are a SELECT. Returns `None` if they are those of a seed.
    fn of(rows: &'a FixtureRows, query: Option<RenderedSql>) -> Option<FixtureSource<'a>> {
        match rows {
            FixtureRows::Values(rows) => Some(FixtureSource::Written(rows)),
            FixtureRows::Query { span, .. } => query.map(|sql| FixtureSource::Query(sql, *span)),
            FixtureRows::OfSeed => None,
        }
    }
}

/// Plans a unit test whose texts were rendered.
pub(crate) fn plan<'a>(
    test: &'a UnitTest,
    rendered: RenderedTest,
    of: TestedProject<'a>,
    sink: &mut Sink,
) -> Checked<PlannedUnitTest<'a>> {
    let RenderedTest { model: sql, is_later, inputs, mut given, expected } = rendered;
    let tested = of.typed.get(&test.id.model).expect("only tests of models that are well are planned");
    let mut tables: BTreeMap<Input, GivenTable<'a>> = BTreeMap::new();
    for (place, (target, one)) in inputs.iter().zip(&test.given).enumerate() {
        let rows = FixtureSource::of(&one.rows, given.remove(&place));
        let table = of.table(target, one.span, rows, tested).map_err(|wrong| sink.error(*wrong))?;
        let span = table.span;
        if let Some(first) = tables.insert(Input::from(target), table) {
            let diagnostic = Diagnostic::error(Code::DuplicateName, "rows are given for one input twice").at(span);
            return Err(sink.error(diagnostic.labelled(first.span, "the first ones")));
        }
    }
    refuse_missing(test, &sql, &tables, sink)?;
    warn_of_unread(test, &sql, &tables, sink);
    let model = of.planner.over_given(&sql, tested, of.typed, sink)?;
    let is_later = is_later.unwrap_or_else(|| tables.contains_key(&Input::This));
    check_slice(test, &model, is_later, sink)?;
    let expected = FixtureSource::of(&test.expected.rows, expected);
    let expected = expected.expect("expected rows are written down, because no seed is named there");
    Ok(PlannedUnitTest { test, model, is_later, given: tables, expected })
}

impl<'a> TestedProject<'a> {
    fn table(
        self,
        target: &ReferenceTarget,
        span: Span,
        rows: Option<FixtureSource<'a>>,
        tested: &TypedModel,
    ) -> Result<GivenTable<'a>, Box<Diagnostic>> {
        let (name, schema) = match target {
            ReferenceTarget::This => ("this".to_owned(), Arc::clone(&tested.schema)),
            ReferenceTarget::Source(name) => {
                let source = self.project.sources.get(name).expect("a rendered `source()` is one of the project");
                (name.to_string(), source_schema(source))
            }
            ReferenceTarget::Model(name) => match self.typed.get(name) {
                Some(model) => (name.to_string(), Arc::clone(&model.schema)),
                None => {
                    let message = format!("`{name}`, or a model that it reads, has errors");
                    return Err(Box::new(Diagnostic::error(Code::InvalidPlan, message).at(span)));
                }
            },
        };
        let seed = match target {
            ReferenceTarget::Model(name) => self.typed.get(name).filter(|model| model.is_seed()),
            ReferenceTarget::Source(_) | ReferenceTarget::This => None,
        };
        let Some(rows) = rows.or(seed.map(FixtureSource::Seed)) else {
            let message = format!("no rows are given for `{name}`, which is no seed");
            let diagnostic = Diagnostic::error(Code::InvalidConfig, message).at(span);
            return Err(Box::new(diagnostic.help("write `rows: []` if it has none")));
        };
        Ok(GivenTable { name, schema, rows, span })
    }
}

/// Everything that the model reads is given.
fn refuse_missing(
    test: &UnitTest,
    sql: &RenderedSql,
    given: &BTreeMap<Input, GivenTable<'_>>,
    sink: &mut Sink,
) -> Checked<()> {
    let read = sql.references.iter().map(|reference| &reference.target);
    let missing: BTreeSet<&ReferenceTarget> =
        read.filter(|target| !given.contains_key(&Input::from(*target))).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let calls: Vec<String> = missing.into_iter().map(call).collect();
    let message =
        format!("`{}` reads {}, and no rows are given", test.id.model, all_of(calls.iter().map(|call| &**call)));
    let lines: Vec<String> = calls.iter().map(|call| format!("`- {{ input: {call}, rows: [] }}`")).collect();
    let diagnostic = Diagnostic::error(Code::InvalidConfig, message).at(test.span);
    Err(sink.error(diagnostic.help(format!("give rows, or none: {}", lines.join(", ")))))
}

/// An input as YAML names it.
fn call(target: &ReferenceTarget) -> String {
    match target {
        ReferenceTarget::Model(name) => format!("ref('{name}')"),
        ReferenceTarget::Source(name) => format!("source('{}', '{}')", name.schema, name.table),
        ReferenceTarget::This => "this".to_owned(),
    }
}

/// Rows that nobody reads change nothing. What the table was before a run may be given for the table after it alone.
fn warn_of_unread(test: &UnitTest, sql: &RenderedSql, given: &BTreeMap<Input, GivenTable<'_>>, sink: &mut Sink) {
    let read: BTreeSet<Input> = sql.references.iter().map(|reference| Input::from(&reference.target)).collect();
    for (input, table) in given {
        if *input != Input::This && !read.contains(input) {
            let message = format!("`{}` does not read `{}` in this test", test.id.model, table.name);
            sink.warn(Diagnostic::warning(Code::InvalidConfig, message).at(table.span).help("leave it out"));
        }
    }
}

/// Whether the model can be run as the test says.
fn check_slice(test: &UnitTest, model: &TypedModel, is_later: bool, sink: &mut Sink) -> Checked<()> {
    if let Some(slice) = test.slice.as_ref().filter(|_| !model.is_sliced()) {
        let message = format!("`{}` has no slices", model.name);
        let diagnostic = Diagnostic::error(Code::InvalidConfig, message).at(slice.span);
        return Err(sink.error(diagnostic.help("a model has slices if it is `incremental` with an `event_time`")));
    }
    if !test.expected.of_table {
        return Ok(());
    }
    let materialized = model.config.materialized;
    if !materialized.is_stored() {
        let message = format!("`{}` has no table: it is a {}", model.name, materialized.word());
        let diagnostic = Diagnostic::error(Code::InvalidConfig, message).at(test.expected.span);
        return Err(sink.error(diagnostic.help("leave `table: true` out")));
    }
    if materialized.is_sliced() && is_later && test.slice.is_none() {
        let message = "a later run builds slices, and the test does not say which";
        let diagnostic = Diagnostic::error(Code::InvalidConfig, message).at(test.expected.span);
        return Err(sink.error(diagnostic.help("write `slice: 2023-05-01` into the unit test")));
    }
    Ok(())
}
