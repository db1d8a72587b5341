"""Messages of many devices through an MQTT broker into Kafka, while the bridge and Kafka fail on the way."""
