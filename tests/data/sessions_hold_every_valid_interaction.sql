-- Every valid interaction is in exactly one session of either kind.
with

counts as (
    select
        (select sum(actions) from {{ ref('daily_active_users') }}) as valid_interactions,
        (select sum(n_actions) from {{ ref('sessions') }}) as in_sessions,
        (select sum(n_actions) from {{ ref('sessions_midnight') }}) as in_sessions_midnight
)

select *
from counts
where (valid_interactions is distinct from in_sessions)
    or (valid_interactions is distinct from in_sessions_midnight)
