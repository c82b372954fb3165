//! A program that is not the command line: it compiles, plans, runs and reads a project through the library alone.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;
use std::sync::Arc;

use arrow::util::display::array_value_to_string;
use karat::host::{MemoryHost, OsHost, Overlay};
use karat::name::ModelName;
use karat::pipeline::{self, BuildStatus, BuildSummary, Session, SessionOptions, Workspace};
use karat::project::LoadRequest;

use crate::folder::Folder;
use crate::object_stores::blocking;

/// Everything that a program needs to know of karat.
async fn build(project: &Path) -> Result<(String, BuildSummary, String), Box<dyn Error>> {
    let host = OsHost::new(project, project, Default::default());
    let compilation = pipeline::compile(&Workspace::new(project, host), &LoadRequest::default());
    let session = Session::open(&compilation, SessionOptions::default())?;
    let plan = session.plan(&["orders+".to_owned()]).await?;
    let preview = plan.to_text();
    let summary = session.run(plan).await?;
    let rows = session.query("select day, total from {{ ref('daily') }} order by day").await?;
    let mut text = String::new();
    for batch in &rows {
        for row in 0..batch.num_rows() {
            let day = array_value_to_string(batch.column(0), row)?;
            text += &format!("{day}: {}\n", array_value_to_string(batch.column(1), row)?);
        }
    }
    Ok((preview, summary, text))
}

fn shop() -> Folder {
    let folder = Folder::new();
    folder.write("project.yml", "name: shop\nmodels: {shop: {+materialized: table}}\n");
    folder.write("models/bronze/sources.yml", SOURCES);
    folder.write("data/orders.csv", "id,day,amount\n1,2023-05-01,10\n2,2023-05-01,5\n3,2023-05-02,7\n");
    folder.write("models/bronze/orders.sql", "select id, day, amount from {{ source('raw', 'orders') }}");
    folder.write("models/gold/daily.sql", "select day, sum(amount) as total from {{ ref('orders') }} group by day");
    folder
}

const SOURCES: &str = "sources:\n  - name: raw\n    tables:\n      - name: orders\n        location: data/orders.csv\n        \
                       columns: [{name: id, type: integer}, {name: day, type: date}, \
                       {name: amount, type: integer}]\n";

#[test]
fn a_program_compiles_plans_runs_and_reads_a_project() {
    let folder = shop();
    let (preview, summary, rows) = blocking(build(folder.root())).unwrap();
    assert!(preview.contains("bronze.orders") && preview.contains("gold.daily"), "{preview}");
    assert!(summary.is_complete() && summary.released == Some(1), "{summary:?}");
    let built: Vec<_> = summary
        .models
        .iter()
        .map(|model| (&*model.model, model.status, model.rows, model.version.map(|version| version.number())))
        .collect();
    assert_eq!(built, [("orders", BuildStatus::Built, 3, Some(0)), ("daily", BuildStatus::Built, 2, Some(0))]);
    let (started, ended) = summary.models[0].times.unwrap();
    assert!(started <= ended && summary.models[0].bytes > 0 && summary.models[0].files == 1);
    assert_eq!(summary.models[0].why, "not built yet");
    assert_eq!(rows, "2023-05-01: 15\n2023-05-02: 7\n");
    let (_, again, _) = blocking(build(folder.root())).unwrap();
    assert!(again.is_complete() && again.released.is_none());
    assert!(again.models.iter().all(|model| model.status == BuildStatus::Unchanged), "{again:?}");
}

#[test]
fn a_failed_model_stands_in_the_summary_with_its_cause() {
    let folder = shop();
    folder.write("data/orders.csv", "id,day,amount\nx,y,z\n");
    let error = blocking(build(folder.root())).unwrap_err();
    assert!(error.to_string().contains("`gold.daily`"), "{error}: nothing was released, so there is nothing to read");
    let host = OsHost::new(folder.root(), folder.root(), Default::default());
    let compilation = pipeline::compile(&Workspace::new(folder.root(), host), &LoadRequest::default());
    let session = Session::open(&compilation, SessionOptions::default()).unwrap();
    let summary = blocking(async { session.run(session.plan(&[]).await.unwrap()).await.unwrap() });
    let statuses: Vec<_> = summary.models.iter().map(|model| (&*model.model, model.status)).collect();
    assert_eq!(statuses, [("orders", BuildStatus::Failed), ("daily", BuildStatus::Skipped)]);
    assert!(summary.models[0].error.as_ref().is_some_and(|error| error.message.contains("does not convert")));
    assert_eq!(summary.models[1].why, "`orders` failed");
}

#[test]
fn an_editor_compiles_texts_that_are_not_saved_yet() {
    let saved = MemoryHost::with_files([("project.yml", "name: shop"), ("models/g/a.sql", "select 1 as id")]);
    let typed = BTreeMap::from([("models/g/a.sql".to_owned(), "select 1 as key".to_owned())]);
    let workspace = Workspace::new("", Overlay::new(Arc::new(saved), typed));
    let compilation = pipeline::compile(&workspace, &LoadRequest::default());
    let columns = compilation.columns(&ModelName::parse("a").unwrap()).unwrap();
    assert_eq!(columns[0].name, "key");
}
