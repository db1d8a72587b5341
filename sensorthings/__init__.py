"""The SensorThings service: metadata and observations over HTTP by OGC 18-088."""
