-- What does not convert is null, and its text is kept; what has the wrong shape goes to the rejects.
select
    user_id,
    try_cast("timestamp" as timestamp) as "timestamp",
    try_cast("timestamp" as date) as event_date,
    action_type,
    page_id,
    try_cast(duration_ms as bigint) as duration_ms,
    app_version,
    filename as _source_file,
    case
        when ("timestamp" is not null and try_cast("timestamp" as timestamp) is null)
            or (duration_ms is not null and try_cast(duration_ms as bigint) is null)
        then json_merge_patch(
            case when try_cast("timestamp" as timestamp) is null and "timestamp" is not null
                then json_object('timestamp', "timestamp") else '{{}}' end,
            case when try_cast(duration_ms as bigint) is null and duration_ms is not null
                then json_object('duration_ms', duration_ms) else '{{}}' end)
    end as _rescued
from read_csv(
    {interaction_files},
    header = true, auto_detect = false, delim = ',', quote = '"', escape = '"', filename = true, store_rejects = true, rejects_limit = 0,
    columns = {{
        'user_id': 'varchar', 'timestamp': 'varchar', 'action_type': 'varchar',
        'page_id': 'varchar', 'duration_ms': 'varchar', 'app_version': 'varchar'
    }}
)
where {slice}
