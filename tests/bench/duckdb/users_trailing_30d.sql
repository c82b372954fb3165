-- A user counts from an active day on, until 30 days have passed or the user is active again.
with

active as (
    select
        event_date as counts_from,
        least(event_date + 30, lead(event_date) over (partition by user_id order by event_date)) as counts_until
    from user_days
    where {trailing}
),

changes as (
    select event_date, sum(change) as change
    from (
        select counts_from as event_date, 1 as change from active
        union all
        select counts_until, -1 from active
    )
    group by all
),

running as (
    select event_date, sum(coalesce(change, 0)) over (order by event_date)::bigint as users
    from (from reporting_days where {trailing})
    left join changes using (event_date)
)

from running
where {slice}
