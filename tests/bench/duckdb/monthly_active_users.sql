with

months as (
    select date_trunc('month', event_date)::date as "month", sum(coalesce(dau, 0))::bigint as sum_dau, count(*) as "days"
    from reporting_days
    left join daily_active_users using (event_date)
    group by all
)

select
    "month",
    coalesce(users, 0) as mau,
    sum_dau,
    "days",
    sum_dau / "days" as avg_dau,
    sum_dau / "days" / nullif(users, 0) as stickiness
from months
left join users_by_month using ("month")
