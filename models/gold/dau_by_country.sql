{{ dau_by('country') }}
