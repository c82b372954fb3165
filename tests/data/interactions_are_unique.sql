-- An interaction is known by its user, time, action and page.
select user_id, ts, action_type, page_id, count(*) as copies
from {{ ref('fct_interactions') }}
group by user_id, ts, event_date, action_type, page_id
having count(*) > 1
