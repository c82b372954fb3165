//! Hooks: rendered, sorted into what is run, what means nothing here and what cannot be done, and planned.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::introspection::answer;
use super::load::{Compiled, Loaded};
use super::run_results::RecordedRun;
use crate::analyze::{Input, Planner, inputs_of};
use crate::artifacts::NodeResult;
use crate::catalog::{ObservationScope, Shown, observe};
use crate::check::{HooksOfModels, PlannedHook};
use crate::diag::{Code, Diagnostic, Sink};
use crate::execute::{Engine, Event, Observer, Tester};
use crate::failure::Failure;
use crate::name::{ModelName, TableName};
use crate::project::RunHook;
use crate::span::{SourceFiles, Span, Spanned};
use crate::store::Lake;
use crate::template::{self, HookTemplate, Question, RenderedHook, TextFile};

/// A hook as it was written.
struct WrittenHook<'a> {
    name: String,
    text: &'a Spanned<String>,
    /// The values that a hook at the end of a run finds, as a template.
    preamble: &'a str,
    package: &'a str,
    model: Option<&'a ModelName>,
}

/// What a statement of a hook is.
#[derive(Debug, PartialEq, Eq)]
enum Statement {
    /// It is run, and its rows are not needed.
    Select,
    /// It has no meaning for a lake: files need no vacuum, and have no grants.
    Meaningless(String),
    /// It would change something.
    Writes(String),
}

/// When the hooks of a run are run.
#[derive(Clone, Copy)]
pub(crate) enum RunMoment<'r> {
    Start,
    /// With what became of the nodes.
    End(&'r RecordedRun<'r>),
}

impl RunMoment<'_> {
    /// Whether anything is to be run then.
    pub fn has_hooks(self, loaded: &Loaded) -> bool {
        let hooks = &loaded.project.hooks;
        match self {
            // What is wrong with those of the end is found at the start, as far as it can be.
            RunMoment::Start => !hooks.start.is_empty() || !hooks.end.is_empty(),
            RunMoment::End(_) => !hooks.end.is_empty(),
        }
    }
}

/// Plans the hooks of all models that are well. What is wrong with a hook is wrong with its model.
pub(super) fn plan_hooks(compiled: &mut Compiled, sink: &mut Sink) {
    let loaded = &compiled.loaded;
    let mut written = Vec::new();
    let mut places = Vec::new();
    for name in compiled.typed.keys() {
        let (Some(rendered), Some(model)) = (loaded.rendered.models.get(name), loaded.project.models.get(name)) else {
            continue;
        };
        // What has no table is never built.
        if rendered.config.hooks.is_empty() || !rendered.config.materialized.is_stored() {
            continue;
        }
        let hooks = &rendered.config.hooks;
        for (is_before, text) in
            hooks.before.iter().map(|text| (true, text)).chain(hooks.after.iter().map(|text| (false, text)))
        {
            let word = if is_before { "pre_hook" } else { "post_hook" };
            let hook = WrittenHook {
                name: format!("the {word} of `{name}`"),
                text,
                preamble: "",
                package: &model.package,
                model: Some(name),
            };
            written.push(hook);
            places.push(HookPlace { model: name.clone(), is_before });
        }
    }
    if written.is_empty() {
        return;
    }
    let planned = planned(compiled, &written, sink);
    drop(written);
    let mut hooks = HooksOfModels::new();
    for (place, planned) in places.into_iter().zip(planned) {
        match planned {
            Ok(Some(hook)) => {
                let of_model = hooks.entry(place.model).or_default();
                if place.is_before { of_model.before.push(hook) } else { of_model.after.push(hook) }
            }
            Ok(None) => {}
            Err(faults) => compiled.faults.add(place.model, faults),
        }
    }
    // A model whose hook is wrong is not built.
    compiled.hooks = hooks;
}

/// Whose hook it is.
struct HookPlace {
    model: ModelName,
    is_before: bool,
}

/// Renders and plans hooks. `None` stands for one that does nothing.
fn planned(
    compiled: &Compiled,
    written: &[WrittenHook<'_>],
    sink: &mut Sink,
) -> Vec<Result<Option<PlannedHook>, Vec<Diagnostic>>> {
    let Compiled { loaded, typed, .. } = compiled;
    // The texts are files for the engine alone.
    let mut files = SourceFiles::clone(&loaded.files);
    let ids: Vec<_> = written
        .iter()
        .map(|hook| files.add(format!("<{}>", hook.name), format!("{}{}", hook.preamble, hook.text.value)))
        .collect();
    let templates: Vec<HookTemplate<'_>> = written
        .iter()
        .zip(&ids)
        .map(|(hook, file)| HookTemplate {
            text: TextFile::plain(*file, hook.package),
            model: hook.model,
            at: hook.text.span,
        })
        .collect();
    let planner = Planner::new(&loaded.project, &loaded.rendered.models);
    let answers = |question: &Question| answer(&loaded.project, &planner, typed, question);
    let rendered = match template::render_hooks(loaded.text_inputs(&files, &answers), &templates, sink) {
        Ok(rendered) => rendered,
        // What is wrong with the macros was said.
        Err(_) => return written.iter().map(|_| Ok(None)).collect(),
    };
    let mut planned = Vec::new();
    for (hook, rendered) in written.iter().zip(rendered) {
        let mut faults = Sink::default();
        let one = rendered.and_then(|rendered| {
            planned_one(hook, rendered, &planner, compiled, &mut faults).map_err(|()| faults.take())
        });
        sink.append(faults);
        planned.push(one);
    }
    planned
}

/// Fails if something is wrong with it, which is then among the faults.
fn planned_one(
    hook: &WrittenHook<'_>,
    rendered: RenderedHook,
    planner: &Planner<'_>,
    compiled: &Compiled,
    faults: &mut Sink,
) -> Result<Option<PlannedHook>, ()> {
    let RenderedHook { mut sql, messages } = rendered;
    let at = hook.text.span;
    let mut selects = 0;
    let mut others = 0;
    for text in statements(&sql.text) {
        match Statement::of(text) {
            Statement::Select => selects += 1,
            Statement::Meaningless(word) => {
                others += 1;
                let message = format!("{} says `{word}`, which means nothing for a lake: it is left out", hook.name);
                faults.warn(Diagnostic::warning(Code::DiffersFromDbt, message).at(at));
            }
            Statement::Writes(word) => {
                faults.error(writing(&hook.name, &word, at));
                return Err(());
            }
        }
    }
    if selects + others > 1 && selects > 0 {
        let message = format!("{} has several statements", hook.name);
        let diagnostic = Diagnostic::error(Code::InvalidConfig, message).at(at);
        faults.error(diagnostic.help("write a list with one hook for each statement"));
        return Err(());
    }
    let plan = if selects == 0 {
        None
    } else {
        // The references have places in the text: only its end may change.
        let end = sql.text.trim_end().trim_end_matches(';').len();
        sql.text.truncate(end);
        let planned = planner.text(&sql, at.file, &compiled.typed, faults);
        let (plan, _) = planned.map_err(|_reported| ())?;
        Some(plan)
    };
    let hook = PlannedHook { name: hook.name.clone(), span: at, messages, plan };
    Ok((hook.plan.is_some() || !hook.messages.is_empty()).then_some(hook))
}

impl Statement {
    fn of(text: &str) -> Statement {
        let word = text.split(|letter: char| !letter.is_ascii_alphabetic()).find(|word| !word.is_empty());
        let word = word.unwrap_or_default().to_ascii_lowercase();
        match word.as_str() {
            "grant" | "revoke" | "vacuum" | "analyze" | "optimize" | "set" | "reset" | "use" | "pragma" | "begin"
            | "commit" | "comment" | "refresh" | "checkpoint" => Statement::Meaningless(word),
            "insert" | "update" | "delete" | "merge" | "create" | "drop" | "truncate" | "alter" | "copy" | "call" => {
                Statement::Writes(word)
            }
            // Whatever else it is: planning says what is wrong with it.
            _ => Statement::Select,
        }
    }
}

/// The statements of a text, without comments before them; a `;` in quotes or in a comment divides nothing.
fn statements(text: &str) -> Vec<&str> {
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    let mut start = None;
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let rest = bytes.get(at..).unwrap_or_default();
        let skipped = match byte {
            b'-' if rest.starts_with(b"--") => rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len()),
            b'/' if rest.starts_with(b"/*") => end_of(rest, b"*/", 2),
            b'\'' => end_of(rest, b"'", 1),
            b'"' => end_of(rest, b"\"", 1),
            _ => 0,
        };
        if skipped > 0 {
            // A comment is no statement, and a quote belongs to one.
            if matches!(byte, b'\'' | b'"') {
                start = start.or(Some(at));
            }
            at += skipped;
            continue;
        }
        if *byte == b';' {
            found.extend(start.take().and_then(|from: usize| text.get(from..at)));
        } else if !byte.is_ascii_whitespace() {
            start = start.or(Some(at));
        }
        at += 1;
    }
    found.extend(start.and_then(|from| text.get(from..)));
    found
}

/// The bytes up to the end of something that begins here and ends with `mark`.
fn end_of(rest: &[u8], mark: &[u8], after: usize) -> usize {
    let inner = rest.get(after..).unwrap_or_default();
    let end = inner.windows(mark.len()).position(|window| window == mark);
    end.map_or(rest.len(), |end| after + end + mark.len())
}

/// Runs `on-run-start` or `on-run-end`, and says what means nothing here.
///
/// # Errors
///
/// Returns what is wrong with the first hook that cannot be run, or has failed.
pub(crate) async fn run_hooks(
    compiled: &Compiled,
    lake: &Lake,
    engine: &Engine,
    observer: &dyn Observer,
    moment: RunMoment<'_>,
) -> Result<(), Vec<Failure>> {
    let hooks = &compiled.loaded.project.hooks;
    let (word, hooks, preamble) = match moment {
        RunMoment::Start => ("on-run-start", &hooks.start, String::new()),
        RunMoment::End(run) => ("on-run-end", &hooks.end, preamble(run)),
    };
    let written: Vec<WrittenHook<'_>> = hooks
        .iter()
        .map(|RunHook { text, package }| WrittenHook {
            name: format!("a hook of `{word}`"),
            text,
            preamble: &preamble,
            package,
            model: None,
        })
        .collect();
    let mut sink = Sink::default();
    let mut ready = Vec::new();
    let mut faults = Vec::new();
    for planned in planned(compiled, &written, &mut sink) {
        match planned {
            Ok(hook) => ready.extend(hook),
            Err(wrong) => faults.extend(wrong),
        }
    }
    for said in sink.take() {
        observer.event(&Event::Warning { text: &said.message });
    }
    if let RunMoment::Start = moment {
        faults.extend(compiled.loaded.project.hooks.end.iter().filter_map(writes_at_the_end));
    }
    if !faults.is_empty() {
        return Err(faults.into_iter().map(Failure::Project).collect());
    }
    let read = ready.iter().filter_map(|hook| hook.plan.as_ref()).flat_map(|plan| inputs_of(plan).into_iter());
    let read: BTreeSet<Input> = read.collect();
    let scope = ObservationScope::of_inputs(&compiled.typed, &read, Shown::Live);
    let catalog = observe(compiled.over(lake), &scope).await?;
    let tester = Tester { catalog: &catalog, engine, observer };
    tester.run_hooks(&ready, None).await.map_err(|failure| vec![failure])
}

/// What is wrong with a hook of the end that plainly writes: nothing should be built before that is said.
fn writes_at_the_end(hook: &RunHook) -> Option<Diagnostic> {
    let written = statements(&hook.text.value).into_iter().find_map(|text| match Statement::of(text) {
        Statement::Writes(word) if !text.starts_with('{') => Some(word),
        Statement::Writes(_) | Statement::Select | Statement::Meaningless(_) => None,
    });
    written.map(|word| writing("a hook of `on-run-end`", &word, hook.text.span))
}

fn writing(name: &str, word: &str, at: Span) -> Diagnostic {
    let message = format!("{name} would {word}, which a hook cannot do");
    let help = "hooks run SELECTs and macros: make a model of the rows that are to be written";
    Diagnostic::error(Code::InvalidConfig, message).at(at).help(help)
}

/// `results`, `schemas` and `database_schemas` as a template sets them: the macros of a hook get them as arguments.
fn preamble(run: &RecordedRun<'_>) -> String {
    let tables = run.tables();
    let mut schemas: Vec<String> = Vec::new();
    for table in tables.values() {
        let schema = table.schema.to_string();
        if !schemas.contains(&schema) {
            schemas.push(schema);
        }
    }
    let results = run.results();
    let results: Value =
        results.iter().map(|result| hook_result(result, tables.get(&result.unique_id).copied())).collect();
    format!(
        "{{% set results = {} %}}{{% set schemas = {} %}}{{% set database_schemas = [] %}}",
        written_out(&results),
        written_out(&json!(schemas))
    )
}

/// What a hook sees of a node that was built or tested.
fn hook_result(result: &NodeResult<'_>, table: Option<&TableName>) -> Value {
    // `model.shop.orders`, or `test.shop.unique_orders_id.4f2a…`
    let mut parts = result.unique_id.split('.');
    let kind = parts.next().unwrap_or_default();
    let package = parts.next().unwrap_or_default();
    let name = parts.next().unwrap_or_default();
    json!({
        "status": result.status,
        "message": result.message,
        "failures": result.failures,
        "unique_id": result.unique_id,
        "execution_time": result.times.map_or(0.0, |[started, ended]| (ended - started).as_seconds_f64()),
        "adapter_response": {},
        "node": {
            "name": name, "unique_id": result.unique_id, "resource_type": kind, "package_name": package,
            "schema": table.map(|table| table.schema.to_string()), "alias": table.map_or(name, |table| &table.table),
        },
    })
}

/// A value as a template writes it.
fn written_out(value: &Value) -> String {
    match value {
        Value::Null => "none".to_owned(),
        Value::Array(items) => format!("[{}]", items.iter().map(written_out).collect::<Vec<_>>().join(", ")),
        Value::Object(fields) => {
            let pair =
                |(key, value): (&String, &Value)| format!("{}: {}", Value::from(key.as_str()), written_out(value));
            format!("{{{}}}", fields.iter().map(pair).collect::<Vec<_>>().join(", "))
        }
        // Braces in a text would begin a template.
        Value::String(text) => Value::from(text.replace(['{', '}'], "")).to_string(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_are_divided_where_no_quote_is_open() {
        assert_eq!(statements("select 1; -- a; b\n select ';' ;"), ["select 1", "select ';' "]);
        assert_eq!(statements(" /* x; */ grant select on a to b"), ["grant select on a to b"]);
        assert_eq!(statements(" ; \n; -- nothing"), Vec::<&str>::new());
        assert_eq!(statements("'a;b"), ["'a;b"]);
    }

    #[test]
    fn a_statement_is_run_left_out_or_refused() {
        assert_eq!(Statement::of("(select 1)"), Statement::Select);
        assert_eq!(Statement::of("GRANT select on x to y"), Statement::Meaningless("grant".to_owned()));
        assert_eq!(Statement::of("insert into x values (1)"), Statement::Writes("insert".to_owned()));
    }
}
