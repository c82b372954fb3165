select
    event_date,
    count(*) as dau,
    sum(actions) as actions,
    sum(total_duration_ms) as total_duration_ms
from {{ ref('user_days') }}
group by event_date
