select
    event_date,
    count(*) as sessions,
    count(distinct user_id) as users,
    sum(n_actions)::bigint as total_actions,
    avg(duration_s) as avg_duration_s,
    quantile_cont(duration_s, 0.5) as median_duration_s,
    quantile_cont(duration_s, 0.95) as p95_duration_s,
    avg(n_actions) as avg_actions
from sessions
where {slice}
group by all
