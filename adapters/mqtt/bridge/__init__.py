"""The bridge at work: from the MQTT broker to Kafka, and from Kafka and SensorThings to the MQTT broker."""
