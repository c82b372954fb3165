{{ config(event_time='event_date', partition_by='event_date') }}

with

accepted as (
    select
        *,
        {{ duration_status('duration_ms') }} = 'ok' as is_valid
    from {{ ref('stg_interactions') }}
    where reject_reason is null
),

deduplicated as (
    select
        user_id,
        ts,
        event_date,
        action_type,
        page_id,
        coalesce(min(duration_ms) filter (where is_valid), min(duration_ms)) as duration_ms,
        first_value(app_version order by is_valid desc, duration_ms asc nulls last, app_version asc nulls last) as app_version
    from accepted
    group by user_id, ts, event_date, action_type, page_id
)

select
    *,
    {{ duration_status('duration_ms') }} as duration_status,
    {{ duration_status('duration_ms') }} = 'ok' as is_valid
from deduplicated
