-- A user's next session starts no sooner than the session gap after the end of the one before.
select
    user_id,
    session_start,
    lag(session_end) over (partition by user_id order by session_start) as previous_session_end
from {{ ref('sessions') }}
qualify session_start - lag(session_end) over (partition by user_id order by session_start) < interval '{{ var("session_gap") }}'
