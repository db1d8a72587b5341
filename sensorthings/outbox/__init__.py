"""The outbox: Observations made over HTTP on their way to Kafka, once each."""
