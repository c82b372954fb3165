{{ config(materialized='table', partition_by='country') }}

select
    user_id,
    join_date,
    country,
    device_type,
    subscription_type,
    _source_file,
    _source_line,
    _rescued
from {{ source('notes', 'user_metadata') }}
