"""Access rules of the broker: compiled from the registry, brought there, kept there; no topics, no pages."""
