"""Real services on one machine, without containers: Kafka, PostgreSQL.

Starting, stopping and recognising them; what they are used for is told elsewhere.
"""
