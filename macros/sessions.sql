{#
  Merges pieces of activity (user_id, event_date, session_start, session_end, n_actions, active_duration_ms) into sessions: a piece
  goes on with the session of the piece before it if both are the same user's and less than the session gap lies between.
  Only pieces with an equal value of the column `within` can meet in one session.
#}
{% macro merge_into_sessions(pieces, within) -%}
{%- set keys = ['user_id', within] | unique | join(', ') -%}
with

marked as (
    select
        *,
        case
            when user_id = lag(user_id) over in_time
                and session_start - lag(session_end) over in_time < interval '{{ var("session_gap") }}' then 0
            else 1
        end as begins_session
    from {{ pieces }}
    window in_time as (partition by {{ within }} order by user_id, session_start)
),

numbered as (
    select
        *,
        sum(begins_session) over (
            partition by {{ within }} order by user_id, session_start rows unbounded preceding
        ) as session_number
    from marked
)

select
    {{ keys }},
    min(session_start) as session_start,
    max(session_end) as session_end,
    sum(n_actions) as n_actions,
    sum(active_duration_ms) as active_duration_ms
from numbered
group by {{ keys }}, session_number
{%- endmacro %}


{# The measures of each day's sessions; a session belongs to the day on which it starts. #}
{% macro daily_session_metrics(sessions) %}
with

ranked as (
    select
        *,
        row_number() over (partition by event_date order by duration_s) as duration_rank,
        count(*) over (partition by event_date) as sessions_of_day
    from {{ sessions }}
)

select
    event_date,
    count(*) as sessions,
    count(distinct user_id) as users,
    sum(n_actions) as total_actions,
    avg(duration_s) as avg_duration_s,
    {{ percentile('duration_s', 0.5, rank='duration_rank', size='sessions_of_day') }} as median_duration_s,
    {{ percentile('duration_s', 0.95, rank='duration_rank', size='sessions_of_day') }} as p95_duration_s,
    avg(n_actions) as avg_actions
from ranked
group by event_date
{%- endmacro %}
