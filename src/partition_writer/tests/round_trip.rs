//! Properties: what is written comes back, whatever the budget, the threads and the partitions.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use arrow::array::{Array, ArrayRef, AsArray, Date32Array, Float64Array, Int64Array, RecordBatch, StringViewArray};
use arrow::compute::{concat_batches, max, min};
use arrow::datatypes::{Float64Type, Int64Type};
use proptest::prelude::*;

use super::super::{WriterOptions, WrittenFile};
use super::memory::Memory;
use super::{lines, memory, options, read, write};

#[derive(Debug, Clone)]
struct Row {
    day: Option<i32>,
    name: Option<String>,
    number: Option<i64>,
    amount: Option<f64>,
}

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let name =
        prop::option::of(prop::sample::select(vec!["", "a", "A", "x/y=z", "größe", "100%", " ", "long text 12345"]));
    let amount = prop::option::of(prop::sample::select(vec![0.0, -1.5, 3.25, f64::NAN, f64::INFINITY]));
    let row = (prop::option::of(19_000_i32..19_004), name, prop::option::of(any::<i64>()), amount);
    let row = row.prop_map(|(day, name, number, amount)| Row { day, name: name.map(str::to_string), number, amount });
    prop::collection::vec(row, 0..300)
}

fn batch_of(rows: &[Row]) -> RecordBatch {
    let days = Arc::new(rows.iter().map(|row| row.day).collect::<Date32Array>());
    let names = Arc::new(rows.iter().map(|row| row.name.clone()).collect::<StringViewArray>());
    let numbers = Arc::new(rows.iter().map(|row| row.number).collect::<Int64Array>());
    let amounts = Arc::new(rows.iter().map(|row| row.amount).collect::<Float64Array>());
    let columns: [(&str, ArrayRef, bool); 4] =
        [("day", days, true), ("name", names, true), ("number", numbers, true), ("amount", amounts, true)];
    RecordBatch::try_from_iter_with_nullable(columns).unwrap()
}

/// The rows of all files with the columns in the table's order, as text.
fn read_all(memory: &Memory, files: &[WrittenFile], columns: &[&str]) -> Vec<String> {
    let mut all = Vec::new();
    for file in files {
        let batch = read(memory, &file.path);
        assert_eq!(batch.num_rows() as u64, file.rows);
        assert_eq!(file.stats["numRecords"], file.rows);
        assert_eq!(memory.files.lock().unwrap()[&file.path].len() as u64, file.bytes);
        let constants: BTreeMap<_, _> = file.partition_values.iter().cloned().collect();
        let texts: Vec<Vec<String>> = columns
            .iter()
            .map(|column| match constants.get(*column) {
                Some(value) => vec![value.clone().unwrap_or("∅".to_string()); batch.num_rows()],
                None => lines(&batch.project(&[batch.schema().index_of(column).unwrap()]).unwrap()),
            })
            .collect();
        all.extend(
            (0..batch.num_rows())
                .map(|row| texts.iter().map(|column| column[row].clone()).collect::<Vec<_>>().join("|")),
        );
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_is_what_comes_back(
        rows in rows(),
        cut in 1_usize..60,
        budget in prop::sample::select(vec![1_usize, 2_000, 20_000, 128 << 20]),
        partitions in prop::sample::select(vec![vec![], vec!["day"], vec!["name"], vec!["day", "name"], vec!["number"]]),
        sort in any::<bool>(),
        threads in 1_usize..4,
    ) {
        let memory = memory(None);
        let mut rows = rows;
        if partitions.contains(&"name") {
            // An empty text cannot name a partition: the writer refuses it.
            rows.retain(|row| row.name.as_deref() != Some(""));
        }
        let batches: Vec<_> = rows.chunks(cut).map(batch_of).collect();
        let sort_columns = if sort { vec!["number".to_string()] } else { Vec::new() };
        let options = WriterOptions { memory_budget: budget, threads, sort_columns, row_group_rows: 50, ..options(&partitions) };
        let batches = if batches.is_empty() { vec![batch_of(&[])] } else { batches };
        let files = write(&batches, options, &memory).unwrap();

        let mut expected = lines(&concat_batches(&batches[0].schema(), &batches).unwrap());
        let mut found = read_all(&memory, &files, &["day", "name", "number", "amount"]);
        expected.sort();
        found.sort();
        prop_assert_eq!(found, expected);

        for file in &files {
            let batch = read(&memory, &file.path);
            check_stats(file, &batch);
            let numbers = batch.column_by_name("number").filter(|_| sort);
            if let Some(numbers) = numbers {
                prop_assert!(numbers.as_primitive::<Int64Type>().iter().is_sorted());
            }
        }
        let paths: BTreeSet<_> = files.iter().map(|file| file.path.to_lowercase()).collect();
        prop_assert_eq!(paths.len(), files.len());
        prop_assert_eq!(memory.open.load(Ordering::SeqCst), 0);
        if budget == 1 && !partitions.is_empty() && !rows.is_empty() {
            prop_assert_eq!(memory.spills.load(Ordering::SeqCst), 1);
        }
    }

    #[test]
    fn files_do_not_depend_on_threads_or_budget(rows in rows(), cut in 1_usize..60) {
        let batches: Vec<_> = rows.chunks(cut).map(batch_of).collect();
        prop_assume!(!batches.is_empty());
        let of = |threads, memory_budget| {
            let memory = memory(None);
            let options = WriterOptions { threads, memory_budget, ..options(&["day"]) };
            let files = write(&batches, options, &memory).unwrap();
            let contents: Vec<_> = files.iter().map(|file| lines(&read(&memory, &file.path))).collect();
            (files.into_iter().map(|file| file.path).collect::<Vec<_>>(), contents)
        };
        let expected = of(1, 128 << 20);
        prop_assert_eq!(of(3, 128 << 20), expected.clone());
        prop_assert_eq!(of(3, 1), expected);
    }
}

fn check_stats(file: &WrittenFile, batch: &RecordBatch) {
    if let Some(numbers) = batch.column_by_name("number") {
        let numbers = numbers.as_primitive::<Int64Type>();
        assert_eq!(file.stats["nullCount"]["number"], numbers.null_count());
        assert_eq!(file.stats["minValues"]["number"].as_i64(), min(numbers));
        assert_eq!(file.stats["maxValues"]["number"].as_i64(), max(numbers));
    }
    let amounts = batch.column_by_name("amount").unwrap().as_primitive::<Float64Type>();
    let finite = amounts.iter().flatten().all(f64::is_finite);
    let present = file.stats["maxValues"]["amount"].as_f64();
    let highest = amounts.iter().flatten().reduce(f64::max);
    assert_eq!(present, highest.filter(|_| finite), "{}", file.stats);
    if let Some(names) = batch.column_by_name("name") {
        let lowest = names.as_string::<i32>().iter().flatten().min();
        assert_eq!(file.stats["minValues"]["name"].as_str(), lowest);
    }
}
