{{ config(event_time='month', batch_size='month') }}

select
    {{ month_of('event_date') }} as month,
    count(distinct user_id) as users
from {{ ref('user_days') }}
group by {{ month_of('event_date') }}
