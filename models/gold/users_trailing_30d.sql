with

-- A user counts from an active day on, until 30 days have passed or the user is active again.
active as (
    select
        event_date as counts_from,
        least(
            event_date + interval '30 days',
            lead(event_date) over (partition by user_id order by event_date)
        ) as counts_until
    from {{ ref('user_days', lookback='29 days') }}
),

changes as (
    select event_date, sum(change) as change
    from (
        select counts_from as event_date, 1 as change from active
        union all
        select counts_until as event_date, -1 as change from active
    ) as steps
    group by event_date
)

select
    days.event_date,
    sum(coalesce(changes.change, 0)) over (order by days.event_date) as users
from {{ ref('reporting_days', lookback='29 days') }} as days
left join changes on changes.event_date = days.event_date
