"""The Kafka side of the client: names, record format, security settings, ports to send and receive."""
