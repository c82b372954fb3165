//! Nothing that an author writes makes karat panic or hang: fuzz targets for YAML, templates, selectors and SQL.
//!
//! The tests replay what was kept of longer runs; `README.md` beside this file says how to make one.

mod words;

use std::panic::AssertUnwindSafe;

use bolero::check;

use crate::diag::{Checked, Sink, Style, render_all};
use crate::graph::{self, Dag};
use crate::host::MemoryHost;
use crate::project::{self, LoadRequest, Project};
use crate::select::{self, Selectable, SelectionRequest};
use crate::span::SourceFiles;
use crate::template::{NoCompiler, Rendered, render_models};

/// The longest input, in bytes. Longer ones find little more, and slowly.
const LONGEST: usize = 512;

/// A project that was read, rendered and put in order.
struct Read {
    project: Project,
    rendered: Rendered,
    dag: Dag,
}

/// Reads a project of these files, and shows what is wrong with it as a person would see it.
fn read(files: &[(&str, &str)]) -> Option<Read> {
    let mut texts = SourceFiles::default();
    let mut sink = Sink::default();
    let read = try_read(&MemoryHost::with_files(files.iter().copied()), &mut texts, &mut sink);
    let _ = render_all(&sink.take(), &texts, Style::Plain);
    read.ok()
}

fn try_read(host: &MemoryHost, texts: &mut SourceFiles, sink: &mut Sink) -> Checked<Read> {
    let request = LoadRequest::default();
    let found = project::read(host, texts, sink)?.with_profile(host, &request, sink)?;
    let project = project::load(&found, texts, &request, sink)?;
    let rendered = render_models(&project, texts, host, &mut NoCompiler, sink)?;
    let dag = graph::build(&project, &rendered, sink)?;
    Ok(Read { project, rendered, dag })
}

const PROJECT: (&str, &str) = ("project.yml", "name: shop\nvars: { days: 3 }\n");
const ORDERS: (&str, &str) = ("models/silver/orders.sql", "{{ config(tags='daily') }} select 1 as id, 2.5 as amount");
const PAYMENTS: (&str, &str) = ("models/gold/payments.sql", "select id, amount as paid from {{ ref('orders') }}");
const MACROS: (&str, &str) =
    ("macros/cents.sql", "{% macro cents(x, places=2) %}round({{ x }} / 100, {{ places }}){% endmacro %}");
const SOURCES: (&str, &str) = (
    "models/sources.yml",
    "sources:\n- name: raw\n  tables:\n  - name: events\n    location: raw/*.csv\n    columns:\n    - { name: id, data_type: bigint }\n    - { name: at, data_type: timestamp }\n",
);

#[test]
fn yaml() {
    check!().with_iterations(0).with_max_len(LONGEST).for_each(|input: &[u8]| {
        let text = words::text_of(input, words::OF_YAML);
        // What a file is for decides who reads it.
        let path = ["project.yml", "models/m.yml", "selectors.yml", "packages.yml", "profiles.yml", "seeds/s.yml"];
        let path = path.into_iter().cycle().nth(input.first().map_or(0, |byte| usize::from(*byte % 6))).unwrap();
        let mut files =
            vec![PROJECT, ORDERS, PAYMENTS, MACROS, SOURCES, ("seeds/countries.csv", "code,name\nde,Germany\n")];
        files.retain(|(name, _)| *name != path);
        files.push((path, &text));
        read(&files);
    });
}

#[test]
fn templates() {
    check!().with_iterations(0).with_max_len(LONGEST).for_each(|input: &[u8]| {
        let text = words::text_of(input, words::OF_TEMPLATES);
        let path = if input.first().is_some_and(|byte| byte % 4 == 0) { "macros/m.sql" } else { "models/gold/m.sql" };
        read(&[PROJECT, ORDERS, PAYMENTS, MACROS, SOURCES, (path, &text)]);
    });
}

#[test]
fn selectors() {
    let read = read(&[PROJECT, ORDERS, PAYMENTS, SOURCES]).expect("the project is well");
    // Nothing is left half-changed: what is selected from is only read.
    let read = AssertUnwindSafe(read);
    check!().with_iterations(0).with_max_len(LONGEST).for_each(|input: &[u8]| {
        let text = words::text_of(input, words::OF_SELECTORS);
        let (select, exclude) = text.split_once('\n').unwrap_or((&text, ""));
        let list = |text: &str| if text.is_empty() { Vec::new() } else { vec![text.to_owned()] };
        let request =
            SelectionRequest { select: &list(select), exclude: &list(exclude), ..SelectionRequest::default() };
        let Read { project, rendered, dag } = &*read;
        let mut sink = Sink::default();
        let _ =
            select::resolve(request, Selectable { project, rendered, dag, tests: Some(&[]), stored: None }, &mut sink);
        let _ = render_all(&sink.take(), &SourceFiles::default(), Style::Plain);
    });
}

#[cfg(feature = "engine")]
#[test]
fn sql() {
    use crate::pipeline::{Workspace, compile};

    check!().with_iterations(0).with_max_len(LONGEST).for_each(|input: &[u8]| {
        let text = words::text_of(input, words::OF_SQL);
        let dialect = if input.first().is_some_and(|byte| byte % 4 == 0) { "duckdb" } else { "postgres" };
        let project = format!("name: shop\ndialect: {dialect}\n");
        let files = [("project.yml", project.as_str()), ORDERS, PAYMENTS, SOURCES, ("models/gold/m.sql", &text)];
        let compilation = compile(&Workspace::new("", MemoryHost::with_files(files)), &LoadRequest::default());
        let _ = render_all(compilation.diagnostics(), compilation.files(), Style::Plain);
    });
}
