//! What happens when the destination fails, the caller gives up or the input is wrong.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use arrow::array::{ArrayRef, Float64Array, RecordBatch, UInt64Array};
use arrow::error::ArrowError;

use super::super::{PartitionedWriter, WriterOptions};
use super::memory::{Fault, InMemory};
use super::{memory, numbered, options, strings, write};

#[test]
fn a_fault_of_the_destination_comes_out_with_its_path_and_its_kind() {
    for (fault, budget, name) in [
        (Fault::Create(2), 128 << 20, "day=2022-01-"),
        (Fault::Write, 128 << 20, "day=2022-01-"),
        (Fault::Finish, 128 << 20, "day=2022-01-"),
        (Fault::Spill, 1, "spill file"),
        (Fault::SpillWrite, 1, "spill file"),
    ] {
        let memory = memory(Some(fault));
        let batches: Vec<_> = (0..50).map(|_| numbered((0..500).map(|n| 18_993 + n % 7))).collect();
        let options = WriterOptions { memory_budget: budget, ..options(&["day"]) };
        let error = write(&batches, options, &memory).unwrap_err();
        let ArrowError::IoError(text, source) = &error else { panic!("{error}") };
        assert_eq!(source.kind(), io::ErrorKind::StorageFull);
        assert!(text.contains(name) && text.contains("no space left"), "{text}");
        assert_eq!(memory.open.load(Ordering::SeqCst), 0, "{text}");
    }
    for threads in [1, 2] {
        let memory = memory(Some(Fault::Write));
        let options = WriterOptions { threads, ..options(&[]) };
        let error = write(&[numbered(0..500)], options, &memory).unwrap_err();
        assert!(matches!(&error, ArrowError::IoError(text, _) if text.contains("part-x.parquet")), "{error}");
        assert_eq!(memory.open.load(Ordering::SeqCst), 0);
    }
}

#[test]
fn an_error_is_told_once_and_the_writer_stays_failed() {
    let memory = memory(Some(Fault::SpillWrite));
    let options = WriterOptions { memory_budget: 1, ..options(&["day"]) };
    let batch = numbered(0..10);
    let destination = Arc::new(InMemory(Arc::clone(&memory)));
    let mut writer = PartitionedWriter::new(batch.schema(), options, destination).unwrap();
    let errors: Vec<_> = (0..100).filter_map(|_| writer.write(batch.clone()).err()).collect();
    let told = errors.iter().filter(|error| matches!(error, ArrowError::IoError(_, _))).count();
    assert_eq!(told, 1);
    assert!(errors.len() > 1);
    let error = writer.finish().unwrap_err().to_string();
    assert!(error.contains("failed before"), "{error}");
}

#[test]
fn dropping_the_writer_leaves_nothing_behind() {
    for partitions in [vec![], vec!["day"]] {
        let memory = memory(None);
        let options = WriterOptions { memory_budget: 10_000, ..options(&partitions) };
        let batch = numbered((0..2_000).map(|n| n % 5));
        let destination = Arc::new(InMemory(Arc::clone(&memory)));
        let mut writer = PartitionedWriter::new(batch.schema(), options, destination).unwrap();
        for _ in 0..20 {
            writer.write(batch.clone()).unwrap();
        }
        assert!(writer.buffered_bytes() > 0);
        drop(writer);
        // Every thread holds a pointer to the destination or to a file of it, so one owner means no thread.
        assert_eq!(Arc::strong_count(&memory), 1);
        assert_eq!(memory.open.load(Ordering::SeqCst), 0);
        assert!(memory.files.lock().unwrap().is_empty());
    }
}

#[test]
fn a_value_that_cannot_be_stored_names_its_column() {
    let memory = memory(None);
    let hash: ArrayRef = Arc::new(UInt64Array::from(vec![u64::MAX]));
    let error = write(&[RecordBatch::try_from_iter([("hash", hash)]).unwrap()], options(&[]), &memory).unwrap_err();
    assert!(error.to_string().contains("column `hash`"), "{error}");
}

#[test]
fn wrong_columns_are_refused_at_the_start() {
    let refused = |batch: RecordBatch, options: WriterOptions| write(&[batch], options, &memory(None)).unwrap_err();
    let batch = || numbered(0..3);
    assert!(refused(batch(), options(&["dya"])).to_string().contains("partition column `dya`"));
    assert!(refused(batch(), options(&["day", "n", "s"])).to_string().contains("besides its partition columns"));
    assert!(refused(batch(), options(&["day", "day"])).to_string().contains("named twice"));
    let sort = WriterOptions { sort_columns: vec!["x".to_string()], ..options(&[]) };
    assert!(refused(batch(), sort).to_string().contains("sort column `x`"));
    let floats: ArrayRef = Arc::new(Float64Array::from(vec![1.0]));
    let batch = RecordBatch::try_from_iter([("f", Arc::clone(&floats)), ("g", floats)]).unwrap();
    assert!(refused(batch, options(&["f"])).to_string().contains("partitioned by column `f`"));
}

#[test]
fn a_batch_of_other_types_is_refused() {
    let destination = Arc::new(InMemory(memory(None)));
    let mut writer = PartitionedWriter::new(numbered(0..1).schema(), options(&["day"]), destination).unwrap();
    let other = strings(&[("day", vec![None]), ("n", vec![None]), ("s", vec![None])]);
    let error = writer.write(other).unwrap_err().to_string();
    assert!(error.contains("column `day` is Date32"), "{error}");
}
