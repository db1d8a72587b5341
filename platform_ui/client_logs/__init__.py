"""What client apps say about themselves in ``<system>.log``, and whether a new one has arrived."""
