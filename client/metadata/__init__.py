"""The SensorThings side of the client: times, entities, wire form, the user's files, and the HTTP port."""
