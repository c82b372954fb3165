//! What is read of unit tests, and what is said of those that are wrong.

use super::*;
use crate::project::testing::{load, said};

const MODELS: [(&str, &str); 4] = [
    ("models/gold/daily.sql", "select 1 as id"),
    ("models/gold/orders_v1.sql", "select 1 as id"),
    ("models/gold/orders_v2.sql", "select 1 as id"),
    ("tests/fixtures/rows/users.csv", "id,name\n1,\"ann, b\"\n2,\n"),
];

fn tests(yaml: &str) -> Vec<UnitTest> {
    let mut files = MODELS.to_vec();
    files.push(("models/gold/p.yml", yaml));
    load("name: p", &files).unwrap().unit_tests.into_values().collect()
}

fn told(yaml: &str) -> String {
    let mut files = MODELS.to_vec();
    files.push(("models/gold/p.yml", yaml));
    said("name: p", &files)
}

fn rows(rows: &FixtureRows) -> Vec<Vec<String>> {
    let FixtureRows::Values(rows) = rows else { panic!("these are values") };
    let cell = |cell: &FixtureCell| match &cell.value {
        FixtureValue::Null => format!("{}: null", cell.column.value),
        FixtureValue::Text(text) => format!("{}: {text:?}", cell.column.value),
        FixtureValue::Nested(value) => format!("{}: {value}", cell.column.value),
    };
    rows.iter().map(|row| row.cells.iter().map(cell).collect()).collect()
}

#[test]
fn rows_are_written_in_yaml_and_csv_in_place_and_in_files() {
    let found = tests(
        "
unit_tests:
- name: all
  model: daily
  given:
  - input: ref('a')
    rows: [{id: 0x1F, ok: True, name: '', x: null, tags: [a, 1]}]
  - input: source('raw', 'b')
    format: csv
    rows: |
      id,name
      1,
      2,bob
  - {input: this, fixture: users}
  - {input: ref('s')}
  expect: {rows: [], table: true}
",
    );
    let given: Vec<Vec<Vec<String>>> = found[0].given.iter().take(3).map(|given| rows(&given.rows)).collect();
    assert_eq!(given[0], [["id: \"31\"", "ok: \"true\"", "name: \"\"", "x: null", "tags: [\"a\",1]"]]);
    assert_eq!(given[1], [["id: \"1\"", "name: null"], ["id: \"2\"", "name: \"bob\""]]);
    assert_eq!(given[2], [["id: \"1\"", "name: \"ann, b\""], ["id: \"2\"", "name: null"]]);
    assert!(matches!(found[0].given[3].rows, FixtureRows::OfSeed));
    assert_eq!(found[0].given[2].input, GivenName::This);
    assert_eq!(found[0].fqn, ["p", "gold", "daily", "all"]);
    assert!(found[0].expected.of_table);
}

#[test]
fn a_test_of_a_model_with_versions_is_one_of_each() {
    let yaml = |versions: &str| format!("unit_tests: [{{name: t, model: orders, {versions} expect: {{rows: []}}}}]");
    let of = |versions: &str| {
        let found = tests(&yaml(versions));
        found.iter().map(|test| test.id.model.to_string()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(of(""), "orders_v1 orders_v2");
    assert_eq!(of("versions: {include: [2]},"), "orders_v2");
    assert_eq!(of("versions: {exclude: [2]},"), "orders_v1");
    assert_eq!(tests("unit_tests: [{name: t, model: daily, expect: {rows: []}, config: {enabled: false}}]").len(), 0);
}

#[test]
fn a_slice_is_a_day_or_a_range_with_its_last_day() {
    let slice = |slice: &str| {
        let yaml = format!("unit_tests: [{{name: t, model: daily, slice: {slice}, expect: {{rows: []}}}}]");
        tests(&yaml)[0].slice.as_ref().unwrap().value.to_string()
    };
    assert_eq!(slice("2023-05-01"), "2023-05-01");
    assert_eq!(slice("{start: 2023-05-01, end: 2023-05-03}"), "2023-05-01 to 2023-05-03");
}

#[test]
fn what_is_wrong_is_said_where_it_stands() {
    insta::assert_snapshot!(told("
unit_tests:
- name: c
  model: daily
  given:
  - {input: daily, rows: []}
  - {input: ref('x'), format: cvs, rows: []}
  - {input: ref('y'), fixture: userz}
  - {input: ref('z'), rows: [1]}
  expect: {rows: [{id: 1, ID: 2}]}
"), @"
    error[invalid-config]: `daily` is no input of a model
     --> models/gold/p.yml:6:13
      |
    6 |   - {input: daily, rows: []}
      |             ^^^^^
      |
      = help: an input is `ref('…')`, `source('…', '…')` or `this`

    error[invalid-config]: `format` cannot be `cvs`
     --> models/gold/p.yml:7:31
      |
    7 |   - {input: ref('x'), format: cvs, rows: []}
      |                               ^^^
      |
      = help: it can be `dict`, `csv` or `sql`

    error[unreadable-file]: no fixture is called `userz` (.csv or .sql)
     --> models/gold/p.yml:8:32
      |
    8 |   - {input: ref('y'), fixture: userz}
      |                                ^^^^^
      |
      = help: did you mean `users`?
      = help: fixtures are files in `fixtures` of the test path

    error[invalid-yaml]: a row is a mapping of columns to values
     --> models/gold/p.yml:9:30
      |
    9 |   - {input: ref('z'), rows: [1]}
      |                              ^
      |
      = help: write `- { id: 1, name: ann }`, or say `format: csv`

    error[duplicate-name]: the column `ID` stands here twice
      --> models/gold/p.yml:10:27
       |
    10 |   expect: {rows: [{id: 1, ID: 2}]}
       |                    --     ^^
       |                    |
       |                    the first one
    ");
}

#[test]
fn unknown_keys_and_two_tests_of_one_name_are_said_where_they_stand() {
    insta::assert_snapshot!(told("
unit_tests:
- {name: a, model: dayly, given: [], expect: {rows: []}}
- {name: b, model: daily}
- {name: d, model: daily, slice: 2023-5-1, versions: {include: [1]}, expect: {rows: []}}
- {name: e, model: daily, expect: {rows: []}, overrides: {macro: {}}, gven: []}
- {name: e, model: daily, expect: {rows: []}}
"), @"
    error[unknown-model-in-yaml]: no model is called `dayly`
     --> models/gold/p.yml:3:20
      |
    3 | - {name: a, model: dayly, given: [], expect: {rows: []}}
      |                    ^^^^^
      |
      = help: did you mean `daily`?

    error[invalid-yaml]: the unit test `b` expects no rows
     --> models/gold/p.yml:4:10
      |
    4 | - {name: b, model: daily}
      |          ^
      |
      = help: write `expect: { rows: [] }` if the model is to have none

    error[invalid-config]: `daily` has no versions
     --> models/gold/p.yml:5:55
      |
    5 | - {name: d, model: daily, slice: 2023-5-1, versions: {include: [1]}, expect: {rows: []}}
      |                                                       ^^^^^^^
      |
      = help: leave `versions` out

    error[unknown-key]: `macro` is not a key of `overrides`
     --> models/gold/p.yml:6:59
      |
    6 | - {name: e, model: daily, expect: {rows: []}, overrides: {macro: {}}, gven: []}
      |                                                           ^^^^^
      |
      = help: did you mean `macros`?

    error[unknown-key]: `gven` is not a key of a unit test
     --> models/gold/p.yml:6:71
      |
    6 | - {name: e, model: daily, expect: {rows: []}, overrides: {macro: {}}, gven: []}
      |                                                                       ^^^^
      |
      = help: did you mean `given`?

    error[duplicate-name]: two unit tests of `daily` are called `e`
     --> models/gold/p.yml:7:10
      |
    6 | - {name: e, model: daily, expect: {rows: []}, overrides: {macro: {}}, gven: []}
      |          - the first one
    7 | - {name: e, model: daily, expect: {rows: []}}
      |          ^
    ");
}
