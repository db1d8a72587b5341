"""Who may do what in the SensorThings service: principals, shares, tokens, kept in step."""
