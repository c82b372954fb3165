//! What selectors select.

use std::sync::OnceLock;

use proptest::prelude::*;

use super::*;
use crate::diag::{Style, render_all};
use crate::graph;
use crate::host::MemoryHost;
use crate::span::SourceFiles;
use crate::template::render_models;

struct Sample {
    project: Project,
    files: SourceFiles,
    rendered: Rendered,
    dag: Dag,
}

/// raw.notes → notes → fct_notes → daily → report, and users → fct_notes; `lonely` stands alone.
fn sample() -> &'static Sample {
    static SAMPLE: OnceLock<Sample> = OnceLock::new();
    SAMPLE.get_or_init(|| {
        let (project, files) = crate::template::tests::project(&[
            ("models/bronze/notes.sql", "{{ source('raw', 'notes') }}"),
            ("models/bronze/users.sql", "{{ config(tags=['pii', 'nightly']) }}"),
            ("models/silver/fct_notes.sql", "{{ config(materialized='incremental', event_time='day', tags='nightly', meta={'owner': 'core'}) }}{{ ref('notes') }}{{ ref('users') }}"),
            ("models/gold/daily.sql", "{{ config(materialized='table') }}{{ ref('fct_notes') }}"),
            ("models/gold/mart/report.sql", "{{ ref('daily') }}"),
            ("models/lonely.sql", "select 1"),
        ]);
        let mut sink = Sink::default();
        let rendered = render_models(&project, &files, &MemoryHost::default(), &mut crate::template::NoCompiler, &mut sink).unwrap();
        let dag = graph::build(&project, &rendered, &mut sink).unwrap();
        Sample { project, files, rendered, dag }
    })
}

fn resolved(select: &[&str], exclude: &[&str]) -> (Checked<Selection>, String) {
    let sample = sample();
    let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    let (select, exclude) = (owned(select), owned(exclude));
    let mut sink = Sink::default();
    let request = SelectionRequest { select: &select, exclude: &exclude, named: None };
    let selectable = Selectable { project: &sample.project, rendered: &sample.rendered, dag: &sample.dag };
    let result = resolve(request, selectable, &mut sink);
    (result, render_all(&sink.take(), &sample.files, Style::Plain))
}

fn selected(text: &str) -> String {
    let (result, told) = resolved(&[text], &[]);
    match result {
        Ok(selection) => selection.iter().map(ModelName::as_str).collect::<Vec<_>>().join(" "),
        Err(_) => told,
    }
}

#[test]
fn without_a_selector_everything_is_selected_in_order() {
    let all = resolved(&[], &[]).0.unwrap();
    let names: Vec<&str> = all.iter().map(ModelName::as_str).collect();
    assert_eq!(names, ["lonely", "notes", "users", "fct_notes", "daily", "report"]);
    assert_eq!(all.sources().len(), 1);
}

#[test]
fn every_method_finds_its_models() {
    let cases = [
        ("daily", "daily"),
        ("gold", "daily report"),
        ("mart", "report"),
        ("gold.mart", "report"),
        ("notes.gold.*", "daily report"),
        ("fqn:silver.fct_*", "fct_notes"),
        ("gold.daily", "daily"),
        ("models/gold", "daily report"),
        ("gold/", "daily report"),
        ("./models/*/daily.sql", "daily"),
        ("path:bronze", "notes users"),
        ("path:models/*.sql", "lonely"),
        ("daily.sql", "daily"),
        ("file:daily", "daily"),
        ("tag:nightly", "users fct_notes"),
        ("tag:n*", "users fct_notes"),
        ("config.materialized:table", "daily"),
        ("config.meta.owner:core", "fct_notes"),
        ("config.tags:pii", "users"),
        ("package:this", "lonely notes users fct_notes daily report"),
        ("resource_type:model,tag:pii", "users"),
        ("source:raw.notes", ""),
        ("source:raw+", "notes fct_notes daily report"),
        ("source:raw+1", "notes"),
        ("[du]*", "users daily"),
        ("?aily", "daily"),
    ];
    for (text, models) in cases {
        assert_eq!(selected(text), models, "{text}");
    }
}

#[test]
fn relatives_come_along_as_far_as_asked() {
    assert_eq!(selected("+daily"), "notes users fct_notes daily");
    assert_eq!(selected("1+daily"), "fct_notes daily");
    assert_eq!(selected("notes+2"), "notes fct_notes daily");
    assert_eq!(selected("path:bronze/notes.sql+1"), "notes fct_notes");
    assert_eq!(selected("1+fct_notes+1"), "notes users fct_notes daily");
    assert_eq!(selected("@users"), "notes users fct_notes daily report");
    assert_eq!(selected("lonely+ daily+"), "lonely daily report");
    assert_eq!(selected("gold,tag:none+ lonely"), "lonely");
}

#[test]
fn a_request_for_nothing_is_an_error_with_the_nearest_name() {
    insta::assert_snapshot!(["dayly", "tag:nightli", "nightly", "goldd"].map(selected).join("\n"), @r"
    error[empty-selection]: nothing matches `--select dayly`
     = help: did you mean `daily`?
     = help: `karat ls` lists what can be selected

    error[empty-selection]: nothing matches `--select tag:nightli`
     = help: did you mean `tag:nightly`?
     = help: `karat ls` lists what can be selected

    error[empty-selection]: nothing matches `--select nightly`
     = help: did you mean `tag:nightly`?
     = help: `karat ls` lists what can be selected

    error[empty-selection]: nothing matches `--select goldd`
     = help: did you mean `gold`?
     = help: `karat ls` lists what can be selected
    ");
    insta::assert_snapshot!(resolved(&["gold"], &["daily report"]).1, @"error[empty-selection]: `--exclude daily report` leaves nothing of the selection");
}

#[test]
fn a_part_that_matches_nothing_is_a_warning_and_a_wrong_selector_an_error() {
    insta::assert_snapshot!(resolved(&["daily userz"], &["fct_note"]).1, @r"
    warning[empty-selection]: nothing matches `fct_note` in `--exclude`
     = help: did you mean `fct_notes`?

    warning[empty-selection]: nothing matches `userz` in `--select`
     = help: did you mean `users`?
    ");
    insta::assert_snapshot!(resolved(&["daily tags:x"], &["@a+"]).1, @r"
    error[invalid-selector]: `--exclude @a+`: `@` and `+` cannot be combined
     = help: `@` already includes the descendants and everything they need

    error[invalid-selector]: `--select daily tags:x`: no selector method is called `tags` (at `tags`)
     = help: did you mean `tag:`?
    ");
}

fn positions(select: &[&str], exclude: &[&str]) -> BTreeSet<ModelName> {
    resolved(select, exclude).0.map(|selection| selection.models().clone()).unwrap_or_default()
}

fn term() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "daily",
        "gold",
        "tag:nightly",
        "+fct_notes",
        "path:bronze+1",
        "@users",
        "source:raw+",
        "lonely",
        "nothing",
        "f*",
        "config.materialized:view",
        "1+report",
    ])
}

proptest! {
    #[test]
    fn blanks_unite_commas_intersect_and_exclude_subtracts(left in term(), right in term()) {
        let (a, b) = (positions(&[left], &[]), positions(&[right], &[]));
        let union: BTreeSet<ModelName> = a.union(&b).cloned().collect();
        prop_assert_eq!(&positions(&[&format!("{left} {right}")], &[]), &union);
        prop_assert_eq!(&positions(&[left, right], &[]), &union);
        let both: BTreeSet<ModelName> = a.intersection(&b).cloned().collect();
        prop_assert_eq!(&positions(&[&format!("{left},{right}")], &[]), &both);
        let rest: BTreeSet<ModelName> = a.difference(&b).cloned().collect();
        prop_assert_eq!(&positions(&[left], &[right]), &rest);
    }

    #[test]
    fn relatives_only_add(name in prop::sample::select(vec!["daily", "gold", "tag:nightly", "fct_notes"])) {
        let own = positions(&[name], &[]);
        for with in [format!("+{name}"), format!("{name}+"), format!("2+{name}+1"), format!("@{name}")] {
            prop_assert!(positions(&[&with], &[]).is_superset(&own), "{}", with);
        }
    }
}
