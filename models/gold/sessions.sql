{{ config(partition_by='event_date') }}

with

sessions as (
    {{ merge_into_sessions(ref('sessions_midnight', lookback='1 day', lookahead='2 days'), within='user_id') }}
)

select
    user_id,
    session_start,
    cast(session_start as date) as event_date,
    session_end,
    n_actions,
    to_unixtime(session_end) - to_unixtime(session_start) as duration_s,
    active_duration_ms
from sessions
