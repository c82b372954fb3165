-- The actions of a day's active users are the day's valid interactions.
with

valid as (
    select event_date, count(*) as actions
    from {{ ref('fct_interactions') }}
    where is_valid
    group by event_date
)

select
    coalesce(valid.event_date, daily.event_date) as event_date,
    valid.actions as valid_interactions,
    daily.actions as counted_actions
from valid
full join {{ ref('daily_active_users') }} as daily on daily.event_date = valid.event_date
where valid.actions is distinct from daily.actions
