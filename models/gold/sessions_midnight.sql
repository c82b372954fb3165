{{ config(partition_by='event_date') }}

with

actions as (
    select
        user_id,
        event_date,
        ts as session_start,
        ts as session_end,
        1 as n_actions,
        duration_ms as active_duration_ms
    from {{ ref('fct_interactions') }}
    where is_valid
),

sessions as (
    {{ merge_into_sessions('actions', within='event_date') }}
)

select
    user_id,
    session_start,
    event_date,
    session_end,
    n_actions,
    to_unixtime(session_end) - to_unixtime(session_start) as duration_s,
    active_duration_ms
from sessions
