"""The Elasticsearch sink: the records of one system as documents, every record once."""
