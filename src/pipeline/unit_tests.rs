//! Unit tests, run side by side in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use arrow::array::RecordBatch;
use object_store::memory::InMemory;

use super::introspection::answer;
use super::load::Compiled;
use crate::analyze::Planner;
use crate::diag::{Checked, Code, Diagnostic, Sink};
use crate::execute::{Engine, EngineSettings};
use crate::locked::Locked;
use crate::name::UnitTestName;
use crate::project::UnitTest;
use crate::template::{Question, RenderedTest, render_tested};
use crate::unit_test::{self, TestedProject, UnitTestResult, UnitTestVerdict};

/// What all unit tests together may take for sorting, grouping and joining: their rows are written by hand.
const MEMORY: usize = 256 * 1024 * 1024;
/// A query that has no end is found at some point.
const LONGEST: Duration = Duration::from_secs(60);
/// Of a thread that computes: expressions are as deep as their rows of operators are long.
const STACK: usize = 32 * 1024 * 1024;

/// A unit test whose texts were rendered, or what is wrong with them.
struct RenderedUnitTest<'a> {
    test: &'a UnitTest,
    texts: Locked<Option<Result<RenderedTest, Vec<Diagnostic>>>>,
}

/// Runs these unit tests as far as their models are well, so many at the same time. The results are in the order of names.
///
/// # Errors
///
/// Returns an error if the macros cannot be read, or no engine can be started.
pub(crate) fn run_unit_tests(
    compiled: &Compiled,
    names: &BTreeSet<&UnitTestName>,
    at_once: usize,
    sink: &mut Sink,
) -> Checked<Vec<UnitTestResult>> {
    let Compiled { loaded, typed, .. } = compiled;
    let known = loaded.project.unit_tests.values();
    let wanted = known.filter(|test| names.contains(&test.id) && typed.contains_key(&test.id.model));
    let tests: Vec<&UnitTest> = wanted.collect();
    if tests.is_empty() {
        return Ok(Vec::new());
    }
    let planner = Planner::new(&loaded.project, &loaded.rendered.models);
    let answers = |question: &Question| answer(&loaded.project, &planner, typed, question);
    let texts = render_tested(loaded.text_inputs(&loaded.files, &answers), &tests, sink)?;
    let rendered: Vec<RenderedUnitTest<'_>> = tests
        .into_iter()
        .zip(texts)
        .map(|(test, texts)| RenderedUnitTest { test, texts: Locked::new(Some(texts)) })
        .collect();
    let engine = engine(sink)?;
    let of = TestedProject { project: &loaded.project, planner: &planner, typed };
    let workers = Workers { of, engine: &engine, next: AtomicUsize::new(0), done: Locked::default() };
    let threads = at_once.clamp(1, rendered.len());
    std::thread::scope(|scope| {
        let mut started = Vec::new();
        for _ in 0..threads {
            let builder = std::thread::Builder::new().stack_size(STACK);
            started.extend(builder.spawn_scoped(scope, || workers.work(&rendered)));
        }
        // A bug of the engine ends the thread that meets it; the test is found to be missing below.
        started.into_iter().for_each(|thread| drop(thread.join()));
    });
    let done = workers.done.take().into_iter().map(|one| (one.result.test.clone(), one));
    let mut done: BTreeMap<UnitTestName, FinishedUnitTest> = done.collect();
    for RenderedUnitTest { test, .. } in &rendered {
        let missing = || broken(test, vec![failed(test, "no thread came to its end with it")]);
        done.entry(test.id.clone()).or_insert_with(missing);
    }
    let mut results = Vec::new();
    for one in done.into_values() {
        one.warnings.into_iter().for_each(|warning| sink.add(warning));
        results.push(one.result);
    }
    Ok(results)
}

/// What computes over rows that are written down.
fn engine(sink: &mut Sink) -> Checked<Engine> {
    let settings = EngineSettings {
        memory: MEMORY,
        partitions: 1,
        part_rows: EngineSettings::USUAL_PART_ROWS,
        // Nothing is read from it.
        lake: Arc::new(InMemory::new()),
    };
    Engine::open(settings).map_err(|error| sink.error(Diagnostic::error(Code::RunFailed, error.strip_backtrace())))
}

/// The rows that the model of a unit test puts out, whatever is expected of it.
///
/// # Errors
///
/// Returns an error if the test cannot be run.
pub(crate) fn rows_of_unit_test(compiled: &Compiled, name: &UnitTestName, sink: &mut Sink) -> Checked<RecordBatch> {
    let Compiled { loaded, typed, .. } = compiled;
    let missing = |sink: &mut Sink| {
        let message = format!("the unit test `{}` cannot be read", name.test);
        sink.error(Diagnostic::error(Code::RunFailed, message))
    };
    let Some(test) = loaded.project.unit_tests.get(name) else { return Err(missing(sink)) };
    let planner = compiled.planner();
    let answers = |question: &Question| answer(&loaded.project, &planner, typed, question);
    let texts = render_tested(loaded.text_inputs(&loaded.files, &answers), &[test], sink)?;
    let rendered = match texts.into_iter().next() {
        Some(Ok(rendered)) => rendered,
        Some(Err(faults)) => {
            faults.into_iter().for_each(|fault| sink.add(fault));
            return Err(missing(sink));
        }
        None => return Err(missing(sink)),
    };
    let of = TestedProject { project: &loaded.project, planner: &planner, typed };
    let planned = unit_test::plan(test, rendered, of, sink)?;
    let engine = engine(sink)?;
    // A thread of its own: the caller may wait on a runtime already, and expressions may be deep.
    std::thread::scope(|scope| {
        let builder = std::thread::Builder::new().stack_size(STACK);
        let work = || {
            let mut said = Sink::default();
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
            let rows = match runtime {
                Ok(runtime) => runtime.block_on(unit_test::put_out(&planned, of, &engine, &mut said)),
                Err(error) => Err(said.error(Diagnostic::error(Code::RunFailed, error.to_string()))),
            };
            (rows, said)
        };
        match builder.spawn_scoped(scope, work).map(std::thread::ScopedJoinHandle::join) {
            Ok(Ok((rows, said))) => {
                sink.append(said);
                rows
            }
            Ok(Err(_)) | Err(_) => Err(missing(sink)),
        }
    })
}

/// What threads share that take one test after the other.
struct Workers<'a> {
    of: TestedProject<'a>,
    engine: &'a Engine,
    next: AtomicUsize,
    done: Locked<Vec<FinishedUnitTest>>,
}

struct FinishedUnitTest {
    result: UnitTestResult,
    warnings: Vec<Diagnostic>,
}

impl Workers<'_> {
    /// Runs tests until none is left.
    fn work(&self, tests: &[RenderedUnitTest<'_>]) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        loop {
            let place = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(RenderedUnitTest { test, texts }) = tests.get(place) else { return };
            let Some(texts) = texts.lock().take() else { continue };
            let finished = match &runtime {
                Ok(runtime) => runtime.block_on(self.finished(test, texts)),
                Err(error) => broken(test, vec![failed(test, &error.to_string())]),
            };
            self.done.lock().push(finished);
        }
    }

    async fn finished(&self, test: &UnitTest, texts: Result<RenderedTest, Vec<Diagnostic>>) -> FinishedUnitTest {
        let texts = match texts {
            Ok(texts) => texts,
            Err(faults) => return broken(test, faults),
        };
        let mut sink = Sink::default();
        let Ok(planned) = unit_test::plan(test, texts, self.of, &mut sink) else { return broken(test, sink.take()) };
        let run = unit_test::run(&planned, self.of, self.engine);
        match tokio::time::timeout(LONGEST, run).await {
            Ok(result) => FinishedUnitTest { result, warnings: sink.take() },
            Err(_) => broken(test, vec![failed(test, &format!("it takes more than {} s", LONGEST.as_secs()))]),
        }
    }
}

fn failed(test: &UnitTest, reason: &str) -> Diagnostic {
    let message = format!("the unit test `{}` cannot be run: {reason}", test.id.test);
    Diagnostic::error(Code::RunFailed, message).at(test.span)
}

fn broken(test: &UnitTest, faults: Vec<Diagnostic>) -> FinishedUnitTest {
    let result = UnitTestResult { test: test.id.clone(), verdict: UnitTestVerdict::Broken(faults) };
    FinishedUnitTest { result, warnings: Vec::new() }
}
