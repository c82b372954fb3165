//! Constraints of contracts, planned as checks of the rows that a run is about to commit.

use std::collections::{BTreeMap, BTreeSet};

use super::plan::counted;
use super::relationships::{KeyPair, rows_without_parent};
use super::unique::repeated_keys;
use super::{CheckBatch, Guards, PlannedCheck, Scope};
use crate::analyze::{Planner, TypedModel, check_named};
use crate::diag::{Checked, Code, Diagnostic, Sink};
use crate::figures::counted as number_of;
use crate::name::{ModelName, TableName, quoted};
use crate::project::{Constraint, ConstraintKind, Dependency, Model, Project, TestRule};
use crate::select::{TestKind, TestOrigin};
use crate::span::Span;
use crate::template::{ReferenceTarget, RenderedSql};

/// The constraints of a project.
#[derive(Debug, Default)]
pub(crate) struct PlannedConstraints {
    /// By the model whose commits they guard.
    pub guards: Guards,
    /// What is wrong with those of a model.
    pub faults: BTreeMap<ModelName, Vec<Diagnostic>>,
    /// What is not checked, and why.
    pub warnings: Vec<Diagnostic>,
}

/// What a constraint asks of rows, in SQL.
enum Asked<'a> {
    /// No row for which this is true.
    Row { condition: String, span: Span },
    /// No row of this SELECT.
    Query { sql: String, other: Option<ReferredTable<'a>>, span: Span },
}

/// The table that a foreign key refers to.
struct ReferredTable<'a> {
    table: &'a TableName,
    target: ReferenceTarget,
    columns: Vec<String>,
}

/// The guards together with what contracts say, which is checked first.
pub(crate) fn with_constraints(guards: &Guards, constraints: &Guards) -> Guards {
    let mut all = constraints.clone();
    for (model, batches) in guards {
        all.entry(model.clone()).or_default().extend(batches.iter().cloned());
    }
    all
}

/// Plans the constraints of all models that are well.
pub(crate) fn plan_constraints(
    project: &Project,
    planner: &Planner<'_>,
    typed: &BTreeMap<ModelName, TypedModel>,
) -> PlannedConstraints {
    let mut planned = PlannedConstraints::default();
    let mut unenforced: Vec<&Model> = Vec::new();
    for model in project.models.values() {
        let Some(first) = model.all_constraints().next() else { continue };
        let Some(found) = typed.get(&model.name) else { continue };
        if found.config.contract.is_none() {
            unenforced.push(model);
            continue;
        }
        if !found.config.materialized.is_stored() {
            if model.all_constraints().any(|constraint| constraint.warns()) {
                planned.warnings.push(without_table(found, first.span));
            }
            continue;
        }
        let mut sink = Sink::default();
        let of_model = ConstrainedModel { project, planner, typed, declared: model, model: found };
        // What is wrong is in the sink.
        let batches = of_model.batches(&mut sink).unwrap_or_default();
        let has_errors = sink.has_errors();
        let said = sink.take();
        if has_errors {
            planned.faults.insert(model.name.clone(), said);
        } else {
            planned.warnings.extend(said);
            if !batches.is_empty() {
                planned.guards.insert(model.name.clone(), batches);
            }
        }
    }
    planned.warnings.extend(unenforced_warning(&unenforced));
    planned
}

/// A view computes its rows for each reader: nothing could hold back one that breaks a rule.
fn without_table(model: &TypedModel, span: Span) -> Diagnostic {
    let word = model.config.materialized.word();
    let message = format!("the constraints of `{}` are not checked: `{word}` models store no rows", model.name);
    let diagnostic = Diagnostic::warning(Code::DiffersFromDbt, message).at(span);
    diagnostic.help("make it a table, or write `warn_unsupported: false` at each of them")
}

/// dbt ignores them in silence.
fn unenforced_warning(models: &[&Model]) -> Option<Diagnostic> {
    let first = models.first()?;
    let place = first.all_constraints().next()?.span;
    let of = match models.len() {
        1 => format!("`{}`", first.name),
        more => number_of(more, "node"),
    };
    let message = format!("the constraints of {of} are not checked: without an enforced contract they do nothing");
    let diagnostic = Diagnostic::warning(Code::DiffersFromDbt, message).at(place);
    let help = match first.seed.is_some() || first.snapshot.is_some() {
        true => "only models have contracts: declare `data_tests`",
        false => "write `config: { contract: { enforced: true } }`, or declare `data_tests`",
    };
    Some(diagnostic.help(help))
}

/// A stored model with a contract.
struct ConstrainedModel<'a> {
    project: &'a Project,
    planner: &'a Planner<'a>,
    typed: &'a BTreeMap<ModelName, TypedModel>,
    declared: &'a Model,
    model: &'a TypedModel,
}

impl<'a> ConstrainedModel<'a> {
    /// One scan for all rules about single rows, and one query for each of the others.
    fn batches(&self, sink: &mut Sink) -> Checked<Vec<CheckBatch>> {
        self.check_primary_keys(sink)?;
        let mut conditions = Vec::new();
        let mut rows = Vec::new();
        let mut batches = Vec::new();
        let all: Vec<&Constraint> = self.declared.all_constraints().collect();
        let planned = sink.check_all(all, |constraint, sink| {
            let asked = self.asked(constraint, sink)?;
            sink.check_all(asked, |asked, sink| self.planned(constraint, asked, sink))
        })?;
        for PlannedConstraint { condition, batch } in planned.into_iter().flatten() {
            match condition {
                Some(condition) => {
                    conditions.push(condition);
                    rows.extend(batch.checks);
                }
                None => batches.push(batch),
            }
        }
        if let Some(first) = rows.first() {
            let counts = conditions.iter().enumerate();
            let counts = counts.map(|(index, found)| format!("count(*) filter (where {found}) as constraint_{index}"));
            let table = &self.model.table;
            let text = format!("select {}\nfrom {table}", counts.collect::<Vec<_>>().join(",\n    "));
            let target = self.own();
            let rendered = RenderedSql::over(text, [(table, &target)], first.span);
            let (plan, _) = self.planner.text(&rendered, first.span.file, self.typed, sink)?;
            let tables = BTreeSet::from([target]);
            batches.insert(0, CheckBatch { checks: rows, tables, plan, scope: Scope::New, slices: None });
        }
        Ok(batches)
    }

    fn own(&self) -> ReferenceTarget {
        ReferenceTarget::Model(self.model.name.clone())
    }

    /// A table has one primary key.
    fn check_primary_keys(&self, sink: &mut Sink) -> Checked<()> {
        let mut keys = self.declared.all_constraints().filter(|key| key.kind == ConstraintKind::PrimaryKey);
        let (Some(first), Some(second)) = (keys.next(), keys.next()) else { return Ok(()) };
        let message = format!("`{}` has two primary keys", self.model.name);
        let diagnostic = Diagnostic::error(Code::InvalidConfig, message).labelled(second.span, "the second one");
        let diagnostic = diagnostic.labelled(first.span, "the first one");
        let help =
            "one of several columns stands below `constraints:` of the model: `{ type: primary_key, columns: [a, b] }`";
        Err(sink.error(diagnostic.help(help)))
    }

    /// What a constraint asks. Nothing if it cannot be checked, which is said.
    fn asked(&self, constraint: &'a Constraint, sink: &mut Sink) -> Checked<Vec<Asked<'a>>> {
        sink.check_all(&constraint.columns, |column, sink| check_named(&self.model.schema, column, sink))?;
        let span = constraint.span;
        let columns: Vec<String> = constraint.columns.iter().map(|column| quoted(&column.value)).collect();
        let is_null = || {
            let null = columns.iter().map(|column| format!("{column} is null"));
            Asked::Row { condition: null.collect::<Vec<_>>().join(" or "), span }
        };
        Ok(match constraint.kind {
            ConstraintKind::NotNull => vec![is_null()],
            ConstraintKind::Unique => vec![self.repeated(&columns, span)],
            ConstraintKind::PrimaryKey => vec![is_null(), self.repeated(&columns, span)],
            ConstraintKind::Check => {
                let written = constraint.expression.as_ref().expect("a check without an expression was refused");
                // As in SQL, a condition that is null is not broken.
                vec![Asked::Row { condition: format!("not ({})", written.value), span: written.span }]
            }
            ConstraintKind::ForeignKey => vec![self.without_parent(constraint, sink)?],
            ConstraintKind::Custom => {
                if constraint.warns() {
                    let message = "a constraint `custom` is for the DDL of a database, and is not checked";
                    let diagnostic = Diagnostic::warning(Code::DiffersFromDbt, message).at(span);
                    sink.warn(
                        diagnostic.help("write a `check`, or `warn_unsupported: false` if it does not matter here"),
                    );
                }
                Vec::new()
            }
        })
    }

    /// The values that stand in several rows.
    fn repeated(&self, columns: &[String], span: Span) -> Asked<'a> {
        let sql = repeated_keys(&self.model.table, columns, str::to_owned);
        Asked::Query { sql, other: None, span }
    }

    /// The rows whose key is not null and stands in no row of the other table.
    fn without_parent(&self, constraint: &'a Constraint, sink: &mut Sink) -> Checked<Asked<'a>> {
        let (span, other) = match (&constraint.to, &constraint.expression) {
            (Some(to), _) => {
                let columns = constraint.to_columns.iter().map(|column| column.value.clone()).collect();
                (to.span, self.referred(&to.value).map(|(table, target)| ReferredTable { table, target, columns }))
            }
            (None, Some(written)) => (written.span, self.named_in(&written.value)),
            (None, None) => (constraint.span, None),
        };
        let Some(other) = other else {
            let message = "the foreign key refers to no table of the project";
            let diagnostic = Diagnostic::error(Code::UnknownRef, message).at(span);
            return Err(sink.error(diagnostic.help("name a model: `to: ref('customers')`, with `to_columns: [id]`")));
        };
        if other.columns.len() != constraint.columns.len() {
            let message = "the foreign key has not as many columns as it refers to";
            return Err(sink.error(Diagnostic::error(Code::InvalidConfig, message).at(span)));
        }
        let pairs = constraint.columns.iter().zip(&other.columns);
        let pairs = pairs.map(|(own, theirs)| KeyPair { child: quoted(&own.value), parent: quoted(theirs) });
        let keys: Vec<KeyPair> = pairs.collect();
        let sql = rows_without_parent(&self.model.table, other.table, &keys, str::to_owned);
        Ok(Asked::Query { sql, other: Some(other), span })
    }

    fn referred(&self, to: &Dependency) -> Option<(&'a TableName, ReferenceTarget)> {
        match ReferenceTarget::named_by(to, self.project)? {
            ReferenceTarget::Model(name) => {
                let model = self.typed.get(&name)?;
                Some((&model.table, ReferenceTarget::Model(name)))
            }
            ReferenceTarget::Source(name) => {
                let (name, _) = self.project.sources.get_key_value(&name)?;
                Some((name, ReferenceTarget::Source(name.clone())))
            }
            ReferenceTarget::This => None,
        }
    }

    /// The table of an expression such as `customers (id)` or `shop.customers (id)`.
    fn named_in(&self, expression: &str) -> Option<ReferredTable<'a>> {
        let (name, columns) = expression.trim().strip_suffix(')')?.split_once('(')?;
        let plain = |word: &str| word.trim().trim_matches('"').to_owned();
        let columns = columns.split(',').map(plain).collect();
        let words: Vec<String> = name.split('.').map(plain).collect();
        let table = words.last()?;
        let schema = words.len().checked_sub(2).and_then(|place| words.get(place));
        let is_named = |model: &&TypedModel| {
            model.table.table == *table && schema.is_none_or(|schema| model.table.schema.as_str() == schema)
        };
        let mut named = self.typed.values().filter(is_named);
        let model = named.next().filter(|_| named.next().is_none())?;
        Some(ReferredTable { table: &model.table, target: ReferenceTarget::Model(model.name.clone()), columns })
    }

    fn planned(&self, constraint: &Constraint, asked: Asked<'a>, sink: &mut Sink) -> Checked<PlannedConstraint> {
        let own = self.own();
        let (condition, sql, other, span) = match asked {
            Asked::Row { condition, span } => {
                let sql = format!("select * from {} where {condition}", self.model.table);
                (Some(condition), sql, None, span)
            }
            Asked::Query { sql, other, span } => (None, sql, other, span),
        };
        let mut tables: Vec<(&TableName, ReferenceTarget)> = vec![(&self.model.table, own.clone())];
        tables.extend(other.map(|other| (other.table, other.target)).filter(|(_, target)| *target != own));
        let references = tables.iter().map(|(table, target)| (*table, target));
        let rendered = RenderedSql::over(sql.clone(), references, span);
        let (plan, _) = self.planner.text(&rendered, span.file, self.typed, sink)?;
        let kind = TestKind::Constraint;
        let check = PlannedCheck {
            name: name_of(constraint, &self.model.name),
            origin: TestOrigin { kind, package: self.declared.package.clone(), tags: Vec::new() },
            declared_on: Some(self.model.name.clone()),
            rule: TestRule::default(),
            sql,
            span: constraint.span,
            stored: None,
        };
        let tables = tables.into_iter().map(|(_, target)| target).collect();
        let batch = CheckBatch { checks: vec![check], tables, plan: counted(plan), scope: Scope::Whole, slices: None };
        Ok(PlannedConstraint { condition, batch })
    }
}

/// A constraint, or a part of one, that was planned.
struct PlannedConstraint {
    /// What shares a scan with the others.
    condition: Option<String>,
    batch: CheckBatch,
}

/// The name that its author gave it, or what the DDL of a table would say: `orders: primary_key (id)`.
fn name_of(constraint: &Constraint, model: &ModelName) -> String {
    if let Some(name) = &constraint.name {
        return format!("{model}: {name}");
    }
    let columns: Vec<&str> = constraint.columns.iter().map(|column| column.value.as_str()).collect();
    let of = match (constraint.kind, &constraint.expression) {
        (ConstraintKind::Check, Some(expression)) => expression.value.clone(),
        _ => columns.join(", "),
    };
    format!("{model}: {} ({of})", constraint.kind.word())
}
