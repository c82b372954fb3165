//! Tests of what is refused, and of how operators bind.

use std::ops::ControlFlow;

use sqlparser::ast::{Expr, Statement, visit_expressions_mut};

use crate::analyze::functions::Functions;
use crate::analyze::planner::{NotParsed, parse};
use crate::project::SqlDialect;
use crate::template::ReferencePlaces;

fn refused(sql: &str) -> Vec<String> {
    match parse(sql, &ReferencePlaces::default(), &Functions::load(), SqlDialect::Postgres) {
        Err(NotParsed::Refused(refusals)) => refusals.into_iter().map(|refusal| refusal.message).collect(),
        Err(other) => vec![format!("{other:?}")],
        Ok(_) => Vec::new(),
    }
}

#[test]
fn clauses_that_the_planner_leaves_out_are_refused_by_their_names() {
    let cases = [
        ("select k, sum(v) from t group by k with rollup", "`with rollup`"),
        ("select k, sum(v) from t group by k with cube", "`with cube`"),
        ("select k, sum(v) from t group by k with totals", "`with totals`"),
        ("select * from t prewhere id = 1", "`prewhere`"),
        ("select * from t tablesample bernoulli (0)", "`tablesample`"),
        ("select * from (select 1 as a) as t tablesample (1 rows)", "`tablesample`"),
        ("select * from t start with id = 1 connect by prior id = parent", "`connect by`"),
        ("select * ilike '%d' from t", "`* ilike`"),
        ("select * from t partition (p0)", "`partition (…)`"),
        ("select * from t for update", "`for update`"),
        ("select * from t with (nolock)", "`with (hint)`"),
        ("select * from t settings max_threads = 1", "`settings`"),
        ("select * from t format JSONCompact", "`format`"),
        ("select * from t global join u using (a)", "`global join`"),
        ("select * from t join u", "needs a condition"),
        ("select a from t |> where a = 1", "`|>`"),
        ("select a from t fetch first 1 rows with ties", "`fetch`"),
        ("select a from t limit 2 fetch first 1 rows only", "`fetch`"),
        ("select a -> 'b' from t", "`->`"),
        ("select a:b from t", "`:`"),
        ("select a, b as a from t", "two columns"),
        ("select a not like any ('x', 'y') from t", "`like any`"),
        ("select * from t pivot (sum(v) for k in ('a', 'b'))", "`pivot`"),
        ("select * from t semi join u on t.a = u.a", "`semi join`"),
        ("select * from f(a => 1)", "`name => value`"),
        ("select * from (select * from t for update) as t", "`for update`"),
        ("select (select max(a) from t tablesample bernoulli (1)) as m", "`tablesample`"),
    ];
    for (sql, name) in cases {
        let messages = refused(sql);
        assert!(messages.iter().any(|message| message.contains(name)), "{sql}: {messages:?}");
    }
}

#[test]
fn a_name_means_one_table() {
    let twice = [
        "select 1 from a.t join a.t on true",
        "select 1 from t, u as T",
        "select 1 from a.t x cross join (b.u join b.v x on true)",
        "select 1 from (select 1) as x, unnest(array[1]) as x",
        "with c as (select 1 from a.t, \"a\".\"t\") select 1 from c",
        "select 1 where exists (select 1 from t, t)",
    ];
    for sql in twice {
        assert!(refused(sql).iter().any(|message| message.starts_with("two tables are called")), "{sql}");
    }
    let either = [
        "select t.a from a.t, b.t",
        "select T.* from a.t join b.t on true",
        "select 1 from a.t, b.t order by t.a",
        "select 1 from a.t, b.t where a.t.x in (select t.x from u)",
        "select 1 from u union all (select count(t.a) from a.t, b.t)",
    ];
    for sql in either {
        assert_eq!(refused(sql), ["`t` may be `a.t` or `b.t`"], "{sql}");
    }
    let clear = [
        "select a.t.x, b.t.x from a.t, b.t order by a.t.x",
        "select t.x from a.t where exists (select t.x from a.t)",
        "select x.x, \"T\".x from a.t as x, a.t, a.\"T\"",
        "with t as (select * from a.t) select t.x from t union all select t.x from a.t",
    ];
    for sql in clear {
        assert_eq!(refused(sql), Vec::<String>::new(), "{sql}");
    }
}

#[test]
fn what_a_call_says_besides_its_arguments_is_obeyed_or_refused() {
    let cases = [
        ("select upper(distinct s) from t", "`upper` takes no `distinct`"),
        ("select upper(s) filter (where a = 1) from t", "`upper` takes no `filter`"),
        ("select upper(s) over (partition by a) from t", "`upper` takes no `over`"),
        ("select upper(s order by s) from t", "`upper` takes no `order by`"),
        ("select upper(s) ignore nulls from t", "`upper` takes no `ignore nulls`"),
        ("select sum(a) ignore nulls over (order by b) from t", "`ignore nulls` is not supported for `sum`"),
        ("select row_number() filter (where a = 1) over (order by b) from t", "`filter` is not supported"),
        ("select string_agg(s, ',' order by 1) from t", "not a column's place"),
        ("select string_agg(distinct s, ',' order by a) from t", "ordered by its arguments only"),
        ("select count(t.*) from t", "`count(t.*)`"),
        ("select sum(a) over (w order by b) from t window w as (partition by c)", "begins with `w`"),
        ("select a from t window w as (order by a) order by sum(a) over w", "the window `w`"),
        ("select quantile(0.5)(a) from t", "`f(…)(…)`"),
    ];
    for (sql, part) in cases {
        let messages = refused(sql);
        assert!(messages.iter().any(|message| message.contains(part)), "{sql}: {messages:?}");
    }
}

#[test]
fn operators_that_mean_something_else_elsewhere_are_refused() {
    let cases = [
        ("select 2 ^ 3", "`^`"),
        ("select a from t where s similar to 'a%'", "`similar to`"),
        ("select a from t where s like 'a!%' escape '!'", "`escape '!'`"),
        ("select a from t where a = b = c", "chained comparisons"),
        ("select a from t where a < b < c", "chained comparisons"),
        ("select a from t where s like r like q", "chained comparisons"),
        ("select a from t where a is distinct from b is null", "chained comparisons"),
        ("select s collate \"de_DE\" from t", "`collate`"),
        ("select convert(a, char) from t", "`convert`"),
        ("select 1_000", "directly after a number"),
        ("select 1a", "directly after a number"),
        ("select $1", "is a parameter"),
    ];
    for (sql, part) in cases {
        let messages = refused(sql);
        assert!(messages.iter().any(|message| message.contains(part)), "{sql}: {messages:?}");
    }
}

#[test]
fn ordinary_sql_is_not_refused() {
    let cases = [
        "with recursive r as (select 1 as a union all select a + 1 from r where a < 3) select * from r",
        "select distinct on (k) k, v from t order by k, v desc nulls last limit 3 offset 1",
        "select * exclude (a), t.* replace (1 as b) from t",
        "select k, count(*) filter (where v > 1), count(distinct v) from t group by rollup (k) having count(*) > 1",
        "select sum(v) over w, lag(v) ignore nulls over w from t window w as (partition by k order by v)",
        "select * from t left join u on t.a = u.a cross join v natural join w",
        "select * from t, lateral (select 1 as a) as l, unnest(array[1, 2]) as u(x)",
        "select a from t where (a = b) = c and not exists (select 1 from u where u.a = t.a)",
        "select a from t where a not between 1 and 2 and s not like '%x' and a in (1, 2) = true",
        "select string_agg(distinct s, ',' order by s), array_agg(a order by b desc) from t",
        "select percentile_cont(0.5) within group (order by a) from t qualify row_number() over (order by a) = 1",
        "values (1, 'a'), (2, 'b')",
        "select 1e3, 1.5, .5, 10, 1 as _000, s[1], a::int, cast(a as text), date '2020-01-01', interval '1 day' from t",
        "select case when a = 1 then 'x' else 'y' end, extract(year from d), trim(both 'x' from s) from t",
    ];
    for sql in cases {
        assert_eq!(refused(sql), Vec::<String>::new(), "{sql}");
    }
}

/// A statement without the parentheses that only group.
fn ungrouped(sql: &str) -> Statement {
    let parsed = parse(sql, &ReferencePlaces::default(), &Functions::load(), SqlDialect::Postgres)
        .unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    let mut statement = parsed.statement().clone();
    let _all = visit_expressions_mut(&mut statement, |expression| {
        while let Expr::Nested(inner) = expression {
            *expression = (**inner).clone();
        }
        ControlFlow::<()>::Continue(())
    });
    statement
}

#[test]
fn operators_bind_as_in_postgresql() {
    let cases = [
        ("a is distinct from b and c", "(a is distinct from b) and c"),
        ("a is not distinct from b or c", "(a is not distinct from b) or c"),
        ("a is distinct from b = c", "a is distinct from (b = c)"),
        ("not a is distinct from b and c", "(not (a is distinct from b)) and c"),
        ("a is distinct from b + 1", "a is distinct from (b + 1)"),
        ("a = b is null", "(a = b) is null"),
        ("a = b in (c)", "a = (b in (c))"),
        ("a = b like c", "a = (b like c)"),
        ("a = b between c and d", "a = (b between c and d)"),
        ("a < b || c", "a < (b || c)"),
        ("a || b + c", "a || (b + c)"),
        ("a || b * c || d", "(a || (b * c)) || d"),
        ("a like b || c", "a like (b || c)"),
        ("a ~ b || c", "(a ~ b) || c"),
        ("a ~ b = c", "(a ~ b) = c"),
        ("a | b & c", "(a | b) & c"),
        ("a & b = c", "(a & b) = c"),
        ("a << b + c", "a << (b + c)"),
        ("a - b - c", "(a - b) - c"),
        ("a / b * c", "(a / b) * c"),
        ("-a * b", "(-a) * b"),
        ("-a::int", "-(a::int)"),
        ("a + b at time zone 'UTC'", "a + (b at time zone 'UTC')"),
        ("not a = b", "not (a = b)"),
        ("not a and b or c", "((not a) and b) or c"),
        ("not not a in (b)", "not (not (a in (b)))"),
        ("a between b and c and d", "(a between b and c) and d"),
        ("a not like b and c", "(a not like b) and c"),
        ("a >= b is true", "(a >= b) is true"),
    ];
    for (flat, grouped) in cases {
        let statement = |expression: &str| ungrouped(&format!("select {expression} from t"));
        assert_eq!(statement(flat), statement(grouped), "{flat}");
    }
}

#[test]
fn deep_nesting_is_read_or_refused_at_once() {
    let nots = |depth: usize| format!("select {}a{} from t", "not (".repeat(depth), ")".repeat(depth));
    assert!(parse(&nots(60), &ReferencePlaces::default(), &Functions::load(), SqlDialect::Postgres).is_ok());
    let case =
        |depth: usize| format!("select {}a{} from t", "case when a then b else ".repeat(depth), " end".repeat(depth));
    assert!(parse(&case(100), &ReferencePlaces::default(), &Functions::load(), SqlDialect::Postgres).is_ok());
    let broken = format!("select {}a from t", "cast((upper(".repeat(60));
    assert!(matches!(
        parse(&broken, &ReferencePlaces::default(), &Functions::load(), SqlDialect::Postgres),
        Err(NotParsed::Syntax(_))
    ));
    let queries = format!("select * from {}t{}", "(select * from ".repeat(60), ") as t".repeat(60));
    for sql in [nots(2_000), case(2_000), "not ".repeat(2_000), queries] {
        let error =
            parse(&sql, &ReferencePlaces::default(), &Functions::load(), SqlDialect::Postgres).map(|_| ()).unwrap_err();
        assert!(matches!(error, NotParsed::Syntax(text) if text.starts_with("the SQL is nested too deeply")));
    }
}

#[test]
fn rows_of_operators_and_queries_end_somewhere() {
    let row = |count: usize, between: &str| format!("select a{} from t", format!("{between}a").repeat(count));
    let unions = |count: usize| format!("select a from t{}", " union all select a from t".repeat(count));
    let many: Vec<String> = (0..5_000).map(|number| format!("{number} + 1")).collect();
    // A row is as deep a tree as it is long; the program itself runs on a stack that is deep enough.
    let thread = std::thread::Builder::new().stack_size(crate::parallel::DEEP_STACK);
    let read = thread.spawn(move || {
        for sql in [row(1_000, " + "), row(1_000, " and "), row(1_000, " || "), unions(1_000)] {
            assert!(parse(&sql, &ReferencePlaces::default(), &Functions::load(), SqlDialect::Postgres).is_ok());
        }
        for sql in [row(1_001, " + "), row(1_001, " or "), unions(1_001)] {
            let error = parse(&sql, &ReferencePlaces::default(), &Functions::load(), SqlDialect::Postgres)
                .map(|_| ())
                .unwrap_err();
            assert!(matches!(error, NotParsed::Syntax(text) if text.starts_with("more than 1000")));
        }
        assert!(
            parse(
                &format!("select {} from t", many.join(", ")),
                &ReferencePlaces::default(),
                &Functions::load(),
                SqlDialect::Postgres
            )
            .is_ok()
        );
    });
    read.unwrap().join().unwrap();
}
