"""Who may publish and subscribe to what, compiled from what is registered, and written for brokers."""
