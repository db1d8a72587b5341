"""What the bridge remembers on disk: packets, messages while Kafka is away, Datastreams and clients."""
