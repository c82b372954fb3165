-- Each active user of a day has exactly one country, one device and one subscription, if only `unknown`.
with

splits as (
    select event_date, 'country' as attribute, sum(dau) as dau from {{ ref('dau_by_country') }} group by event_date
    union all
    select event_date, 'device_type' as attribute, sum(dau) as dau from {{ ref('dau_by_device') }} group by event_date
    union all
    select event_date, 'subscription_type' as attribute, sum(dau) as dau from {{ ref('dau_by_subscription') }} group by event_date
)

select
    splits.event_date,
    splits.attribute,
    splits.dau as dau_of_split,
    daily.dau
from splits
left join {{ ref('daily_active_users') }} as daily on daily.event_date = splits.event_date
where splits.dau is distinct from daily.dau
