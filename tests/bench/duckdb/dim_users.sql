with

cleaned as (
    select
        nullif(user_id, '') as user_id,
        join_date,
        case when regexp_full_match(country, '[A-Z]{{2}}') then country end as country,
        case when device_type in ('iPhone', 'iPad', 'Mac', 'Android Phone', 'Android Tablet', 'Windows') then device_type end as device_type,
        case when subscription_type in ('free', 'basic', 'premium', 'enterprise') then subscription_type end as subscription_type
    from users
)

select *
from cleaned
where user_id is not null
qualify row_number() over (
    partition by user_id
    order by join_date desc nulls last, country nulls last, device_type nulls last, subscription_type nulls last
) = 1
