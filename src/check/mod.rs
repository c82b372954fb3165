//! Data tests: each is a query for the rows that break its rule.

mod accepted_values;
mod not_null;
mod relationships;
mod unique;

use std::collections::BTreeMap;

use datafusion::logical_expr::LogicalPlan;
use serde_json::{Map, Value};

use crate::analyze::{Input, Planner, TypedModel, inputs_of};
use crate::diag::{Checked, Code, Diagnostic, Sink, nearest};
use crate::name::ModelName;
use crate::project::{DeclaredTest, Project, TestSeverity};
use crate::span::Span;
use crate::template::{Reference, ReferenceTarget, RenderedSql, SourceMap};

/// A kind of data test that YAML can name.
pub(crate) trait Check: Sync {
    /// The word in YAML.
    fn name(&self) -> &'static str;

    /// One line for help.
    fn doc(&self) -> &'static str;

    /// The arguments it takes, besides the column.
    fn arguments(&self) -> &'static [&'static str];

    /// A SELECT of the offending rows, or what is wrong with the arguments.
    fn query(&self, about: &About<'_>) -> Result<String, String>;
}

/// What a test is about.
pub(crate) struct About<'a> {
    /// The tested table, as it stands in SQL.
    pub table: &'a str,
    pub column: Option<&'a str>,
    pub arguments: &'a Map<String, Value>,
    /// The table that `to:` names, as it stands in SQL.
    pub other: Option<&'a str>,
    /// A condition: only these rows are tested.
    pub filter: Option<&'a str>,
}

impl About<'_> {
    /// The tested column, quoted.
    fn column(&self) -> Result<String, String> {
        self.column
            .map(quoted)
            .ok_or_else(|| "it belongs to a column".to_owned())
    }

    /// ` where (…) and (…)`, of the filter and a condition.
    fn filtered(&self, condition: &str) -> String {
        match self.filter {
            Some(filter) => format!("where ({filter}) and ({condition})"),
            None => format!("where {condition}"),
        }
    }
}

pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Every kind of data test.
pub(crate) const ALL: &[&dyn Check] = &[
    &not_null::NotNull,
    &unique::Unique,
    &accepted_values::AcceptedValues,
    &relationships::Relationships,
];

/// Which rows a test looks at when it guards a build.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Those that the build has written.
    New,
    /// The table as it will be.
    Whole,
}

/// A data test ready to run.
#[derive(Debug, Clone)]
pub(crate) struct PlannedCheck {
    /// `not_null_daily_active_users_event_date`, or the name of a file.
    pub name: String,
    pub model: ModelName,
    pub severity: TestSeverity,
    pub scope: Scope,
    pub sql: String,
    /// The rows that break the rule.
    pub plan: LogicalPlan,
    pub span: Span,
}

impl PlannedCheck {
    /// The stored models that it reads.
    pub fn models(&self) -> Vec<ModelName> {
        let model = |input: Input| match input {
            Input::Model(name) => Some(name),
            Input::Source(_) | Input::This | Input::Quarantine(_) => None,
        };
        inputs_of(&self.plan).into_iter().filter_map(model).collect()
    }
}

/// What a data test found.
#[derive(Debug, Clone)]
pub(crate) struct CheckResult {
    pub name: String,
    pub model: ModelName,
    pub severity: TestSeverity,
    pub failures: u64,
    pub sql: String,
    pub span: Span,
}

/// Plans the tests that YAML declares for the models, by model.
pub(crate) fn plan_declared(
    project: &Project,
    planner: &Planner<'_>,
    typed: &BTreeMap<ModelName, TypedModel>,
    sink: &mut Sink,
) -> Checked<BTreeMap<ModelName, Vec<PlannedCheck>>> {
    let mut planned = BTreeMap::new();
    let mut failed = None;
    for (name, model) in typed {
        let Some(declared) = project.models.get(name) else {
            continue;
        };
        let of_columns = declared
            .columns
            .iter()
            .flat_map(|column| column.tests.iter().map(|test| (Some(column.name.value.as_str()), test)));
        let tests = declared.tests.iter().map(|test| (None, test)).chain(of_columns);
        match sink.check_all(tests, |(column, test), sink| {
            plan_one((planner, typed), model, column, test, sink)
        }) {
            Ok(checks) => {
                planned.insert(name.clone(), checks);
            }
            Err(reported) => failed = Some(reported),
        }
    }
    failed.map_or(Ok(planned), Err)
}

fn plan_one(
    (planner, typed): (&Planner<'_>, &BTreeMap<ModelName, TypedModel>),
    model: &TypedModel,
    column: Option<&str>,
    test: &DeclaredTest,
    sink: &mut Sink,
) -> Checked<PlannedCheck> {
    let wrong = |message: String| Diagnostic::error(Code::InvalidConfig, message).at(test.kind.span);
    let Some(check) = ALL.iter().find(|check| check.name() == test.kind.value) else {
        let known: Vec<&str> = ALL.iter().map(|check| check.name()).collect();
        let diagnostic = wrong(format!("no data test is called `{}`", test.kind.value));
        let help = match nearest(&test.kind.value, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("the data tests are {}", known.join(", ")),
        };
        return Err(sink.error(diagnostic.help(help)));
    };
    if let Some(unknown) = test
        .arguments
        .keys()
        .find(|key| !check.arguments().contains(&key.as_str()))
    {
        let diagnostic = wrong(format!("`{}` takes no argument `{unknown}`", check.name()));
        return Err(sink.error(diagnostic.suggest(unknown, check.arguments().iter().copied())));
    }
    let other = match test.arguments.get("to") {
        Some(to) => Some(referred(to, typed).map_err(|message| sink.error(wrong(message)))?),
        None => None,
    };
    let table = model.table.to_string();
    let other_table = other.map(|other| other.table.to_string());
    let about = About {
        table: &table,
        column,
        arguments: &test.arguments,
        other: other_table.as_deref(),
        filter: test.filter.as_ref().map(|filter| filter.value.as_str()),
    };
    let sql = check
        .query(&about)
        .map_err(|message| sink.error(wrong(format!("`{}`: {message}", check.name()))))?;
    let references = [Some(model), other]
        .into_iter()
        .flatten()
        .map(|model| reference(model, test.span));
    let rendered = RenderedSql {
        text: sql.clone(),
        map: SourceMap::whole(test.span),
        references: references.collect(),
    };
    let (plan, _) = planner.text(&rendered, test.span.file, typed, sink)?;
    let parts = [Some(check.name()), Some(model.name.as_str()), column];
    Ok(PlannedCheck {
        name: parts.into_iter().flatten().collect::<Vec<_>>().join("_"),
        model: model.name.clone(),
        severity: test.severity,
        scope: Scope::New,
        sql,
        plan,
        span: test.span,
    })
}

/// The model that `to: ref('dim_users')` names.
fn referred<'t>(to: &Value, typed: &'t BTreeMap<ModelName, TypedModel>) -> Result<&'t TypedModel, String> {
    let text = to.as_str().unwrap_or("").trim();
    let inner = text.trim_start_matches("{{").trim_end_matches("}}").trim();
    let name = inner
        .strip_prefix("ref(")
        .and_then(|rest| rest.strip_suffix(')'))
        .unwrap_or(inner);
    let name = name.trim_matches(['\'', '"', ' ']);
    let found = ModelName::parse(name).ok().and_then(|name| typed.get(&name));
    found.ok_or_else(|| format!("`to` names no model: `{text}`"))
}

fn reference(model: &TypedModel, span: Span) -> Reference {
    Reference {
        relation: model.table.clone(),
        target: ReferenceTarget::Model(model.name.clone()),
        window: None,
        span,
    }
}

/// Attaches a test that is a file of its own to the last of the models that it reads.
pub(crate) fn plan_singular(
    (name, rendered, span): (&str, &RenderedSql, Span),
    planner: &Planner<'_>,
    typed: &BTreeMap<ModelName, TypedModel>,
    order: &[ModelName],
    sink: &mut Sink,
) -> Checked<Option<PlannedCheck>> {
    let (plan, _) = planner.text(rendered, span.file, typed, sink)?;
    let inputs = inputs_of(&plan);
    let last = order
        .iter()
        .rev()
        .find(|name| inputs.contains(&Input::Model((*name).clone())));
    Ok(last.map(|model| PlannedCheck {
        name: name.to_owned(),
        model: model.clone(),
        severity: TestSeverity::Error,
        scope: Scope::Whole,
        sql: rendered.text.clone(),
        plan,
        span,
    }))
}
