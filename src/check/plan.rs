//! Data tests planned and type-checked, in as few scans as they allow.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use datafusion::functions_aggregate::expr_fn::count;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, lit};
use serde_json::Value;

use super::{
    ALL, BrokenTest, Check, CheckBatch, PlannedCheck, PlannedTests, Rule, RuleTarget, Scope, StoringTests, TestedCut,
};
use crate::analyze::{Input, Planner, TypedModel};
use crate::diag::{Checked, Code, Diagnostic, Sink, nearest};
use crate::name::{ModelName, TableName};
use crate::parallel::in_parallel;
use crate::project::{DeclaredTest, Project, TestKey, TestRule, TestStorage, model_named};
use crate::select::{TestKind, TestOrigin};
use crate::span::{FileId, Span};
use crate::template::{ReferenceTarget, RenderedSql};

/// What tests are planned over.
#[derive(Clone, Copy)]
pub(crate) struct Guarded<'a> {
    pub project: &'a Project,
    pub planner: &'a Planner<'a>,
    pub typed: &'a BTreeMap<ModelName, TypedModel>,
    /// All models, each after what it reads.
    pub order: &'a [ModelName],
    /// Which tests keep the rows that break them.
    pub storing: &'a StoringTests,
    /// The time of the run.
    pub now: DateTime<Utc>,
}

/// A test that is a SELECT: a file of its own, or what a macro makes of a line of YAML.
#[derive(Debug, Clone)]
pub(crate) struct TestText {
    pub name: String,
    pub origin: TestOrigin,
    /// The template that was rendered, and the package that it belongs to.
    pub file: FileId,
    pub package: String,
    /// The model that it is declared on, if it is a line of YAML for one.
    pub declared_on: Option<ModelName>,
    pub rendered: RenderedSql,
    pub rule: TestRule,
    pub storage: TestStorage,
    /// What counts the failures, if that is not the number of rows.
    pub calculation: Option<String>,
    pub span: Span,
}

impl TestText {
    /// What tells it apart from every other test.
    pub fn key(&self) -> TestKey {
        TestKey { span: self.span, declared_on: self.declared_on.clone() }
    }
}

/// A table whose tests are planned.
struct Tested<'a> {
    table: TableName,
    target: ReferenceTarget,
    /// The package that declares them.
    package: &'a str,
    tests: Vec<TestOfTable<'a>>,
}

/// A test of a table or of one of its columns.
#[derive(Clone, Copy)]
struct TestOfTable<'a> {
    column: Option<&'a str>,
    test: &'a DeclaredTest,
}

/// A data test and the rule behind it.
struct Ruled {
    check: PlannedCheck,
    tables: BTreeSet<ReferenceTarget>,
    rule: Rule,
    scope: Scope,
    plan: LogicalPlan,
    /// Whether not all rows that break it count.
    is_limited: bool,
}

/// Plans every data test: those in YAML, and the files of the test paths, which were rendered. A test of a model that has
/// an error is left out: it could only complain of that once more.
pub(crate) fn plan_all(guarded: Guarded<'_>, texts: &[TestText], sink: &mut Sink) -> PlannedTests {
    let mut tests = PlannedTests::default();
    let tables = tested(guarded);
    let of_tables = in_parallel(&tables, |tested| {
        let mut faults = Sink::default();
        let found = batches(guarded, tested, &mut faults);
        (found, faults)
    });
    for (tested, (found, faults)) in tables.iter().zip(of_tables) {
        tests.settle(faults, || host(guarded, &BTreeSet::from([Input::from(&tested.target)])), sink);
        found.into_iter().for_each(|batch| tests.guard(guarded, batch, sink));
    }
    let inputs = |text: &TestText| -> BTreeSet<Input> {
        text.rendered.references.iter().map(|reference| Input::from(&reference.target)).collect()
    };
    let is_planned = |text: &&TestText| !inputs(text).iter().any(|input| guarded.is_unplanned(input));
    let texts: Vec<&TestText> = texts.iter().filter(is_planned).collect();
    let of_texts = in_parallel(&texts, |text| {
        let mut faults = Sink::default();
        let found = of_text(guarded, text, &mut faults);
        (found, faults)
    });
    for (text, (found, faults)) in texts.into_iter().zip(of_texts) {
        tests.settle(faults, || host(guarded, &inputs(text)), sink);
        found.into_iter().for_each(|batch| tests.guard(guarded, batch, sink));
    }
    let twice = tests.stored_twice(guarded);
    tests.broken.extend(twice);
    tests
}

impl Guarded<'_> {
    /// Whether an input is a model that has an error, or reads one that has.
    fn is_unplanned(&self, input: &Input) -> bool {
        matches!(input, Input::Model(name) if !self.typed.contains_key(name))
    }
}

impl PlannedTests {
    fn guard(&mut self, guarded: Guarded<'_>, batch: CheckBatch, sink: &mut Sink) {
        match host(guarded, &batch.inputs().collect()) {
            Some(host) => {
                if guarded.typed.get(&host).is_some_and(|model| !model.config.materialized.is_stored()) {
                    batch.checks.iter().for_each(|check| sink.warn(guards_no_table(check)));
                }
                self.guards.entry(host).or_default().push(batch);
            }
            None => self.broken.extend(batch.checks.iter().map(without_a_model)),
        }
    }

    /// What is wrong with tests whose failing rows would go where others do, or a model's rows.
    fn stored_twice(&mut self, guarded: Guarded<'_>) -> Vec<BrokenTest> {
        let mut taken: BTreeMap<TableName, Span> = BTreeMap::new();
        for model in guarded.typed.values().filter(|model| model.config.materialized.is_stored()) {
            taken.insert(model.table.clone(), Span::new(model.file, 0..0));
        }
        let mut broken = Vec::new();
        for check in self.guards.values_mut().flatten().flat_map(|batch| &mut batch.checks) {
            let Some(rows) = &check.stored else { continue };
            let Some(first) = taken.insert(rows.table.clone(), check.span) else { continue };
            let message = format!("the rows that break `{}` would replace others in `{}`", check.name, rows.table);
            let fault = Diagnostic::error(Code::DuplicateName, message).labelled(check.span, "kept by this");
            let fault = fault.labelled(first, "and by this");
            let fault = fault.help("give one of them another name: `config: { alias: … }`");
            broken.push(BrokenTest { model: check.declared_on.clone(), faults: vec![fault] });
            // What others have found stays where it is.
            check.stored = None;
        }
        broken
    }

    /// Puts what is wrong with tests to the model that they guard; what is only a warning is said.
    fn settle(&mut self, mut faults: Sink, model: impl FnOnce() -> Option<ModelName>, sink: &mut Sink) {
        if faults.has_errors() {
            self.broken.push(BrokenTest { model: model(), faults: faults.take() });
        } else {
            sink.append(faults);
        }
    }
}

/// What is wrong with a test in a project without models: tests run with the build of a model.
fn without_a_model(check: &PlannedCheck) -> BrokenTest {
    let message = format!("the test `{}` cannot be run: the project has no model", check.name);
    let fault = Diagnostic::error(Code::InvalidPlan, message).at(check.span);
    BrokenTest { model: None, faults: vec![fault.help("add the model that it is to guard")] }
}

/// The warning for a test in a project without tables: no build is there that could run it.
fn guards_no_table(check: &PlannedCheck) -> Diagnostic {
    let message = format!("`karat build` does not run the test `{}`: no model of the project is a table", check.name);
    Diagnostic::warning(Code::InvalidPlan, message).at(check.span).help("`karat test` runs it")
}

/// Returns every table that YAML declares tests for.
fn tested(guarded: Guarded<'_>) -> Vec<Tested<'_>> {
    let models = guarded.typed.iter().filter_map(|(name, model)| {
        let declared = guarded.project.models.get(name)?;
        let of_columns = declared.columns.iter().flat_map(|column| with_name(&column.name.value, &column.tests));
        Some(Tested {
            table: model.table.clone(),
            target: ReferenceTarget::Model(name.clone()),
            package: &declared.package,
            tests: of_whole(&declared.tests).chain(of_columns).collect(),
        })
    });
    let sources = guarded.project.sources.values().map(|source| {
        let of_columns = source.columns.iter().flat_map(|column| with_name(&column.name.value, &column.tests));
        Tested {
            table: source.name(),
            target: ReferenceTarget::Source(source.name()),
            package: &guarded.project.name.value,
            tests: of_whole(&source.tests).chain(of_columns).collect(),
        }
    });
    models.chain(sources).filter(|tested| !tested.tests.is_empty()).collect()
}

fn of_whole(tests: &[DeclaredTest]) -> impl Iterator<Item = TestOfTable<'_>> {
    tests.iter().filter(|test| test.text.is_none()).map(|test| TestOfTable { column: None, test })
}

fn with_name<'a>(column: &'a str, tests: &'a [DeclaredTest]) -> impl Iterator<Item = TestOfTable<'a>> {
    tests.iter().filter(|test| test.text.is_none()).map(move |test| TestOfTable { column: Some(column), test })
}

/// Returns the model whose build runs a batch of tests: the last one that they read, because only then all that they read
/// is there. Tests that read no model go to the first that reads a source of theirs, and else to the first of all, a view only if
/// there is nothing else.
fn host(guarded: Guarded<'_>, inputs: &BTreeSet<Input>) -> Option<ModelName> {
    let mut from_last = guarded.order.iter().rev();
    if let Some(last) = from_last.find(|name| inputs.contains(&Input::Model((*name).clone()))) {
        return Some(last.clone());
    }
    let stored: Vec<&TypedModel> = guarded
        .order
        .iter()
        .filter_map(|name| guarded.typed.get(name))
        .filter(|model| model.config.materialized.is_stored())
        .collect();
    let reader = stored.iter().find(|model| !model.inputs().is_disjoint(inputs)).or(stored.first());
    match reader {
        Some(model) => Some(model.name.clone()),
        None => guarded.order.iter().find(|name| guarded.typed.contains_key(*name)).cloned(),
    }
}

/// Plans the tests of a table, as far as they are well: those that look at single rows in one scan, which counts the
/// offending rows of each.
fn batches(guarded: Guarded<'_>, tested: &Tested<'_>, sink: &mut Sink) -> Vec<CheckBatch> {
    let ruled = sink.check_each(&tested.tests, |test, sink| ruled(guarded, tested, *test, sink)).well;
    // Each scan of a table costs as much as computing it for tests that guard a build, so rules about single rows share one.
    let mut conditions = Vec::new();
    let mut checks = Vec::new();
    let mut batches = Vec::new();
    for Ruled { check, tables, rule, scope, plan, is_limited } in ruled.into_iter().flatten() {
        match rule {
            // Rows that are kept or counted up to a limit are asked for alone; those that are kept are all of the table.
            Rule::Slices(rule) => {
                let slices = Some(Arc::from(rule));
                batches.push(CheckBatch { plan, checks: vec![check], tables, scope, slices });
            }
            _ if check.stored.is_some() => {
                let scope = Scope::Whole;
                batches.push(CheckBatch { plan: counted(plan), checks: vec![check], tables, scope, slices: None });
            }
            Rule::Row(condition) if !is_limited => {
                conditions.push(condition);
                checks.push(check);
            }
            Rule::Row(_) | Rule::Query(_) => {
                batches.push(CheckBatch { plan: counted(plan), checks: vec![check], tables, scope, slices: None });
            }
        }
    }
    let Some(first) = checks.first() else { return batches };
    let counts: Vec<String> = conditions
        .iter()
        .enumerate()
        .map(|(index, condition)| format!("count(*) filter (where {condition}) as test_{index}"))
        .collect();
    let text = format!("select {}\nfrom {}", counts.join(",\n    "), tested.table);
    let rendered = RenderedSql::over(text, [(&tested.table, &tested.target)], first.span);
    if let Ok((plan, _)) = guarded.planner.text(&rendered, first.span.file, guarded.typed, sink) {
        // The cheapest batch comes first.
        let tables = BTreeSet::from([tested.target.clone()]);
        batches.insert(0, CheckBatch { checks, tables, plan, scope: Scope::New, slices: None });
    }
    batches
}

/// Returns a plan for the number of rows of a plan.
pub(super) fn counted(plan: LogicalPlan) -> LogicalPlan {
    LogicalPlanBuilder::from(plan)
        .aggregate(Vec::<Expr>::new(), vec![count(lit(1_i64))])
        .and_then(LogicalPlanBuilder::build)
        .expect("the rows of any plan can be counted")
}

/// At most so many rows of a plan.
fn limited(plan: LogicalPlan, limit: Option<u64>) -> LogicalPlan {
    let Some(limit) = limit else { return plan };
    let rows = usize::try_from(limit).unwrap_or(usize::MAX);
    LogicalPlanBuilder::from(plan)
        .limit(0, Some(rows))
        .and_then(LogicalPlanBuilder::build)
        .expect("the rows of any plan can be limited")
}

/// Plans one test. Returns `None` if it refers to a model that has an error.
fn ruled(
    guarded: Guarded<'_>,
    tested: &Tested<'_>,
    declared: TestOfTable<'_>,
    sink: &mut Sink,
) -> Checked<Option<Ruled>> {
    let TestOfTable { column, test } = declared;
    let check = ALL.iter().find(|check| check.name() == test.kind.value);
    let check = check.expect("a test without a text of its own is one of karat's");
    refuse_unknown_arguments(*check, test, sink)?;
    let other = match test.arguments.get("to") {
        Some(to) => {
            let model = referred(to, guarded).map_err(|message| {
                let span = test.places.get("to").map_or(test.kind.span, |place| place.value);
                let diagnostic = Diagnostic::error(Code::InvalidConfig, message).at(span);
                let typed = to.as_str().unwrap_or_default().trim_matches(['{', '}', ' ']);
                let typed = typed.trim_start_matches("ref(").trim_end_matches(')').trim_matches(['\'', '"']);
                sink.error(diagnostic.suggest(typed, guarded.order.iter().map(ModelName::as_str)))
            })?;
            let Some(model) = model else { return Ok(None) };
            Some(model)
        }
        None => None,
    };
    let table = tested.table.to_string();
    let other_table = other.map(|other| other.table.to_string());
    let target = RuleTarget {
        table: &table,
        column,
        arguments: &test.arguments,
        other: other_table.as_deref(),
        filter: test.filter.as_ref().map(|filter| filter.value.as_str()),
        now: guarded.now,
        slices: cut_of(guarded, &tested.target),
    };
    let rule = check.rule(&target);
    let rule = rule.map_err(|message| sink.error(wrong(test, format!("`{}`: {message}", check.name()))))?;
    let sql = rule.query_over(&table);
    let other = other.map(|other| (other.table.clone(), ReferenceTarget::Model(other.name.clone())));
    let references =
        [(&tested.table, &tested.target)].into_iter().chain(other.iter().map(|(table, target)| (table, target)));
    let rendered = RenderedSql::over(sql.clone(), references, test.span);
    let (plan, _) = guarded.planner.text(&rendered, test.span.file, guarded.typed, sink)?;
    let name = name_of(test, &tested.table.table, column);
    let kind = TestKind::Generic(check.name().to_owned());
    let origin = TestOrigin { kind, package: tested.package.to_owned(), tags: test.tags.clone() };
    let declared_on = match &tested.target {
        ReferenceTarget::Model(name) => Some(name.clone()),
        ReferenceTarget::Source(_) | ReferenceTarget::This => None,
    };
    let plan = limited(plan, test.storage.limit);
    let key = TestKey { span: test.span, declared_on: declared_on.clone() };
    let (sql, stored) = match &rule {
        Rule::Slices(rule) => {
            refuse_storage(test, sink)?;
            (format!("{sql}\n{}", rule.in_words()), None)
        }
        Rule::Row(_) | Rule::Query(_) => (sql, guarded.storing.rows(&key, &test.storage, &plan)),
    };
    let planned = PlannedCheck { name, origin, declared_on, rule: test.rule, sql, span: test.span, stored };
    let tables = rendered.references.into_iter().map(|reference| reference.target).collect();
    let is_limited = test.storage.limit.is_some();
    Ok(Some(Ruled { check: planned, tables, rule, scope: check.scope(), plan, is_limited }))
}

/// A check takes these arguments and no others.
fn refuse_unknown_arguments(check: &dyn Check, test: &DeclaredTest, sink: &mut Sink) -> Checked<()> {
    let Some(unknown) = test.arguments.keys().find(|key| !check.arguments().contains(&key.as_str())) else {
        return Ok(());
    };
    let span = test.places.get(unknown).map_or(test.kind.span, |place| place.name);
    let message = format!("`{}` takes no argument `{unknown}`", check.name());
    let diagnostic = Diagnostic::error(Code::InvalidConfig, message).at(span);
    Err(sink.error(diagnostic.suggest(unknown, check.arguments().iter().copied())))
}

/// How the table of a model is cut into slices.
fn cut_of(guarded: Guarded<'_>, target: &ReferenceTarget) -> Option<TestedCut> {
    let ReferenceTarget::Model(name) = target else { return None };
    let model = guarded.typed.get(name).filter(|model| model.is_sliced())?;
    let event_time = model.event_time()?.to_owned();
    Some(TestedCut { event_time, grain: model.config.batch_size, layout: model.layout() })
}

/// A slice is no row that could be kept or counted up to a limit.
fn refuse_storage(test: &DeclaredTest, sink: &mut Sink) -> Checked<()> {
    let key = match (test.storage.stores, test.storage.limit) {
        (Some(true), _) => "store_failures",
        (_, Some(_)) => "limit",
        (_, None) => return Ok(()),
    };
    Err(sink.error(wrong(test, format!("`{}` finds slices, not rows: it has no `{key}`", test.kind.value))))
}

/// The name that its author gave it, or dbt: rule, table, column.
fn name_of(test: &DeclaredTest, table: &str, column: Option<&str>) -> String {
    let parts = [Some(test.kind.value.as_str()), Some(table), column];
    match &test.name {
        Some(name) => name.value.clone(),
        None => parts.into_iter().flatten().collect::<Vec<_>>().join("_"),
    }
}

fn wrong(test: &DeclaredTest, message: String) -> Diagnostic {
    Diagnostic::error(Code::InvalidConfig, message).at(test.kind.span)
}

/// A data test that neither karat nor a macro has.
pub(crate) fn unknown_kind(test: &DeclaredTest) -> Diagnostic {
    let known: Vec<&str> = ALL.iter().map(|check| check.name()).collect();
    let message = format!("no data test is called `{}`", test.kind.value);
    let help = match nearest(&test.kind.value, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None if let Some((package, _)) = test.kind.value.split_once('.') => {
            format!("list the package in `packages.yml` and run `karat deps`, or put it into `dbt_packages/{package}`")
        }
        None => format!(
            "define `{{% test {}(model) %}}` in a macro file, or use one of {}",
            test.kind.value,
            known.join(", ")
        ),
    };
    wrong(test, message).help(help)
}

/// Returns the model that `to: ref('dim_users')` names; `None` if it has an error.
fn referred<'a>(to: &Value, guarded: Guarded<'a>) -> Result<Option<&'a TypedModel>, String> {
    let text = to.as_str().unwrap_or("").trim();
    let inner = text.trim_start_matches("{{").trim_end_matches("}}").trim();
    let name = inner.strip_prefix("ref(").and_then(|rest| rest.strip_suffix(')')).unwrap_or(inner);
    // dbt writes `ref('x')`, and some write the bare name or a template around it.
    let name = model_named(&guarded.project.models, name.trim_matches(['\'', '"', ' ']));
    let name = name.ok_or_else(|| format!("`to` names no model: `{text}`"))?;
    match guarded.typed.get(&name) {
        Some(model) => Ok(Some(model)),
        None if guarded.order.contains(&name) => Ok(None),
        None => Err(format!("`to` names no model: `{text}`")),
    }
}

fn of_text(guarded: Guarded<'_>, text: &TestText, sink: &mut Sink) -> Checked<CheckBatch> {
    let TestText { name, origin, declared_on, rendered, rule, storage, calculation, span, .. } = text;
    let (plan, _) = guarded.planner.text(rendered, span.file, guarded.typed, sink)?;
    let plan = limited(plan, storage.limit);
    let stored = guarded.storing.rows(&text.key(), storage, &plan);
    let check = PlannedCheck {
        name: name.clone(),
        origin: origin.clone(),
        declared_on: declared_on.clone(),
        rule: *rule,
        sql: rendered.text.clone(),
        span: *span,
        stored,
    };
    let plan = match calculation {
        Some(calculation) => guarded.planner.calculated(&plan, calculation, *span, sink)?,
        None => counted(plan),
    };
    let tables = rendered.references.iter().map(|reference| reference.target.clone()).collect();
    Ok(CheckBatch { checks: vec![check], tables, plan, scope: Scope::Whole, slices: None })
}
