{{ config(materialized='table', partition_by='country') }}

with

cleaned as (
    select
        nullif(user_id, '') as user_id,
        join_date,
        case when regexp_like(country, '^[A-Z]{2}$') then country end as country,
        {{ allowed('device_type', var('device_types')) }} as device_type,
        {{ allowed('subscription_type', var('subscription_types')) }} as subscription_type
    from {{ ref('users') }}
)

select *
from cleaned
where user_id is not null
qualify row_number() over (
    partition by user_id
    order by
        join_date desc nulls last,
        country asc nulls last,
        device_type asc nulls last,
        subscription_type asc nulls last
) = 1
