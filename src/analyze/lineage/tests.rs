//! What the columns of a model are made of, over the shapes of SQL.

use std::collections::BTreeMap;

use super::column_lineage;
use crate::analyze::{Planner, TypedModel};
use crate::diag::{Sink, Style, render_all};
use crate::host::MemoryHost;
use crate::name::ModelName;
use crate::project::LoadRequest;
use crate::span::SourceFiles;

const T: &str = "{{ config(materialized='table') }} select 1 as id, 2 as n, 'a' as s, date '2023-01-01' as day";
const U: &str = "{{ config(materialized='table') }} select 1 as id, 'x' as name, [1, 2] as list";
const V: &str = "{{ config(materialized='view') }} select id, n + 1 as more from {{ ref('t') }} where s > 'a'";

/// The lineage of a model with this SQL, where `T`, `U` and `V` are references, in one line; tables stand by their names alone.
fn lineage(sql: &str) -> String {
    let sql = sql.replace('T', "{{ ref('t') }}").replace('U', "{{ ref('u') }}").replace('V', "{{ ref('v') }}");
    let files = [
        ("project.yml", "name: p"),
        ("models/t.sql", T),
        ("models/u.sql", U),
        ("models/v.sql", V),
        ("models/m.sql", &sql),
    ];
    let host = MemoryHost::with_files(files);
    let mut texts = SourceFiles::default();
    let mut sink = Sink::default();
    let typed = crate::project::read(&host, &mut texts, &mut sink).and_then(|files| {
        let project = crate::project::load(&files, &mut texts, &LoadRequest::default(), &mut sink)?;
        let rendered =
            crate::template::render_models(&project, &texts, &host, &mut crate::template::NoCompiler, &mut sink)?;
        let dag = crate::graph::build(&project, &rendered, &mut sink)?;
        let rendered = rendered.whole(&mut sink)?;
        Planner::new(&project, &rendered).models(&dag, &mut sink).whole(&mut sink)
    });
    let typed: BTreeMap<ModelName, TypedModel> =
        typed.unwrap_or_else(|_| panic!("{sql}\n{}", render_all(&sink.take(), &texts, Style::Plain)));
    let found = column_lineage(&typed[&ModelName::parse("m").unwrap()]).unwrap().to_string();
    found.lines().collect::<Vec<_>>().join("; ").replace("p.", "")
}

/// Compares all before it fails.
fn check(cases: &[(&str, &str)]) {
    let found = cases.iter().map(|(sql, expected)| (sql, expected, lineage(sql)));
    let wrong: Vec<String> = found
        .filter(|(_, expected, found)| found != *expected)
        .map(|(sql, _, found)| format!("{sql}\n  {found}"))
        .collect();
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

#[test]
fn columns_are_followed_through_names_and_computations() {
    check(&[
        (
            "select id as key, n * 2 + id as x, 5 as five from T",
            "key: t.id; x: t.id (transformation), t.n (transformation); five: nothing; (rows): nothing",
        ),
        (
            "with a as (select id, n from T) select a.n, b.s from a join T as b on a.id = b.id",
            "n: t.n; s: t.s; (rows): t.id (join)",
        ),
        ("select more as m from V", "m: t.n (transformation); (rows): t.s (filter)"),
    ]);
}

#[test]
fn what_chooses_rows_is_told_apart_from_what_makes_values() {
    check(&[
        (
            "select s, sum(n) as n from T where id > 1 group by s having max(id) < 9",
            "s: t.s; n: t.n (aggregation); (rows): t.id (filter), t.s (group by)",
        ),
        ("select distinct s from T order by s", "s: t.s; (rows): t.s (group by), t.s (sort)"),
        (
            "select case when id > 1 then n else 0 end as x, coalesce(s, 'b') as s from T",
            "x: t.id (conditional), t.n (transformation); s: t.s (transformation); (rows): nothing",
        ),
        (
            "select sum(n) filter (where id > 1) as x from T",
            "x: t.id (conditional), t.n (aggregation); (rows): nothing",
        ),
        (
            "select lag(n) over (partition by s order by day) as x from T",
            "x: t.day (window), t.n (aggregation), t.s (window); (rows): nothing",
        ),
        (
            "select distinct on (s) s, n from T order by s, day",
            "s: t.s; n: t.n; (rows): t.day (sort), t.s (group by), t.s (sort)",
        ),
        (
            "select s, day, count(*) as c from T group by rollup (s, day)",
            "s: t.s; day: t.day; c: nothing; (rows): t.day (group by), t.s (group by)",
        ),
    ]);
}

#[test]
fn sub_queries_are_looked_into() {
    check(&[
        (
            "select n from T where id in (select id from U where name > 'a')",
            "n: t.n; (rows): t.id (filter), u.id (filter), u.name (filter)",
        ),
        (
            "select n from T as t where exists (select 1 from U as u where u.id = t.id)",
            "n: t.n; (rows): t.id (filter), u.id (filter)",
        ),
        (
            "select (select max(u.name) from U as u where u.id = t.id) as x from T as t",
            "x: t.id (filter), u.id (filter), u.name (aggregation); (rows): nothing",
        ),
    ]);
}

#[test]
fn inputs_that_flow_together_are_united() {
    check(&[
        (
            "select id, s from T union all select n, name from T as t join U as u using (id)",
            "id: t.id, t.n; s: t.s, u.name; (rows): t.id (join), u.id (join)",
        ),
        ("select s from T except select name from U", "s: t.s; (rows): t.s (join), t.s (group by), u.name (join)"),
        ("select id, unnest(list) as e from U", "id: u.id; e: u.list (transformation); (rows): u.list (filter)"),
        (
            "with recursive r as (select id as a, n as b, 1 as i from T union all select b, a, i + 1 from r where i < 3) select a, b from r",
            "a: t.id, t.n; b: t.id, t.n; (rows): nothing",
        ),
    ]);
}
