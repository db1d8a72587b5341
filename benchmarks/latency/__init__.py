"""Latency from producer to read-committed consumer, at a steady rate: our app and the raw loop."""
