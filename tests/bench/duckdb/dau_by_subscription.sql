select event_date, coalesce(subscription_type, 'unknown') as subscription_type, count(*) as dau, sum(actions)::bigint as actions
from user_days
left join dim_users using (user_id)
where {slice}
group by all
