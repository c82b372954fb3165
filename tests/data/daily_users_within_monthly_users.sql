-- Who is active on a day is active in its month and in the 30 days that end with it.
select *
from {{ ref('mau_trailing_30d') }}
where dau > mau_30d
    or dau > mau_month
