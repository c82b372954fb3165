//! What the columns of the sample project's models are made of, as snapshots.

use karat::host::OsHost;
use karat::pipeline::{self, ColumnUse, Compilation, Workspace};
use karat::project::LoadRequest;

use crate::folder::Folder;

fn sample() -> Compilation {
    let folder = Folder::with_sample();
    let host = OsHost::new(folder.root(), folder.root(), Default::default());
    let compilation = pipeline::compile(&Workspace::new(folder.root(), host), &LoadRequest::default());
    assert!(compilation.is_well(), "{:?}", compilation.diagnostics());
    compilation
}

#[test]
fn every_sample_model_has_the_lineage_that_was_reviewed() {
    let compilation = sample();
    assert!(compilation.models().count() > 15);
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_snapshot_path("../lineage");
    settings.set_omit_expression(true);
    settings.bind(|| {
        for model in compilation.models() {
            let lineage = compilation.column_lineage(model).expect("the model is well");
            insta::assert_snapshot!(model.as_str(), lineage.to_string());
        }
    });
}

#[test]
fn lineage_names_columns_that_are_there() {
    let compilation = sample();
    for model in compilation.models() {
        let columns = compilation.columns(model).unwrap();
        let lineage = compilation.column_lineage(model).unwrap();
        let names = |of: &[_]| of.iter().map(|column: &pipeline::ModelColumn| column.name.clone()).collect::<Vec<_>>();
        let of_lineage: Vec<_> = lineage.columns.iter().map(|column| column.name.clone()).collect();
        assert_eq!(of_lineage, names(&columns), "{model}");
        for origin in lineage.columns.iter().flat_map(|column| &column.origins).chain(&lineage.rows) {
            let parent = compilation.models().find(|parent| compilation.table(parent) == Some(&origin.table));
            let columns = parent.map(|parent| names(&compilation.columns(parent).unwrap()));
            assert!(columns.is_none_or(|columns| columns.contains(&origin.column)), "{model}: {origin}");
        }
        assert!(lineage.rows.iter().all(|origin| !origin.used_as.is_direct()), "{model}");
        let constant = lineage.columns.iter().filter(|column| column.origins.is_empty()).count();
        assert!(constant < lineage.columns.len(), "{model} is made of nothing");
    }
    let sums = compilation.column_lineage(&karat::name::ModelName::parse("user_days").unwrap()).unwrap();
    assert!(sums.columns.iter().flat_map(|column| &column.origins).any(|it| it.used_as == ColumnUse::Aggregation));
}
