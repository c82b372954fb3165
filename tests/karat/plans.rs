//! The compiled plan of every sample model as a snapshot: a reviewer sees what a change does to a plan.

use crate::folder::Folder;

#[test]
fn every_sample_model_has_the_plan_that_was_reviewed() {
    let folder = Folder::with_sample();
    let names = folder.karat(&["ls"]).out;
    assert!(names.lines().count() > 15, "{names}");
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_snapshot_path("../plans");
    settings.set_omit_expression(true);
    settings.bind(|| {
        for model in names.lines() {
            insta::assert_snapshot!(model, folder.karat(&["compile", "-q", "--select", model]).out);
        }
    });
}

#[test]
fn compiling_twice_gives_the_same_bytes() {
    let compiled = || Folder::with_sample().karat(&["compile", "-q", "--select", "path:models"]).out;
    let first = compiled();
    assert!(first.contains("-- sessions_midnight"), "{first}");
    assert_eq!(first, compiled());
}

#[test]
fn facts_are_read_by_partition_and_dimensions_are_broadcast() {
    let plan = Folder::with_sample().karat(&["compile", "-q", "--select", "dau_by_country"]).out;
    assert!(plan.contains("HashJoinExec: mode=CollectLeft"), "{plan}");
    let scan = "Scan: silver.user_days, columns=[event_date, user_id, actions], partitions=[event_date = 2023-01-01]";
    assert!(plan.contains(scan), "{plan}");
}
