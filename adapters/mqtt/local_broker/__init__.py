"""An MQTT broker for trying things out on one machine; production takes one that is made for it."""
