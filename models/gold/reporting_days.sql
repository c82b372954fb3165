with

active_range as (
    select
        min(event_date) as first_date,
        max(event_date) as last_date
    from {{ ref('daily_active_users') }}
)

select unnest(generate_series(first_date, last_date, interval '1 day')) as event_date
from active_range
