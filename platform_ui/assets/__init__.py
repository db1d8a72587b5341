"""Assets of a system: its Things, Sensors and Datastreams, registered by form or file, and their values."""
