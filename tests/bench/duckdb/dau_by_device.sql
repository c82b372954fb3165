select event_date, coalesce(device_type, 'unknown') as device_type, count(*) as dau, sum(actions)::bigint as actions
from user_days
left join dim_users using (user_id)
where {slice}
group by all
