"""What the benchmarks share: a broker, topics, programs in their own processes, checked outputs, tables."""
