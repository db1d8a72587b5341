"""Client apps: devices and programs that belong to a system."""
