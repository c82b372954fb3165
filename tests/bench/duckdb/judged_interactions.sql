-- A view: the facts and the count of rejected records both start from it.
select
    nullif(user_id, '') as user_id,
    "timestamp" as ts,
    event_date,
    nullif(action_type, '') as action_type,
    nullif(page_id, '') as page_id,
    duration_ms,
    nullif(app_version, '') as app_version,
    case
        when coalesce(user_id, '') = '' then 'null_user_id'
        when "timestamp" is null and contains(_rescued, '"timestamp":') then 'bad_timestamp'
        when "timestamp" is null then 'null_timestamp'
        when coalesce(action_type, '') = '' then 'null_action_type'
        when action_type not in ('page_view', 'edit', 'create', 'delete', 'share') then 'unknown_action_type'
        when coalesce(page_id, '') = '' then 'null_page_id'
    end as reject_reason
from interactions
