{{ dau_by('device_type') }}
