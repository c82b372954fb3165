select event_date, count(*) as dau, sum(actions)::bigint as actions, sum(total_duration_ms)::bigint as total_duration_ms
from user_days
where {slice}
group by all
