-- The rejected rows are those with a reason in `judged_interactions`.
with

accepted as (
    select *, coalesce(duration_ms between 0 and 7200000, false) as is_valid
    from judged_interactions
    where {slice} and reject_reason is null
),

deduplicated as (
    select
        user_id, ts, event_date, action_type, page_id,
        coalesce(min(duration_ms) filter (is_valid), min(duration_ms)) as duration_ms,
        first(app_version order by is_valid desc, duration_ms asc nulls last, app_version asc nulls last) as app_version
    from accepted
    group by all
)

select
    *,
    case
        when duration_ms is null then 'null'
        when duration_ms < 0 then 'negative'
        when duration_ms > 7200000 then 'too_long'
        else 'ok'
    end as duration_status,
    duration_status = 'ok' as is_valid
from deduplicated
