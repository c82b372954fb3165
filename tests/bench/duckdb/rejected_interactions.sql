select event_date, reject_reason as reason, count(*) as rejected
from judged_interactions
where {slice} and reject_reason is not null
group by all
