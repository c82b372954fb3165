//! What selectors select.

use std::sync::OnceLock;

use proptest::prelude::*;

use super::*;
use crate::diag::{Style, render_all};
use crate::graph;
use crate::host::MemoryHost;
use crate::project::{Dependency, Resource, ResourceKind};
use crate::span::{SourceFiles, Spanned};
use crate::template::render_models;

struct Sample {
    tests: Vec<TestNode>,
    project: Project,
    files: SourceFiles,
    rendered: Rendered,
    dag: Dag,
}

/// raw.notes → notes → fct_notes → daily → report, and users → fct_notes; `lonely` stands alone.
fn sample() -> &'static Sample {
    static SAMPLE: OnceLock<Sample> = OnceLock::new();
    SAMPLE.get_or_init(|| {
        let (mut project, files) = crate::template::tests::project(&[
            ("models/bronze/notes.sql", "{{ source('raw', 'notes') }}"),
            ("models/bronze/users.sql", "{{ config(tags=['pii', 'nightly']) }}"),
            ("models/silver/fct_notes.sql", "{{ config(materialized='incremental', event_time='day', tags='nightly', meta={'owner': 'core'}) }}{{ ref('notes') }}{{ ref('users') }}"),
            ("models/gold/daily.sql", "{{ config(materialized='table') }}{{ ref('fct_notes') }}"),
            ("models/gold/mart/report.sql", "{{ ref('daily') }}"),
            ("models/lonely.sql", "select 1"),
        ]);
        project.resources = vec![
            resource(&project, ResourceKind::Metric, "people", Dependency::Model { name: "users".to_owned(), version: None }),
            resource(&project, ResourceKind::Exposure, "weekly", Dependency::Metric("people".to_owned())),
            resource(&project, ResourceKind::Exposure, "board", Dependency::Model { name: "report".to_owned(), version: None }),
        ];
        let mut sink = Sink::default();
        let rendered = render_models(&project, &files, &MemoryHost::default(), &mut crate::template::NoCompiler, &mut sink).unwrap();
        let dag = graph::build(&project, &rendered, &mut sink).unwrap();
        let tests = vec![
            test("unique_users_id", TestKind::Generic("unique".to_owned()), &["users"]),
            test("relationships_fct_notes", TestKind::Generic("relationships".to_owned()), &["fct_notes", "users"]),
            test("as_many", TestKind::Singular, &["daily", "users"]),
            test("unique_daily", TestKind::Generic("dbt_utils.unique".to_owned()), &["daily"]),
        ];
        Sample { tests, project, files, rendered, dag }
    })
}

fn resource(project: &Project, kind: ResourceKind, name: &str, reads: Dependency) -> Resource {
    Resource {
        kind,
        name: Spanned::new(name.to_owned(), project.name.span),
        package: "notes".to_owned(),
        path: "models/gold/exposures.yml".to_owned(),
        fqn: ["notes", "gold", name].map(str::to_owned).to_vec(),
        description: String::new(),
        tags: vec!["shown".to_owned()],
        group: None,
        depends_on: vec![Spanned::new(reads, project.name.span)],
        file: None,
        described_at: None,
        properties: serde_json::Value::Null,
    }
}

fn test(name: &str, kind: TestKind, tables: &[&str]) -> TestNode {
    let package = || crate::name::PackageName::parse("notes").unwrap();
    let table = |name: &&str| NodeId::new(package(), graph::NodeName::Model(ModelName::parse(name).unwrap()));
    TestNode {
        unique_id: format!("test.notes.{name}"),
        name: name.to_owned(),
        kind,
        package: "notes".to_owned(),
        path: "models/silver/schema.yml".to_owned(),
        fqn: ["notes", "silver", name].map(str::to_owned).to_vec(),
        tags: Vec::new(),
        tables: tables.iter().map(table).collect(),
    }
}

fn resolved(select: &[&str], exclude: &[&str]) -> (Checked<Selection>, String) {
    resolved_by(IndirectSelection::Eager, select, exclude)
}

fn resolved_by(indirect: IndirectSelection, select: &[&str], exclude: &[&str]) -> (Checked<Selection>, String) {
    let sample = sample();
    let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    let (select, exclude) = (owned(select), owned(exclude));
    let mut sink = Sink::default();
    let request = SelectionRequest { select: &select, exclude: &exclude, indirect, ..SelectionRequest::default() };
    let tests = Some(&sample.tests[..]);
    let selectable =
        Selectable { project: &sample.project, rendered: &sample.rendered, dag: &sample.dag, tests, stored: None };
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

/// Everything that is selected, tests behind the nodes.
fn selected_nodes(indirect: IndirectSelection, select: &[&str], exclude: &[&str]) -> String {
    let (result, told) = resolved_by(indirect, select, exclude);
    let Ok(selection) = result else { return told };
    let nodes = selection.nodes().iter().map(NodeId::to_string);
    let tests = sample().tests.iter().enumerate().filter(|(index, _)| selection.has_test(*index));
    nodes.chain(tests.map(|(_, test)| test.name.clone())).collect::<Vec<_>>().join(" ")
}

#[test]
fn what_reads_tables_is_selected_by_its_kind_and_name() {
    let cases = [
        ("exposure:weekly", "weekly"),
        ("exposure:notes.*", "board weekly"),
        ("+exposure:weekly", "users people weekly unique_users_id relationships_fct_notes as_many"),
        ("1+metric:people", "users people unique_users_id relationships_fct_notes as_many"),
        ("metric:*+", "people weekly"),
        ("report+", "report board"),
        ("tag:shown", "people board weekly"),
        ("path:models/gold/exposures.yml", "people board weekly"),
        ("resource_type:metric", "people"),
        ("access:protected,gold", "daily report as_many unique_daily"),
        ("version:none,bronze", "notes users unique_users_id relationships_fct_notes as_many"),
    ];
    for (text, expected) in cases {
        assert_eq!(selected_nodes(IndirectSelection::Eager, &[text], &[]), expected, "{text}");
    }
}

#[test]
fn tests_are_selected_by_name_type_and_rule() {
    let cases = [
        ("unique_daily", "unique_daily"),
        ("test_name:unique", "unique_users_id unique_daily"),
        ("test_type:singular", "as_many"),
        ("test_type:generic,users+", "unique_users_id relationships_fct_notes unique_daily"),
        ("resource_type:test", "unique_users_id relationships_fct_notes as_many unique_daily"),
        ("1+as_many", "users daily unique_users_id relationships_fct_notes as_many unique_daily"),
        ("+unique_users_id,bronze", "users unique_users_id relationships_fct_notes as_many"),
    ];
    for (text, expected) in cases {
        assert_eq!(selected_nodes(IndirectSelection::Eager, &[text], &[]), expected, "{text}");
    }
    assert_eq!(
        selected_nodes(IndirectSelection::Eager, &["users"], &["test_name:unique"]),
        "users relationships_fct_notes as_many"
    );
    assert_eq!(selected_nodes(IndirectSelection::Cautious, &["users"], &[]), "users unique_users_id");
    assert_eq!(
        selected_nodes(IndirectSelection::Cautious, &["users", "fct_notes"], &[]),
        "users fct_notes unique_users_id relationships_fct_notes"
    );
    assert_eq!(selected_nodes(IndirectSelection::Buildable, &["daily"], &[]), "daily as_many unique_daily");
    assert_eq!(selected_nodes(IndirectSelection::Empty, &["daily"], &[]), "daily");
    assert_eq!(selected_nodes(IndirectSelection::Empty, &["daily as_many"], &[]), "daily as_many");
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
    insta::assert_snapshot!(resolved(&["lonely"], &["lonely"]).1, @"error[empty-selection]: `--exclude lonely` leaves nothing of the selection");
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
        "exposure:weekly",
        "+exposure:board",
        "metric:people+",
        "access:protected",
        "version:none",
        "as_many",
        "+as_many",
        "test_name:unique",
        "test_type:generic",
        "fct_notes+1",
    ])
}

/// What is selected, as texts: tests too.
fn everything(indirect: IndirectSelection, select: &[&str], exclude: &[&str]) -> BTreeSet<String> {
    match resolved_by(indirect, select, exclude).0 {
        Ok(_) => selected_nodes(indirect, select, exclude).split(' ').map(str::to_owned).collect(),
        Err(_) => BTreeSet::new(),
    }
}

/// Whether all that a test refers to was selected.
fn has_all_tables(test: &TestNode, selected: &BTreeSet<String>) -> bool {
    test.tables.iter().all(|table| selected.contains(&table.to_string()))
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
    fn tests_obey_the_same_laws(left in term(), right in term()) {
        let eager = IndirectSelection::Eager;
        let a = everything(eager, &[left], &[]);
        let b = everything(eager, &[right], &[]);
        prop_assert_eq!(everything(eager, &[left, right], &[]), a.union(&b).cloned().collect::<BTreeSet<_>>());
        let both = a.intersection(&b).cloned().collect::<BTreeSet<_>>();
        prop_assert_eq!(everything(eager, &[&format!("{left},{right}")], &[]), both);
        let rest = a.difference(&b).cloned().collect::<BTreeSet<_>>();
        prop_assert_eq!(everything(eager, &[left], &[right]), rest);
    }

    /// Tests that are not named themselves go with their tables, as the mode says, however the tables were selected.
    #[test]
    fn a_test_goes_with_its_tables(
        left in prop::sample::select(vec!["daily", "users", "fct_notes", "gold", "bronze", "tag:nightly", "lonely"]),
        right in prop::sample::select(vec!["daily", "users", "fct_notes", "report", "source:raw"]),
    ) {
        // The folder of the tests is `silver`, which no term here names.
        let tables = everything(IndirectSelection::Empty, &[left, right], &[]);
        for test in &sample().tests {
            prop_assert!(!tables.contains(&test.name));
            let any = test.tables.iter().any(|table| tables.contains(&table.to_string()));
            let eager = everything(IndirectSelection::Eager, &[left, right], &[]);
            prop_assert_eq!(eager.contains(&test.name), any);
            let cautious = everything(IndirectSelection::Cautious, &[left, right], &[]);
            prop_assert_eq!(cautious.contains(&test.name), has_all_tables(test, &tables), "{}", test.name);
            let above = everything(IndirectSelection::Empty, &[&format!("+{left}"), &format!("+{right}")], &[]);
            let buildable = everything(IndirectSelection::Buildable, &[left, right], &[]);
            prop_assert_eq!(buildable.contains(&test.name), any && has_all_tables(test, &above), "{}", test.name);
        }
    }

    #[test]
    fn relatives_only_add(name in prop::sample::select(vec!["daily", "gold", "tag:nightly", "fct_notes"])) {
        let own = positions(&[name], &[]);
        for with in [format!("+{name}"), format!("{name}+"), format!("2+{name}+1"), format!("@{name}")] {
            prop_assert!(positions(&[&with], &[]).is_superset(&own), "{}", with);
        }
    }
}
