"""The peer on the JVM: our own small Kafka Streams program, compiled when a benchmark asks for it."""
