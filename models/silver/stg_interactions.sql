{{ config(materialized='ephemeral') }}

with

cleaned as (
    select
        nullif(user_id, '') as user_id,
        timestamp as ts,
        event_date,
        nullif(action_type, '') as action_type,
        nullif(page_id, '') as page_id,
        duration_ms,
        nullif(app_version, '') as app_version,
        {{ was_rescued('timestamp') }} as has_bad_timestamp
    from {{ ref('interactions') }}
)

select
    user_id,
    ts,
    event_date,
    action_type,
    page_id,
    duration_ms,
    app_version,
    case
        when user_id is null then 'null_user_id'
        when ts is null and not has_bad_timestamp then 'null_timestamp'
        when ts is null then 'bad_timestamp'
        when action_type is null then 'null_action_type'
        when {{ allowed('action_type', var('action_types')) }} is null then 'unknown_action_type'
        when page_id is null then 'null_page_id'
    end as reject_reason
from cleaned
