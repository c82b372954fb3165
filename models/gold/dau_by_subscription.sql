{{ dau_by('subscription_type') }}
