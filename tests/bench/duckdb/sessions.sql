with

marked as (
    select
        *,
        coalesce(session_start - lag(session_end) over in_time >= interval 30 minutes, true)::int as begins_session
    from sessions_midnight
    where {around}
    window in_time as (partition by user_id order by session_start)
),

numbered as (
    select *, sum(begins_session) over (partition by user_id order by session_start) as session_number
    from marked
),

merged as (
    select
        user_id,
        min(session_start) as session_start,
        min(session_start)::date as event_date,
        max(session_end) as session_end,
        sum(n_actions)::bigint as n_actions,
        epoch(max(session_end) - min(session_start))::bigint as duration_s,
        sum(active_duration_ms)::bigint as active_duration_ms
    from numbered
    group by user_id, session_number
)

from merged
where {slice}
