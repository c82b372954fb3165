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

/// The lineage of a model with this SQL, where `T`, `U` and `V` are references, in lines; the names of tables are short.
fn lineage(sql: &str) -> Vec<String> {
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
        let rendered = crate::template::render_models(&project, &texts, &host, &mut sink)?.whole()?;
        let dag = crate::graph::build(&project, &rendered, &mut sink)?;
        Planner::new(&project, &rendered).models(&dag, &mut sink).whole()
    });
    let typed: BTreeMap<ModelName, TypedModel> =
        typed.unwrap_or_else(|_| panic!("{sql}\n{}", render_all(&sink.take(), &texts, Style::Plain)));
    let found = column_lineage(&typed[&ModelName::parse("m").unwrap()]).to_string();
    found.lines().map(|line| line.replace("p.", "").replace("main.", "")).collect()
}

#[test]
fn columns_are_followed_through_names_and_computations() {
    assert_eq!(lineage("select id as key, n * 2 + id as x, 5 as five from T"), [""; 0]);
    assert_eq!(lineage("with a as (select id, n from T) select a.n, b.s from a join T as b on a.id = b.id"), [""; 0]);
    assert_eq!(lineage("select more as m from V"), [""; 0], "views are looked through");
}

#[test]
fn what_chooses_rows_is_told_apart_from_what_makes_values() {
    assert_eq!(lineage("select s, sum(n) as n from T where id > 1 group by s having max(id) < 9"), [""; 0]);
    assert_eq!(lineage("select distinct s from T order by s"), [""; 0]);
    assert_eq!(lineage("select case when id > 1 then n else 0 end as x, coalesce(s, 'b') as s from T"), [""; 0]);
    assert_eq!(lineage("select sum(n) filter (where id > 1) as x from T"), [""; 0]);
    assert_eq!(lineage("select lag(n) over (partition by s order by day) as x from T"), [""; 0]);
    assert_eq!(lineage("select distinct on (s) s, n from T order by s, day"), [""; 0]);
    assert_eq!(lineage("select s, day, count(*) as c from T group by rollup (s, day)"), [""; 0]);
}

#[test]
fn sub_queries_are_looked_into() {
    assert_eq!(lineage("select n from T where id in (select id from U where name > 'a')"), [""; 0]);
    assert_eq!(lineage("select n from T as t where exists (select 1 from U as u where u.id = t.id)"), [""; 0]);
    assert_eq!(lineage("select (select max(u.name) from U as u where u.id = t.id) as x from T as t"), [""; 0]);
}

#[test]
fn inputs_that_flow_together_are_united() {
    assert_eq!(lineage("select id, s from T union all select n, name from T as t join U as u using (id)"), [""; 0]);
    assert_eq!(lineage("select s from T except select name from U"), [""; 0]);
    assert_eq!(lineage("select id, unnest(list) as e from U"), [""; 0]);
    let swapped = "with recursive r as (select id as a, n as b, 1 as i from T union all \
                   select b, a, i + 1 from r where i < 3) select a, b from r";
    assert_eq!(lineage(swapped), [""; 0], "until nothing is added");
}
