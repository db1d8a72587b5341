"""Updates: what changes at the service, published to those who want it."""
