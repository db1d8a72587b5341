"""The peer in Python: Quix Streams, in a virtual environment of its own, for its requirements differ."""
