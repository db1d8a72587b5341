"""The MQTT bridge: devices that speak MQTT, both ways, on the same contracts and certificates as Kafka."""
