"""The SensorThings service under load: requests per second, latency, and processor time for one request."""
