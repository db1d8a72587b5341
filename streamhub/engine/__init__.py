"""The batch lane: consume, decide, produce and commit in Kafka transactions, exactly once."""
