select unnest(generate_series(min(event_date), max(event_date), interval 1 day))::date as event_date
from daily_active_users
