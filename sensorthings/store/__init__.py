"""The observation store: appending in bulk, reading newest and time ranges, aggregates, retention."""
