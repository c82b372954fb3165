-- From the first to the last active day, no day is missing.
with

counts as (
    select
        (select count(*) from {{ ref('mau_trailing_30d') }}) as reported_days,
        (select max(event_date) - min(event_date) + 1 from {{ ref('daily_active_users') }}) as days_in_range
)

select *
from counts
where reported_days is distinct from days_in_range
