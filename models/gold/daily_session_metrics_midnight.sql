{{ daily_session_metrics(ref('sessions_midnight')) }}
