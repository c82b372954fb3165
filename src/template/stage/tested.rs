//! Models as unit tests see them: rendered once more, with what the test says of variables and macros.

use std::collections::BTreeMap;
use std::sync::Arc;

use minijinja::Value;
use minijinja::value::Serde;

use super::{Stage, TextInputs, subject, text_stage};
use crate::diag::{Checked, Code, Diagnostic, Sink};
use crate::project::{FixtureRows, GivenName, UnitTest, UnitTestOverrides};
use crate::span::FileId;
use crate::template::environment::Engine;
use crate::template::function;
use crate::template::macros::Library;
use crate::template::render::{Facts, RenderSubject, Variable, Variant};
use crate::template::{ReferenceTarget, RenderedSql};

/// Decides which of its texts a model gives.
const IS_INCREMENTAL: &str = "is_incremental";

/// The texts of a unit test.
#[derive(Debug)]
pub struct RenderedTest {
    /// That of the model.
    pub model: RenderedSql,
    /// Whether it is the model's text for later runs. `None` if the test does not say, and the model does not ask.
    pub is_later: Option<bool>,
    /// What the rows of `given` are for, in its order.
    pub inputs: Vec<ReferenceTarget>,
    /// The rows of `given` that are a SELECT, by place.
    pub given: BTreeMap<usize, RenderedSql>,
    /// The expected rows, if they are a SELECT.
    pub expected: Option<RenderedSql>,
}

/// Renders what unit tests need, and gives for each its texts or what is wrong with it.
///
/// # Errors
///
/// Returns an error if the macros cannot be read: then no text can be rendered.
pub fn render_tested(
    inputs: TextInputs<'_>,
    tests: &[&UnitTest],
    sink: &mut Sink,
) -> Checked<Vec<Result<RenderedTest, Vec<Diagnostic>>>> {
    if tests.is_empty() {
        return Ok(Vec::new());
    }
    let library = Arc::new(Library::read(inputs.project, inputs.files, sink)?);
    let engine = Engine::new(&library, inputs.files);
    let mut stage = text_stage(inputs, &library, engine);
    let plain = Arc::clone(&stage.facts);
    let mut all = Vec::with_capacity(tests.len());
    for test in tests {
        let rendered = stage.tested(test, inputs, sink);
        // What one test says of variables and macros is nothing to the next.
        stage.facts = Arc::clone(&plain);
        all.push(rendered.map_err(|faults| {
            let place = |fault: Diagnostic| match fault.labels.iter().any(|label| label.span == test.span) {
                true => fault,
                false => fault.labelled(test.span, "in this unit test"),
            };
            faults.into_iter().map(place).collect()
        }));
    }
    Ok(all)
}

impl Stage<'_> {
    fn tested(
        &mut self,
        test: &UnitTest,
        inputs: TextInputs<'_>,
        sink: &mut Sink,
    ) -> Result<RenderedTest, Vec<Diagnostic>> {
        let targets = test.given.iter().map(|given| match given.input {
            GivenName::This => Ok(ReferenceTarget::This),
            GivenName::Call(call) => self.input(call, test, sink).map_err(|faults| moved(faults, given.span)),
        });
        let targets = targets.collect::<Result<Vec<_>, _>>()?;
        let mut given = BTreeMap::new();
        for (place, one) in test.given.iter().enumerate() {
            if let Some(sql) = self.query(&one.rows, test, sink)? {
                given.insert(place, sql);
            }
        }
        let expected = self.query(&test.expected.rows, test, sink)?;
        let is_later = is_later(test).map_err(|wrong| vec![wrong])?;
        let facts = overridden_facts(&self.facts, test).map_err(|wrong| vec![wrong])?;
        self.facts = Arc::new(facts);

        let model = inputs.project.models.get(&test.id.model).expect("a unit test is of a model that is there");
        let outline = inputs.rendered.outline(&model.name).expect("a test of a model that is switched off is not run");
        let variant = if is_later == Some(true) { Variant::Sliced } else { Variant::Full };
        let mut prepared = self.prepare(model.file, model.template(self.files), &model.package);
        let attempt = self.attempt(&mut prepared, &subject(model, &outline.table), variant);
        let asks = attempt.record.asked_incremental;
        let sql = attempt.well(Some(&outline.table), sink)?;
        if asks && is_later.is_none() {
            let message =
                format!("`{}` asks `is_incremental()`, and the unit test does not say what that is", model.name);
            let help = "write `overrides: { macros: { is_incremental: true } }`, or the `slice` that is built";
            return Err(vec![Diagnostic::error(Code::InvalidConfig, message).at(test.span).help(help)]);
        }
        if asks && is_later == Some(true) && !targets.contains(&ReferenceTarget::This) {
            let message = format!("the rows of `this` are not given, and `{}` adds to its table", model.name);
            let help = "add `- input: this` with the rows of the table as it was, or with `rows: []`";
            return Err(vec![Diagnostic::error(Code::InvalidConfig, message).at(test.span).help(help)]);
        }
        Ok(RenderedTest { model: sql, is_later, inputs: targets, given, expected })
    }

    /// What an input is.
    fn input(&mut self, call: FileId, test: &UnitTest, sink: &mut Sink) -> Result<ReferenceTarget, Vec<Diagnostic>> {
        let rendered = self.text(call, test, sink)?;
        let first = rendered.references.into_iter().next();
        let nothing = || vec![Diagnostic::error(Code::InvalidConfig, "this is no input of a model")];
        first.map(|reference| reference.target).ok_or_else(nothing)
    }

    /// Rows that are a SELECT.
    fn query(
        &mut self,
        rows: &FixtureRows,
        test: &UnitTest,
        sink: &mut Sink,
    ) -> Result<Option<RenderedSql>, Vec<Diagnostic>> {
        match rows {
            FixtureRows::Query { file, .. } => self.text(*file, test, sink).map(Some),
            FixtureRows::Values(_) | FixtureRows::OfSeed => Ok(None),
        }
    }

    fn text(&mut self, file: FileId, test: &UnitTest, sink: &mut Sink) -> Result<RenderedSql, Vec<Diagnostic>> {
        let mut prepared = self.prepare(file, self.files.text(file), &test.package);
        self.attempt(&mut prepared, &RenderSubject::Text, Variant::Full).well(None, sink)
    }
}

/// Diagnostics about a text that stands in YAML, at its place there.
fn moved(faults: Vec<Diagnostic>, span: crate::span::Span) -> Vec<Diagnostic> {
    faults.into_iter().map(|fault| Diagnostic { labels: Vec::new(), ..fault }.at(span)).collect()
}

/// Whether the model is run as later runs run it. Returns `None` if the test does not say.
fn is_later(test: &UnitTest) -> Result<Option<bool>, Diagnostic> {
    match test.overrides.macros.get(IS_INCREMENTAL) {
        Some(said) => said.value.as_bool().map(Some).ok_or_else(|| {
            let message = "`is_incremental` is `true` or `false`";
            Diagnostic::error(Code::InvalidConfig, message).at(said.span)
        }),
        None => Ok(test.slice.as_ref().map(|_| true)),
    }
}

/// What templates know, with what the test says otherwise.
fn overridden_facts(facts: &Facts, test: &UnitTest) -> Result<Facts, Diagnostic> {
    let UnitTestOverrides { macros, vars, env_vars } = &test.overrides;
    let mut facts = facts.clone();
    for (name, said) in macros.iter().filter(|(name, _)| *name != IS_INCREMENTAL) {
        if !is_known(&facts, &test.package, name) {
            let message = format!("no macro or function is called `{name}`");
            let diagnostic = Diagnostic::error(Code::UnknownMacro, message).at(said.span);
            let known = facts.library.names(&test.package).chain(function::names());
            return Err(diagnostic.suggest(name, known.collect::<Vec<_>>()));
        }
        facts.overrides.insert(name.clone(), Value::from(Serde(&said.value)));
    }
    let of_packages = facts.package_vars.values_mut();
    for known in std::iter::once(&mut facts.vars).chain(of_packages) {
        known.extend(vars.iter().map(|(name, value)| (name.clone(), Value::from(Serde(value)))));
    }
    for (name, value) in env_vars {
        facts.environment.insert(name.clone(), Variable::Set(value.clone()));
    }
    Ok(facts)
}

/// Whether there is something that a name, or a name in a package, could be called for.
fn is_known(facts: &Facts, package: &str, name: &str) -> bool {
    match name.split_once('.') {
        Some((package, name)) => facts.library.of_package(package, name).is_some(),
        None => facts.library.resolve(package, name).is_some() || function::names().any(|known| known == name),
    }
}
