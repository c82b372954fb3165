{{ config(event_time='month', batch_size='month') }}

with

months as (
    select
        {{ month_of('days.event_date') }} as month,
        sum(coalesce(daily.dau, 0)) as sum_dau,
        count(*) as days
    from {{ ref('reporting_days') }} as days
    left join {{ ref('daily_active_users') }} as daily on daily.event_date = days.event_date
    group by {{ month_of('days.event_date') }}
)

select
    months.month,
    coalesce(monthly.users, 0) as mau,
    months.sum_dau,
    months.days,
    {{ ratio('months.sum_dau', 'months.days') }} as avg_dau,
    {{ ratio('months.sum_dau', 'months.days') }} / nullif(monthly.users, 0) as stickiness
from months
left join {{ ref('users_by_month') }} as monthly on monthly.month = months.month
