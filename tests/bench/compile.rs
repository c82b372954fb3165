//! How long a cold compile takes: the sample project, and a project of a thousand models.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::hint::black_box;
use std::path::Path;

use criterion::{Criterion, criterion_group, criterion_main};

fn compile(folder: &Path, command: &str) {
    let world = karat::cli::World {
        folder: folder.to_owned(),
        // Nothing is kept from one round to the next.
        program: None,
        variables: BTreeMap::new(),
        terminal: false,
        data_terminal: false,
        width: 100,
        storage: Default::default(),
    };
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let args = ["karat", command, "-q"].map(Into::into).to_vec();
    let code = karat::cli::run_to(args, world, &mut out, &mut err);
    assert_eq!(code, 0, "{}", String::from_utf8_lossy(&err));
    black_box(out);
}

/// Layers of ten models, each model reading two of the layer before.
fn thousand_models(folder: &Path) {
    fs::create_dir_all(folder.join("models/wide")).expect("the folder can be made");
    fs::write(folder.join("project.yml"), "name: wide\nversion: '1.0'\n").expect("the file can be written");
    for model in 0..1000 {
        let mut sql = String::from("{{ config(materialized='table') }}\n");
        if model < 10 {
            write!(sql, "select {model} as id, cast('2023-01-01' as date) as day, 1.5 as amount")
                .expect("a text grows");
        } else {
            let (left, right) = (model - 10, model / 10 * 10 - 10);
            write!(
                sql,
                "select l.id, l.day, sum(r.amount) as amount from {{{{ ref('m{left}') }}}} as l \
                 join {{{{ ref('m{right}') }}}} as r on r.day = l.day group by l.id, l.day"
            )
            .expect("a text grows");
        }
        fs::write(folder.join(format!("models/wide/m{model}.sql")), sql).expect("the file can be written");
    }
}

fn benches(criterion: &mut Criterion) {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
    criterion.bench_function("list the sample project", |bench| bench.iter(|| compile(repository, "ls")));
    criterion.bench_function("compile the sample project", |bench| bench.iter(|| compile(repository, "compile")));
    let wide = tempfile::tempdir().expect("a temporary folder can be made");
    thousand_models(wide.path());
    let mut group = criterion.benchmark_group("a thousand models");
    group.sample_size(10);
    group.bench_function("list", |bench| bench.iter(|| compile(wide.path(), "ls")));
    group.bench_function("compile", |bench| bench.iter(|| compile(wide.path(), "compile")));
    group.finish();
}

criterion_group!(compiling, benches);
criterion_main!(compiling);
