"""Systems of companies: their topics, their agents and the live tail of their records."""
