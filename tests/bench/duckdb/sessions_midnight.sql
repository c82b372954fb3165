with

marked as (
    select
        *,
        coalesce(ts - lag(ts) over in_time >= interval 30 minutes, true)::int as begins_session
    from fct_interactions
    where {slice} and is_valid
    window in_time as (partition by user_id, event_date order by ts)
),

numbered as (
    select *, sum(begins_session) over (partition by user_id, event_date order by ts) as session_number
    from marked
)

select
    user_id,
    min(ts) as session_start,
    event_date,
    max(ts) as session_end,
    count(*) as n_actions,
    epoch(max(ts) - min(ts))::bigint as duration_s,
    sum(duration_ms)::bigint as active_duration_ms
from numbered
group by user_id, event_date, session_number
