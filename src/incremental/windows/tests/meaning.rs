//! What is proved is true: with nothing but the rows that a slice is said to read, the slice is the same.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Int64Array, RecordBatch, StringViewArray, TimestampMicrosecondArray,
};
use arrow::compute::filter_record_batch;
use arrow::datatypes::SchemaRef;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use chrono::{NaiveDate, NaiveDateTime};
use datafusion::catalog::TableProvider;
use datafusion::datasource::MemTable;
use datafusion::logical_expr::LogicalPlan;
use datafusion::prelude::SessionContext;
use tokio::runtime::Runtime;

use super::shapes::SHAPES;
use super::*;
use crate::analyze::InputTable;
use crate::day::{Grain, TimeRange, parse_instant};
use crate::dice::Dice;
use crate::engine::{Bound, bind, bind_proved};
use crate::incremental::reach::ReadRange;
use crate::table::{SliceKey, SliceSet};

/// Dates around the end of a month; one row in twelve has none.
struct Rows(Dice);

impl Rows {
    fn batch(&mut self, table: &str, schema: &SchemaRef) -> RecordBatch {
        let count = 60;
        let epoch = NaiveDate::default();
        let first = NaiveDate::from_ymd_opt(2023, 1, 27).unwrap().signed_duration_since(epoch).num_days() as i32;
        let times: Vec<Option<i64>> = (0..count)
            .map(|_| {
                let day = i64::from(first) + self.0.next(9) as i64;
                let hour = self.0.next(24) as i64;
                (self.0.next(12) > 0).then_some((day * 24 + hour) * 3_600_000_000)
            })
            .collect();
        let days: Vec<Option<i32>> = times.iter().map(|time| time.map(|time| (time / 86_400_000_000) as i32)).collect();
        let months: Vec<Option<i32>> =
            days.iter().map(|day| day.map(|day| if day < first + 5 { first - 26 } else { first + 5 })).collect();
        let small: Vec<i64> = (0..count).map(|_| self.0.next(4) as i64).collect();
        let columns = schema.fields().iter().map(|field| -> ArrayRef {
            match field.name().as_str() {
                "event_date" => Arc::new(Date32Array::from(days.clone())),
                "month" => Arc::new(Date32Array::from(months.clone())),
                "ts" => Arc::new(TimestampMicrosecondArray::from(times.clone())),
                "kind" | "country" => {
                    Arc::new(StringViewArray::from_iter_values(small.iter().map(|n| ["a", "b"][*n as usize % 2])))
                }
                "is_holiday" => Arc::new(BooleanArray::from_iter(small.iter().map(|n| Some(*n == 0)))),
                // Every row is another, so that an order has no ties.
                "n" => Arc::new(Int64Array::from_iter_values((0..count as i64).map(|row| row * 7 % 61))),
                "user_id" | "users" => Arc::new(Int64Array::from(small.clone())),
                other => panic!("{table} has a column {other}"),
            }
        });
        RecordBatch::try_new(schema.clone(), columns.collect()).unwrap()
    }
}

/// Data of every scan, made when it is first asked for.
struct Data {
    rows: Rows,
    tables: BTreeMap<String, RecordBatch>,
}

impl Data {
    fn of(&mut self, table: &InputTable) -> RecordBatch {
        let name = table.input_name();
        let rows = &mut self.rows;
        self.tables.entry(name.clone()).or_insert_with(|| rows.batch(&name, &table.schema)).clone()
    }
}

impl InputTable {
    fn input_name(&self) -> String {
        format!("{:?}", self.input)
    }
}

fn time(value: &str) -> Option<NaiveDateTime> {
    parse_instant(value)
}

/// The rows of a batch for whose event time `keeps` holds.
fn only(batch: &RecordBatch, event_time: &str, keeps: impl Fn(Option<NaiveDateTime>) -> bool) -> RecordBatch {
    let column = batch.column_by_name(event_time).unwrap();
    let formatter = ArrayFormatter::try_new(column.as_ref(), &FormatOptions::default()).unwrap();
    let kept = (0..batch.num_rows()).map(|row| Some(keeps(time(&formatter.value(row).to_string()))));
    filter_record_batch(batch, &BooleanArray::from_iter(kept)).unwrap()
}

fn provider(batch: RecordBatch) -> Arc<dyn TableProvider> {
    Arc::new(MemTable::try_new(batch.schema(), vec![vec![batch]]).unwrap())
}

/// The rows of a plan as text, in an order of their own, each with its event time.
fn run(runtime: &Runtime, plan: LogicalPlan, event_time: &str) -> Vec<(Option<NaiveDateTime>, String)> {
    let context = SessionContext::new();
    let batches =
        runtime.block_on(async { context.execute_logical_plan(plan).await.unwrap().collect().await.unwrap() });
    let mut rows = Vec::new();
    for batch in batches {
        let options = FormatOptions::default();
        let columns: Vec<_> =
            batch.columns().iter().map(|column| ArrayFormatter::try_new(column.as_ref(), &options).unwrap()).collect();
        let index = batch.schema().index_of(event_time).unwrap();
        for row in 0..batch.num_rows() {
            let text = columns.iter().map(|column| column.value(row).to_string()).collect::<Vec<_>>().join(" | ");
            rows.push((time(&columns[index].value(row).to_string()), text));
        }
    }
    rows.sort();
    rows
}

fn slices(grain: Grain) -> [TimeRange; 2] {
    ["2023-01-31", "2023-02-02"].map(|day| {
        let start = grain.floor(parse_instant(day).unwrap());
        TimeRange::new(start, grain.next(start)).unwrap()
    })
}

/// Sets of slices with gaps between them, with the rows without a time and without them; one is of so many ranges that
/// they are looked up and not compared one by one.
fn sets_with_holes(grain: Grain, seed: u64) -> Vec<SliceSet> {
    let mut dice = Dice { seed };
    let first = grain.floor(parse_instant("2022-12-20").unwrap());
    let all: Vec<NaiveDateTime> =
        std::iter::successors(Some(first), |start| Some(grain.next(*start))).take(80).collect();
    let mut set = |one_of: u64, timeless: bool| {
        let chosen = all.iter().filter(|_| dice.next(one_of) == 0).map(|start| SliceKey::At(*start));
        SliceSet::of(chosen.chain(timeless.then_some(SliceKey::NullTime)), grain).unwrap()
    };
    vec![set(2, false), set(2, true), set(4, false), set(8, true)]
}

/// Whether equal inputs may give other rows, as with an order with ties and a limit without an order.
fn is_vague(sql: &str) -> bool {
    [
        "limit",
        "lag(",
        "rows between",
        "rank()",
        "over (order by event_date) as s",
        "first_value(n)",
        "distinct on (user_id)",
    ]
    .iter()
    .any(|word| sql.contains(word))
}

/// One shape: every slice and the rows without a time, with all inputs and with what is said to count.
fn check(runtime: &Runtime, sql: &str, seed: u64) -> usize {
    let typed = typed(sql).unwrap();
    let model = &typed[&ModelName::parse("m").unwrap()];
    let event_time = model.event_time().unwrap();
    let reads = reads(model, &typed);
    let mut data = Data { rows: Rows(Dice { seed }), tables: BTreeMap::new() };
    let plan = model.plan().unwrap();
    let full = bind(plan, Bound::Whole, &mut |table| Ok(provider(data.of(table)))).unwrap();
    let full = run(runtime, full, event_time);
    let mut checked = 0;
    for slice in slices(model.config.batch_size) {
        let expected: Vec<_> =
            full.iter().filter(|(time, _)| time.is_some_and(|time| slice.contains(time))).cloned().collect();
        let mut restricted = |table: &InputTable| {
            let all = data.of(table);
            let read = reads.scans.iter().find(|read| read.scan == table.name).unwrap();
            Ok(provider(match (read.reach.reads(slice), &table.event_time) {
                (ReadRange::All, _) | (_, None) => all,
                (times, Some(event_time)) => only(&all, event_time, |time| {
                    time.is_some_and(|time| times.range().is_some_and(|times| times.contains(time)))
                }),
            }))
        };
        let restricted = bind(plan, Bound::Whole, &mut restricted).unwrap();
        let mut found = run(runtime, restricted, event_time);
        found.retain(|(time, _)| time.is_some_and(|time| slice.contains(time)));
        assert_eq!(found, expected, "{sql}\n{slice} with seed {seed}: {}", shown(&reads));
        checked += expected.len();
    }
    let alone = slices(model.config.batch_size).map(|slice| SliceSet::new(vec![slice], false));
    for slices in alone.into_iter().chain(sets_with_holes(model.config.batch_size, seed)) {
        let is_built = |time: Option<NaiveDateTime>| match time {
            Some(time) => slices.contains(SliceKey::At(model.config.batch_size.floor(time))),
            None => slices.timeless(),
        };
        let expected: Vec<_> = full.iter().filter(|(time, _)| is_built(*time)).cloned().collect();
        let bound = Bound::Slices { event_time, slices: slices.clone() };
        let provide = &mut |table: &InputTable| Ok(provider(data.of(table)));
        let built = bind_proved(plan, bound, &reads.proved(), provide).unwrap();
        let found = run(runtime, built, event_time);
        assert_eq!(found, expected, "{sql}\nbuilt {slices} with seed {seed}: {}", shown(&reads));
        checked += expected.len();
    }
    let expected: Vec<_> = full.iter().filter(|(time, _)| time.is_none()).cloned().collect();
    let mut restricted = |table: &InputTable| {
        let all = data.of(table);
        let read = reads.scans.iter().find(|read| read.scan == table.name).unwrap();
        Ok(provider(match (read.timeless, &table.event_time) {
            (NullTime::Same, Some(event_time)) => only(&all, event_time, |time| time.is_none()),
            (NullTime::Nothing, Some(_)) => all.slice(0, 0),
            _ => all,
        }))
    };
    let plan = bind(plan, Bound::Whole, &mut restricted).unwrap();
    let mut found = run(runtime, plan, event_time);
    found.retain(|(time, _)| time.is_none());
    assert_eq!(found, expected, "{sql}\nwithout a time, with seed {seed}: {}", shown(&reads));
    checked
}

#[test]
fn a_slice_is_made_of_what_it_is_said_to_read() {
    let runtime = Runtime::new().unwrap();
    let mut checked = 0;
    for (index, (sql, _)) in SHAPES.iter().enumerate().filter(|(_, (sql, _))| !is_vague(sql)) {
        // A declaration is not proved, and this one is generous enough.
        checked += check(&runtime, sql, index as u64 + 1);
    }
    assert!(checked > 1000, "the slices have rows: {checked}");
}
