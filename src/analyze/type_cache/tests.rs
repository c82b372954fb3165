//! What is kept of types is what typing gives, and is found only as long as nothing changes that they depend on.

use super::*;
use crate::analyze::known_model::{KnownModel, PlanningInputs};
use crate::analyze::plans::Plans;
use crate::analyze::{Functions, KnownTypes, Planner, TypedModel, Typing, plan_options};
use crate::diag::{Sink, Style, render_all};
use crate::graph;
use crate::host::MemoryHost;
use crate::project::{LoadRequest, load, read};
use crate::span::SourceFiles;
use crate::template::{NoCompiler, render_models};

const PROJECT: &str = "name: p\nversion: '1.0'\n";
const SOURCES: &str = "sources:\n  - name: raw\n    tables:\n      - name: t\n        location: t.csv\n        \
                       columns: [{ name: day, type: date }, { name: n, type: integer }, { name: s, type: text }]\n";

type Files<'f> = Vec<(&'f str, &'f str)>;

fn project() -> Files<'static> {
    vec![
        ("project.yml", PROJECT),
        ("models/sources.yml", SOURCES),
        (
            "models/days.sql",
            "{{ config(materialized='incremental', event_time='day', partition_by='day') }} \
             select day, n, s from {{ source('raw', 't') }} {% if is_incremental() %} where n > 0 {% endif %}",
        ),
        ("models/large.sql", "{{ config(materialized='view') }} select * from {{ ref('days') }} where n > 3"),
        ("models/sums.sql", "select day, sum(n) as n from {{ ref('large') }} group by day"),
        ("models/models.yml", "models:\n  - name: sums\n    columns:\n      - name: day\n      - name: n\n"),
    ]
}

/// The files with another text for one of them, or with one more.
fn edited<'f>(mut files: Files<'f>, path: &'f str, text: &'f str) -> Files<'f> {
    files.retain(|(other, _)| *other != path);
    files.push((path, text));
    files
}

/// What typing gives with what is in the cache.
fn typing(files: &Files<'_>, cache: &TypeCache, program: &str) -> Typing {
    let host = MemoryHost::with_files(files.iter().copied());
    let mut texts = SourceFiles::default();
    let mut sink = Sink::default();
    let typing = (|| {
        let read = read(&host, &mut texts, &mut sink)?;
        let project = Arc::new(load(&read, &mut texts, &LoadRequest::default(), &mut sink)?);
        let rendered = Arc::new(render_models(&project, &texts, &host, &mut NoCompiler, &mut sink)?);
        let dag = graph::build(&project, &rendered, &mut sink)?;
        let known = KnownTypes { cache, program, project: Arc::clone(&project), rendered: Arc::clone(&rendered) };
        let typing = Planner::new(&project, &rendered.models).models_known(&dag, &known, &mut sink);
        sink.unless_errors(typing)
    })();
    typing.unwrap_or_else(|_| panic!("{}", render_all(&sink.take(), &texts, Style::Plain)))
}

/// The models that are not planned, because the cache knows them.
fn known(typing: &Typing) -> Vec<&str> {
    let models = typing.typed.iter().filter(|(_, model)| model.plans.were_postponed());
    models.map(|(name, _)| name.as_str()).collect()
}

/// The plans of a model, as text.
fn plans(model: &TypedModel) -> Vec<String> {
    model.all_plans().unwrap().map(|plan| plan.display_indent_schema().to_string()).collect()
}

fn cache() -> TypeCache {
    typing(&project(), &TypeCache::default(), "a").worth_keeping
}

#[test]
fn a_model_that_is_known_has_the_types_and_the_plans_that_planning_gives() {
    let first = typing(&project(), &TypeCache::default(), "a");
    assert!(known(&first).is_empty());
    let kept = TypeCache::from_bytes(&first.worth_keeping.to_bytes());
    assert_eq!(kept, first.worth_keeping);
    let again = typing(&project(), &kept, "a");
    assert_eq!(known(&again), ["days", "large", "sums"]);
    assert!(again.typed.values().all(|model| model.plans.are_postponed()));
    for (name, model) in &again.typed {
        let planned = &first.typed[name];
        assert_eq!(model.facts(), planned.facts(), "{name}");
        assert_eq!(model.has_sliced_plan, planned.has_sliced_plan, "{name}");
        assert_eq!(plans(model), plans(planned), "{name}");
        assert!(!model.plans.are_postponed(), "{name}");
    }
    assert_eq!(again.worth_keeping, kept);
}

#[test]
fn whatever_a_model_depends_on_makes_it_unknown() {
    let cache = cache();
    let sources = |from: &str, to: &str| SOURCES.replace(from, to);
    let yaml = |text: &str| format!("models:\n  - name: sums\n{text}");
    for (path, text, still_known) in [
        // What the others see of `days` are its columns.
        ("models/days.sql", project()[2].1.replace("n > 0", "n > 1"), "large sums"),
        ("models/days.sql", project()[2].1.replace("day, n, s", "day, n + 0.5 as n, s"), ""),
        ("models/days.sql", project()[2].1.replace(", partition_by='day'", ""), ""),
        (
            "models/days.sql",
            project()[2].1.replace("event_time='day'", "event_time='day', batch_size='month'"),
            "large sums",
        ),
        (
            "models/days.sql",
            project()[2].1.replace("partition_by='day'", "partition_by='day', sort_by='n'"),
            "large sums",
        ),
        // Of a view they see everything.
        ("models/large.sql", project()[3].1.replace("n > 3", "n > 4"), "days"),
        ("models/large.sql", project()[3].1.replace("view", "table"), "days"),
        ("models/large.sql", project()[3].1.replace("ref('days')", "ref('days', lookback='1 day')"), "days"),
        ("models/sources.yml", sources("type: text", "type: boolean"), ""),
        (
            "models/sources.yml",
            sources("location: t.csv", "location: t.csv\n        options: { delimiter: ';' }"),
            "large sums",
        ),
        ("models/sources.yml", sources("location: t.csv", "location: t.csv\n        event_time: day"), "large sums"),
        ("project.yml", format!("{PROJECT}dialect: duckdb\n"), ""),
        (
            "models/models.yml",
            yaml(
                "    config: { contract: { enforced: true } }\n    columns: [{ name: day, data_type: date }, { name: n, data_type: bigint }]\n",
            ),
            "days large",
        ),
        (
            "models/models.yml",
            yaml("    columns: [{ name: day, data_tests: [not_null] }, { name: n }]\n"),
            "days large",
        ),
        // What nobody computes with.
        (
            "models/models.yml",
            yaml(
                "    description: x\n    config: { tags: [a], meta: { a: b } }\n    columns: [{ name: day, description: y }, { name: n }]\n",
            ),
            "days large sums",
        ),
        ("models/other.sql", "select 1 as one".to_owned(), "days large sums"),
        ("models/models.yml", format!("# a comment\n\n{}", project()[5].1), "days large sums"),
    ] {
        let files = edited(project(), path, &text);
        let typing = typing(&files, &cache, "a");
        assert!(typing.broken.is_empty() && typing.typed.len() >= 3, "{path}: {text}");
        assert_eq!(known(&typing).join(" "), still_known, "{path}: {text}");
    }
}

#[test]
fn another_program_knows_nothing() {
    assert!(known(&typing(&project(), &cache(), "b")).is_empty());
}

#[test]
fn a_model_with_a_warning_is_looked_at_every_time() {
    let files = edited(project(), "models/nothing.sql", "select null as a");
    let first = typing(&files, &TypeCache::default(), "a");
    let again = typing(&files, &first.worth_keeping, "a");
    assert_eq!(known(&again), ["days", "large", "sums"]);
}

#[test]
fn damaged_bytes_are_nothing() {
    let bytes = cache().to_bytes();
    for place in [0, MAGIC.len(), MAGIC.len() + HASH_BYTES, bytes.len() - 1] {
        let mut damaged = bytes.clone();
        damaged[place] ^= 1;
        assert_eq!(TypeCache::from_bytes(&damaged), TypeCache::default(), "{place}");
    }
    for length in 0..bytes.len() {
        assert_eq!(TypeCache::from_bytes(&bytes[..length]), TypeCache::default(), "{length}");
    }
}

#[test]
fn no_plan_is_made_of_a_model_that_is_not_what_was_kept_of_it() {
    let first = typing(&project(), &TypeCache::default(), "a");
    let days = ModelName::parse("days").unwrap();
    let mut forged = first.typed[&days].facts();
    forged.fingerprint = "another".into();
    let (full, sliced) = (first.typed[&days].facts(), first.typed[&days].has_sliced_plan);
    assert_ne!(full, forged);
    let host = MemoryHost::with_files(project());
    let (mut texts, mut sink) = (SourceFiles::default(), Sink::default());
    let found = read(&host, &mut texts, &mut sink).unwrap();
    let project = Arc::new(load(&found, &mut texts, &LoadRequest::default(), &mut sink).unwrap());
    let rendered = Arc::new(render_models(&project, &texts, &host, &mut NoCompiler, &mut sink).unwrap());
    let functions = Arc::new(Functions::load());
    let options = Arc::new(plan_options(1));
    let shared = Arc::new(PlanningInputs { project, rendered: Arc::clone(&rendered), functions, options });
    let postponed = |facts: &TypedFacts| {
        let plans = KnownModel {
            name: days.clone(),
            shared: Arc::clone(&shared),
            parents: BTreeMap::new(),
            facts: facts.clone(),
        };
        TypedModel::known(&rendered.models[&days], facts.clone(), Plans::postponed(plans))
    };
    assert_eq!(postponed(&full).sliced_plan().unwrap().is_some(), sliced);
    let error = postponed(&forged).plan().unwrap_err().strip_backtrace();
    assert!(error.contains("what an earlier command has kept of the types of `days` is not true"), "{error}");
}

#[test]
fn views_upon_views_are_planned_from_below() {
    let names: Vec<String> = (0..60).map(|index| format!("models/v{index}.sql")).collect();
    let texts: Vec<String> = (0..60)
        .map(|index| match index {
            0 => "{{ config(materialized='view') }} select 1 as one".to_owned(),
            _ => format!("{{{{ config(materialized='view') }}}} select one from {{{{ ref('v{}') }}}}", index - 1),
        })
        .collect();
    let mut files: Files<'_> = vec![("project.yml", PROJECT)];
    files.extend(names.iter().map(String::as_str).zip(texts.iter().map(String::as_str)));
    let first = typing(&files, &TypeCache::default(), "a");
    let again = typing(&files, &first.worth_keeping, "a");
    assert_eq!(known(&again).len(), 60);
    let last = &again.typed[&ModelName::parse("v59").unwrap()];
    assert!(last.plan().is_ok());
    assert!(again.typed.values().all(|model| !model.plans.are_postponed()));
}

#[test]
fn what_is_not_used_is_kept_no_longer_than_there_is_as_much_of_it() {
    let mut kept = cache();
    for program in ["b", "c", "d", "e"] {
        kept = kept.after(typing(&project(), &TypeCache::default(), program).worth_keeping);
        assert_eq!(kept.kept.len(), 6);
    }
}
