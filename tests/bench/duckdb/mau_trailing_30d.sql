select
    event_date,
    coalesce(dau, 0) as dau,
    rolling.users as mau_30d,
    coalesce(monthly.users, 0) as mau_month,
    coalesce(dau, 0) / nullif(rolling.users, 0) as stickiness_30d,
    coalesce(dau, 0) / nullif(monthly.users, 0) as stickiness_month
from reporting_days
left join daily_active_users using (event_date)
left join users_trailing_30d as rolling using (event_date)
left join users_by_month as monthly on monthly."month" = date_trunc('month', event_date)::date
