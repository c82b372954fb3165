select event_date, user_id, count(*) as actions, sum(duration_ms)::bigint as total_duration_ms
from fct_interactions
where {slice} and is_valid
group by all
