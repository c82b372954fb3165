//! OpenLineage: events are what the specification asks for, say what a run did, and never stop or delay it; and its metrics.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::folder::Folder;

const FILE: [(&str, &str); 2] =
    [("OPENLINEAGE__TRANSPORT__TYPE", "file"), ("OPENLINEAGE__TRANSPORT__LOG_FILE_PATH", "events/lineage.json")];

fn variables(given: &[(&str, &str)]) -> BTreeMap<String, String> {
    given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// Two models, tests, and a model that fails.
fn shop(given: &[(&str, &str)]) -> Folder {
    let folder = Folder::new().with_variables(variables(given));
    folder.write("project.yml", "name: shop\nmodels: {+materialized: table}\n");
    folder.write("data/orders.csv", "id,day,amount\n1,2023-05-01,10\n2,2023-05-02,20\n");
    folder.write(
        "models/orders.sql",
        "{{ config(materialized='incremental', event_time='day', partition_by=['day']) }}\n\
         select id, day, amount * 2 as amount from {{ source('raw', 'orders') }} where amount > 0\n",
    );
    folder.write("models/totals.sql", "select day, sum(amount) as total from {{ ref('orders') }} group by day\n");
    folder.write(
        "models/shop.yml",
        "sources:\n- name: raw\n  tables:\n  - name: orders\n    location: data/orders.csv\n    columns:\n    \
         - {name: id, data_type: bigint}\n    - {name: day, data_type: date}\n    - {name: amount, data_type: bigint}\n\
         models:\n- name: orders\n  columns: [{name: id, data_tests: [unique, not_null]}]\n\
         - name: totals\n  data_tests: [{row_count: {max: 10}}]\n",
    );
    folder
}

fn events(folder: &Folder) -> Vec<Value> {
    let text = std::fs::read_to_string(folder.root().join("events/lineage.json")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// What the specification asks of every event (RunEvent of version 2-0-2): required keys, their types, and of each facet who
/// made it and by which schema.
fn check(event: &Value) {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    assert!(["START", "COMPLETE", "ABORT", "FAIL", "OTHER"].contains(&text(&event["eventType"]).as_str()));
    assert!(text(&event["eventTime"]).ends_with('Z') && text(&event["eventTime"]).contains('T'), "{event}");
    assert!(text(&event["producer"]).starts_with("urn:karat:"));
    assert!(text(&event["schemaURL"]).ends_with("#/$defs/RunEvent"));
    let run = text(&event["run"]["runId"]);
    let lengths: Vec<usize> = run.split('-').map(str::len).collect();
    assert_eq!(lengths, [8, 4, 4, 4, 12], "a UUID: {run}");
    text(&event["job"]["namespace"]);
    text(&event["job"]["name"]);
    check_facets(&event["run"]["facets"]);
    check_facets(&event["job"]["facets"]);
    for (list, of_place) in [("inputs", "inputFacets"), ("outputs", "outputFacets")] {
        for dataset in event[list].as_array().unwrap() {
            text(&dataset["namespace"]);
            text(&dataset["name"]);
            check_facets(&dataset["facets"]);
            check_facets(&dataset[of_place]);
        }
    }
}

fn check_facets(facets: &Value) {
    if facets.is_null() {
        return;
    }
    for (name, facet) in facets.as_object().unwrap() {
        assert!(facet["_producer"].is_string() && facet["_schemaURL"].is_string(), "{name}: {facet}");
    }
    if let Some(schema) = facets.get("schema") {
        assert!(schema["fields"].as_array().unwrap().iter().all(|field| field["name"].is_string()), "{schema}");
    }
    if let Some(lineage) = facets.get("columnLineage") {
        let inputs =
            lineage["fields"].as_object().unwrap().values().flat_map(|field| field["inputFields"].as_array().unwrap());
        for input in inputs.chain(lineage["dataset"].as_array().unwrap()) {
            assert!(["namespace", "name", "field"].iter().all(|key| input[key].is_string()), "{input}");
        }
    }
    if let Some(assertions) = facets.get("dataQualityAssertions") {
        for assertion in assertions["assertions"].as_array().unwrap() {
            assert!(assertion["assertion"].is_string() && assertion["success"].is_boolean(), "{assertion}");
        }
    }
}

#[test]
fn a_run_its_models_and_its_tests_are_told_as_they_begin_and_end() {
    let folder = shop(&FILE);
    folder.karat(&["build", "--threads", "1"]);
    let events = events(&folder);
    events.iter().for_each(check);
    let told: Vec<String> = events
        .iter()
        .map(|event| format!("{} {}", event["eventType"].as_str().unwrap(), event["job"]["name"].as_str().unwrap()))
        .collect();
    assert_eq!(
        told,
        [
            "START shop.build",
            "START shop.shop.orders",
            "COMPLETE shop.shop.orders",
            "START shop.shop.totals",
            "COMPLETE shop.shop.totals",
            "START shop.shop.orders.tests",
            "COMPLETE shop.shop.orders.tests",
            "START shop.shop.totals.tests",
            "COMPLETE shop.shop.totals.tests",
            "COMPLETE shop.build",
        ]
    );
    let runs: BTreeSet<&str> = events.iter().map(|event| event["run"]["runId"].as_str().unwrap()).collect();
    assert_eq!(runs.len(), 5, "one for each job");
    let built = &events[2];
    assert_eq!(built["run"]["facets"]["parent"]["run"]["runId"], events[0]["run"]["runId"]);
    let output = &built["outputs"][0];
    assert_eq!(output["namespace"], "file");
    assert_eq!(output["name"], json!(folder.root().join("lake/shop/orders").display().to_string()));
    assert_eq!(output["outputFacets"]["outputStatistics"]["rowCount"], 2);
    let partitions = output["outputFacets"]["subset"]["condition"]["partitions"].as_array().unwrap();
    assert_eq!(partitions[1], json!({"identifier": "2023-05-02", "dimensions": {"day": "2023-05-02"}}));
    let amount = &output["facets"]["columnLineage"]["fields"]["amount"]["inputFields"][0];
    assert_eq!(amount["field"], "amount");
    assert_eq!(amount["name"], json!(folder.root().join("data/orders.csv").display().to_string()));
    assert_eq!(amount["transformations"], json!([{"type": "DIRECT", "subtype": "TRANSFORMATION"}]));
    let rows = &output["facets"]["columnLineage"]["dataset"][0];
    assert_eq!(rows["transformations"], json!([{"type": "INDIRECT", "subtype": "FILTER"}]));
    let assertions = &events[6]["inputs"][0]["inputFacets"]["dataQualityAssertions"]["assertions"];
    assert_eq!(
        assertions,
        &json!([
            {"assertion": "not_null", "success": true, "column": "id"},
            {"assertion": "unique", "success": true, "column": "id"},
        ])
    );
}

#[test]
fn a_failure_is_told_and_no_secret_is() {
    let mut given = FILE.to_vec();
    given.push(("AWS_SECRET_ACCESS_KEY", "very-secret-key"));
    let folder = shop(&given);
    folder.write(
        "models/totals.sql",
        "select day, 'very-secret-key' as k, 1 / (amount - amount) as n from {{ ref('orders') }}\n",
    );
    assert_eq!(folder.try_karat(&["run"]).code, 1);
    let events = events(&folder);
    events.iter().for_each(check);
    let failed = events.iter().find(|event| event["eventType"] == "FAIL").unwrap();
    assert_eq!(failed["job"]["name"], "shop.shop.totals");
    assert!(failed["run"]["facets"]["errorMessage"]["message"].is_string(), "{failed}");
    assert_eq!(events.last().unwrap()["eventType"], "FAIL", "the run too");
    let text = std::fs::read_to_string(folder.root().join("events/lineage.json")).unwrap();
    assert!(!text.contains("very-secret-key") && text.contains("[hidden]"));
}

#[test]
fn a_server_gets_events_with_the_key() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", server.local_addr().unwrap());
    let heard = std::thread::spawn(move || {
        let mut heard = Vec::new();
        loop {
            let (mut connection, _) = server.accept().unwrap();
            let mut read = Vec::new();
            let mut piece = [0; 65536];
            loop {
                let text = String::from_utf8_lossy(&read).into_owned();
                if let Some((head, body)) = text.split_once("\r\n\r\n") {
                    let length = head
                        .lines()
                        .find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse::<usize>().ok());
                    if body.len() >= length.unwrap() {
                        break;
                    }
                }
                let count = connection.read(&mut piece).unwrap();
                read.extend_from_slice(&piece[..count]);
            }
            connection.write_all(b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").unwrap();
            let text = String::from_utf8(read).unwrap();
            let is_last = text.contains("\"outputs\":[]") && text.contains("\"eventType\":\"COMPLETE\"");
            heard.push(text);
            if is_last {
                return heard;
            }
        }
    });
    let given = [
        ("OPENLINEAGE_URL", url.as_str()),
        ("OPENLINEAGE_API_KEY", "key-of-lineage"),
        ("OPENLINEAGE_NAMESPACE", "prod"),
    ];
    let answer = shop(&given).karat(&["run"]);
    assert!(!answer.printed.contains("warning"), "{}", answer.printed);
    let heard = heard.join().unwrap();
    assert_eq!(heard.len(), 6);
    for request in &heard {
        let (head, body) = request.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("POST /api/v1/lineage HTTP/1.1"), "{head}");
        assert!(head.contains("authorization: Bearer key-of-lineage"), "{head}");
        let event: Value = serde_json::from_str(body).unwrap();
        check(&event);
        assert_eq!(event["job"]["namespace"], "prod");
        assert!(!body.contains("key-of-lineage"));
    }
}

#[test]
fn a_server_that_does_not_answer_is_one_warning_and_a_short_wait() {
    // It takes connections and says nothing.
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", server.local_addr().unwrap());
    let started = Instant::now();
    let answer = shop(&[("OPENLINEAGE_URL", &url)]).karat(&["run"]);
    assert!(started.elapsed() < Duration::from_secs(30), "{:?}", started.elapsed());
    assert_eq!(answer.printed.matches("warning").count(), 1, "{}", answer.printed);
    assert!(answer.printed.contains("lineage events were not delivered: no answer in time"), "{}", answer.printed);
    let wrong = shop(&[("OPENLINEAGE_URL", "ftp://x")]).karat(&["run"]);
    assert!(wrong.printed.contains("no lineage events are sent: `OPENLINEAGE_URL` begins with"), "{}", wrong.printed);
}

#[test]
fn metrics_are_a_file_of_prometheus_text() {
    let folder = shop(&[]);
    folder.karat(&["build", "--metrics-file", "metrics/karat.prom"]);
    let text = std::fs::read_to_string(folder.root().join("metrics/karat.prom")).unwrap();
    let labels = r#"project="shop",target="local",command="build""#;
    for line in [
        "# TYPE karat_run_success gauge".to_owned(),
        format!("karat_run_success{{{labels}}} 1"),
        format!("karat_run_models{{{labels},status=\"built\"}} 2"),
        format!("karat_run_tests{{{labels},status=\"passed\"}} 3"),
        format!("karat_model_rows_written{{{labels},model=\"orders\",table=\"shop.orders\"}} 2"),
        format!("karat_model_slices_written{{{labels},model=\"orders\",table=\"shop.orders\"}} 2"),
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (series, value) = line.rsplit_once(' ').unwrap();
        assert!(series.ends_with('}') && value.parse::<f64>().is_ok(), "{line}");
    }
    assert_eq!(folder.files("metrics"), ["metrics/karat.prom"], "nothing is left beside it");
    folder.karat(&["build", "--metrics-file", "metrics/karat.prom"]);
    let text = std::fs::read_to_string(folder.root().join("metrics/karat.prom")).unwrap();
    assert!(text.contains(&format!("karat_run_models{{{labels},status=\"unchanged\"}} 2")), "{text}");
}
