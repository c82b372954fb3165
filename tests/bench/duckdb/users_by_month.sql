select date_trunc('month', event_date)::date as "month", count(distinct user_id) as users
from user_days
where {month}
group by all
