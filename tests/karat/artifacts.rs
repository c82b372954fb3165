//! Artifacts: their ids are dbt's, they say what became of every node, and tools that read dbt's read them.

use std::collections::BTreeMap;
use std::process::Command;

use serde_json::{Value, json};

use crate::folder::{Folder, repository};
use crate::minio::skip;
use crate::readers::installed;

/// Installed once, at these versions.
const PACKAGES: [&str; 5] = [
    "dbt-artifacts-parser==0.15.0",
    "dbt-bouncer==4.3.0",
    "dbt-colibri==0.3.7",
    "dbt-coverage==0.5.0",
    "dbterd==1.32.0",
];

/// The names of its models are those of dbt's first example, whose ids are known.
fn shop() -> Folder {
    let folder = Folder::new();
    folder.write("dbt_project.yml", "name: jaffle_shop\nversion: '1'\nmodels: {+materialized: table}\n");
    folder
        .write("seeds/raw_orders.csv", "id,customer,status,loaded_at\n1,1,placed,2023-05-01 08:00:00\n2,2,returned,\n");
    folder.write(
        "models/staging/stg_orders.sql",
        "{{ config(materialized='view') }}\nselect * from {{ source('raw', 'raw_orders') }}\n",
    );
    folder.write("models/customers.sql", "select distinct customer as customer_id from {{ ref('stg_orders') }}\n");
    folder.write(
        "models/orders.sql",
        "select id as order_id, customer as customer_id, status from {{ ref('stg_orders') }}\n",
    );
    folder.write("models/of_orders.sql", "select count(*) as n from {{ ref('orders') }}\n");
    folder.write("tests/no_orders_of_nobody.sql", "select * from {{ ref('orders') }} where customer_id is null\n");
    let schema = "
sources:
- name: raw
  description: As it came.
  loaded_at_field: loaded_at
  freshness: {warn_after: {count: 12, period: hour}, error_after: {count: 1, period: day}}
  tables: [{name: raw_orders, meta: {owner: ann}}]
models:
- name: customers
  columns: [{name: customer_id, description: Who, data_tests: [unique, not_null]}]
- name: orders
  description: All orders.
  columns:
  - {name: order_id, data_tests: [unique, not_null]}
  - name: customer_id
    data_tests: [not_null, {relationships: {arguments: {to: ref('customers'), field: customer_id}}}]
  - name: status
    data_tests:
    - accepted_values: {arguments: {values: [placed, shipped, completed, return_pending, returned]}}
";
    folder.write("models/schema.yml", schema);
    folder
}

fn artifact(folder: &Folder, name: &str) -> Value {
    let text = std::fs::read_to_string(folder.root().join("target").join(name)).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn statuses(folder: &Folder) -> BTreeMap<String, String> {
    let results = artifact(folder, "run_results.json");
    let results = results["results"].as_array().unwrap().iter();
    let of = |result: &Value, key: &str| result[key].as_str().unwrap().to_owned();
    results.map(|result| (of(result, "unique_id"), of(result, "status"))).collect()
}

#[test]
fn ids_and_edges_are_those_of_dbt() {
    let folder = shop();
    folder.karat(&["-q", "parse"]);
    let manifest = artifact(&folder, "manifest.json");
    let parents = manifest["parent_map"].as_object().unwrap();
    for (id, expected) in [
        ("model.jaffle_shop.stg_orders", json!(["source.jaffle_shop.raw.raw_orders"])),
        ("model.jaffle_shop.orders", json!(["model.jaffle_shop.stg_orders"])),
        ("seed.jaffle_shop.raw_orders", json!([])),
        ("test.jaffle_shop.no_orders_of_nobody", json!(["model.jaffle_shop.orders"])),
        // The digests are those that dbt 1.11 gives to the same tests.
        ("test.jaffle_shop.unique_customers_customer_id.c5af1ff4b1", json!(["model.jaffle_shop.customers"])),
        ("test.jaffle_shop.not_null_orders_order_id.cf6c17daed", json!(["model.jaffle_shop.orders"])),
        (
            "test.jaffle_shop.relationships_orders_customer_id__customer_id__ref_customers_.c6ec7f58f2",
            json!(["model.jaffle_shop.customers", "model.jaffle_shop.orders"]),
        ),
        (
            "test.jaffle_shop.accepted_values_orders_status__placed__shipped__completed__return_pending__returned.be6b5b5ec3",
            json!(["model.jaffle_shop.orders"]),
        ),
    ] {
        assert_eq!(parents.get(id), Some(&expected), "{id}");
    }
    assert_eq!(manifest["child_map"]["model.jaffle_shop.orders"].as_array().unwrap().len(), 7);
    let orders = &manifest["nodes"]["model.jaffle_shop.orders"];
    assert_eq!(orders["columns"]["order_id"]["data_type"], "bigint");
    assert_eq!(orders["relation_name"], "\"lake\".\"jaffle_shop\".\"orders\"");
    assert_eq!(orders["patch_path"], "jaffle_shop://models/schema.yml");
    assert_eq!(manifest["sources"]["source.jaffle_shop.raw.raw_orders"]["meta"], json!({"owner": "ann"}));
}

/// One of each kind that YAML declares, and one of each that is switched off.
fn declare_all(folder: &Folder) {
    folder.write("analyses/total.sql", "select count(*) as n from {{ ref('orders') }}\n");
    folder.write("analyses/unused.sql", "select * from {{ ref('of_orders') }}\n");
    folder.write("models/off.sql", "{{ config(enabled=false) }} select 1 as one\n");
    folder.write("models/off_by_yaml.sql", "select 1 as one\n");
    folder.write("selectors.yml", "selectors: [{name: mine, definition: {method: tag, value: x}}]\n");
    let schema = "
groups: [{name: core, owner: {name: Ann}}]
models:
- name: off_by_yaml
  config: {enabled: false}
- name: stg_orders
  group: core
  columns: [{name: id, data_tests: [{not_null: {config: {enabled: false}}}]}]
analyses: [{name: unused, config: {enabled: false}}]
exposures:
- {name: board, type: dashboard, owner: {name: Bob}, config: {tags: [x]}, depends_on: [ref('orders'), metric('n_per_day')]}
- {name: off_board, type: notebook, owner: {name: Bob}, config: {enabled: false}, depends_on: [ref('orders')]}
semantic_models:
- name: of_orders
  model: ref('stg_orders')
  defaults: {agg_time_dimension: loaded_at}
  entities: [{name: order, type: primary, expr: id}]
  dimensions: [{name: loaded_at, type: time, type_params: {time_granularity: day}}]
  measures: [{name: n, agg: count, expr: id, create_metric: true}]
metrics:
- {name: orders, label: Orders, type: simple, type_params: {measure: n}, filter: \"id > 0\", config: {group: core}}
- {name: n_per_day, label: Per day, type: ratio, type_params: {numerator: orders, denominator: n}}
saved_queries:
- {name: weekly, query_params: {metrics: [orders], group_by: [loaded_at]}, exports: [{name: weekly, config: {export_as: table}}]}
unit_tests:
- name: counts
  model: of_orders
  given: [{input: ref('orders'), rows: [{order_id: 1}]}]
  expect: {rows: [{n: 1}]}
- name: off_test
  model: of_orders
  config: {enabled: false}
  given: [{input: ref('orders'), rows: []}]
  expect: {rows: []}
";
    folder.write("models/declared.yml", schema);
}

#[test]
fn all_that_yaml_declares_is_in_the_manifest() {
    let folder = shop();
    declare_all(&folder);
    folder.karat(&["-q", "parse"]);
    let manifest = artifact(&folder, "manifest.json");
    let keys = |part: &str| manifest[part].as_object().unwrap().keys().map(String::as_str).collect::<Vec<_>>();
    assert_eq!(keys("exposures"), ["exposure.jaffle_shop.board"]);
    assert_eq!(
        keys("metrics"),
        ["metric.jaffle_shop.n", "metric.jaffle_shop.n_per_day", "metric.jaffle_shop.orders"],
        "a measure with `create_metric` is one too"
    );
    assert_eq!(keys("semantic_models"), ["semantic_model.jaffle_shop.of_orders"]);
    assert_eq!(keys("saved_queries"), ["saved_query.jaffle_shop.weekly"]);
    assert_eq!(keys("unit_tests"), ["unit_test.jaffle_shop.of_orders.counts"]);
    assert_eq!(keys("groups"), ["group.jaffle_shop.core"]);
    assert_eq!(keys("selectors"), ["mine"]);
    assert_eq!(
        keys("disabled"),
        [
            "analysis.jaffle_shop.unused",
            "exposure.jaffle_shop.off_board",
            "model.jaffle_shop.off",
            "model.jaffle_shop.off_by_yaml",
            // The digest is that of dbt 1.11.
            "test.jaffle_shop.not_null_stg_orders_id.8cf5724805",
            "unit_test.jaffle_shop.of_orders.off_test",
        ]
    );
    for (part, id) in [("unit_tests", "unit_test.jaffle_shop.of_orders.counts"), ("metrics", "metric.jaffle_shop.n")] {
        let parents = &manifest["parent_map"][id];
        assert_eq!(parents, &manifest[part][id]["depends_on"]["nodes"], "{id}");
        assert_eq!(parents.as_array().unwrap().len(), 1, "{id}");
    }
    assert_eq!(
        manifest["parent_map"]["exposure.jaffle_shop.board"],
        json!(["metric.jaffle_shop.n_per_day", "model.jaffle_shop.orders"])
    );
    assert_eq!(manifest["child_map"]["metric.jaffle_shop.n"], json!(["metric.jaffle_shop.n_per_day"]));
    assert_eq!(
        manifest["group_map"]["core"],
        json!(["metric.jaffle_shop.orders", "model.jaffle_shop.stg_orders"]),
        "a test that is switched off belongs to nobody"
    );
    let ratio = &manifest["metrics"]["metric.jaffle_shop.n_per_day"]["type_params"];
    assert_eq!(ratio["numerator"]["name"], "orders");
    assert_eq!(ratio["input_measures"].as_array().unwrap().len(), 1, "both are computed of one measure");
    let off = &manifest["disabled"]["model.jaffle_shop.off"][0];
    assert_eq!(
        (&off["config"]["enabled"], &off["raw_code"]),
        (&json!(false), &json!("{{ config(enabled=false) }} select 1 as one"))
    );
}

#[test]
fn results_say_what_became_of_every_node_and_retry_does_the_rest() {
    let folder = shop();
    let orders = std::fs::read_to_string(folder.root().join("models/orders.sql")).unwrap();
    folder.write("models/orders.sql", orders.replace("status from", "'lost' as status from"));
    assert_eq!(folder.try_karat(&["-q", "build"]).code, 1);
    let found = statuses(&folder);
    let of = |id: &str| found.get(id).map(String::as_str);
    assert_eq!(of("seed.jaffle_shop.raw_orders"), Some("success"));
    assert_eq!(of("model.jaffle_shop.stg_orders"), Some("success"));
    assert_eq!(of("model.jaffle_shop.orders"), Some("error"));
    assert_eq!(of("model.jaffle_shop.of_orders"), Some("skipped"));
    assert_eq!(
        of(
            "test.jaffle_shop.accepted_values_orders_status__placed__shipped__completed__return_pending__returned.be6b5b5ec3"
        ),
        Some("fail")
    );
    assert_eq!(of("test.jaffle_shop.unique_customers_customer_id.c5af1ff4b1"), Some("pass"));

    folder.write("models/orders.sql", &orders);
    folder.karat(&["-q", "retry"]);
    let found = statuses(&folder);
    let models: Vec<&str> = found.keys().filter(|id| id.starts_with("model.")).map(String::as_str).collect();
    assert_eq!(models, ["model.jaffle_shop.of_orders", "model.jaffle_shop.orders"], "what was done is not done again");
    assert!(found.values().all(|status| status == "success" || status == "pass"), "{found:?}");
    let answer = folder.karat(&["retry"]);
    assert!(answer.printed.contains("nothing to retry"), "{}", answer.printed);
    // All of it is up to date now, which is a success too.
    folder.karat(&["-q", "build"]);
    assert_eq!(statuses(&folder).get("model.jaffle_shop.orders").map(String::as_str), Some("success"));
}

#[test]
fn artifacts_go_where_they_are_wanted_and_hold_no_secret() {
    let secret = "hunter2-and-more";
    let variables = BTreeMap::from([
        ("DBT_ENV_SECRET_PLACE".to_owned(), secret.to_owned()),
        ("AWS_SECRET_ACCESS_KEY".to_owned(), secret.to_owned()),
        ("DBT_ENV_CUSTOM_ENV_TEAM".to_owned(), format!("core {secret}")),
    ]);
    let folder = shop().with_variables(variables);
    folder.write("models/note.sql", format!("select '{secret}' as note\n"));
    folder.karat(&["-q", "build", "--vars", &format!("{{note: {secret}}}")]);
    folder.karat(&["-q", "docs", "generate"]);
    for name in ["manifest.json", "run_results.json", "catalog.json"] {
        let text = std::fs::read_to_string(folder.root().join("target").join(name)).unwrap();
        assert!(!text.contains(secret), "{name} holds a secret");
    }
    assert_eq!(artifact(&folder, "manifest.json")["metadata"]["env"]["TEAM"], "core [hidden]");
    let none = shop();
    none.karat(&["-q", "build", "--no-write-json"]);
    none.karat(&["-q", "plan"]);
    none.karat(&["-q", "ls"]);
    assert!(!none.root().join("target/manifest.json").exists());
    none.karat(&["-q", "run", "--target-path", "elsewhere"]);
    assert!(none.root().join("elsewhere/run_results.json").exists());
    // Beside the two artifacts lies what is kept of types.
    let written = none.files("elsewhere");
    assert_eq!(written, ["elsewhere/.karat_types", "elsewhere/manifest.json", "elsewhere/run_results.json"]);
}

#[test]
fn freshness_is_an_artifact_and_an_exit_code() {
    let folder = shop();
    folder.karat(&["-q", "seed"]);
    let asked = |now: &str| {
        let code = folder.try_karat(&["-q", "source", "freshness", "--now", now]).code;
        let results = artifact(&folder, "sources.json")["results"].as_array().unwrap().clone();
        (code, results[0]["status"].as_str().unwrap().to_owned(), results[0]["max_loaded_at_time_ago_in_s"].clone())
    };
    assert_eq!(asked("2023-05-01T09:00:00"), (0, "pass".to_owned(), json!(3600.0)));
    assert_eq!(asked("2023-05-01T21:00:00"), (0, "warn".to_owned(), json!(46_800.0)));
    assert_eq!(asked("2023-05-03T08:00:00"), (1, "error".to_owned(), json!(172_800.0)));
}

#[test]
fn readers_of_dbts_artifacts_read_them() {
    let python = match installed(&PACKAGES) {
        Ok(python) => python,
        Err(reason) => return skip("whether readers of dbt's artifacts read those of karat was not tested", &reason),
    };
    let folder = shop();
    declare_all(&folder);
    folder.karat(&["-q", "build"]);
    folder.karat(&["-q", "source", "freshness", "--now", "2023-05-01T09:00:00"]);
    folder.karat(&["-q", "docs", "generate"]);
    let script = repository().join("tests/readers/artifacts.py");
    let output = Command::new(python).arg(script).arg(folder.root()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    // Thirteen of the shop, and the analysis.
    assert_eq!(found["nodes"], 14);
    // Thirteen of the shop, and the unit test. Nothing runs an analysis.
    assert_eq!(found["results"], 14);
    assert_eq!(found["tables"], 5);
    assert_eq!(found["sources"], json!(["pass"]));
    assert_eq!(found["coverage"], "1/13");
    let lineage: Vec<&str> = found["lineage"].as_array().unwrap().iter().map(|edge| edge.as_str().unwrap()).collect();
    assert!(
        lineage.contains(&"model.jaffle_shop.stg_orders.status -> model.jaffle_shop.orders.status"),
        "columns are followed from node to node: {lineage:#?}"
    );
    assert_eq!(found["relationships"], 1);
    assert!(found["bouncer"].as_str().unwrap().ends_with("WARN=0 ERROR=0"), "{found}");
}
