{# Daily active users and their actions, split by an attribute that `dim_users` knows of them today: if it changes, all days do. #}
{% macro dau_by(attribute) %}
select
    user_days.event_date,
    coalesce(users.{{ attribute }}, 'unknown') as {{ attribute }},
    count(*) as dau,
    sum(user_days.actions) as actions
from {{ ref('user_days') }} as user_days
left join {{ ref('dim_users', on_change='rebuild') }} as users on users.user_id = user_days.user_id
group by user_days.event_date, coalesce(users.{{ attribute }}, 'unknown')
{%- endmacro %}


{# The first day of a date's month. #}
{% macro month_of(date) -%}
cast(date_trunc('month', {{ date }}) as date)
{%- endmacro %}
