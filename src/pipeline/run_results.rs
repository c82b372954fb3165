//! The results of a command by dbt's ids, made of what was recorded.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::load::{Compiled, Loaded};
use super::recorder::{RecordedStep, RecordedTest, RunRecorder, StepState};
use crate::artifacts::{NodeIds, NodeResult, ResultStatus, qualified, relation_name, test_ids, unit_test_id};
use crate::check::{Guards, PlannedCheck};
use crate::figures::counted;
use crate::name::{ModelName, NodeKind, TableName};
use crate::project::TestKey;
use crate::run_record::TestStatus;
use crate::unit_test::{UnitTestResult, UnitTestVerdict};

/// What a command has done.
pub(crate) struct RecordedRun<'a> {
    pub compiled: &'a Compiled,
    pub recorder: &'a RunRecorder<'a>,
    /// The models, seeds and snapshots that were to be built, also those that could not be begun. Empty for tests.
    pub selected: &'a [ModelName],
    /// The data tests that were to be run.
    pub tests: &'a Guards,
    /// The unit tests that were run.
    pub units: &'a [UnitTestResult],
}

/// Of a run that runs none.
static NO_TESTS: Guards = Guards::new();

impl<'a> RecordedRun<'a> {
    /// Of a command that runs no tests.
    pub fn without_tests(compiled: &'a Compiled, recorder: &'a RunRecorder<'a>, selected: &'a [ModelName]) -> Self {
        Self { compiled, recorder, selected, tests: &NO_TESTS, units: &[] }
    }
}

impl RecordedRun<'_> {
    /// The tables of what was to be built, by their ids.
    pub fn tables(&self) -> BTreeMap<String, &TableName> {
        let Loaded { project, rendered, .. } = &self.compiled.loaded;
        let ids = NodeIds::new(project);
        let known = self.selected.iter().filter_map(|name| Some((ids.of_name(name)?, &rendered.outline(name)?.table)));
        known.collect()
    }

    /// One result for each node: first what was to be built, in the order of the graph, then tests by their ids.
    pub fn results(&self) -> Vec<NodeResult<'_>> {
        let steps = self.recorder.steps();
        let mut results = self.of_selected(&steps);
        let ids = test_ids(&self.compiled.loaded.project);
        let mut of_tests: BTreeMap<String, NodeResult<'_>> = BTreeMap::new();
        // Those that were planned live as long as the results.
        let mut planned: BTreeMap<&str, &PlannedCheck> = BTreeMap::new();
        for (model, batches) in self.tests {
            for check in batches.iter().flat_map(|batch| &batch.checks) {
                let Some(id) = id_of(&ids, check) else { continue };
                planned.insert(id, check);
                // Tests of a model that was up to date are not run again, and have no result.
                let is_skipped = steps.get(model).is_some_and(|step| {
                    matches!(step.state, StepState::Failed | StepState::Skipped | StepState::Begun)
                });
                if is_skipped {
                    of_tests.insert(id.to_owned(), skipped_test(id, check));
                }
            }
        }
        // What a test found replaces what was assumed of it: one that failed has stopped its model.
        for test in self.recorder.tests().iter() {
            if let Some(id) = id_of(&ids, &test.check) {
                of_tests.insert(id.to_owned(), test_result(id, test, planned.get(id).copied()));
            }
        }
        results.extend(of_tests.into_values());
        results.extend(self.units.iter().filter_map(|result| self.unit_test_result(result)));
        results
    }

    fn unit_test_result(&self, result: &UnitTestResult) -> Option<NodeResult<'_>> {
        let test = self.compiled.loaded.project.unit_tests.get(&result.test)?;
        let (status, failures) = match &result.verdict {
            UnitTestVerdict::Passed => (ResultStatus::Pass, Some(0)),
            UnitTestVerdict::Differs { .. } => (ResultStatus::Fail, Some(1)),
            UnitTestVerdict::Broken(_) => (ResultStatus::Error, None),
        };
        Some(NodeResult {
            unique_id: unit_test_id(&self.compiled.loaded.project, test),
            status,
            times: None,
            message: (!result.passed()).then(|| result.summary()),
            failures,
            response: Map::new(),
            compiled_code: None,
            relation_name: None,
        })
    }

    fn of_selected(&self, steps: &BTreeMap<ModelName, RecordedStep>) -> Vec<NodeResult<'_>> {
        let loaded = &self.compiled.loaded;
        let ids = NodeIds::new(&loaded.project);
        let mut stopped: BTreeSet<&ModelName> = BTreeSet::new();
        let mut results = Vec::new();
        for name in self.selected {
            let Some(rendered) = loaded.rendered.outline(name) else { continue };
            let Some(unique_id) = ids.of_name(name) else { continue };
            let kind = loaded.project.kind_of(name);
            let is_inlined = !rendered.config.materialized.is_stored();
            let is_below_stopped = loaded.dag.models_read_by(name).any(|parent| stopped.contains(parent));
            let ended = match steps.get(name) {
                Some(step) => ended(step),
                // It has no table: what reads it computes it.
                None if is_inlined && !is_below_stopped => {
                    EndedNode { status: ResultStatus::Success, message: "INLINED".to_owned() }
                }
                None if is_below_stopped => {
                    EndedNode { status: ResultStatus::Skipped, message: "a model that it reads failed".to_owned() }
                }
                None => EndedNode { status: ResultStatus::Skipped, message: "the run ended before".to_owned() },
            };
            if matches!(ended.status, ResultStatus::Error | ResultStatus::Skipped) {
                stopped.insert(name);
            }
            if rendered.config.materialized.word() == "ephemeral" {
                continue;
            }
            let step = steps.get(name);
            let is_compiled = kind != NodeKind::Seed && self.compiled.typed.contains_key(name);
            results.push(NodeResult {
                unique_id,
                status: ended.status,
                times: step.and_then(|step| Some([step.started?, step.ended?])),
                message: Some(ended.message),
                failures: None,
                response: step.map(response).unwrap_or_default(),
                compiled_code: is_compiled.then(|| qualified(&rendered.full)),
                relation_name: Some(relation_name(&rendered.table)),
            });
        }
        results
    }
}

/// How a node ended, in dbt's words.
struct EndedNode {
    status: ResultStatus,
    message: String,
}

fn ended(step: &RecordedStep) -> EndedNode {
    let status = match step.state {
        StepState::Built | StepState::Unchanged => ResultStatus::Success,
        StepState::Failed => ResultStatus::Error,
        StepState::Skipped | StepState::Begun => ResultStatus::Skipped,
    };
    let message = match step.state {
        StepState::Built => {
            format!("BUILT {}", counted(usize::try_from(step.figures.rows).unwrap_or(usize::MAX), "row"))
        }
        StepState::Unchanged => format!("UNCHANGED: {}", step.message),
        StepState::Begun => "interrupted".to_owned(),
        StepState::Failed | StepState::Skipped => step.message.clone(),
    };
    EndedNode { status, message }
}

fn response(step: &RecordedStep) -> Map<String, Value> {
    let figures = &step.figures;
    let (code, rows) = match step.state {
        StepState::Built => ("BUILT", figures.rows),
        StepState::Unchanged => ("UNCHANGED", 0),
        StepState::Begun | StepState::Failed | StepState::Skipped => return Map::new(),
    };
    let response = json!({
        "_message": format!("{code} {rows}"), "code": code, "rows_affected": rows, "bytes": figures.bytes,
        "files": figures.files, "slices": figures.slices, "version": figures.version, "why": step.message,
    });
    response.as_object().cloned().unwrap_or_default()
}

fn id_of<'i>(ids: &'i BTreeMap<TestKey, String>, check: &PlannedCheck) -> Option<&'i str> {
    let key = TestKey { span: check.span, declared_on: check.declared_on.clone() };
    ids.get(&key).map(String::as_str)
}

fn skipped_test<'a>(id: &str, check: &'a PlannedCheck) -> NodeResult<'a> {
    NodeResult {
        unique_id: id.to_owned(),
        status: ResultStatus::Skipped,
        times: None,
        message: Some("what it tests was not built".to_owned()),
        failures: None,
        response: Map::new(),
        compiled_code: Some(Cow::Borrowed(&check.sql)),
        relation_name: None,
    }
}

fn test_result<'a>(id: &str, test: &RecordedTest, planned: Option<&'a PlannedCheck>) -> NodeResult<'a> {
    let status = match test.status() {
        TestStatus::NotRun => ResultStatus::Skipped,
        TestStatus::Passed => ResultStatus::Pass,
        TestStatus::Warned => ResultStatus::Warn,
        TestStatus::Failed => ResultStatus::Fail,
    };
    let message = match (&test.missing, test.failures.filter(|_| test.verdict.is_some())) {
        (Some(missing), _) => Some(format!("`{missing}` was not built yet")),
        (None, Some(failures)) => {
            Some(format!("Got {}", counted(usize::try_from(failures).unwrap_or(usize::MAX), "result")))
        }
        (None, None) => None,
    };
    NodeResult {
        unique_id: id.to_owned(),
        status,
        // Tests of a table share one scan, so a test alone has an end only.
        times: Some([test.ended, test.ended]),
        message,
        failures: test.failures,
        response: Map::new(),
        compiled_code: planned.map(|planned| Cow::Borrowed(planned.sql.as_str())),
        relation_name: test.check.stored.as_ref().map(|rows| relation_name(&rows.table)),
    }
}
