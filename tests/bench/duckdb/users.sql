select
    user_id,
    try_cast(join_date as date) as join_date,
    country,
    device_type,
    subscription_type,
    filename as _source_file,
    case when join_date is not null and try_cast(join_date as date) is null then json_object('join_date', join_date) end as _rescued
from read_csv(
    {user_files},
    header = true, auto_detect = false, delim = ',', quote = '"', escape = '"', filename = true, store_rejects = true, rejects_limit = 0,
    columns = {{
        'user_id': 'varchar', 'join_date': 'varchar', 'country': 'varchar',
        'device_type': 'varchar', 'subscription_type': 'varchar'
    }}
)
