with

daily as (
    select
        days.event_date,
        coalesce(daily.dau, 0) as dau,
        trailing.users as mau_30d,
        coalesce(monthly.users, 0) as mau_month
    from {{ ref('reporting_days') }} as days
    left join {{ ref('daily_active_users') }} as daily on daily.event_date = days.event_date
    left join {{ ref('users_trailing_30d') }} as trailing on trailing.event_date = days.event_date
    left join {{ ref('users_by_month') }} as monthly on monthly.month = {{ month_of('days.event_date') }}
)

select
    event_date,
    dau,
    mau_30d,
    mau_month,
    {{ ratio('dau', 'mau_30d') }} as stickiness_30d,
    {{ ratio('dau', 'mau_month') }} as stickiness_month
from daily
