"""What sinks share: reading topics, what records say, dead letters, settings, how they are observed."""
