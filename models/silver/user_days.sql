{{ config(event_time='event_date', partition_by='event_date') }}

select
    event_date,
    user_id,
    count(*) as actions,
    sum(duration_ms) as total_duration_ms
from {{ ref('fct_interactions') }}
where is_valid
group by event_date, user_id
