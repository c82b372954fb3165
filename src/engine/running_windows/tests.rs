//! karat's operator beside the engine's, on rows in batches of uneven sizes.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringViewArray};
use arrow::util::pretty::pretty_format_batches;
use datafusion::datasource::MemTable;
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::physical_plan::displayable;
use datafusion::prelude::{SessionConfig, SessionContext};

use crate::analyze::{Functions, plan_options};
use crate::dice::Dice;
use crate::engine::session;

/// Rows in batches of uneven sizes, with nulls, ties and long texts.
fn table() -> MemTable {
    let mut dice = Dice { seed: 11 };
    let texts = ["", "a", "b", "a text of more than twelve bytes", "c"];
    let mut batches = Vec::new();
    for _ in 0..60 {
        let rows = dice.next(9) as usize;
        let mut numbers = |below: u64, nulls: u64| -> Vec<Option<u64>> {
            (0..rows).map(|_| Some(dice.next(below)).filter(|n| nulls == 0 || n % nulls != 1)).collect()
        };
        let integers = |found: Vec<Option<u64>>| -> ArrayRef {
            Arc::new(found.into_iter().map(|n| n.map(|n| n as i64 - 3)).collect::<Int64Array>())
        };
        let key = integers(numbers(6, 5));
        let order = integers(numbers(7, 4));
        let value = integers(numbers(50, 7));
        let text = numbers(5, 3).into_iter().map(|n| n.and_then(|n| texts.get(n as usize).copied()));
        let text: ArrayRef = Arc::new(text.collect::<StringViewArray>());
        let point = numbers(1000, 9).into_iter().map(|n| n.map(|n| n as f64 / 8.0));
        let point: ArrayRef = Arc::new(point.collect::<Float64Array>());
        let columns = [("k", key), ("o", order), ("v", value), ("t", text), ("f", point)];
        let columns = columns.into_iter().map(|(name, column)| (name, column, true));
        batches.push(RecordBatch::try_from_iter_with_nullable(columns).unwrap());
    }
    let schema = batches.first().map(RecordBatch::schema).unwrap();
    MemTable::try_new(schema, vec![batches]).unwrap()
}

/// The plan and the rows of a query, with karat's operator or without.
async fn answer(call: &str, with_rule: bool) -> (String, String) {
    let mut options = plan_options(1);
    options.set("datafusion.execution.batch_size", "4").unwrap();
    let builder = match with_rule {
        true => session(options),
        false => SessionStateBuilder::new_with_default_features().with_config(SessionConfig::from(options)),
    };
    let functions = Functions::load().aggregate.into_values().collect();
    let context = SessionContext::new_with_state(builder.with_aggregate_functions(functions).build());
    context.register_table("t", Arc::new(table())).unwrap();
    // All other columns put rows with an equal key and order in one order.
    let sql = format!("select *, {call} as result from t order by k, o, v, t, f, result");
    let frame = context.sql(&sql).await.unwrap();
    let plan = frame.clone().create_physical_plan().await.unwrap();
    let rows = frame.collect().await.unwrap();
    (displayable(plan.as_ref()).indent(false).to_string(), pretty_format_batches(&rows).unwrap().to_string())
}

async fn check(call: &str, is_ours: bool) {
    let (plan, rows) = answer(call, true).await;
    let (other_plan, other_rows) = answer(call, false).await;
    assert_eq!(plan.contains("RunningWindows: "), is_ours, "{call}\n{plan}");
    assert!(!other_plan.contains("RunningWindows: "), "{call}");
    assert_eq!(rows, other_rows, "{call}");
}

#[tokio::test]
async fn functions_that_look_back_have_the_engine_s_results() {
    let total = "partition by k order by o, v, t, f";
    for call in [
        &format!("row_number() over ({total})"),
        "rank() over (partition by k order by o)",
        "dense_rank() over (partition by k order by o desc nulls last)",
        "rank() over (order by o)",
        &format!("lag(v) over ({total})"),
        &format!("lag(t, 3) over ({total})"),
        &format!("lag(v, 70) over ({total})"),
        "lag(v, 2, null) over (order by o, v, t, f, k)",
        &format!("sum(v) over ({total} rows unbounded preceding)"),
        &format!("avg(f) over ({total} rows unbounded preceding)"),
        &format!("avg(cast(v as decimal(10, 2))) over ({total} rows unbounded preceding)"),
        &format!("count(*) over ({total} rows unbounded preceding)"),
        &format!("count(t) over ({total} rows unbounded preceding)"),
        &format!("min(t) over ({total} rows unbounded preceding)"),
        &format!("max(t) over ({total} rows unbounded preceding)"),
        &format!("max(v) over ({total} rows unbounded preceding)"),
        "sum(v) over (partition by k order by o)",
        "sum(v) over (order by o)",
        "count(v) over (partition by k order by o, t)",
        "min(v) over (partition by k order by o desc)",
        "max(t) over (partition by k order by o groups between unbounded preceding and current row)",
    ] {
        check(call, true).await;
    }
}

#[tokio::test]
async fn other_functions_are_left_to_the_engine() {
    let total = "partition by k order by o, v, t, f";
    for call in [
        &format!("lag(v) ignore nulls over ({total})"),
        &format!("lag(v, 1, 0) over ({total})"),
        &format!("lag(v, -1) over ({total})"),
        &format!("lag(v, 0) over ({total})"),
        &format!("lead(v) over ({total})"),
        &format!("ntile(3) over ({total})"),
        &format!("first_value(v) over ({total})"),
        &format!("sum(v) over ({total} rows 2 preceding)"),
        &format!("sum(v) over ({total} rows between unbounded preceding and 1 following)"),
        &format!("sum(v) filter (where v > 3) over ({total} rows unbounded preceding)"),
        "sum(v) over (partition by k)",
    ] {
        check(call, false).await;
    }
}

#[tokio::test]
async fn several_functions_of_one_window_are_one_operator() {
    let (plan, _) =
        answer("row_number() over (order by o, v, t, f, k) + lag(v) over (order by o, v, t, f, k)", true).await;
    assert_eq!(plan.matches("RunningWindows: ").count(), 1, "{plan}");
    assert!(!plan.contains("BoundedWindowAggExec"), "{plan}");
}

/// What is written over several batches by rows that have many peers.
#[tokio::test]
async fn peers_that_go_on_over_batches_have_one_result() {
    check("sum(v) over (order by k is null)", true).await;
    check("count(*) over (order by 1)", true).await;
}
