"""What MQTT brokers must know of the registry: rules and revoked certificates, kept fresh."""
