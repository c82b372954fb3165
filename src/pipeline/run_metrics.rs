//! The figures of a run in Prometheus' text format, for the textfile collector of the node exporter.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::run_record::{RunRecord, RunStatus, StepRecord, TestStatus};

/// What is measured: its name, its help, and samples of labels and values.
struct RunMetric {
    name: &'static str,
    help: &'static str,
    samples: Vec<MetricSample>,
}

struct MetricSample {
    labels: Vec<MetricLabel>,
    value: f64,
}

#[derive(Clone)]
struct MetricLabel {
    name: &'static str,
    value: String,
}

fn label(name: &'static str, value: &str) -> MetricLabel {
    MetricLabel { name, value: value.to_owned() }
}

/// The metrics of a run of a project. All are gauges: they are about the last run.
pub(super) fn run_metrics(record: &RunRecord, project: &str) -> String {
    let common = vec![label("project", project), label("target", &record.target), label("command", &record.command)];
    let seconds = |milliseconds: i64| milliseconds as f64 / 1000.0;
    let of_run = |name, help, value: f64| RunMetric {
        name,
        help,
        samples: vec![MetricSample { labels: common.clone(), value }],
    };
    let of_models = |name, help, value: &dyn Fn(&StepRecord) -> Option<f64>| {
        let samples = record.steps.iter().filter_map(|step| {
            let labels = [label("model", &step.model), label("table", &step.table)];
            let labels = common.iter().cloned().chain(labels).collect();
            Some(MetricSample { labels, value: value(step)? })
        });
        RunMetric { name, help, samples: samples.collect() }
    };
    let success = f64::from(u8::from(record.status == RunStatus::Done));
    let metrics = [
        of_run("karat_run_success", "Whether the last run came to its end without a failure", success),
        of_run("karat_run_start_timestamp_seconds", "When the last run began", seconds(record.started)),
        of_run("karat_run_end_timestamp_seconds", "When the last run ended", seconds(record.ended)),
        of_run("karat_run_duration_seconds", "How long the last run took", seconds(record.ended - record.started)),
        counted("karat_run_models", "Models of the last run by how they ended", &common, statuses(record)),
        counted("karat_run_tests", "Tests of the last run by how they ended", &common, test_statuses(record)),
        of_models("karat_model_duration_seconds", "How long the last run worked on a model", &|step| {
            step.duration().map(seconds)
        }),
        of_models("karat_model_rows_written", "Rows that the last run wrote for a model", &|step| {
            Some(step.rows as f64)
        }),
        of_models("karat_model_bytes_written", "Bytes that the last run wrote for a model", &|step| {
            Some(step.bytes as f64)
        }),
        of_models("karat_model_slices_written", "Slices that the last run wrote for a model", &|step| {
            Some(step.slices.len() as f64)
        }),
    ];
    let mut text = String::new();
    metrics.iter().filter(|metric| !metric.samples.is_empty()).for_each(|metric| metric.write(&mut text));
    text
}

fn statuses(record: &RunRecord) -> BTreeMap<&'static str, u64> {
    let mut counts = BTreeMap::from(["built", "unchanged", "failed", "skipped", "interrupted"].map(|word| (word, 0)));
    record.steps.iter().for_each(|step| *counts.entry(step.status.word()).or_default() += 1);
    counts
}

fn test_statuses(record: &RunRecord) -> BTreeMap<&'static str, u64> {
    let all = [TestStatus::Passed, TestStatus::Warned, TestStatus::Failed, TestStatus::NotRun];
    let mut counts = BTreeMap::from(all.map(|status| (status.word(), 0)));
    record.tests.iter().for_each(|test| *counts.entry(test.status.word()).or_default() += 1);
    counts
}

fn counted(
    name: &'static str,
    help: &'static str,
    common: &[MetricLabel],
    counts: BTreeMap<&'static str, u64>,
) -> RunMetric {
    let samples = counts.into_iter().map(|(status, count)| MetricSample {
        labels: common.iter().cloned().chain([label("status", &status.replace(' ', "_"))]).collect(),
        value: count as f64,
    });
    RunMetric { name, help, samples: samples.collect() }
}

impl RunMetric {
    fn write(&self, text: &mut String) {
        let Self { name, help, samples } = self;
        text.push_str(&format!("# HELP {name} {help}\n# TYPE {name} gauge\n"));
        for MetricSample { labels, value } in samples {
            let labels: Vec<String> =
                labels.iter().map(|label| format!("{}=\"{}\"", label.name, escaped(&label.value))).collect();
            // Writing into a text cannot fail.
            let _ = writeln!(text, "{name}{{{}}} {value}", labels.join(","));
        }
    }
}

/// A value of a label, as the format wants it.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_labels_end_neither_the_label_nor_the_line() {
        let metric = RunMetric {
            name: "m",
            help: "h",
            samples: vec![MetricSample { labels: vec![label("a", "x\"y\\z\n")], value: 1.5 }],
        };
        let mut text = String::new();
        metric.write(&mut text);
        assert_eq!(text, "# HELP m h\n# TYPE m gauge\nm{a=\"x\\\"y\\\\z\\n\"} 1.5\n");
    }
}
