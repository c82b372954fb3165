{{ config(event_time='event_date') }}

select
    event_date,
    reject_reason as reason,
    count(*) as rejected
from {{ ref('stg_interactions') }}
where reject_reason is not null
group by event_date, reject_reason
