//! Records of runs, and what is found in them.

use super::*;

/// A run of three models: `c` reads `b`, which reads `a`.
pub(crate) fn sample() -> RunRecord {
    let step = |model: &str, reads: &[&str], times: [i64; 2]| StepRecord {
        model: model.to_owned(),
        table: format!("gold.{model}"),
        kind: "model".to_owned(),
        status: StepStatus::Built,
        why: "its table does not exist yet".to_owned(),
        started: Some(times[0]),
        ended: Some(times[1]),
        version: Some(0),
        rows: 3,
        bytes: 700,
        files: 1,
        slices: vec![SliceRecord { slice: "2023-05-01".to_owned(), rows: 3, bytes: Some(700), files: Some(1) }],
        reads: reads.iter().map(|name| (*name).to_owned()).collect(),
    };
    RunRecord {
        id: "20230506T070000.000000".to_owned(),
        invocation: "x".to_owned(),
        command: "build".to_owned(),
        line: "karat build".to_owned(),
        target: "dev".to_owned(),
        git: None,
        karat: "0.1.0".to_owned(),
        started: 0,
        ended: 1000,
        logical_time: 0,
        status: RunStatus::Failed,
        release: None,
        steps: vec![
            step("a", &[], [0, 300]),
            step("aside", &[], [0, 100]),
            step("b", &["a", "aside"], [310, 900]),
            StepRecord { status: StepStatus::Skipped, started: None, ended: None, ..step("c", &["b"], [0, 0]) },
        ],
        tests: vec![TestRecord {
            test: "not_null_a_id".to_owned(),
            model: Some("a".to_owned()),
            kind: "data".to_owned(),
            status: TestStatus::Failed,
            failures: Some(2),
            ended: Some(290),
        }],
    }
}

#[test]
fn a_record_is_read_back_as_it_was() {
    let run = sample();
    assert_eq!(RunRecord::read(&run.to_bytes()), Ok(run));
    assert!(RunRecord::read(b"{}").is_err());
}

#[test]
fn the_critical_path_goes_back_over_what_ended_last() {
    let run = sample();
    let path: Vec<&str> = critical_path(&run).into_iter().map(|step| step.model.as_str()).collect();
    assert_eq!(path, ["a", "b"]);
    assert!(critical_path(&RunRecord { steps: Vec::new(), ..run }).is_empty());
}

#[test]
fn clocks_that_jump_make_no_circle() {
    let mut run = sample();
    for step in &mut run.steps {
        (step.started, step.ended, step.reads) = (Some(5), Some(5), vec!["a".to_owned(), "b".to_owned()]);
    }
    assert!(critical_path(&run).len() <= run.steps.len());
}

#[test]
fn every_table_has_the_rows_of_all_runs() {
    let runs = [sample(), sample()];
    let counts = RunTable::ALL.map(|table| run_rows(table, &runs).unwrap().num_rows());
    assert_eq!(counts, [2, 8, 8, 2]);
}
