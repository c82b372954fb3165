//! What `karat verify` finds, and what it does not take for verified.

use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutPayload};
use serde_json::{Value, json};

use super::project::{Answer, Project};

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

fn done(project: &Project, words: &[&str]) -> Answer {
    let answer = project.karat(words);
    assert_eq!(answer.code, 0, "karat {}: {}", words.join(" "), answer.talk);
    answer
}

/// Seven more days, one row each, and `week`: a sum over seven days that says it reads two days before.
fn with_week(config: &str, from: &str) -> Project {
    let project = Project::new();
    let days = (1..8).map(|day| format!("2023-06-{day:02},{}\n", 1 << day)).collect::<String>();
    project.write("data/2.csv", &format!("day,amount\n{days}"));
    let config = format!("materialized='incremental', event_time='day', batch_size='day'{config}");
    let sum = "sum(amount) over (order by day range between interval '6 days' preceding and current row)";
    project
        .write("models/week.sql", &format!("{{{{ config({config}) }}}}\nselect day, {sum} as amount\nfrom {from}\n"));
    project
}

/// Every object of the lake with its tag.
fn objects(project: &Project) -> Vec<(Path, Option<String>)> {
    let listed: Vec<_> = block_on(project.store.list(None).try_collect()).unwrap();
    let mut objects: Vec<_> = listed.into_iter().map(|meta| (meta.location, meta.e_tag)).collect();
    objects.sort();
    objects
}

fn keys(project: &Project, part: &str) -> Vec<Path> {
    let fits = |key: &Path| key.as_ref().contains(part);
    objects(project).into_iter().map(|(key, _)| key).filter(fits).collect()
}

fn lines(project: &Project, key: &Path) -> Vec<Value> {
    let bytes = block_on(async { project.store.get(key).await.unwrap().bytes().await.unwrap() });
    bytes.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect()
}

/// The summary as a program reads it.
fn summary(answer: &Answer) -> Value {
    let lines = answer.talk.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.rev().find(|line| line["event"] == "summary").expect("a summary")
}

#[test]
fn scenario_22_untrue_window() {
    let project = with_week(", partition_by='day'", "{{ ref('daily', lookback='2 days') }}");
    // Built day by day, as the days come: each reads three days and says seven.
    for day in 1..8 {
        let day = format!("2023-06-{day:02}");
        done(&project, &["run", "--start", &day, "--end", &day, "--select", "orders", "daily", "week"]);
    }
    // That a build of each slice gives what the table has is no proof.
    let trusting = done(&project, &["verify", "--select", "week"]);
    assert!(trusting.talk.contains("`--windows` checks them"), "{}", trusting.talk);

    let answer = project.karat(&["verify", "--windows", "--select", "week"]);
    assert_eq!(answer.code, 1, "{}", answer.talk);
    for said in [
        "error[untrue-window]: a window of `week` is too small: `2023-06-04` has other rows than in a full refresh",
        "--> models/week.sql:3:9",
        "declared: 2 days back, 0 days ahead",
        "only in the table: 1 row\n          day         amount\n          ──────────  ──────\n          2023-06-04      28\n",
        "only in a full refresh: 1 row\n          day         amount\n          ──────────  ──────\n          2023-06-04      30\n",
        "the slices are 2023-06-04, 2023-06-05, 2023-06-06, 2023-06-07",
        "3 slices of 1 model equal a full refresh, 4 do not",
    ] {
        assert!(answer.talk.contains(said), "{said}\nis not in\n{}", answer.talk);
    }
}

#[test]
fn scenario_22_a_window_that_is_wide_enough_is_true() {
    let project = with_week(", partition_by='day'", "{{ ref('daily', lookback='6 days') }}");
    done(&project, &["run"]);
    done(&project, &["run", "--start", "2023-06-05", "--end", "2023-06-07", "--select", "week"]);
    let answer = done(&project, &["verify", "--windows", "--sample", "all"]);
    assert!(!answer.talk.contains("checks them"), "{}", answer.talk);
    assert!(answer.talk.contains("verified   week"), "{}", answer.talk);
}

#[test]
fn the_window_that_is_too_small_is_the_one_that_is_named() {
    let from = "(select a.day, a.amount, b.amount as same from {{ ref('daily', lookback='2 days') }} as a\n\
                join {{ ref('daily', lookback='9 days') }} as b on a.day = b.day)";
    let project = with_week("", from);
    done(&project, &["run"]);
    let answer = project.karat(&["verify", "--windows", "--select", "week"]);
    assert_eq!(answer.code, 1, "{}", answer.talk);
    assert!(answer.talk.contains("models/week.sql:3"), "{}", answer.talk);
    assert!(answer.talk.contains("declared: 2 days back"), "{}", answer.talk);
    assert!(!answer.talk.contains("declared: 9 days back"), "{}", answer.talk);
}

#[test]
fn a_window_around_a_view_is_convicted_at_the_reference_of_the_model() {
    let project = with_week("", "{{ ref('latest', lookback='1 day') }}");
    let view = "{{ config(materialized='view', event_time='day') }}\nselect day, amount from {{ ref('daily', lookback='0 days') }}";
    project.write("models/latest.sql", view);
    done(&project, &["run"]);
    let answer = project.karat(&["verify", "--windows", "--select", "week"]);
    assert_eq!(answer.code, 1, "{}", answer.talk);
    assert!(answer.talk.contains("models/week.sql:3"), "{}", answer.talk);
    assert!(answer.talk.contains("declared: 1 day back"), "{}", answer.talk);
}

#[test]
fn a_text_for_a_part_that_leaves_out_rows_is_convicted_without_a_window() {
    let from = "{{ ref('daily') }}{% if is_incremental() %} where day >= date '2023-06-05'{% endif %}";
    let project = with_week("", from);
    done(&project, &["run"]);
    let answer = project.karat(&["verify", "--windows", "--select", "week"]);
    assert_eq!(answer.code, 1, "{}", answer.talk);
    assert!(answer.talk.contains("what `week` computes for"), "{}", answer.talk);
    assert!(answer.talk.contains("is_incremental()"), "{}", answer.talk);
}

#[test]
fn nothing_in_the_lake_is_changed() {
    let project = with_week("", "{{ ref('daily', lookback='2 days') }}");
    done(&project, &["run"]);
    let before = objects(&project);
    for words in [&["verify"][..], &["verify", "--windows", "--sample", "all"], &["verify", "--sample", "1"]] {
        project.karat(words);
        assert_eq!(objects(&project), before);
    }
}

#[test]
fn rows_that_a_foreign_commit_has_replaced_are_found() {
    let project = Project::new();
    done(&project, &["run"]);
    let log = keys(&project, "shop/orders/_delta_log/");
    let adds: Vec<Value> = lines(&project, &log[0]).iter().filter_map(|line| line.get("add").cloned()).collect();
    let mut other = adds[0].clone();
    other["path"] = json!("day=2023-05-02/copy.parquet");
    other["partitionValues"] = adds[1]["partitionValues"].clone();
    let from = Path::parse(format!("shop/orders/{}", adds[0]["path"].as_str().unwrap())).unwrap();
    block_on(project.store.copy(&from, &Path::parse("shop/orders/day=2023-05-02/copy.parquet").unwrap())).unwrap();
    let remove = json!({"path": adds[1]["path"], "dataChange": true, "partitionValues": adds[1]["partitionValues"]});
    let text = format!("{}\n{}\n", json!({ "remove": remove }), json!({ "add": other }));
    block_on(
        project.store.put(&Path::from("shop/orders/_delta_log/00000000000000000001.json"), PutPayload::from(text)),
    )
    .unwrap();
    let answer = project.karat(&["verify", "--select", "orders", "daily"]);
    assert_eq!(answer.code, 1, "{}", answer.talk);
    assert!(answer.talk.contains("something other than karat changed 1 slice of `orders`"), "{}", answer.talk);
    assert!(answer.talk.contains("the slices are 2023-05-02"), "{}", answer.talk);
    // What was made before is verified from what it was made of.
    assert!(answer.talk.contains("verified   daily"), "{}", answer.talk);
    done(&project, &["run"]);
    done(&project, &["verify"]);
}

#[test]
fn slices_are_computed_from_the_versions_that_they_were_made_of() {
    let project = Project::new();
    done(&project, &["run"]);
    for (file, amount) in [(3, 100), (4, 1000)] {
        project.write(&format!("data/{file}.csv"), &format!("day,amount\n2023-05-02,{amount}\n"));
        done(&project, &["run", "--select", "orders"]);
    }
    let answer = done(&project, &["verify", "--select", "daily", "total", "--log-format", "json"]);
    let summary = summary(&answer);
    assert_eq!((&summary["unverified"], &summary["different"]), (&json!(0), &json!(0)), "{summary}");
    assert!(summary["equal"].as_u64().unwrap() > 1, "{summary}");
}

#[test]
fn what_was_made_of_something_that_is_gone_is_not_called_verified() {
    let project = Project::new();
    done(&project, &["run"]);
    project.write("data/1.csv", "day,amount\n2023-05-02,100\n");
    done(&project, &["run", "--select", "orders"]);
    let newest = lines(&project, &keys(&project, "shop/orders/_delta_log/")[1]);
    let removed: Vec<&Value> = newest.iter().filter_map(|line| line.get("remove")).collect();
    assert!(!removed.is_empty());
    for file in removed {
        let path = Path::parse(format!("shop/orders/{}", file["path"].as_str().unwrap())).unwrap();
        block_on(project.store.delete(&path)).unwrap();
    }
    let answer = done(&project, &["verify", "--select", "daily"]);
    assert!(answer.talk.contains("files of older versions of its inputs were removed"), "{}", answer.talk);
    assert!(answer.talk.contains("nothing verified"), "{}", answer.talk);

    for key in keys(&project, "shop/orders/") {
        block_on(project.store.delete(&key)).unwrap();
    }
    done(&project, &["run", "--select", "orders"]);
    let answer = done(&project, &["verify", "--select", "daily"]);
    assert!(answer.talk.contains("`shop.orders` has been recreated since"), "{}", answer.talk);
}

#[test]
fn a_version_that_the_log_does_not_tell_any_more_is_not_guessed() {
    let project = Project::new();
    project.write(
        "project.yml",
        "name: shop\nmodels:\n  +schema: shop\ntargets:\n  local: { lake: ./lake, checkpoint_every: 1 }\n",
    );
    done(&project, &["run"]);
    for file in 3..6 {
        project.write(&format!("data/{file}.csv"), &format!("day,amount\n2023-05-02,{file}\n"));
        done(&project, &["run", "--select", "orders"]);
    }
    let commits: Vec<Path> = keys(&project, "shop/orders/_delta_log/");
    assert!(commits.iter().any(|key| key.as_ref().contains("1.checkpoint")), "{commits:?}");
    block_on(project.store.delete(&commits[0])).unwrap();
    let answer = done(&project, &["verify", "--select", "daily"]);
    assert!(answer.talk.contains("version 0 of `shop.orders` no longer exists"), "{}", answer.talk);
    assert!(answer.talk.contains("nothing verified"), "{}", answer.talk);
}

#[test]
fn sums_that_differ_only_by_their_order_are_equal_and_that_is_said() {
    let project = Project::new();
    let text = "{{ config(materialized='table') }}\n\
                select day, 3e0 + random() * 1e-12 as amount from {{ ref('daily') }}";
    project.write("models/noise.sql", text);
    done(&project, &["run"]);
    let answer = done(&project, &["verify", "--select", "noise"]);
    assert!(answer.talk.contains("up to the rounding of sums"), "{}", answer.talk);
}

#[test]
fn a_model_that_reads_its_own_past_is_not_compared() {
    let project = Project::new();
    let text = "{{ config(materialized='incremental', event_time='day') }}\nselect day, amount from {{ ref('daily') }}\n\
                {% if is_incremental() %}where day > (select max(day) from {{ this }}){% endif %}";
    project.write("models/past.sql", text);
    done(&project, &["run"]);
    let answer = done(&project, &["verify", "--select", "past"]);
    assert!(answer.talk.contains("it depends on its own past"), "{}", answer.talk);
    assert!(answer.talk.contains("nothing verified: 1 model not verified"), "{}", answer.talk);
}

#[test]
fn rows_that_their_inputs_do_not_decide_are_found() {
    let project = Project::new();
    let text = "{{ config(materialized='table') }}\nselect random() as luck, 'x' as name from {{ ref('daily') }}";
    project.write("models/luck.sql", text);
    done(&project, &["run"]);
    let answer = project.karat(&["verify", "--select", "luck"]);
    assert_eq!(answer.code, 1, "{}", answer.talk);
    assert!(answer.talk.contains("1 slice of `luck` has other rows when it is built again"), "{}", answer.talk);
    assert!(answer.talk.contains("only in the table"), "{}", answer.talk);
}

#[test]
fn slices_of_every_kind_are_verified() {
    let project = Project::new();
    let text = "{{ config(materialized='incremental', event_time='at', batch_size='hour') }}\n\
                select cast(day as timestamp) + interval '90 minutes' as at, amount * 0.1e0 as share, [amount] as all_of\n\
                from {{ ref('orders') }}\nunion all select null, 0.5e0, [7, null]";
    project.write("models/hours.sql", text);
    let text = "{{ config(materialized='incremental', event_time='month', partition_by='month', batch_size='month') }}\n\
                select cast(date_trunc('month', day) as date) as month, cast(sum(amount) as decimal(12, 2)) as amount\n\
                from {{ ref('orders') }} group by 1";
    project.write("models/months.sql", text);
    let text = "{{ config(materialized='incremental', event_time='day', begin='2023-05-02') }}\n\
                select day, true as is_new from {{ ref('orders') }}";
    project.write("models/recent.sql", text);
    done(&project, &["run"]);
    let answer = done(&project, &["verify", "--windows", "--sample", "all"]);
    for model in ["hours", "months", "recent"] {
        assert!(answer.talk.contains(&format!("verified   {model}")), "{}", answer.talk);
    }
    let words = ["verify", "--windows", "--sample", "all", "--part-rows", "1", "--threads", "1"];
    done(&project, &words);
}
