"""The recorder: a million records into the observation store, crashed on the way, counted and compared."""
