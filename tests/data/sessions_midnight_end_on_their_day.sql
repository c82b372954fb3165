-- A session that ends at midnight never crosses it.
select *
from {{ ref('sessions_midnight') }}
where cast(session_start as date) <> event_date
    or cast(session_end as date) <> event_date
