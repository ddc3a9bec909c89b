"""What a run came to, as tables: the summary, progress, timings, changes, detection."""
