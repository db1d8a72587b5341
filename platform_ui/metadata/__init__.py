"""The metadata explorer: what the SensorThings service holds, as a tree, on a map and by query."""
