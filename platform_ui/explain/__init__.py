"""Why somebody may do something, or what is missing: answers out of the functions that decide it."""
