{{ config(materialized='incremental', event_time='event_date', partition_by='event_date', batch_size='day') }}

select
    user_id,
    timestamp,
    cast(timestamp as date) as event_date,
    action_type,
    page_id,
    duration_ms,
    app_version,
    _source_file,
    _source_line,
    _rescued
from {{ source('notes', 'user_interactions') }}
