//! Data tests planned and type-checked, in as few scans as they allow.

use std::collections::{BTreeMap, BTreeSet};

use datafusion::functions_aggregate::expr_fn::count;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, lit};
use serde_json::Value;

use super::{ALL, About, CheckBatch, Guards, PlannedCheck, Rule, Scope};
use crate::analyze::{Input, Planner, TypedModel};
use crate::diag::{Checked, Code, Diagnostic, Sink, nearest};
use crate::name::{ModelName, TableName};
use crate::project::{Column, DeclaredTest, Project, TestSeverity};
use crate::span::Span;
use crate::template::{Reference, ReferenceName, ReferencePlaces, ReferenceTarget, RenderedSql, SourceMap};

/// What tests are planned over.
#[derive(Clone, Copy)]
pub(crate) struct Guarded<'a> {
    pub project: &'a Project,
    pub planner: &'a Planner<'a>,
    pub typed: &'a BTreeMap<ModelName, TypedModel>,
    /// All models, each after what it reads.
    pub order: &'a [ModelName],
}

/// A table whose tests are planned.
struct Tested<'a> {
    table: TableName,
    target: ReferenceTarget,
    columns: Vec<(Option<&'a str>, &'a DeclaredTest)>,
}

/// A data test and the rule behind it.
struct Ruled {
    check: PlannedCheck,
    rule: Rule,
    scope: Scope,
    plan: LogicalPlan,
}

/// Plans every data test: those in YAML, and the files of the test paths, which were rendered.
pub(crate) fn plan_all(
    guarded: Guarded<'_>,
    files: &[(String, RenderedSql, Span)],
    sink: &mut Sink,
) -> Checked<Guards> {
    let mut guards = Guards::new();
    let tables = sink.check_all(tested(guarded), |tested, sink| batches(guarded, &tested, sink));
    let files = sink.check_all(files, |(name, rendered, span), sink| singular(guarded, (name, rendered, *span), sink));
    for batch in tables?.into_iter().flatten().chain(files?) {
        if let Some(host) = host(guarded, &batch) {
            guards.entry(host).or_default().push(batch);
        }
    }
    Ok(guards)
}

/// Every table that YAML declares tests for.
fn tested(guarded: Guarded<'_>) -> Vec<Tested<'_>> {
    let models = guarded.typed.iter().filter_map(|(name, model)| {
        let declared = guarded.project.models.get(name)?;
        let columns = with_columns(&declared.tests, &declared.columns);
        Some(Tested { table: model.table.clone(), target: ReferenceTarget::Model(name.clone()), columns })
    });
    let sources = guarded.project.sources.values().map(|source| {
        let whole = source.tests.iter().map(|test| (None, test));
        let of = source
            .columns
            .iter()
            .flat_map(|column| column.tests.iter().map(|test| (Some(column.name.value.as_str()), test)));
        Tested {
            table: source.name(),
            target: ReferenceTarget::Source(source.name()),
            columns: whole.chain(of).collect(),
        }
    });
    models.chain(sources).filter(|tested| !tested.columns.is_empty()).collect()
}

fn with_columns<'a>(whole: &'a [DeclaredTest], columns: &'a [Column]) -> Vec<(Option<&'a str>, &'a DeclaredTest)> {
    let of = columns.iter().flat_map(|column| column.tests.iter().map(|test| (Some(column.name.value.as_str()), test)));
    whole.iter().map(|test| (None, test)).chain(of).collect()
}

/// The last model that a batch reads, itself or through a source; the first of all if it reads none.
fn host(guarded: Guarded<'_>, batch: &CheckBatch) -> Option<ModelName> {
    let inputs: BTreeSet<Input> = batch.inputs().collect();
    let reads = |name: &&ModelName| inputs.contains(&Input::Model((*name).clone()));
    let last = guarded.order.iter().rev().find(reads);
    let stored = || {
        guarded
            .order
            .iter()
            .filter_map(|name| guarded.typed.get(name))
            .filter(|model| model.config.materialized.is_stored())
    };
    let reader = || stored().find(|model| !model.inputs().is_disjoint(&inputs)).or_else(|| stored().next());
    last.cloned().or_else(|| reader().map(|model| model.name.clone()))
}

fn batches(guarded: Guarded<'_>, tested: &Tested<'_>, sink: &mut Sink) -> Checked<Vec<CheckBatch>> {
    let ruled =
        sink.check_all(&tested.columns, |(column, test), sink| ruled(guarded, tested, (*column, test), sink))?;
    let (mut conditions, mut checks, mut batches) = (Vec::new(), Vec::new(), Vec::new());
    for Ruled { check, rule, scope, plan } in ruled {
        match rule {
            Rule::Row(condition) => {
                conditions.push(condition);
                checks.push(check);
            }
            Rule::Query(_) => batches.push(CheckBatch { plan: counted(plan), checks: vec![check], scope }),
        }
    }
    let Some(first) = checks.first() else { return Ok(batches) };
    let counts: Vec<String> = conditions
        .iter()
        .enumerate()
        .map(|(index, condition)| format!("count(*) filter (where {condition}) as test_{index}"))
        .collect();
    let text = format!("select {}\nfrom {}", counts.join(",\n    "), tested.table);
    let rendered = rendered(text, [(&tested.table, &tested.target)], first.span);
    let (plan, _) = guarded.planner.text(&rendered, first.span.file, guarded.typed, sink)?;
    batches.insert(0, CheckBatch { checks, plan, scope: Scope::New });
    Ok(batches)
}

/// The number of rows.
fn counted(plan: LogicalPlan) -> LogicalPlan {
    LogicalPlanBuilder::from(plan)
        .aggregate(Vec::<Expr>::new(), vec![count(lit(1_i64))])
        .and_then(LogicalPlanBuilder::build)
        .expect("the rows of any plan can be counted")
}

fn ruled(
    guarded: Guarded<'_>,
    tested: &Tested<'_>,
    (column, test): (Option<&str>, &DeclaredTest),
    sink: &mut Sink,
) -> Checked<Ruled> {
    let wrong = |message: String| Diagnostic::error(Code::InvalidConfig, message).at(test.kind.span);
    let Some(check) = ALL.iter().find(|check| check.name() == test.kind.value) else {
        return Err(sink.error(unknown_kind(test)));
    };
    if let Some(unknown) = test.arguments.keys().find(|key| !check.arguments().contains(&key.as_str())) {
        let diagnostic = wrong(format!("`{}` takes no argument `{unknown}`", check.name()));
        return Err(sink.error(diagnostic.suggest(unknown, check.arguments().iter().copied())));
    }
    let other = match test.arguments.get("to") {
        Some(to) => Some(referred(to, guarded.typed).map_err(|message| sink.error(wrong(message)))?),
        None => None,
    };
    let (table, other_table) = (tested.table.to_string(), other.map(|other| other.table.to_string()));
    let filter = test.filter.as_ref().map(|filter| filter.value.as_str());
    let about = About { table: &table, column, arguments: &test.arguments, other: other_table.as_deref(), filter };
    let rule = check.rule(&about).map_err(|message| sink.error(wrong(format!("`{}`: {message}", check.name()))))?;
    let sql = match &rule {
        Rule::Row(condition) => format!("select * from {table} where {condition}"),
        Rule::Query(query) => query.clone(),
    };
    let other = other.map(|other| (other.table.clone(), ReferenceTarget::Model(other.name.clone())));
    let references =
        [(&tested.table, &tested.target)].into_iter().chain(other.iter().map(|(table, target)| (table, target)));
    let rendered = rendered(sql.clone(), references, test.span);
    let (plan, _) = guarded.planner.text(&rendered, test.span.file, guarded.typed, sink)?;
    let parts = [Some(check.name()), Some(tested.table.table.as_str()), column];
    let name = match &test.name {
        Some(name) => name.value.clone(),
        None => parts.into_iter().flatten().collect::<Vec<_>>().join("_"),
    };
    let check_told = PlannedCheck { name, severity: test.severity, sql, span: test.span };
    Ok(Ruled { check: check_told, rule, scope: check.scope(), plan })
}

fn unknown_kind(test: &DeclaredTest) -> Diagnostic {
    let known: Vec<&str> = ALL.iter().map(|check| check.name()).collect();
    let message = format!("no data test is called `{}`", test.kind.value);
    let help = match nearest(&test.kind.value, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("the data tests are {}", known.join(", ")),
    };
    Diagnostic::error(Code::InvalidConfig, message).at(test.kind.span).help(help)
}

/// The model that `to: ref('dim_users')` names.
fn referred<'t>(to: &Value, typed: &'t BTreeMap<ModelName, TypedModel>) -> Result<&'t TypedModel, String> {
    let text = to.as_str().unwrap_or("").trim();
    let inner = text.trim_start_matches("{{").trim_end_matches("}}").trim();
    let name = inner.strip_prefix("ref(").and_then(|rest| rest.strip_suffix(')')).unwrap_or(inner);
    let name = name.trim_matches(['\'', '"', ' ']);
    let found = ModelName::parse(name).ok().and_then(|name| typed.get(&name));
    found.ok_or_else(|| format!("`to` names no model: `{text}`"))
}

/// A text of ours: whatever is wrong with it lies at the place of the test.
fn rendered<'a>(
    text: String,
    references: impl IntoIterator<Item = (&'a TableName, &'a ReferenceTarget)>,
    span: Span,
) -> RenderedSql {
    let reference = |(table, target): (&TableName, &ReferenceTarget)| Reference {
        name: ReferenceName::first(table.clone()),
        target: target.clone(),
        window: None,
        on_change: None,
        span,
    };
    let references = references.into_iter().map(reference).collect();
    RenderedSql { text, map: SourceMap::whole(span), references, places: ReferencePlaces::default() }
}

/// A test that is a file of its own.
fn singular(
    guarded: Guarded<'_>,
    (name, rendered, span): (&str, &RenderedSql, Span),
    sink: &mut Sink,
) -> Checked<CheckBatch> {
    let (plan, _) = guarded.planner.text(rendered, span.file, guarded.typed, sink)?;
    let sql = rendered.text.clone();
    let check = PlannedCheck { name: name.to_owned(), severity: TestSeverity::Error, sql, span };
    Ok(CheckBatch { checks: vec![check], plan: counted(plan), scope: Scope::Whole })
}
