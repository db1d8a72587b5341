"""Working with a platform anywhere, by its HTTP API alone: log-in, one command for each operation, code.

What lives here: connection and profiles, the commands and what they print, systems as documents (``code``).
What does not: anything of the platform itself. Nothing here imports it, so a bare install with the extra
``command`` is enough.
"""
