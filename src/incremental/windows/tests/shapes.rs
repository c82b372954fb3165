//! The shapes of SQL that were measured, each with what is proved of every table that it reads.

use super::*;

/// SQL and what it reads.
pub(super) const SHAPES: &[(&str, &str)] = &[
    ("select event_date, n from {{ ref('events') }}", "events: aligned null=null"),
    ("select event_date as event_date, n from {{ ref('events') }}", "events: aligned null=null"),
    ("select event_date, n from {{ ref('events') }} where kind = 'a'", "events: aligned null=null"),
    (
        "select e.event_date, u.country from {{ ref('events') }} e join {{ ref('users') }} u on u.user_id = e.user_id",
        "events: aligned null=null; users: dimension null=none",
    ),
    (
        "select e.event_date, u.country from {{ ref('events') }} e left join {{ ref('users') }} u on u.user_id = e.user_id",
        "events: aligned null=null; users: dimension null=none",
    ),
    (
        "select a.event_date, b.n from {{ ref('events') }} a join {{ ref('events') }} b on a.event_date = b.event_date and a.user_id = b.user_id",
        "events: aligned null=null; events (reference 2): aligned null=none",
    ),
    (
        "select a.event_date, b.users from {{ ref('events') }} a left join {{ ref('days') }} b on a.event_date = b.event_date",
        "events: aligned null=null; days: aligned null=none",
    ),
    (
        "select a.event_date, b.users from {{ ref('events') }} a right join {{ ref('days') }} b on a.event_date = b.event_date",
        "events: aligned; days: aligned",
    ),
    ("select event_date, count(*) as c from {{ ref('events') }} group by event_date", "events: aligned null=null"),
    (
        "select event_date, count(distinct user_id) as c from {{ ref('events') }} group by event_date having count(*) > 1",
        "events: aligned null=null",
    ),
    (
        "select event_date, row_number() over (partition by event_date order by n) as r from {{ ref('events') }}",
        "events: aligned null=null",
    ),
    (
        "select event_date, row_number() over (partition by event_date, user_id order by n) as r from {{ ref('events') }}",
        "events: aligned null=null",
    ),
    ("select distinct event_date, user_id from {{ ref('events') }}", "events: aligned null=null"),
    (
        "select event_date, user_id from {{ ref('events') }} union all select event_date, users from {{ ref('days') }}",
        "events: aligned null=null; days: aligned null=null",
    ),
    (
        "select event_date, user_id from {{ ref('events') }} union select event_date, users from {{ ref('days') }}",
        "events: aligned null=null; days: aligned null=null",
    ),
    ("with c as (select event_date, n from {{ ref('events') }}) select * from c", "events: aligned null=null"),
    (
        "with c as (select event_date, user_id, n from {{ ref('events') }}) select a.event_date, b.n from c a join c b on a.event_date = b.event_date",
        "events: aligned null=null",
    ),
    (
        "with c as (select event_date, user_id, n from {{ ref('events') }}) select a.event_date, b.n from c a join c b on a.user_id = b.user_id",
        "events: unbounded (joined on `user_id`, not on the date)",
    ),
    (
        "select event_date, n from {{ ref('events') }} e where exists (select 1 from {{ ref('days') }} d where d.event_date = e.event_date)",
        "days: aligned null=none; events: aligned null=null",
    ),
    (
        "select event_date, n from {{ ref('events') }} e where not exists (select 1 from {{ ref('days') }} d where d.event_date = e.event_date)",
        "days: aligned null=none; events: aligned null=null",
    ),
    (
        "select event_date, (select max(users) from {{ ref('days') }} d where d.event_date = e.event_date) as m from {{ ref('events') }} e",
        "days: aligned null=none; events: aligned null=null",
    ),
    ("select event_date, n from {{ ref('events') }} order by n", "events: aligned null=null"),
    (
        "select event_date, n from {{ ref('events') }} qualify row_number() over (partition by event_date order by n) = 1",
        "events: aligned null=null",
    ),
    ("select event_date, unnest([n, n + 1]) as x from {{ ref('events') }}", "events: aligned null=null"),
    (
        "select coalesce(event_date, date '2023-01-01') as event_date, n from {{ ref('events') }}",
        "events: unbounded null=none (the event time of the output is `CASE WHEN event_date IS NOT NULL THEN event_date ELSE 2023-01-01 END`, which is more than one column of one table)",
    ),
    (
        "select event_date + interval '1 day' as event_date, n from {{ ref('events') }}",
        "events: shifted t + 1 day null=null",
    ),
    (
        "{{ config(materialized='incremental', event_time='month', batch_size='month') }} select cast(date_trunc('month', event_date) as date) as month, count(*) as n from {{ ref('events') }} group by 1",
        "events: shifted date_trunc('month', t) null=null",
    ),
    (
        "select cast(date_trunc('month', event_date) as date) as event_date, count(*) as n from {{ ref('events') }} group by 1",
        "events: shifted date_trunc('month', t) null=null",
    ),
    (
        "select cast(ts as date) as event_date, n from {{ ref('events') }}",
        "events: unbounded (the event time of the output is derived from `ts`)",
    ),
    (
        "select cast(date_trunc('day', ts) as date) as event_date, user_id from {{ ref('stamped') }}",
        "stamped: aligned [0 days back, 0 days ahead] null=null",
    ),
    (
        "select cast(ts as date) as event_date, user_id from {{ ref('stamped') }}",
        "stamped: aligned [0 days back, 0 days ahead] null=null",
    ),
    (
        "select coalesce(a.event_date, b.event_date) as event_date, a.n, b.users from {{ ref('events') }} a full join {{ ref('days') }} b on a.event_date = b.event_date",
        "events: aligned [0 days back, 0 days ahead] null=null; days: aligned [0 days back, 0 days ahead] null=null",
    ),
    (
        "select a.event_date, a.n, b.users from {{ ref('events') }} a full join {{ ref('days') }} b on a.event_date = b.event_date",
        "events: aligned; days: aligned",
    ),
    (
        "select coalesce(a.event_date, b.event_date) as event_date, a.n, b.users from {{ ref('events') }} a full join {{ ref('days') }} b on a.user_id = b.users",
        "events: unbounded (the event time of the output is derived from both sides of a join); days: unbounded (the event time of the output is derived from both sides of a join)",
    ),
    (
        "select distinct on (event_date, user_id) event_date, user_id, n from {{ ref('events') }} order by event_date, user_id, n",
        "events: aligned [0 days back, 0 days ahead] null=null",
    ),
    (
        "select distinct on (user_id) event_date, user_id, n from {{ ref('events') }} order by user_id, n",
        "events: unbounded (`first_value()` over several days produces the event time of the output)",
    ),
    (
        "select event_date, user_id, sum(n) as n from {{ ref('events') }} group by rollup (event_date, user_id)",
        "events: unbounded (the rows include totals over all days)",
    ),
    (
        "select event_date, user_id, sum(n) as n from {{ ref('events') }} group by cube (event_date, user_id)",
        "events: unbounded (the rows include totals over all days)",
    ),
    (
        "select max(event_date) as event_date from {{ ref('events') }}",
        "events: unbounded (`max()` over several days produces the event time of the output)",
    ),
    (
        "select event_date, lag(n) over (partition by user_id order by event_date) as previous from {{ ref('events') }}",
        "events: unbounded (`lag()` per `user_id` looks across days)",
    ),
    (
        "select event_date, sum(n) over (order by event_date range between interval '29 days' preceding and current row) as s from {{ ref('events') }}",
        "events: window 29 days back, 0 days ahead [29 days back, 0 days ahead]",
    ),
    (
        "select event_date, sum(n) over (partition by user_id order by event_date range between interval '6 days' preceding and interval '1 day' following) as s from {{ ref('events') }}",
        "events: window 6 days back, 1 day ahead [6 days back, 1 day ahead]",
    ),
    (
        "select event_date, sum(n) over (order by event_date desc range between interval '2 days' preceding and current row) as s from {{ ref('events') }}",
        "events: window 0 days back, 2 days ahead [0 days back, 2 days ahead]",
    ),
    (
        "select event_date, sum(n) over (order by event_date rows between 29 preceding and current row) as s from {{ ref('events') }}",
        "events: unbounded (`sum()` looks across days)",
    ),
    (
        "select event_date, sum(n) over (order by event_date) as s from {{ ref('events') }}",
        "events: unbounded (`sum()` looks across days)",
    ),
    (
        "select event_date, rank() over (order by event_date range between interval '29 days' preceding and current row) as s from {{ ref('events') }}",
        "events: unbounded (`rank()` looks across days)",
    ),
    (
        "select c.event_date, count(distinct e.user_id) as mau from {{ ref('days') }} c join {{ ref('events') }} e on e.event_date between c.event_date - interval '29 days' and c.event_date group by c.event_date",
        "days: aligned null=null; events: window 29 days back, 0 days ahead [29 days back, 0 days ahead]",
    ),
    (
        "select c.event_date, count(distinct e.user_id) as mau from {{ ref('days') }} c left join {{ ref('events') }} e on e.event_date > c.event_date - interval '30 days' and c.event_date >= e.event_date group by c.event_date",
        "days: aligned null=null; events: window 30 days back, 0 days ahead [30 days back, 0 days ahead]",
    ),
    (
        "select c.event_date, count(distinct e.user_id) as mau from {{ ref('days') }} c, {{ ref('events') }} e where e.event_date between c.event_date - interval '29 days' and c.event_date group by c.event_date",
        "days: aligned null=null; events: window 29 days back, 0 days ahead [29 days back, 0 days ahead]",
    ),
    (
        "select c.event_date, e.n from {{ ref('days') }} c join {{ ref('events') }} e on e.event_date <= c.event_date",
        "days: aligned null=null; events: unbounded (joined without a condition on the date)",
    ),
    (
        "select c.event_date, e.n from {{ ref('days') }} c left join {{ ref('events') }} e on e.event_date >= date_trunc('month', c.event_date) and e.event_date <= c.event_date",
        "days: aligned null=null; events: window 31 days back, 0 days ahead [31 days back, 0 days ahead]",
    ),
    (
        "select a.event_date, b.n from {{ ref('events') }} a join {{ ref('events') }} b on a.user_id = b.user_id",
        "events: aligned null=null; events (reference 2): unbounded (joined on `user_id`, not on the date)",
    ),
    (
        "select a.event_date, b.n from {{ ref('events') }} a left join {{ ref('events') }} b on b.user_id = a.user_id and b.event_date = a.event_date - interval '1 day'",
        "events: aligned null=null; events (reference 2): shifted t + 1 day [1 day back, 0 days ahead] null=none",
    ),
    (
        "select a.event_date, b.users from {{ ref('events') }} a left join {{ ref('months') }} b on b.month = cast(date_trunc('month', a.event_date) as date)",
        "events: aligned null=null; months: window month of t [31 days back, 0 days ahead] null=none",
    ),
    (
        "select event_date, n from {{ ref('events') }} where event_date > (select min(event_date) from {{ ref('days') }})",
        "days: unbounded (a subquery may read any day); events: aligned null=null",
    ),
    (
        "select event_date, n from {{ ref('events') }} where user_id in (select users from {{ ref('days') }})",
        "days: unbounded (joined on `user_id`, not on the date); events: aligned null=null",
    ),
    (
        "select event_date, n from {{ ref('events') }} where event_date in (select event_date from {{ ref('days') }})",
        "days: aligned null=none; events: aligned null=null",
    ),
    (
        "select event_date, n from {{ ref('events') }} where event_date not in (select event_date from {{ ref('days') }})",
        "days: unbounded (`not in` keeps no row as soon as one row of any day is null); events: aligned null=null",
    ),
    (
        "select event_date, n from {{ ref('events') }} limit 10",
        "events: unbounded (`limit` chooses among the rows of all days)",
    ),
    (
        "select event_date, n from {{ ref('events') }} order by n limit 10",
        "events: unbounded (`limit` chooses among the rows of all days)",
    ),
    (
        "with recursive r as (select event_date, 1 as n from {{ ref('days') }} union all select event_date, n + 1 from r where n < 3) select event_date, n from r",
        "days: unbounded (a recursive query may read any day)",
    ),
    (
        "select to_date(to_char(ts, 'YYYY-MM-DD'), 'YYYY-MM-DD') as event_date, n from {{ ref('events') }}",
        "events: unbounded (the event time of the output is `to_date(to_char(ts, Utf8(\"YYYY-MM-DD\")), Utf8(\"YYYY-MM-DD\"))`, which is more than one column of one table)",
    ),
    (
        "select event_date, n from {{ ref('events', lookback='29 days', lookahead='1 day') }}",
        "events: declared 29 days back, 1 day ahead null=null",
    ),
    (
        "select e.event_date, c.is_holiday from {{ ref('events') }} e left join {{ ref('calendar') }} c on c.event_date = e.event_date",
        "events: aligned null=null; calendar: unbounded null=none (the event time of the output comes from `notes.calendar`, which has none)",
    ),
    (
        "select event_date, is_holiday from {{ ref('calendar') }}",
        "calendar: unbounded (the event time of the output comes from `notes.calendar`, which has none)",
    ),
    ("select event_date, n from {{ ref('events_view') }}", "events: aligned null=null"),
    (
        "select a.event_date, b.n from {{ ref('events_view') }} a join {{ ref('events_view') }} b on a.user_id = b.user_id and b.event_date = a.event_date - interval '1 day'",
        "events: window 1 day back, 0 days ahead [1 day back, 0 days ahead] null=null",
    ),
    (
        "select event_date, sum(n) over (partition by user_id, date_trunc('month', event_date)) as s from {{ ref('events') }}",
        "events: window 31 days back, 31 days ahead [31 days back, 31 days ahead]",
    ),
    (
        "select a.event_date, a.n from {{ ref('events') }} a join {{ ref('days') }} b on a.event_date = b.event_date join {{ ref('stamped') }} c on c.event_date = b.event_date",
        "events: aligned null=null; days: aligned null=none; stamped: aligned [0 days back, 0 days ahead]",
    ),
    (
        "select event_date, n from {{ ref('events') }} where event_date >= date '2023-05-01' union all select event_date, lag(n) over (order by event_date) as n from {{ ref('events') }} where event_date < date '2019-01-01'",
        "events: aligned [0 days back, 0 days ahead] null=null; events (reference 2): unbounded (`lag()` looks across days)",
    ),
    (
        "select event_date, n from {{ ref('events') }} intersect select event_date, users from {{ ref('days') }}",
        "events: aligned null=null; days: aligned",
    ),
    (
        "select event_date, n from {{ ref('events') }} except select event_date, users from {{ ref('days') }}",
        "events: aligned null=null; days: aligned",
    ),
    (
        "with c as (select date_trunc('month', event_date) as m, n from {{ ref('events') }}) select cast(m as date) as event_date, sum(n) as n from c group by m",
        "events: shifted date_trunc('month', t) null=null",
    ),
    (
        "select a.event_date, b.n from {{ ref('events') }} a join {{ ref('events') }} b on a.user_id = b.user_id and b.event_date + interval '1 day' = a.event_date",
        "events: aligned null=null; events (reference 2): shifted t + 1 day [1 day back, 0 days ahead] null=none",
    ),
    (
        "select coalesce(a.event_date, b.event_date, c.event_date) as event_date, a.n from {{ ref('events') }} a full join {{ ref('days') }} b on a.event_date = b.event_date full join {{ ref('stamped') }} c on coalesce(a.event_date, b.event_date) = c.event_date",
        "events: aligned [0 days back, 0 days ahead] null=null; days: aligned [0 days back, 0 days ahead] null=null; stamped: aligned [0 days back, 0 days ahead] null=null",
    ),
    (
        "select b.event_date, b.n from {{ ref('days') }} a right join {{ ref('events') }} b on a.event_date between b.event_date and b.event_date + interval '1 month'",
        "days: window 0 days back, 31 days ahead [0 days back, 31 days ahead]; events: aligned null=null",
    ),
    (
        "select e.event_date, e.n from {{ ref('events') }} e left join {{ ref('days') }} d on e.event_date - d.event_date < 3",
        "events: aligned null=null; days: unbounded (joined without a condition on the date)",
    ),
    (
        "select event_date, first_value(n) over (partition by user_id order by event_date range between interval '1 month' preceding and current row) as s from {{ ref('events') }}",
        "events: window 31 days back, 0 days ahead [31 days back, 0 days ahead]",
    ),
    (
        "select event_date, sum(n) over (partition by event_date) as s, lag(n) over (partition by user_id order by event_date) as l from {{ ref('events') }}",
        "events: unbounded (`lag()` per `user_id` looks across days)",
    ),
    (
        "select event_date, array_agg(n order by n) as all_n from {{ ref('events') }} group by event_date",
        "events: aligned null=null",
    ),
    (
        "select event_date, n from (select *, row_number() over (partition by user_id order by n) as r from {{ ref('events') }}) where r = 1",
        "events: unbounded (`row_number()` per `user_id` looks across days)",
    ),
    (
        "select greatest(a.event_date, b.event_date) as event_date, a.n from {{ ref('events') }} a join {{ ref('days') }} b on a.event_date = b.event_date",
        "events: unbounded (the event time of the output is derived from both sides of a join); days: unbounded (the event time of the output is derived from both sides of a join)",
    ),
    (
        "select d.event_date, (select count(*) from {{ ref('events') }} e) as n from {{ ref('days') }} d",
        "events: unbounded (a subquery may read any day); days: aligned null=null",
    ),
    (
        "select event_date, n from {{ ref('events') }} where exists (select 1 from {{ ref('calendar') }} c where c.is_holiday)",
        "calendar: dimension null=none; events: aligned null=null",
    ),
    (
        "select date '2023-01-01' as event_date, n from {{ ref('events') }}",
        "events: unbounded null=none (the event time of the output is not derived from a column)",
    ),
    (
        "select b.event_date, a.n from {{ ref('events') }} a left join {{ ref('days') }} b on a.event_date = b.event_date",
        "events: aligned; days: aligned",
    ),
    (
        "select coalesce(b.event_date, date '2023-01-01') as event_date, a.n from {{ ref('events') }} a left join {{ ref('days') }} b on a.event_date = b.event_date",
        "events: unbounded null=none (an outer join makes rows whose event time is null); days: unbounded null=none (an outer join makes rows whose event time is null)",
    ),
];

#[test]
fn every_shape_has_its_class() {
    let mut wrong = Vec::new();
    for (sql, expected) in SHAPES {
        let found = shown(&derived(sql));
        if found != *expected {
            wrong.push(format!("{sql}\n    is   {found}\n    not  {expected}"));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}
