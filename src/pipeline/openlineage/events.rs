//! Events of a run and of its models, made of what the run's observer hears.

use std::collections::{BTreeMap, BTreeSet};

use chrono::SecondsFormat;
use serde_json::{Map, Value, json};

use super::facets::{Datasets, PRODUCER, facet};
use super::transport::{EventSender, Transport};
use crate::analyze::TypedModel;
use crate::check::PlannedCheck;
use crate::execute::{BackfillEvent, Built, Event};
use crate::locked::Locked;
use crate::name::{ModelName, TableName};
use crate::pipeline::artifacts::ArtifactRequest;
use crate::pipeline::load::Compiled;
use crate::project::TestSeverity;
use crate::run_record::RunStatus;
use crate::select::TestKind;

/// What must hold for every event.
const EVENT_SCHEMA: &str = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent";

/// A text without what nobody may see.
pub(crate) type Hide<'a> = Box<dyn Fn(&str) -> String + Send + Sync + 'a>;

/// Makes events and hands them to the thread that delivers them.
pub(crate) struct LineageEvents<'a> {
    compiled: &'a Compiled,
    sender: EventSender,
    hide: Hide<'a>,
    namespace: String,
    /// The name of the run as a job: `shop.build`.
    job: String,
    /// What tells this run from all others.
    seed: String,
    open: Locked<OpenWork>,
}

/// What has begun and not ended, and what tests have found.
#[derive(Default)]
struct OpenWork {
    models: BTreeSet<ModelName>,
    tests: BTreeMap<TableName, AssertedTable>,
}

#[derive(Default)]
struct AssertedTable {
    assertions: Vec<Value>,
    fails: bool,
}

/// What an event is about.
struct LineageEvent<'e> {
    kind: &'static str,
    run: String,
    job: String,
    job_facets: Value,
    run_facets: Map<String, Value>,
    inputs: Vec<Value>,
    outputs: Vec<Value>,
    model: Option<&'e TypedModel>,
}

impl<'a> LineageEvents<'a> {
    /// Begins a run, if the environment says where events go.
    ///
    /// # Errors
    ///
    /// Returns what is wrong with what the environment says.
    pub fn start(compiled: &'a Compiled, request: &ArtifactRequest, hide: Hide<'a>) -> Result<Option<Self>, String> {
        let host = compiled.loaded.host();
        let Some(transport) = Transport::of(host.variables(), host.current_folder())? else { return Ok(None) };
        let sender = EventSender::start(transport).map_err(|error| error.to_string())?;
        let project = &compiled.loaded.project;
        let namespace = host.variable("OPENLINEAGE_NAMESPACE").filter(|namespace| !namespace.trim().is_empty());
        let events = Self {
            compiled,
            sender,
            hide,
            namespace: namespace.unwrap_or_else(|| "default".to_owned()),
            job: format!("{}.{}", project.name.value, request.command),
            seed: format!("{} {} {}", project.name.value, project.target.name, host.now().timestamp_micros()),
            open: Locked::default(),
        };
        events.send(events.of_run("START"));
        Ok(Some(events))
    }

    /// Makes events of what was heard.
    pub fn hear(&self, event: &Event<'_>) {
        match event {
            Event::Started { model, .. } => self.begin(model),
            Event::Built { model, built } => self.end(model, "COMPLETE", Some(*built), None),
            Event::Unchanged { model, .. } => {
                // What was up to date has not run. What another run has built meanwhile has begun.
                if self.open.lock().models.contains(*model) {
                    self.end(model, "COMPLETE", None, None);
                }
            }
            Event::Failed { model, message } => {
                self.begin(model);
                self.end(model, "FAIL", None, Some(message));
            }
            Event::Backfill { model, what } => match what {
                BackfillEvent::Planned { .. } => {}
                BackfillEvent::Started { .. } => self.begin(model),
                BackfillEvent::Ended { built, .. } => self.tell_batch(model, *built),
            },
            Event::Tested { check, verdict, .. } => self.test(check, *verdict),
            Event::Skipped { .. }
            | Event::Progress { .. }
            | Event::Verified { .. }
            | Event::NotVerified { .. }
            | Event::NotTested { .. }
            | Event::TestUnchanged { .. }
            | Event::Said { .. }
            | Event::Warning { .. } => {}
        }
    }

    /// Ends the run, and waits until all events are delivered, for a few seconds at most.
    ///
    /// # Errors
    ///
    /// Returns why not all were delivered.
    pub fn finish(&self, status: RunStatus) -> Result<(), String> {
        if self.sender.is_finished() {
            return Ok(());
        }
        let OpenWork { models, tests } = std::mem::take(&mut *self.open.lock());
        let kind = match status {
            RunStatus::Done => "COMPLETE",
            RunStatus::Failed => "FAIL",
            RunStatus::Interrupted => "ABORT",
        };
        // A backfill says of each batch that it ended, and not of the last one that it is the last.
        let kind_of_model = if status == RunStatus::Interrupted { "ABORT" } else { "COMPLETE" };
        for model in models.iter().filter_map(|name| self.compiled.typed.get(name)) {
            self.send(self.of_model(model, kind_of_model, None));
        }
        for (table, tested) in tests {
            let kind = if tested.fails { "FAIL" } else { "COMPLETE" };
            let inputs = vec![Datasets { compiled: self.compiled }.tested(&table, tested.assertions)];
            self.send(self.of_tests(&table, "START", Vec::new()));
            self.send(self.of_tests(&table, kind, inputs));
        }
        self.send(self.of_run(kind));
        self.sender.finish()
    }

    fn begin(&self, name: &ModelName) {
        let Some(model) = self.compiled.typed.get(name) else { return };
        if self.open.lock().models.insert(name.clone()) {
            self.send(self.of_model(model, "START", None));
        }
    }

    fn end(&self, name: &ModelName, kind: &'static str, built: Option<&Built>, error: Option<&str>) {
        let Some(model) = self.compiled.typed.get(name) else { return };
        self.open.lock().models.remove(name);
        let mut event = self.of_model(model, kind, built);
        if let Some(message) = error {
            let message = json!({"message": message, "programmingLanguage": "SQL"});
            event.run_facets.insert("errorMessage".to_owned(), facet("ErrorMessageRunFacet", "1-0-0", message));
        }
        self.send(event);
    }

    /// A batch of a backfill: the model goes on.
    fn tell_batch(&self, name: &ModelName, built: Option<&Built>) {
        let Some((model, built)) = self.compiled.typed.get(name).zip(built) else { return };
        self.send(self.of_model(model, "OTHER", Some(built)));
    }

    fn test(&self, check: &PlannedCheck, verdict: Option<TestSeverity>) {
        let Some(model) = check.declared_on.as_ref().and_then(|name| self.compiled.typed.get(name)) else { return };
        let assertion = match &check.origin.kind {
            TestKind::Generic(kind) => kind.as_str(),
            _ => check.name.as_str(),
        };
        let mut found = json!({"assertion": assertion, "success": verdict.is_none()});
        if let (Some(column), Some(found)) = (self.tested_column(check, model), found.as_object_mut()) {
            found.insert("column".to_owned(), Value::from(column));
        }
        let mut open = self.open.lock();
        let tested = open.tests.entry(model.table.clone()).or_default();
        tested.fails |= verdict == Some(TestSeverity::Error);
        tested.assertions.push(found);
    }

    /// The column that a test is declared on.
    fn tested_column(&self, check: &PlannedCheck, model: &TypedModel) -> Option<String> {
        let declared = self.compiled.loaded.project.models.get(&model.name)?;
        let is_of = |column: &&crate::project::Column| column.tests.iter().any(|test| test.span == check.span);
        declared.columns.iter().find(is_of).map(|column| column.name.value.clone())
    }

    fn of_run(&self, kind: &'static str) -> LineageEvent<'_> {
        LineageEvent {
            kind,
            run: self.run_id(""),
            job: self.job.clone(),
            job_facets: json!({"jobType": job_type("JOB")}),
            run_facets: Map::from_iter([engine()]),
            inputs: Vec::new(),
            outputs: Vec::new(),
            model: None,
        }
    }

    fn of_model<'e>(&self, model: &'e TypedModel, kind: &'static str, built: Option<&Built>) -> LineageEvent<'e> {
        let datasets = Datasets { compiled: self.compiled };
        LineageEvent {
            kind,
            run: self.run_id(model.name.as_str()),
            job: format!("{}.{}", self.compiled.loaded.project.name.value, model.table),
            job_facets: json!({"jobType": job_type("MODEL")}),
            run_facets: Map::from_iter([engine(), self.parent()]),
            inputs: datasets.inputs(model),
            outputs: vec![datasets.output(model, built)],
            model: Some(model),
        }
    }

    fn of_tests(&self, table: &TableName, kind: &'static str, inputs: Vec<Value>) -> LineageEvent<'_> {
        LineageEvent {
            kind,
            run: self.run_id(&format!("tests of {table}")),
            job: format!("{}.{table}.tests", self.compiled.loaded.project.name.value),
            job_facets: json!({"jobType": job_type("TEST")}),
            run_facets: Map::from_iter([engine(), self.parent()]),
            inputs,
            outputs: Vec::new(),
            model: None,
        }
    }

    /// The run that a model or a test belongs to.
    fn parent(&self) -> (String, Value) {
        let parent = json!({"run": {"runId": self.run_id("")}, "job": {"namespace": self.namespace, "name": self.job}});
        ("parent".to_owned(), facet("ParentRunFacet", "1-0-1", parent))
    }

    /// An id in the form of a UUID.
    fn run_id(&self, part: &str) -> String {
        let digest = blake3::hash(format!("{}\n{part}", self.seed).as_bytes()).to_hex();
        let piece = |from: usize, to: usize| digest.get(from..to).unwrap_or_default().to_owned();
        // Version 8 is for ids that are made as their maker likes (RFC 9562).
        let parts =
            [piece(0, 8), piece(8, 12), format!("8{}", piece(13, 16)), format!("8{}", piece(17, 20)), piece(20, 32)];
        parts.join("-")
    }

    fn send(&self, event: LineageEvent<'_>) {
        let mut job_facets = event.job_facets;
        let rendered = event.model.and_then(|model| self.compiled.loaded.rendered.models.get(&model.name));
        if let (Some(rendered), Some(facets)) = (rendered, job_facets.as_object_mut()) {
            facets.insert("sql".to_owned(), facet("SQLJobFacet", "1-0-1", json!({"query": rendered.full.text})));
        }
        let written = json!({
            "eventType": event.kind,
            "eventTime": self.compiled.loaded.host().now().to_rfc3339_opts(SecondsFormat::Millis, true),
            "run": {"runId": event.run, "facets": event.run_facets},
            "job": {"namespace": self.namespace, "name": event.job, "facets": job_facets},
            "inputs": event.inputs,
            "outputs": event.outputs,
            "producer": PRODUCER,
            "schemaURL": EVENT_SCHEMA,
        });
        // Messages and SQL may hold what nobody may see.
        self.sender.send((self.hide)(&written.to_string()));
    }
}

impl Drop for LineageEvents<'_> {
    /// A command that ends before its run has begun says so too.
    fn drop(&mut self) {
        if let Err(wrong) = self.finish(RunStatus::Failed) {
            tracing::info!(%wrong, "lineage events were not delivered");
        }
    }
}

fn job_type(kind: &str) -> Value {
    facet("JobTypeJobFacet", "2-0-3", json!({"processingType": "BATCH", "integration": "KARAT", "jobType": kind}))
}

/// What computes.
fn engine() -> (String, Value) {
    let engine = json!({"name": "karat", "version": env!("CARGO_PKG_VERSION")});
    ("processing_engine".to_owned(), facet("ProcessingEngineRunFacet", "1-1-1", engine))
}
