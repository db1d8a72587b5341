"""Companies, systems, clients, contracts, offers and stream apps as documents of YAML.

What lives here: the form of documents, reading and writing them, what differs from a platform, making it so.
What does not: the connection and the commands of single objects (``setup.remote``).
"""
